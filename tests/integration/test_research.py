"""Analyses of a study in a real Orthanc, over HTTP, made by the real program of a case."""

import asyncio
import hashlib
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from imaging.phantom import Phantom, Ring, encode, series
from pydicom.dataset import Dataset
from servers.orthanc import Orthanc
from unit.api.service import Service, in_one_task, running

from heltig.jobs.queue import utc_now
from heltig.setting_types import Size
from heltig.settings import Settings

pytestmark = pytest.mark.orthanc

HERE = "archive:main"
ANALYSES = "/api/v1/research/analyses"
SWITCHED_ON: dict[str, Any] = {
    "analysis_enabled": True,
    "analysis_use": "research-only",
    "alert_disk": Size(1),  # whatever this machine has left
}


def body(name: str, **attributes: Any) -> list[Dataset]:
    """A small body in CT, as READY as a study can be."""
    phantom = Phantom.of((96, 96, 24), (3.0, 3.0, 5.0), [Ring("body", (143, 143), (110, 90), 40, high=24)])
    given = {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "made up", **attributes}
    return series(phantom, name=name, **given)


@contextmanager
def password_of(orthanc: Orthanc) -> Iterator[None]:
    os.environ["HELTIG_SECRET_PACS"] = orthanc.password
    try:
        yield
    finally:
        del os.environ["HELTIG_SECRET_PACS"]


@pytest.fixture
async def service(orthanc: Orthanc, tmp_path: Path) -> AsyncIterator[Service]:
    with password_of(orthanc):
        async with in_one_task(
            running(tmp_path / "home", clock=utc_now, analysis_publish_to=("main",), **SWITCHED_ON)
        ) as made:
            entry = {
                "name": "main",
                "qidoUrl": orthanc.root,
                "auth": {"kind": "basic", "username": orthanc.username, "secret": "env:HELTIG_SECRET_PACS"},
            }
            added = await made.post("/api/v1/archives", json=entry)
            assert added.status_code == 201, added.text
            yield made


async def pulled(service: Service, study: str) -> None:
    """Has a study pulled and judged: it is READY."""
    seen = await service.get(f"/dicom-web/studies/{study}/readiness", params={"wait": 60, "pull": "main"})
    assert seen.headers.get("heltig-readiness") == "READY", seen.text


async def ended(service: Service, address: str) -> dict[str, Any]:
    """Waits until an analysis has ended; returns it."""
    async with asyncio.timeout(120):
        while True:
            found = await service.get(address)
            told: dict[str, Any] = found.json()
            if told["finished"]:
                return told
            await asyncio.sleep(0.05)


