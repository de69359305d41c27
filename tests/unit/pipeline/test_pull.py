"""One study out of an archive: what is read, what the source is said to show, what is held against whom."""

import msgspec
import pytest
from servers.dicomweb import instance, study

from connectors.base import Capabilities, Faults, InMemoryArchive
from heltig.dicom.study import SOP_INSTANCE_UID, StudyTable
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAddressError,
    ArchiveAnswerError,
    ArchiveError,
    ArchiveNotFoundError,
    ArchiveRateLimitedError,
    ArchiveStudyError,
    ArchiveUnavailableError,
)
from heltig.pipeline.pull.gathering import MOST_REFUSED
from heltig.pipeline.pull.metadata_answers import MOST_INSTANCES
from heltig.pipeline.pull.study import pull_study

EVERYTHING = {"metadata", "all_attributes", "query", "complete_study"}


def filled(faults: Faults | None = None, *, chunk_size: int = 500) -> InMemoryArchive:
    """A study of three series of four instances, and another one."""
    archive = InMemoryArchive(faults=faults, chunk_size=chunk_size)
    for one in (*study("1.2", series=3, instances=4), *study("1.3")):
        archive.store(one)
    return archive


async def pulled(archive: InMemoryArchive, uid: str = "1.2") -> StudyTable:
    table = await pull_study(archive, uid)
    table.arrange()
    return table


def instances(table: StudyTable) -> list[str]:
    return [table.at(SOP_INSTANCE_UID, row).text for row in range(table.rows)]


def failures(table: StudyTable) -> list[str]:
    return [failure.kind for failure in table.source.failures]


WHOLE = [f"1.2.{s}.{n}" for s in (1, 2, 3) for n in (1, 2, 3, 4)]


async def test_a_study_comes_whole_with_what_the_archive_lists() -> None:
    table = await pulled(filled())
    assert instances(table) == WHOLE
    assert table.source.shows == EVERYTHING
    assert table.source.failures == ()
    assert (len(table.source.study_rows), len(table.source.series_rows)) == (1, 3)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(failing=frozenset({"1.2"})),
        Faults(too_large=frozenset({"1.2"})),
        Faults(metadata_levels=("series", "instance")),
        Faults(metadata_levels=("instance",)),
    ],
)
async def test_a_study_that_is_refused_as_a_whole_comes_in_parts(faults: Faults) -> None:
    table = await pulled(filled(faults))
    assert instances(table) == WHOLE
    assert table.source.shows == EVERYTHING
    assert failures(table) == ["metadata-in-parts"]


async def test_two_patients_in_one_study_are_both_evidence() -> None:
    archive = filled()
    archive.store(instance("1.2", "1.2.9", "1.2.9.1", patient="P2"))
    table = await pulled(archive)
    assert len(table.source.study_rows) == 2
    assert table.rows == 13
    assert table.source.shows == EVERYTHING


async def test_an_instance_that_is_listed_and_not_given_shows_in_the_counts() -> None:
    table = await pulled(filled(Faults(withheld=frozenset({"1.2.2.3"}))))
    assert instances(table) == [uid for uid in WHOLE if uid != "1.2.2.3"]
    # The archive gave all it has, so that its count may be held against it.
    assert table.source.shows == EVERYTHING
    assert failures(table) == []


async def test_what_a_study_without_metadata_lacks_is_said_and_not_shown() -> None:
    table = await pulled(filled(Faults(metadata_levels=())))
    assert table.rows == 0
    assert table.source.shows == {"query"}
    assert failures(table) == ["metadata-missing"]
    assert "12 instances" in table.source.failures[0].detail


async def test_a_study_that_breaks_off_everywhere_keeps_its_complete_instances() -> None:
    table = await pulled(filled(Faults(cut=frozenset({"1.2"}))))
    found = instances(table)
    assert set(found) < set(WHOLE)
    assert len(found) == len(set(found)) >= 6
    assert failures(table) == ["metadata-cut"]
    assert "complete_study" not in table.source.shows


class CutOnce(InMemoryArchive):
    """An archive whose answer for a whole study breaks off, with or without an error, at a byte."""

    stop = 0
    raises = False

    async def retrieve_metadata(self, study, series=None, instance=None):
        left = self.stop if series is None else 10**9
        async for chunk in super().retrieve_metadata(study, series, instance):
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                if self.raises:
                    raise ArchiveUnavailableError("the connection breaks")
                return


