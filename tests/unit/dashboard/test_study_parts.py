"""The pages of what a study is made of, asked of the real application over evidence that was pulled."""

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from browser.filled_store import pull
from synthetic import synthetic_study
from unit.api.service import LATER, Service, running
from unit.dashboard.reading import Page, page
from unit.store.samples import STUDY

from heltig.auth.principal import Role
from heltig.demo.studies import SyntheticStudy

SLICES = synthetic_study("slices-missing")
CHEST = synthetic_study("ct-chest")
_ROLES: tuple[Role, ...] = ("reviewer", "reader")
PATIENT = ("Müller", "Jörg", "NT-204817")


def uid_of(study: SyntheticStudy, tag: str = "0020000D", at: int = 0) -> str:
    return str(study.datasets[at][tag]["Value"][0])


def changed(study: SyntheticStudy, values: dict[str, Any], rows: Sequence[int] = ()) -> SyntheticStudy:
    """The study with other values, in some of its instances or in all; None takes an attribute away."""
    datasets = deepcopy(study.datasets)
    for row, dataset in enumerate(datasets):
        for tag, value in values.items() if not rows or row in rows else ():
            if value is None:
                dataset.pop(tag)
            else:
                dataset[tag] = {"vr": dataset[tag]["vr"], "Value": [value]}
    return replace(study, datasets=datasets)


async def put(service: Service, study: SyntheticStudy, archive: str = "main", *, days: int = 1) -> None:
    await pull(service.services.store, archive, [study], at=LATER - timedelta(days=days))


def addresses(seen: Page, part: str) -> list[str]:
    return [str(link["href"]) for link in seen.all("a") if part in str(link["href"])]


async def test_the_tree_has_the_series_and_their_instances(service: Service) -> None:
    await put(service, CHEST)
    root = f"/studies/{uid_of(CHEST)}/series"
    closed = page(await service.get(root))
    assert "2 series, 42 instances" in closed.text
    assert "When the series were acquired" in closed.text
    assert uid_of(CHEST, "00080018") not in closed.text
    way = next(address for address in addresses(closed, "open=") if uid_of(CHEST, "0020000E") in address)
    opened = page(await service.get(root + way.partition("#")[0]))
    assert "Instances 1 to 2 of 2, by InstanceNumber" in opened.text
    assert uid_of(CHEST, "00080018") in opened.text
    assert "CT Image Storage" in opened.text


async def test_a_series_of_many_instances_is_paged(service: Service) -> None:
    many = tuple(
        deepcopy(CHEST.datasets[-1])
        | {
            "00080018": {"vr": "UI", "Value": [f"1.2.3.{number}"]},
            "00200013": {"vr": "IS", "Value": [number]},
        }
        for number in range(1, 251)
    )
    await put(service, replace(CHEST, datasets=many))
    root = f"/studies/{uid_of(CHEST)}/series"
    first = page(await service.get(root))
    assert "Instances 1 to 100 of 250" in first.text
    assert "1.2.3.100 " in first.text
    assert "1.2.3.101" not in first.text
    [after] = [str(link["href"]) for link in first.all("a", rel="next")]
    second = page(await service.get(root + after.partition("#")[0]))
    assert "Instances 101 to 200 of 250" in second.text
    last = page(await service.get(f"{root}?page=99"))
    assert "Instances 201 to 250 of 250" in last.text
    assert last.all("a", rel="next") == []


async def test_two_instances_of_one_uid_are_marked(service: Service) -> None:
    double = changed(CHEST, {"00080018": "1.2.3.9"}, rows=(4, 5))
    await put(service, double)
    series = uid_of(CHEST, "0020000E", -1)
    seen = page(await service.get(f"/studies/{uid_of(CHEST)}/series?open={series}"))
    assert seen.text.count("1.2.3.9 twice") == 2


async def test_a_gap_is_drawn(service: Service) -> None:
    await put(service, SLICES)
    series = uid_of(SLICES, "0020000E", -1)
    seen = page(await service.get(f"/studies/{uid_of(SLICES)}/series/{series}"))
    assert "3 missing" in seen.text
    assert seen.text.count("1 gap with room for 3 slices.") == 2  # of the picture, and for who sees it
    assert "Series 3, 29 instances" in seen.text


async def test_what_differs_within_a_series_is_told_with_counts(service: Service) -> None:
    await put(service, changed(CHEST, {"00080060": "MR"}, rows=(7, 8, 9)))
    series = uid_of(CHEST, "0020000E", -1)
    seen = page(await service.get(f"/studies/{uid_of(CHEST)}/series/{series}"))
    assert "Modality (0008,0060) 2 CT 37× MR 3×" in seen.text
    assert "SOPInstanceUID (0008,0018) 40" in seen.text


