"""Results that came back to their study are no reason to analyse it again."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from unit.pipeline.research.cases import HERE, STUDY, Cases
from unit.store.databases import database_url, render
from unit.store.samples import judge, sha, snapshot

from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.snapshot import series_evidence
from heltig.dicom.study import StudyTable
from heltig.pipeline.research.ordering import AUTOMATIC
from heltig.pipeline.research.plan import Automatic, Plan
from heltig.store import analyses
from heltig.store.engine import Store
from heltig.store.packing import pack_series
from heltig.store.records import SeriesBlob

IMAGES = {"00080070": "Phantom Works", "0008103E": "Abdomen"}
RESULTS = {"00080070": "Heltig", "0008103E": "RESEARCH USE ONLY – Measurements"}
NAMELESS = {"0008103E": "RESEARCH USE ONLY - Measurements"}
PLAN = Plan(automatic=(Automatic(locations=("*",), modalities=("CT",), segmenters=("classical",)),))


def blob(number: int, attributes: Mapping[str, str]) -> SeriesBlob:
    """A series of one instance, as it is stored."""
    uid = f"{STUDY}.{number}"
    ui = {"0020000D": STUDY, "0020000E": uid, "00080018": f"{uid}.1"}
    body = {tag: {"vr": "UI", "Value": [value]} for tag, value in ui.items()}
    body |= {tag: {"vr": "LO", "Value": [value]} for tag, value in attributes.items()}
    table = StudyTable(STUDY, STUDY)
    splitter = InstanceSplitter()
    for instance in [*splitter.feed(json.dumps([body]).encode()), *splitter.close()]:
        table.add(instance)
    table.arrange()
    [evidence] = series_evidence(table)
    return pack_series(
        evidence.content,
        series_key=uid,
        series_uid=uid,
        digest=sha(str(body)),
        sop_instance_uids=[f"{uid}.1"],
        instances=1,
        modality="CT",
        series_number=str(number),
    )


@pytest.fixture
async def cases(tmp_path: Path) -> AsyncIterator[Cases]:
    async with database_url(tmp_path) as url:
        store = await Store.open(url, render=render)
        yield Cases(store, tmp_path / "home", plan=PLAN)
        await store.close()


async def judged(cases: Cases, *blobs: SeriesBlob) -> None:
    new = snapshot(list(blobs), study=STUDY, location=HERE, modalities_in_study=("CT",))
    await judge(cases.store, new, readiness="READY")


async def ordered(cases: Cases, *blobs: SeriesBlob) -> int:
    """Judges the study with these series; gives how many analyses were ordered of themselves so far."""
    await cases.desk.look()
    await judged(cases, *blobs)
    await cases.desk.look()
    found = await cases.store.read(analyses.newest, limit=20)
    return sum(one.requested_by == AUTOMATIC for one in found)


async def test_results_that_come_and_go_are_no_news(cases: Cases) -> None:
    images, report, again = blob(1, IMAGES), blob(2, RESULTS), blob(3, NAMELESS)
    assert await ordered(cases, images) == 1
    assert await ordered(cases, images, report) == 1
    assert await ordered(cases, images, report, again) == 1
    assert await ordered(cases, images, again) == 1
    assert await ordered(cases, images, report, blob(4, IMAGES)) == 2
    assert await ordered(cases, images, blob(4, IMAGES)) == 2
    assert await ordered(cases, blob(1, {**IMAGES, "0008103E": "Chest"}), blob(4, IMAGES)) == 3


async def test_results_alone_are_not_analysed(cases: Cases) -> None:
    assert await ordered(cases, blob(2, RESULTS)) == 0
    assert await ordered(cases, blob(2, RESULTS), blob(1, IMAGES)) == 1


async def test_what_somebody_had_analysed_before_is_no_news_either(cases: Cases) -> None:
    images = blob(1, IMAGES)
    await judged(cases, images)
    await cases.order(location=HERE)
    assert await ordered(cases, images, blob(2, RESULTS)) == 0
    assert await ordered(cases, images, blob(2, RESULTS), blob(4, IMAGES)) == 1