@pytest.mark.parametrize("raises", [True, False])
async def test_what_came_before_a_break_is_not_taken_twice(raises: bool) -> None:
    whole = b"".join([c async for c in filled().retrieve_metadata("1.2")])
    for stop in (0, 1, 100, len(whole) // 3, len(whole) // 2, len(whole) - 2, len(whole) - 1):
        archive = CutOnce(chunk_size=64)
        archive.stop, archive.raises = stop, raises
        for one in study("1.2", series=3, instances=4):
            archive.store(one)
        table = await pulled(archive)
        assert instances(table) == WHOLE
        assert failures(table) == ["metadata-in-parts"]
        assert table.source.shows == EVERYTHING
        assert table.faults == {}


async def test_duplicates_in_the_archive_stay_duplicates_after_a_break() -> None:
    content = [*study("1.2", series=2, instances=2), instance("1.2", "1.2.2", "1.2.1.1")]
    content += [instance("1.2", "1.2.1", "1.2.1.1", number=9)]
    archive = CutOnce(chunk_size=64)
    for one in content:
        archive.store(one)
    whole = await pulled(_copy(content))
    for stop in range(0, 3000, 250):
        archive.stop, archive.raises = stop, True
        assert instances(await pulled(archive)) == instances(whole)


def _copy(content: list[dict[str, object]]) -> InMemoryArchive:
    archive = InMemoryArchive()
    for one in content:
        archive.store(one)
    return archive


async def test_a_damaged_instance_is_no_break() -> None:
    archive = filled()
    broken = instance("1.2", "1.2.1", "1.2.1.5")
    archive.store(broken, text=msgspec.json.encode(broken)[:-1] + b',"00280030":{"vr":"DS","Value":[NaN]}}')
    table = await pulled(archive)
    assert table.rows == 13
    assert failures(table) == []


async def test_counts_or_a_list_of_series_tell_whether_a_study_is_complete() -> None:
    assert (await pulled(filled(Faults(no_counts=True)))).source.shows == EVERYTHING

    class Listless(InMemoryArchive):
        async def search_series(self, study: str) -> list[bytes]:
            raise ArchiveAnswerError("no such search", answer_status=400)

    for faults, shown in ((Faults(), EVERYTHING), (Faults(no_counts=True), EVERYTHING - {"complete_study"})):
        archive = Listless(faults=faults)
        for one in study("1.2"):
            archive.store(one)
        assert (await pulled(archive)).source.shows == shown


class Unsearchable(InMemoryArchive):
    """An archive that cannot be searched for a UID; where it does not list all either, for nothing."""

    lists = True

    async def search_studies(self, query, *, limit, offset):
        if "StudyInstanceUID" in query or (limit > 1 and not self.lists):
            raise ArchiveAnswerError("no such search", answer_status=400)
        return await super().search_studies(query, limit=limit, offset=offset)


async def test_an_archive_that_cannot_find_the_study_is_asked_for_all() -> None:
    archive = Unsearchable()
    for one in study("1.2"):
        archive.store(one)
    assert "query" in (await pulled(archive)).source.shows
    rows = await archive.search_studies({}, limit=9, offset=0)
    table = await pull_study(archive, "1.2", listed=rows)
    assert "query" in table.source.shows
    archive.lists = False
    table = await pulled(archive)
    assert "query" not in table.source.shows
    assert failures(table) == []


async def test_a_study_that_no_search_can_find_is_not_known_to_be_gone() -> None:
    archive = Unsearchable()
    for one in study("1.2"):
        archive.store(one)
    with pytest.raises(ArchiveNotFoundError):
        await pull_study(archive, "9.9")
    archive.lists = False
    with pytest.raises(ArchiveStudyError, match="whether it is gone"):
        await pull_study(archive, "9.9")


async def test_one_page_of_an_archive_that_ignores_keys_and_offset_is_no_proof() -> None:
    archive = InMemoryArchive(faults=Faults(ignores_filters=True, ignores_offset=True))
    for one in (*study("1.2"), *study("1.3")):
        archive.store(one)
    with pytest.raises(ArchiveStudyError):
        await pull_study(archive, "9.9")
    archive.faults = Faults(ignores_filters=True)
    with pytest.raises(ArchiveNotFoundError):
        await pull_study(archive, "9.9")


async def test_a_study_that_is_given_and_not_listed_says_so() -> None:
    class Hiding(InMemoryArchive):
        async def search_studies(self, query, *, limit, offset):
            return (
                []
                if "StudyInstanceUID" in query
                else await super().search_studies(query, limit=limit, offset=offset)
            )

    archive = Hiding()
    for one in study("1.2", series=3, instances=4):
        archive.store(one)
    table = await pulled(archive)
    assert instances(table) == WHOLE
    assert failures(table) == ["not-listed"]
    assert table.source.shows == EVERYTHING - {"query"}


async def test_rows_of_other_studies_are_no_evidence() -> None:
    table = await pulled(filled(Faults(ignores_filters=True)))
    assert len(table.source.study_rows) == 1


async def test_a_summary_does_not_show_all_attributes() -> None:
    table = await pull_study(filled(), "1.2", capabilities=Capabilities(all_attributes=False))
    assert table.source.shows == EVERYTHING - {"all_attributes"}
    table = await pull_study(filled(), "1.2", capabilities=Capabilities(all_attributes=None))
    assert table.source.shows == EVERYTHING


async def test_a_study_that_grew_while_it_was_read_is_not_incomplete() -> None:
    class Growing(InMemoryArchive):
        async def retrieve_metadata(self, study, series=None, instance_=None):
            self.store(instance("1.2", "1.2.1", "1.2.1.9"))
            async for chunk in super().retrieve_metadata(study, series, instance_):
                yield chunk

    archive = Growing()
    for one in study("1.2"):
        archive.store(one)
    table = await pulled(archive)
    (row,) = table.source.study_rows
    assert table.rows == 7
    assert b"7" in bytes(row.raws[row.tags.index("00201208")])


async def test_a_study_that_nobody_knows_is_not_found() -> None:
    with pytest.raises(ArchiveNotFoundError):
        await pull_study(filled(), "9.9")
    rows = await filled().search_studies({"StudyInstanceUID": "1.2"}, limit=1, offset=0)
    archive = filled()
    archive.remove("1.2")
    with pytest.raises(ArchiveNotFoundError):
        await pull_study(archive, "1.2", listed=rows)


@pytest.mark.parametrize("uid", ["..", "a/../b"])
async def test_a_study_whose_uid_nobody_can_ask_for_is_judged_by_its_row(uid: str) -> None:
    class Strict(InMemoryArchive):
        async def retrieve_metadata(self, study, series=None, instance=None):
            raise ArchiveAddressError("this UID cannot be asked for")
            yield b""

        async def search_series(self, study: str) -> list[bytes]:
            raise ArchiveAddressError("this UID cannot be asked for")

    archive = Strict()
    archive.store(instance(uid, "1.2.1", "1.2.1.1"))
    table = await pulled(archive, uid)
    assert (table.key, table.rows, failures(table)) == (uid, 0, ["metadata-missing"])


class Failing(InMemoryArchive):
    """An archive that fails from a certain request on."""

    error: ArchiveError
    spared = 0

    def _ask(self) -> None:
        self.spared -= 1
        if self.spared < 0:
            raise self.error

    async def search_studies(self, query, *, limit, offset):
        self._ask()
        return await super().search_studies(query, limit=limit, offset=offset)

    async def search_series(self, study):
        self._ask()
        return await super().search_series(study)

    async def search_instances(self, study, series):
        self._ask()
        return await super().search_instances(study, series)

    async def retrieve_metadata(self, study, series=None, instance=None):
        self._ask()
        async for chunk in super().retrieve_metadata(study, series, instance):
            yield chunk


@pytest.mark.parametrize("spared", range(4))
@pytest.mark.parametrize(
    "error",
    [
        ArchiveAccessError("401"),
        ArchiveRateLimitedError("429"),
        ArchiveUnavailableError("503"),
        ArchiveAnswerError("a web page"),
    ],
)
async def test_an_archive_that_goes_out_of_order_is_not_the_studys_fault(
    error: ArchiveError, spared: int
) -> None:
    archive = Failing(faults=Faults(failing=frozenset({"1.2"})))
    archive.error, archive.spared = error, spared
    for one in study("1.2", series=3, instances=4):
        archive.store(one)
    with pytest.raises(type(error)):
        await pull_study(archive, "1.2")


async def test_instances_that_are_all_refused_are_not_all_asked_for() -> None:
    asked: list[str] = []

    class Refusing(InMemoryArchive):
        async def retrieve_metadata(self, study, series=None, instance=None):
            if instance:
                asked.append(instance)
            raise ArchiveAnswerError("it refuses", answer_status=409)
            yield b""

    archive = Refusing()
    for one in study("1.2", series=1, instances=100):
        archive.store(one)
    table = await pulled(archive)
    assert len(asked) == 2 * MOST_REFUSED  # what is held against a study is asked for twice
    assert table.source.failures[0].detail == "100 instances, such as 1.2.1.1: the archive answers 409"


@pytest.mark.parametrize("end", [b"]", b",]"])
@pytest.mark.parametrize("count", [3, MOST_INSTANCES + 1])
async def test_objects_without_an_element_are_no_study(count: int, end: bytes) -> None:
    class Hollow(InMemoryArchive):
        async def retrieve_metadata(self, study, series=None, instance=None):
            yield b"[" + b",".join([b"{}"] * (count if series is None else 1)) + end

    archive = Hollow()
    for one in study("1.2", series=1, instances=1):
        archive.store(one)
    with pytest.raises(ArchiveStudyError):
        await pull_study(archive, "1.2")