async def test_an_attribute_that_some_lack_differs(service: Service) -> None:
    await put(service, changed(CHEST, {"00180015": None}, rows=(7,)))
    series = uid_of(CHEST, "0020000E", -1)
    seen = page(await service.get(f"/studies/{uid_of(CHEST)}/series/{series}"))
    assert "BodyPartExamined (0018,0015) 2 CHEST 39× not there 1×" in seen.text


async def test_against_the_snapshot_before(service: Service) -> None:
    await put(service, CHEST, days=2)
    root = f"/studies/{uid_of(CHEST)}/differences"
    assert "There is nothing to compare it with" in page(await service.get(root)).text
    await put(service, changed(CHEST, {"00080060": "MR"}, rows=(7, 8)))
    for address in (root, f"{root}?against=1"):
        seen = page(await service.get(address))
        assert "1 series differs from what revision 1 was given on" in seen.text
        assert "1 series the same" in seen.text
        assert "Modality (0008,0060) CT MR 2" in seen.text
    assert "no revision 9" in page(await service.get(f"{root}?against=9"), 404).text


async def test_against_another_location(service: Service) -> None:
    await put(service, CHEST)
    there = changed(CHEST, {"0008103E": "Thorax", "00180015": None}, rows=(7, 8))
    await put(service, replace(there, datasets=there.datasets[:-1]), "teaching")
    root = f"/studies/{uid_of(CHEST)}/differences?location=archive:main"
    seen = page(await service.get(f"{root}&other=archive:teaching"))
    assert "39 instances on both sides, 1 here alone." in seen.text
    assert "BodyPartExamined (0018,0015) not there CHEST 2" in seen.text
    assert "SeriesDescription (0008,103E) Thorax Thorax 5.0 2" in seen.text
    assert page(await service.get(root)).text == seen.text
    page(await service.get(f"{root}&other=archive:nowhere"), 404)


async def test_a_sequence_says_what_in_its_items_differs(service: Service) -> None:
    def with_reason(meaning: str) -> SyntheticStudy:
        item = {"00080100": {"vr": "SH", "Value": ["1"]}, "00080104": {"vr": "LO", "Value": [meaning]}}
        datasets = tuple({**dataset, "0040A170": {"vr": "SQ", "Value": [item]}} for dataset in CHEST.datasets)
        return replace(CHEST, datasets=datasets)

    await put(service, with_reason("one"), days=2)
    await put(service, with_reason("other"))
    seen = page(await service.get(f"/studies/{uid_of(CHEST)}/differences"))
    assert "In its items: CodeMeaning." in seen.text


async def test_who_does_not_see_patients_sees_that_they_differ(guarded: Service) -> None:
    await put(guarded, CHEST, days=2)
    other = changed(
        CHEST, {"00100010": {"Alphabetic": "Doe^Jane"}, "00100020": "P77", "00200013": "P77"}, rows=(7, 8)
    )
    await put(guarded, other)
    root = f"/studies/{uid_of(CHEST)}"
    series = uid_of(CHEST, "0020000E", -1)
    parts = (f"/series?open={series}", f"/series/{series}", "/differences")
    whole, masked = "", ""
    for part in parts:
        reviewer = await guarded.key("reviewer", name=f"reviewer{len(whole)}")
        visitor = await guarded.key("reviewer", "pages", "look-up", name=f"visitor{len(masked)}")
        whole += page(await guarded.get(root + part, headers=reviewer)).text
        masked += (await guarded.get(root + part, headers=visitor)).text
    for text in (*PATIENT, "P77", "Doe"):
        assert text in whole
        assert text not in masked
    assert "2024-04-02 " in whole
    assert "2024-04-02 1" not in masked
    assert "PatientID" in masked
    assert "hidden from your role" in masked
    assert "+0 s" in masked


async def test_identifiers_that_are_masked_are_so_here(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"auth_mode": "api-key", "identifiers": "masked"}
    async with running(tmp_path / "home", **settings) as service:
        await put(service, changed(CHEST, {"00100020": "P77"}, rows=(7, 8)))
        path = f"/studies/{uid_of(CHEST)}/series/{uid_of(CHEST, '0020000E', -1)}"
        seen = {}
        for role in _ROLES:
            seen[role] = page(await service.get(path, headers=await service.key(role))).text
        assert "P77" in seen["reviewer"]
        assert "P77" not in seen["reader"]
        assert "PatientID (0010,0020) 2 hidden from your role 38× hidden from your role 2×" in seen["reader"]


