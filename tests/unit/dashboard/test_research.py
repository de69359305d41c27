"""The pages of analyses: who sees them, what they say, what they order and stop."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from unit.api.service import LATER, Service, in_one_task, running
from unit.connectors.upload.made import dicom
from unit.dashboard.reading import page, refused

from heltig.dashboard.results import candidates_of, results_of, slices_of
from heltig.imaging.statements import RESEARCH_USE
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.research.folder import listed
from heltig.pipeline.research.publishing.codes import meaning_of_failure
from heltig.setting_types import Size
from heltig.store import analyses, publications
from heltig.store.publications import NewPublication
from heltig.store.transaction import WriteTransaction

OURS = {"Sec-Fetch-Site": "same-origin"}
STUDY = "1.2.840.7"
SEG = "2.25.7"
ON: dict[str, Any] = {
    "auth_mode": "api-key",
    "analysis_enabled": True,
    "analysis_use": "research-only",
    "analysis_publish_to": ("main",),
    "alert_disk": Size(1),
}

DOCUMENT: dict[str, Any] = {
    "series": {
        "shape": [80, 60, 60],
        "spacing_mm": [3.0, 3.0, 5.0],
        "technique": {"modality": "CT", "series_number": 2, "kernel": "Br40", "kvp": 120.0},
    },
    "phase": {
        "phase": "portal_venous",
        "readings": [{"provider": "phase_hu/1", "phase": "portal_venous", "evidence": ["liver 110"]}],
    },
    "structures": [{"key": "liver", "name": "liver"}],
    "measurements": [
        {
            "name": "volume",
            "region": "liver",
            "value": 1307.2,
            "unit": "cm3",
            "status": "measured",
            "reason": "",
            "method": "voxels",
            "version": "metrics/1",
            "warnings": ["several_components"],
        },
        {
            "name": "SMI",
            "region": "L3",
            "value": None,
            "unit": "cm2/m2",
            "status": "not_evaluated",
            "reason": "no_height",
            "method": "l3/1",
            "version": "metrics/1",
            "warnings": [],
        },
    ],
    "meanings": {
        "reasons": {"no_height": "The height of the patient is not given."},
        "warnings": {"several_components": "There is more than one part."},
    },
}
SELECTION: dict[str, Any] = {
    "meanings": {"SLICES_TOO_FEW": "It has fewer slices than the policy asks for."},
    "entries": [
        {
            "outcome": "selected",
            "rank": 1,
            "modality": "CT",
            "series_number": 2,
            "series_instance_uid": "1.2",
        },
        {
            "outcome": "rejected",
            "modality": "CT",
            "series_number": 1,
            "series_instance_uid": "1.1",
            "reasons": [{"code": "SLICES_TOO_FEW", "observed": "2 slices"}],
        },
    ],
}
SLICES: dict[str, Any] = {
    "plane": "axial",
    "of": 60,
    "slices": [{"file": "slices/001.jpg", "index": 7, "height_mm": -12.5}],
    "structures": [{"name": "liver", "colour": "#56b4e9"}],
}


@dataclass
class Site:
    """A service with a READY study."""

    service: Service
    researcher: dict[str, str]
    admin: dict[str, str]

    @property
    def desk(self) -> ResearchDesk:
        desk: ResearchDesk = self.service.app.state["research"]
        return desk

    async def ordered(self) -> str:
        """Orders an analysis by its page; nobody makes it."""
        key = {**self.researcher, **OURS}
        answer = await self.service.post(
            f"/studies/{STUDY}/analyse", data={"segmenter.classical": "1"}, headers=key
        )
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"]).removeprefix("../../research/").partition("?")[0]

    async def done(self, state: str = "done", **ended: Any) -> str:
        """An analysis with files that a case could have written."""
        id = await self.ordered()
        folder = self.desk.folder.of(id)
        for name, content in {
            "analysis.json": json.dumps(DOCUMENT).encode(),
            "selection.json": json.dumps(SELECTION).encode(),
            "slices.json": json.dumps(SLICES).encode(),
            "slices/001.jpg": b"jpeg",
            "L3_overlay.png": b"png",
            "total/liver.nii.gz": b"mask",
            "dicom/seg.dcm": dicom(SEG),
        }.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

        def end(transaction: WriteTransaction) -> None:
            found = analyses.find(transaction, id)
            assert found is not None
            at = LATER + timedelta(seconds=90)
            moved = analyses.move(transaction, found, state, at=at, place="here", ends=True, **ended)
            assert moved is not None
            analyses.put_outputs(transaction, moved.row, listed(folder))

        await self.service.services.store.write(end)
        return id


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(ResearchDesk, "handlers", lambda desk: {})  # what is ordered waits
    async with in_one_task(running(tmp_path / "home", **ON)) as service:
        await service.judged(STUDY, modalities_in_study=("CT",))
        yield Site(service, await service.key("researcher"), await service.key("admin"))


async def test_an_analysis_is_ordered_after_one_question(site: Site) -> None:
    asked = page(await site.service.get(f"/studies/{STUDY}/analyse", headers=site.researcher))
    assert RESEARCH_USE.split(". ")[1] in asked.text
    assert "The study, its verdict and its archive stay as they are" in asked.text
    assert [box["name"] for box in asked.all("input", type="checkbox") if "name" in box][:2] == [
        "segmenter.byo-dicom-seg",
        "segmenter.classical",
    ]
    id = await site.ordered()
    [entry] = await site.service.audit("analysis.order")
    assert (entry.actor, entry.detail["analysis"]) == ("key:researcher-", id)
    again = await site.ordered()
    assert again == id  # under way already
    listed = page(await site.service.get("/research", headers=site.researcher))
    assert listed.rows() == [f"./research/{id}"]
    assert "Under way 1" in listed.text
    seen = page(await site.service.get(f"/research/{id}?done=ordered", headers=site.researcher))
    assert seen.all("div", id="live")[0]["hx-trigger"] == "every 2s"
    assert "Ordered." in seen.text
    order = await site.service.get(f"/studies/{STUDY}/analyse", headers=site.researcher)
    assert order.headers["x-heltig-use"] == "research-only"


async def test_an_analysis_is_cancelled_after_one_question(site: Site) -> None:
    id = await site.ordered()
    asked = page(await site.service.get(f"/research/{id}/cancel", headers=site.researcher))
    assert "stopped within seconds" in asked.text
    page(await site.service.post(f"/research/{id}/cancel", headers=site.researcher), 403)
    answer = await site.service.post(f"/research/{id}/cancel", headers={**site.researcher, **OURS})
    assert (answer.status_code, answer.headers["location"]) == (303, f"../{id}?done=cancelled")
    polled = await site.service.get(f"/research/{id}", headers={**site.researcher, "Heltig-Poll": "true"})
    assert polled.headers["hx-refresh"] == "true"
    seen = page(polled)
    assert "Somebody cancelled it." in seen.text
    assert "hx-trigger" not in seen.all("div", id="live")[0]
    assert page(await site.service.get("/research?state=failed", headers=site.researcher)).rows()
    assert not page(await site.service.get("/research?state=done", headers=site.researcher)).rows()
    for query, said in (("stat=failed", "did you mean state?"), ("state=nonsense", "state: give one of all")):
        assert said in page(await site.service.get(f"/research?{query}", headers=site.researcher), 400).text


async def test_what_it_came_to(site: Site) -> None:
    id = await site.done()
    answer = await site.service.get(f"/research/{id}", headers=site.researcher)
    assert answer.headers["x-heltig-use"] == "research-only"
    seen = page(answer)
    for text in (
        *("1,307", "cm³", "There is more than one part.", "portal venous", "phase_hu/1"),
        *("The height of the patient is not given.", "skeletal muscle index (SMI)"),
        *("It has fewer slices than the policy asks for.", "2 slices", "queued", "90 s"),
    ):
        assert text in seen.text, text
    pictures = {str(one["src"]) for one in seen.all("img")}
    assert pictures == {f"{id}/pictures/slices/001.jpg", f"{id}/pictures/L3_overlay.png"}
    for picture in pictures:
        shown = await site.service.get(f"/research/{picture}", headers=site.researcher)
        assert shown.content in (b"jpeg", b"png")
        assert shown.headers["content-disposition"].startswith("inline")
    page(await site.service.get(f"/research/{id}/pictures/analysis.json", headers=site.researcher), 404)


async def test_what_went_to_archives(site: Site) -> None:
    id = await site.done()

    def send(transaction: WriteTransaction) -> None:
        found = analyses.find(transaction, id)
        assert found is not None
        objects = [
            NewPublication(name=f"dicom/{name}.dcm", sop_class_uid="1.2", sop_instance_uid=f"2.25.{number}")
            for number, name in enumerate(("seg", "sr", "pdf"))
        ]
        seg, sr, _ = publications.put(transaction, found.row, "main", objects, at=LATER)
        publications.move(transaction, [seg.row], "verified", at=LATER)
        publications.move(transaction, [sr.row], "failed", at=LATER, code="STUDY_DIFFERS")

    await site.service.services.store.write(send)
    seen = page(await site.service.get(f"/research/{id}", headers=site.researcher)).text
    assert "1 of 3 objects are there, 1 on their way." in seen
    assert "dicom/sr.dcm" in seen
    assert meaning_of_failure("STUDY_DIFFERS") in seen


async def test_results_are_sent_after_one_question(site: Site) -> None:
    entry = {"name": "main", "qidoUrl": "http://127.0.0.1:9/dicom-web", "options": {"strategy": "none"}}
    added = await site.service.post("/api/v1/archives", json=entry, headers=site.admin)
    assert added.status_code == 201, added.text
    id = await site.done()
    seen = page(await site.service.get(f"/research/{id}", headers=site.researcher))
    assert [one for one in seen.all("a") if one["href"] == f"{id}/publish/main"]
    assert "hx-trigger" not in seen.all("div", id="live-sent")[0]
    address = f"/research/{id}/publish/main"
    asked = await site.service.get(address, headers=site.researcher)
    assert asked.headers["x-heltig-use"] == "research-only"
    for text in (SEG, "dicom/seg.dcm", "1 of 1 object goes by STOW-RS", "Send 1 to main"):
        assert text in page(asked).text, text
    assert await site.service.audit("analysis.publish") == []
    page(await site.service.post(address, headers=site.researcher), 403)  # from no page of ours
    sent = await site.service.post(address, headers={**site.researcher, **OURS})
    assert (sent.status_code, sent.headers["location"]) == (303, f"../../{id}?done=publishing")
    [entry_of_it] = await site.service.audit("analysis.publish")
    assert (entry_of_it.actor, entry_of_it.detail["files"]) == ("key:researcher-", ["dicom/seg.dcm"])
    going = await site.service.get(
        f"/research/{id}?done=publishing", headers={**site.researcher, "Heltig-Poll": "true"}
    )
    assert "hx-refresh" not in going.headers
    assert "0 of 1 objects are there, 1 on their way." in page(going).text
    assert page(going).all("div", id="live-sent")[0]["hx-trigger"] == "every 2s"
    for state in ("", "?state=done"):
        listed = page(await site.service.get(f"/research{state}", headers=site.researcher))
        assert listed.rows() == [f"./research/{id}"]
        assert "Done 1" in listed.text

    limited = await site.service.key("researcher", "research")
    page(await site.service.get(address, headers=limited), 403)
    seen = page(await site.service.get(f"/research/{id}", headers=limited))
    assert not [one for one in seen.all("a") if "publish" in str(one["href"])]
    page(await site.service.get(f"/research/{id}/publish/other", headers=site.researcher), 403)


async def test_parts_are_downloaded_and_that_is_written_down(site: Site) -> None:
    id = await site.done()
    for part, name in (("masks", b"total/liver.nii.gz"), ("dicom", b"dicom/seg.dcm"), ("all", b"L3_overlay")):
        package = await site.service.get(f"/research/{id}/zip/{part}", headers=site.researcher)
        assert package.headers["content-type"] == "application/zip"
        assert name in package.content
        assert (b"seg.dcm" in package.content) == (part != "masks")
    downloads = await site.service.audit("analysis.download")
    assert {one.detail["file"] for one in downloads} == {"zip of masks", "zip of dicom", "zip of all"}
    page(await site.service.get(f"/research/{id}/zip/else", headers=site.researcher), 404)

    (site.desk.folder.of(id) / "total/liver.nii.gz").write_bytes(b"else")
    for part, status in (("masks", 404), ("all", 404), ("dicom", 200)):
        package = await site.service.get(f"/research/{id}/zip/{part}", headers=site.researcher)
        assert package.status_code == status, part


async def test_notes_are_said_in_words(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [{"code": "UNMAPPED", "observed": f"<script>{number}</script>"} for number in range(14)]
    monkeypatch.setitem(DOCUMENT, "notes", [*notes, {"code": "ELSE", "observed": ""}])
    monkeypatch.setitem(DOCUMENT["meanings"], "notes", {"UNMAPPED": "It is none of the table."})
    seen = page(await site.service.get(f"/research/{await site.done()}", headers=site.researcher))
    assert "It is none of the table. UNMAPPED" in seen.text
    assert "<script>0</script>, <script>1</script>" in seen.text
    assert "<script>11</script> and 2 more" in seen.text
    assert "ELSE" in seen.text
    assert len(seen.all("bdi")) >= 13


async def test_a_refusal_is_said_in_words(site: Site) -> None:
    id = await site.done("refused", code="SLICES_TOO_FEW", observed="2 slices")
    seen = page(await site.service.get(f"/research/{id}", headers=site.researcher))
    assert "SLICES_TOO_FEW" in seen.text
    assert "To be refused is a normal outcome" in seen.text
    seen = page(await site.service.get(f"/research/{id}?done=ordered", headers=site.researcher))
    assert "It begins when its turn comes" not in seen.text


async def test_a_study_is_found_by_its_uid(site: Site) -> None:
    id = await site.ordered()
    sent = await site.service.post(
        "/research/search", data={"text": STUDY}, headers={**site.researcher, **OURS}
    )
    assert sent.status_code == 303
    address = f"/research/{sent.headers['location']}"
    assert STUDY not in address
    seen = page(await site.service.get(address, headers=site.researcher))
    assert [one for one in seen.all("a") if f"studies/{STUDY}/analyse?" in str(one["href"])]
    assert seen.rows() == [f"../../research/{id}"]
    page(await site.service.get(address, headers=site.admin), 404)  # it is the researcher's
    typed = {**site.researcher, **OURS}
    other = await site.service.post("/research/search", data={"text": "Doe, J"}, headers=typed)
    said = page(await site.service.get(f"/research/{other.headers['location']}", headers=site.researcher))
    assert "That is no StudyInstanceUID" in said.text


async def test_what_is_not_ready_takes_an_admin_and_a_reason(site: Site) -> None:
    await site.service.judged("1.2.9", readiness="BLOCKED", modalities_in_study=("CT",))
    asked = page(await site.service.get("/studies/1.2.9/analyse", headers=site.researcher))
    assert "only READY studies are analysed" in asked.text
    assert not asked.all("form", method="post")
    override = "/studies/1.2.9/analyse/override"
    page(await site.service.get(override, headers=site.researcher), 403)
    key = {**site.admin, **OURS}
    again = await refused(site.service, override, data={"reason": "", "target": "brain"}, headers=key)
    assert "Say why." in again.text
    assert "checked" in again.all("input", name="target", value="brain")[0]
    answer = await site.service.post(override, data={"reason": "a phantom"}, headers=key)
    assert answer.status_code == 303
    [entry] = await site.service.audit("analysis.override")
    assert entry.detail["reason"] == "a phantom"
    id = answer.headers["location"].removeprefix("../../../research/").partition("?")[0]
    assert "a phantom" in page(await site.service.get(f"/research/{id}", headers=site.admin)).text


async def test_who_else_has_no_permission(site: Site) -> None:
    for role in ("reader", "reviewer", "qa_operator", "auditor"):
        key = await site.service.key(role)  # type: ignore[arg-type]
        for path in ("/research", "/research/x", f"/studies/{STUDY}/analyse"):
            denied = page(await site.service.get(path, headers=key), 403)
            assert "research" in denied.text
            assert not [one for one in denied.all("a") if str(one.get("data-go")) == "e"]
    study = page(await site.service.get(f"/studies/{STUDY}", headers=site.admin))
    assert [one for one in study.all("a") if "/analyse?" in str(one["href"])]


async def test_where_analyses_are_off(tmp_path: Path) -> None:
    async with in_one_task(running(tmp_path / "home")) as service:
        await service.judged(STUDY)
        seen = page(await service.get("/research"))
        assert "Analyses are off here" in seen.text
        assert not [one for one in seen.all("a") if one.get("data-go") == "e"]
        assert "Analyses are off here" in page(await service.get(f"/studies/{STUDY}/analyse")).text
        assert "/analyse?" not in (await service.get(f"/studies/{STUDY}")).text
        page(await service.get("/research/x"), 404)


def measured(name: str, region: str, value: float | None, status: str = "measured") -> dict[str, Any]:
    unit = "cm3" if "volume" in name else "[hnsf'U]"
    return {"name": name, "region": region, "value": value, "unit": unit, "status": status, "method": name}


def test_structures_are_a_table_of_their_own() -> None:
    found = results_of(
        {
            "structures": [{"key": key, "name": key} for key in ("liver", "spleen")],
            "measurements": [
                measured("volume", "liver", 1307.2),
                measured("attenuation_mean", "liver", 61.25),
                measured("volume", "spleen", None, "truncated"),
                measured("observed_volume", "spleen", 120.0, "truncated"),
                measured("attenuation_mean", "spleen", 50.0),
                measured("attenuation_sd", "spleen", 12.0),
                {**measured("SMA", "L3", 150.0), "unit": "cm2"},
            ],
        }
    )
    assert found.matrix is not None
    assert [(one.name, one.unit) for one in found.matrix.columns] == [
        *(("volume", "cm³"), ("mean", "HU"), ("standard deviation", "HU")),
    ]
    assert found.matrix.columns[0].methods == ("volume", "observed_volume")
    assert [(row.name, row.cells, row.status) for row in found.matrix.rows] == [
        ("liver", ("1,307", "61.2", ""), "measured"),
        ("spleen", ("120", "50", "12"), "volume: of the part that is seen"),
    ]
    assert [(one.key, [row.key for row in one.rows]) for one in found.regions] == [("L3", ["SMA"])]
    assert len(found.missing) == 1


def test_documents_without_anything_are_read() -> None:
    found = results_of({})
    assert (found.matrix, found.regions, found.missing, found.phase) == (None, (), (), "")
    assert slices_of(None) is None
    assert slices_of({}) is None
    assert candidates_of(None) == ()
