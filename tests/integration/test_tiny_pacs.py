"""A real tiny_pacs, which neither counts nor gives metadata: what of it is found, and what is judged."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import date, timedelta

import pytest
from integration.test_orthanc_discovery import file
from servers.dicomweb import connected
from servers.tiny_pacs import TinyPacs, TinyPacsNotInstalledError, running_tiny_pacs

from connectors.base import Capabilities
from connectors.dicomweb import DicomWebArchive
from heltig.dicom.cell import DataSet
from heltig.dicom.part10 import BytesSource, read_header
from heltig.dicom.study import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, element
from heltig.errors import ArchiveNotFoundError
from heltig.pipeline.discovery.batch import Batch, Strategy
from heltig.pipeline.discovery.fingerprint import differs, fingerprint
from heltig.pipeline.discovery.listed import ColdSweep, Window
from heltig.pipeline.discovery.lister import Lister
from heltig.pipeline.pull.study import pull_study

DAY = timedelta(days=1)


@pytest.fixture
def tiny_pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyPacs]:
    try:
        with running_tiny_pacs(tmp_path_factory.mktemp("tiny_pacs")) as server:
            yield server
    except TinyPacsNotInstalledError as missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture
async def archive(tiny_pacs: TinyPacs) -> AsyncIterator[DicomWebArchive]:
    async with connected(tiny_pacs.root) as connector:
        yield connector


async def round_of(strategy: Strategy) -> list[Batch]:
    async with aclosing(strategy.batches(None)) as batches:
        return [batch async for batch in batches]


async def test_it_is_watched_though_it_does_not_count(tiny_pacs: TinyPacs, archive: DicomWebArchive) -> None:
    today = date(2026, 3, 15)
    dates = {f"1.2.{number}": f"202603{10 + number:02}" for number in range(6)} | {
        "1.2.9": "",
        "1.2.8": "19990101",
    }
    tiny_pacs.store(file(uid, StudyDate=day) for uid, day in dates.items())
    found = await round_of(ColdSweep(archive, Lister(archive, page_rows=3, most_slice_rows=4), every=DAY))
    assert {study.uid for batch in found for study in batch.studies} == set(dates)
    assert not any(batch.notes for batch in found)

    hot = Window(archive, Lister(archive), name="hot", every=DAY, today=today, days=(3, -1), marks=True)
    first = {study.uid: fingerprint(study) for batch in await round_of(hot) for study in batch.studies}
    assert set(first) == {"1.2.2", "1.2.3", "1.2.4", "1.2.5"}
    tiny_pacs.store([file("1.2.3", 2, StudyDate="20260313")])
    later = {study.uid: fingerprint(study) for batch in await round_of(hot) for study in batch.studies}
    assert {uid for uid in first if differs(first[uid], later[uid])} == {"1.2.3"}


@pytest.mark.parametrize("is_probed", [True, False])
async def test_its_studies_are_judged_by_the_headers_of_their_instances(
    tiny_pacs: TinyPacs, archive: DicomWebArchive, is_probed: bool
) -> None:
    tiny_pacs.store([*(file("1.2.1", number) for number in range(1, 14)), file("1.2.2")])
    capabilities = await archive.probe() if is_probed else None
    assert capabilities is None or capabilities.metadata == "none"
    table = await pull_study(archive, "1.2.1", capabilities=capabilities)
    assert table.source.shows == {"metadata", "all_attributes", "query", "complete_study", "file_meta"}
    assert table.source.failures == ()
    table.settle()
    assert table.rows == 13


async def test_what_it_does_not_have_is_not_found(tiny_pacs: TinyPacs, archive: DicomWebArchive) -> None:
    tiny_pacs.store([file("1.2.1")])
    with pytest.raises(ArchiveNotFoundError):
        await pull_study(archive, "1.2.77", capabilities=Capabilities(metadata="none"))


async def test_a_header_is_that_of_the_file(tiny_pacs: TinyPacs, archive: DicomWebArchive) -> None:
    sent = file("1.2.1")
    tiny_pacs.store([sent])
    expected = read_header(BytesSource(sent))
    uids = [
        element(expected, tag).text for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)
    ]
    header = await archive.retrieve_header(*uids)
    assert _data_set(header) == _data_set(expected)  # it writes file meta information of its own


def _data_set(header: DataSet) -> dict[str, bytes]:
    return {
        tag: bytes(raw)
        for tag, raw in zip(header.tags, header.raws, strict=True)
        if not tag.startswith("0002")
    }