async def test_identifiers_that_are_hashed_are_so_here(tmp_path: Path) -> None:
    async with running(tmp_path / "home", identifiers="hashed") as service:
        await put(service, changed(CHEST, {"00100020": "P77", "00080090": None}, rows=(7, 8)))
        path = f"/studies/{uid_of(CHEST)}/series/{uid_of(CHEST, '0020000E', -1)}"
        seen = page(await service.get(path)).text
        assert "P77" not in seen
        assert "NT-204817" not in seen
        assert re.search(r"PatientID \(0010,0020\) 2 [0-9a-z]{16} 38× [0-9a-z]{16} 2×", seen)


@pytest.mark.parametrize("series", ["1.2/3", "..", "=1.2", "a b&c#d?", "100%"])
async def test_whatever_its_uid_a_series_has_its_page(service: Service, series: str) -> None:
    await put(service, changed(CHEST, {"0020000E": series, "0008103E": "Found"}, rows=(0, 1)))
    tree = page(await service.get(f"/studies/{uid_of(CHEST)}/series"))
    [first, *_] = addresses(tree, "/series/")
    seen = page(await service.get(first.removeprefix("../..")))
    assert "Found" in seen.text


async def test_what_is_not_there(service: Service) -> None:
    await service.judged(STUDY)
    page(await service.get("/studies/1.2.3/series"), 404)
    page(await service.get(f"/studies/{STUDY}/series/1.2.3"), 404)
    page(await service.get(f"/studies/{STUDY}/differences?location=archive:nowhere"), 404)


async def test_a_viewer_is_linked_where_the_site_names_one(tmp_path: Path) -> None:
    viewer = "https://viewer.example/v?StudyInstanceUIDs={study}"
    async with running(tmp_path / "home", viewer_url=viewer) as service:
        await put(service, CHEST)
        uid = uid_of(CHEST)
        for part in ("", "/series", f"/series/{uid_of(CHEST, '0020000E')}", "/differences"):
            seen = page(await service.get(f"/studies/{uid}{part}"))
            [link] = seen.all("a", href=f"https://viewer.example/v?StudyInstanceUIDs={uid}")
            assert link["rel"] == "noopener noreferrer"


async def test_without_a_viewer_there_is_no_link(service: Service) -> None:
    await put(service, CHEST)
    assert "viewer" not in page(await service.get(f"/studies/{uid_of(CHEST)}")).text


async def test_looks_are_audited(service: Service) -> None:
    await put(service, CHEST)
    uid = uid_of(CHEST)
    parts = ("/series", f"/series/{uid_of(CHEST, '0020000E')}", "/differences")
    for part in parts:
        page(await service.get(f"/studies/{uid}{part}"))
    await service.services.batches.flush()
    entries = await service.audit("patient.look")
    assert {(entry.subject, tuple(entry.detail["studies"])) for entry in entries} == {
        ("GET /studies/{study}/series", (uid,)),
        ("GET /studies/{study}/series/{series}", (uid,)),
        ("GET /studies/{study}/differences", (uid,)),
    }


async def test_thousands_of_instances_and_many_series_are_light(service: Service) -> None:
    """Style sheets and scripts are some 40 kB more."""
    many = tuple(
        deepcopy(CHEST.datasets[-1])
        | {
            "0020000E": {"vr": "UI", "Value": [f"1.2.{series}"]},
            "00080018": {"vr": "UI", "Value": [f"1.2.{series}.{number}"]},
            "00200032": {"vr": "DS", "Value": [0.0, 0.0, float(number)]},
        }
        for series, instances in ((0, 1500), *((series, 5) for series in range(1, 70)))
        for number in range(instances)
    )
    await put(service, replace(CHEST, datasets=many))
    for part in ("", "/series?open=1.2.0", "/series/1.2.0", "/differences"):
        answer = await service.get(f"/studies/{uid_of(CHEST)}{part}")
        assert answer.status_code == 200
        assert len(answer.content) < 110_000, part
    after = page(await service.get(f"/studies/{uid_of(CHEST)}/series?list=2"))
    assert "Series, page 2 of 2" in after.text
    assert len(addresses(after, "/series/")) == 10


async def test_a_study_at_many_locations_shows_a_few_of_them(service: Service) -> None:
    one = replace(CHEST, datasets=CHEST.datasets[-1:])
    for number in range(9):
        await put(service, one, f"a{number}")
    study, at = uid_of(one), "location=archive%3Aa0"
    for part in ("", "/series", "/differences"):
        seen = page(await service.get(f"/studies/{study}{part}?{at}"))
        assert seen.text.count("more location") == (2 if part == "/differences" else 1), part
        others = [one for one in addresses(seen, "location=") if one.startswith("?") and "&" not in one]
        assert len(others) == (8 if part == "" else 6), part
    every = addresses(page(await service.get(f"/studies/{study}/differences?{at}")), "other=")
    assert len(every) == 8  # each can be compared with