async def test_a_study_of_an_archive_is_analysed(service: Service, orthanc: Orthanc) -> None:
    images = body("analysed")
    study = str(images[0].StudyInstanceUID)
    orthanc.store(encode(one) for one in images)
    unknown = await service.post(ANALYSES, json={"study": study})
    assert (unknown.status_code, unknown.headers["x-heltig-use"]) == (404, "research-only")
    await pulled(service, study)
    status = (await service.get("/api/v1/research")).json()
    assert (status["enabled"], status["installed"]) == (True, True)
    assert status["segmenters"] == ["byo-dicom-seg", "classical"]

    asked = {"study": study, "location": HERE}
    ordered = await service.post(ANALYSES, json=asked)
    assert ordered.status_code == 202, ordered.text
    address = ordered.headers["location"]
    analysis = await ended(service, address)
    assert (analysis["state"], analysis["code"]) == ("done", ""), analysis
    assert (analysis["study"], analysis["location"], analysis["readiness"]) == (study, HERE, "READY")
    assert analysis["series"] == str(images[0].SeriesInstanceUID)
    assert analysis["statement"].startswith("Research use only.")
    assert analysis["measurements"]["modality"] == "CT"
    assert analysis["measurements"]["liver_vol_cm3"] is None
    names = {one["name"] for one in analysis["outputs"]}
    assert {"id.json", "resultados.json", "analysis.json", "selection.json", "measurements.csv"} <= names

    selection = await service.get(f"{address}/selection")
    [winner] = selection.json()["entries"]
    assert winner["rank"] == 1
    for one in analysis["outputs"]:
        got = await service.get(f"{address}/outputs/{one['name']}")
        media_type = got.headers["content-type"].partition(";")[0]
        assert (got.status_code, media_type) == (200, one["mediaType"])
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["x-heltig-use"] == "research-only"
        assert hashlib.sha256(got.content).hexdigest() == one["sha256"]
        again = await service.get(
            f"{address}/outputs/{one['name']}", headers={"If-None-Match": got.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
    whole = await service.get(f"{address}/zip")
    with zipfile.ZipFile(io.BytesIO(whole.content)) as package:
        assert package.testzip() is None
        assert set(package.namelist()) == names
        assert json.loads(package.read("resultados.json")) == analysis["measurements"]
    absent = await service.get(f"{address}/outputs/../../heltig.db")
    assert absent.status_code == 404

    listed = (await service.get(ANALYSES, params={"study": study, "state": "done"})).json()
    assert [one["id"] for one in listed["items"]] == [analysis["id"]]
    same = await ended(service, (await service.post(ANALYSES, json=asked)).headers["location"])
    assert (same["state"], same["sameAs"], same["outputs"]) == (
        *("done", analysis["id"]),
        analysis["outputs"],
    )
    late = await service.post(f"{address}/cancel")
    assert late.status_code == 409
    metrics = (await service.get("/metrics")).text
    assert 'heltig_analyses{code="",state="done"} 2.0' in metrics
    assert study not in metrics
    entries = await service.audit("analysis.download")
    assert [one.detail["file"] for one in entries][-1] == "zip"
    assert len(await service.audit("analysis.order")) == 2

    sent = await service.post(f"{address}/publish", json={"archive": "main"})
    assert sent.status_code == 202, sent.text
    async with asyncio.timeout(60):
        while True:
            published = (await service.get(address)).json()
            if published["state"] != "publishing":
                break
            await asyncio.sleep(0.05)
    objects = [name for name in names if name.startswith("dicom/")]
    told = {one["name"]: (one["state"], one["code"]) for one in published["publications"]}
    assert told == dict.fromkeys(objects, ("verified", ""))
    assert {"dicom/seg.dcm", "dicom/sr.dcm"} <= set(objects)


async def test_identified_data_is_refused(service: Service, orthanc: Orthanc) -> None:
    images = body("identified", PatientIdentityRemoved="NO")
    study = str(images[0].StudyInstanceUID)
    orthanc.store(encode(one) for one in images)
    await pulled(service, study)
    wanted = await service.post(ANALYSES, json={"study": study, "allowIdentified": True})
    assert wanted.status_code == 403
    ordered = await service.post(ANALYSES, json={"study": study})
    analysis = await ended(service, ordered.headers["location"])
    assert (analysis["state"], analysis["code"]) == ("refused", "IDENTIFIED")
    assert (analysis["outputs"], analysis["measurements"]) == ([], None)


async def test_an_archive_that_has_more_than_was_judged(service: Service, orthanc: Orthanc) -> None:
    images = body("grown")
    study = str(images[0].StudyInstanceUID)
    orthanc.store(encode(one) for one in images[:-1])
    await pulled(service, study)
    orthanc.store([encode(images[-1])])
    ordered = await service.post(ANALYSES, json={"study": study})
    analysis = await ended(service, ordered.headers["location"])
    assert (analysis["code"], analysis["observed"]) == ("BYTES_DIFFER", "0 absent, 1 more")
    orthanc.clear()
    gone = await ended(service, (await service.post(ANALYSES, json={"study": study})).headers["location"])
    assert (gone["state"], gone["code"]) == ("refused", "BYTES_GONE")


async def test_who_may(orthanc: Orthanc, tmp_path: Path) -> None:
    images = body("roles")
    study = str(images[0].StudyInstanceUID)
    async with in_one_task(
        running(tmp_path / "home", clock=utc_now, auth_mode="api-key", **SWITCHED_ON)
    ) as service:
        await service.judged(study, readiness="NEEDS_REVIEW")
        order = {"study": study, "segmenters": ["classical"]}
        for role in ("reader", "reviewer", "qa_operator", "auditor", "archive"):
            refused = await service.post(ANALYSES, json=order, headers=await service.key(role))
            assert (refused.status_code, refused.headers["x-heltig-use"]) == (403, "research-only")
        researcher, admin = await service.key("researcher"), await service.key("admin")
        not_ready = await service.post(ANALYSES, json=order, headers=researcher)
        assert not_ready.status_code == 409
        override = {**order, "reason": "a phantom"}
        assert (
            await service.post("/api/v1/research/overrides", json=override, headers=researcher)
        ).status_code == 403
        made = await service.post("/api/v1/research/overrides", json=override, headers=admin)
        assert (made.status_code, made.json()["overrideReason"]) == (202, "a phantom")
        [entry] = await service.audit("analysis.override")
        assert (entry.actor, entry.detail["reason"]) == ("key:admin-", "a phantom")


async def test_where_analyses_are_off(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).analysis_enabled is False
    async with in_one_task(running(tmp_path / "home")) as service:
        await service.judged("1.2.3")
        refused = await service.post(ANALYSES, json={"study": "1.2.3"})
        assert refused.status_code == 409
        assert "HELTIG_ANALYSIS_ENABLED" in refused.json()["detail"]
