import msgspec
import pytest

from connectors.base import Archive, Faults, InMemoryArchive
from heltig.errors import ArchiveAnswerTooLargeError, ArchiveNotFoundError, ArchiveUnavailableError


def instance(
    study: str, series: str, sop: str, *, patient: str = "P1", date: str = "20260102"
) -> dict[str, object]:
    return {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00080018": {"vr": "UI", "Value": [sop]},
        "00080020": {"vr": "DA", "Value": [date]},
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Test^Case"}]},
        "00100020": {"vr": "LO", "Value": [patient]},
        "0020000D": {"vr": "UI", "Value": [study]},
        "0020000E": {"vr": "UI", "Value": [series]},
    }


def filled(faults: Faults | None = None) -> InMemoryArchive:
    archive = InMemoryArchive(faults=faults, chunk_size=7)
    for study, day in (("1.1", "20260101"), ("1.2", "20260102"), ("1.3", "20260103")):
        for n in (1, 2):
            archive.store(instance(study, f"{study}.{n}", f"{study}.{n}.1", date=day))
    return archive


async def studies(archive: Archive, query: dict[str, str] | None = None, **page: int) -> list[str]:
    rows = await archive.search_studies(query or {}, **({"limit": 10, "offset": 0} | page))
    return [msgspec.json.decode(row)["0020000D"]["Value"][0] for row in rows]


async def metadata(archive: Archive, study: str, *below: str) -> bytes:
    return b"".join([chunk async for chunk in archive.retrieve_metadata(study, *below)])


async def test_searches_are_paged_and_filtered() -> None:
    archive = filled()
    assert await studies(archive, limit=2) == ["1.1", "1.2"]
    assert await studies(archive, limit=2, offset=2) == ["1.3"]
    assert await studies(archive, {"StudyInstanceUID": "1.3,1.1"}) == ["1.1", "1.3"]
    assert await studies(archive, {"StudyDate": "20260102-"}) == ["1.2", "1.3"]
    assert await studies(archive, {"StudyDate": "20260101-20260102"}) == ["1.1", "1.2"]
    assert await studies(archive, {"StudyDate": "20260103"}) == ["1.3"]


async def test_rows_carry_the_counts_of_what_is_below() -> None:
    archive = filled()
    (row,) = await archive.search_studies({"StudyInstanceUID": "1.2"}, limit=1, offset=0)
    assert msgspec.json.decode(row)["00201206"]["Value"] == [2]
    assert msgspec.json.decode(row)["00201208"]["Value"] == [2]
    assert len(await archive.search_series("1.2")) == 2
    assert [
        msgspec.json.decode(r)["00080018"]["Value"] for r in await archive.search_instances("1.2", "1.2.1")
    ] == [["1.2.1.1"]]


async def test_a_study_under_two_patients_gives_two_rows() -> None:
    archive = filled()
    archive.store(instance("1.1", "1.1.9", "1.1.9.1", patient="P2"))
    assert sorted(await studies(archive)) == ["1.1", "1.1", "1.2", "1.3"]


async def test_metadata_is_one_json_array_in_chunks() -> None:
    archive = filled()
    assert len(msgspec.json.decode(await metadata(archive, "1.1"))) == 2
    assert len(msgspec.json.decode(await metadata(archive, "1.1", "1.1.2"))) == 1
    assert msgspec.json.decode(await metadata(archive, "1.1", "1.1.2", "1.1.2.1"))[0]["00080018"] == {
        "vr": "UI",
        "Value": ["1.1.2.1"],
    }
    with pytest.raises(ArchiveNotFoundError):
        await metadata(archive, "9")


async def test_text_that_is_not_quite_json_is_served_as_it_is() -> None:
    archive = InMemoryArchive()
    archive.store(instance("1.1", "1.1.1", "1"), text=b'{"00280030":{"vr":"DS","Value":[NaN]}}')
    assert await metadata(archive, "1.1") == b'[{"00280030":{"vr":"DS","Value":[NaN]}}]'


async def test_faults_of_paging() -> None:
    assert await studies(filled(Faults(page_cap=1)), limit=2) == ["1.1"]
    assert await studies(filled(Faults(ignores_offset=True)), limit=2, offset=2) == ["1.1", "1.2"]
    assert len(await studies(filled(Faults(ignores_filters=True)), {"StudyInstanceUID": "1.3"})) == 3


async def test_faults_of_metadata() -> None:
    archive = filled(
        Faults(
            failing=frozenset({"1.1"}),
            too_large=frozenset({"1.2"}),
            withheld=frozenset({"1.3.1.1"}),
            cut=frozenset({"1.3"}),
            metadata_levels=("study", "series"),
        )
    )
    with pytest.raises(ArchiveUnavailableError):
        await metadata(archive, "1.1")
    assert len(msgspec.json.decode(await metadata(archive, "1.1", "1.1.1"))) == 1
    with pytest.raises(ArchiveAnswerTooLargeError):
        await metadata(archive, "1.2")
    with pytest.raises(ArchiveNotFoundError):
        await metadata(archive, "1.2", "1.2.1", "1.2.1.1")
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(await metadata(archive, "1.3"))


async def test_a_withheld_instance_is_counted_but_not_in_metadata() -> None:
    archive = filled(Faults(withheld=frozenset({"1.3.1.1"})))
    (row,) = await archive.search_studies({"StudyInstanceUID": "1.3"}, limit=1, offset=0)
    assert msgspec.json.decode(row)["00201208"]["Value"] == [2]
    assert len(msgspec.json.decode(await metadata(archive, "1.3"))) == 1


async def test_counts_can_be_missing_and_studies_can_go() -> None:
    archive = filled(Faults(no_counts=True))
    (row,) = await archive.search_studies({"StudyInstanceUID": "1.3"}, limit=1, offset=0)
    assert "00201208" not in msgspec.json.decode(row)
    assert "00201209" not in msgspec.json.decode((await archive.search_series("1.3"))[0])
    archive.remove("1.3")
    assert await studies(archive) == ["1.1", "1.2"]


async def test_a_probe_says_how_the_archive_was_told_to_behave() -> None:
    told = await filled(Faults(page_cap=5, no_counts=True, metadata_levels=("series",))).probe()
    assert (told.page_cap, told.counts, told.metadata, told.offset) == (5, False, "series", True)
