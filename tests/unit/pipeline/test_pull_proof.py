"""What is held against a study, what withdraws it, and what only fails: over HTTP, and kept in a database."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from servers.dicomweb import NoWaits, connected, made_well, running_loopback, study
from servers.scripted import HANG_UP, STAY_SILENT, answer, scripted_server
from unit.pipeline.scoring import scoring

from connectors.base import Faults as MemoryFaults
from connectors.base import InMemoryArchive
from connectors.dicomweb import DicomWebArchive
from heltig import http
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.errors import ArchiveNotFoundError, ArchiveStudyError, ArchiveUnavailableError
from heltig.pipeline.pull.listing import ListedStudy, list_studies
from heltig.pipeline.pull.run import MOST_FAILURES, MOST_NOT_GIVEN, PulledStudy, pull_archive
from heltig.pipeline.pull.study import pull_study
from heltig.store import changes, studies, verdicts
from heltig.store.engine import Store
from heltig.store.records import Location, Study

HERE = Location("archive", "archive")
UIDS = ("1.2.1", "1.2.2", "1.2.3")
OF_SECOND = r"/studies/1\.2\.2/.*metadata$"
OF_ALL = r"/metadata$"


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackArchive]:
    with running_loopback(one for uid in UIDS for one in study(uid, series=2, instances=2)) as archive:
        yield archive


@pytest.fixture
def loopback(running: LoopbackArchive) -> LoopbackArchive:
    return made_well(running)


async def pulled(
    loopback: LoopbackArchive, store: Store, faults: Faults, *uids: str
) -> dict[str, PulledStudy]:
    """A pull of all studies, or of some that are named, with faults that begin after the listing."""
    async with connected(loopback.url) as archive:
        loopback.faults = Faults()
        listed = [ListedStudy(uid, ()) for uid in uids] or (await list_studies(archive, {})).studies
        loopback.faults = faults
        return {p.uid: p async for p in pull_archive(archive, listed, scoring=scoring(store))}


async def kept(store: Store, uid: str) -> Study | None:
    return await store.read(studies.find, HERE, uid)


PASSING = [
    Faults(status=500, only=OF_SECOND),
    Faults(status=501, only=OF_SECOND),
    Faults(status=503, only=OF_SECOND),
    Faults(status=503, retry_after="3600", only=OF_SECOND),
    Faults(status=429, retry_after="3600", only=OF_SECOND),
    Faults(status=401, only=OF_SECOND),
    Faults(status=403, only=OF_SECOND),
    Faults(status=423, only=OF_SECOND),
    Faults(status=302, only=OF_SECOND),
    Faults(login_page=True, only=OF_SECOND),
    Faults(cut_after=1, only=OF_SECOND),
    Faults(gzip_lie=True, only=OF_SECOND),
]


@pytest.mark.parametrize("faults", PASSING)
async def test_what_may_pass_leaves_the_verdict_and_the_run_as_they_are(
    loopback: LoopbackArchive, store: Store, faults: Faults
) -> None:
    await pulled(loopback, store, Faults())
    before = await kept(store, "1.2.2")
    failing = await pulled(loopback, store, faults)
    assert {uid: p.outcome for uid, p in failing.items()} == {
        "1.2.1": "unchanged",
        "1.2.2": "failed",
        "1.2.3": "unchanged",
    }
    assert failing["1.2.2"].error
    assert await kept(store, "1.2.2") == before
    assert (await pulled(loopback, store, Faults()))["1.2.2"].outcome == "unchanged"


@pytest.mark.parametrize("faults", PASSING)
async def test_what_may_pass_is_no_first_verdict_either(
    loopback: LoopbackArchive, store: Store, faults: Faults
) -> None:
    assert (await pulled(loopback, store, faults))["1.2.2"].outcome == "failed"
    assert await kept(store, "1.2.2") is None


@pytest.mark.parametrize("status", [400, 404, 406, 409, 410, 413, 422])
async def test_a_study_that_is_listed_and_definitely_not_given_is_blocked(
    loopback: LoopbackArchive, store: Store, status: int
) -> None:
    (second,) = (await pulled(loopback, store, Faults(status=status, only=OF_SECOND), "1.2.2")).values()
    assert (second.outcome, second.readiness, second.instances) == ("judged", "BLOCKED", 0)
    assert second.rules == ("SRC-META-UNAVAILABLE",)
    assert (await pulled(loopback, store, Faults(), "1.2.2"))["1.2.2"].instances == 4


async def test_an_empty_list_of_what_is_counted_is_definite(store: Store) -> None:
    archive = InMemoryArchive("archive")
    for one in study("1.2", series=1, instances=2):
        archive.store(one)
    archive.faults = MemoryFaults(withheld=frozenset({"1.2.1.1", "1.2.1.2"}))
    table = await pull_study(archive, "1.2")
    assert [failure.kind for failure in table.source.failures] == ["metadata-missing"]


async def test_what_was_refused_once_is_given_the_second_time(
    loopback: LoopbackArchive, store: Store
) -> None:
    for times in (1, 2, 7):  # the study; a series too; everything
        faults = Faults(status=404, only=OF_SECOND, times=times)
        (second,) = (await pulled(loopback, store, faults, "1.2.2")).values()
        assert (second.outcome in ("judged", "unchanged"), second.instances) == (True, 4)


async def test_a_study_of_which_a_part_came_is_judged_with_what_is_missing(
    loopback: LoopbackArchive, store: Store
) -> None:
    faults = Faults(status=500, only=r"/studies/1\.2\.2/(metadata|series/1\.2\.2\.1/.*metadata)$")
    (second,) = (await pulled(loopback, store, faults, "1.2.2")).values()
    assert (second.readiness, second.instances) == ("BLOCKED", 2)
    assert "SRC-META-UNAVAILABLE" in second.rules


ROW = msgspec.json.encode([{"0020000D": {"vr": "UI", "Value": ["1.2"]}}])
SERIES = msgspec.json.encode([{"0020000E": {"vr": "UI", "Value": ["1.2.1"]}}])


@pytest.mark.parametrize(
    "metadata",
    [
        answer(b"hello"),
        answer(b"{}"),
        answer(b'{"error": "no database"}'),
        answer(b"[null]"),
        answer(b" <html>"),
        answer(b"[", length=100),
        HANG_UP,
        STAY_SILENT,
    ],
)
async def test_no_answer_and_an_answer_that_is_no_metadata_may_pass(metadata: bytes | None) -> None:
    index = [answer(ROW), answer(SERIES)]  # of one row, after which no second page is asked for
    script = [*index, metadata, metadata, answer(b"[]"), answer(ROW)]
    async with scripted_server(script) as server, http.client(server.root, read_seconds=0.2) as client:
        archive = DicomWebArchive("main", qido=client, wado=client, retry=NoWaits(attempts=1).retry)
        with pytest.raises(ArchiveStudyError) as raised:
            await pull_study(archive, "1.2")
    assert len(server.requests) == len(script)
    assert raised.value.detail.endswith((".", ")"))


async def test_an_archive_that_asks_for_time_is_left_alone() -> None:
    later = answer(status=503, headers={"Retry-After": "3600"})
    waits = NoWaits()
    async with (
        scripted_server([answer(ROW), answer(SERIES), answer(b"[]"), later]) as server,
        connected(server.root, waits=waits) as archive,
    ):
        with pytest.raises(ArchiveUnavailableError, match="HELTIG_ARCHIVE_WAIT_SECONDS") as raised:
            await pull_study(archive, "1.2")
    assert raised.value.retry_after == 3600
    assert waits.waits == []


ODD = ["1.2.3/4", "1.2.3?x=1&y#z%41", "1.2 3+4", "1.2;3", "Straße*"]


@pytest.mark.parametrize("uid", ODD)
async def test_an_odd_uid_is_quoted_in_every_address_and_found_in_the_list(uid: str) -> None:
    row = msgspec.json.encode([{"0020000D": {"vr": "UI", "Value": [uid]}}])
    given = msgspec.json.encode(study(uid, series=1, instances=1))
    script = [answer(b"[]"), answer(row), answer(status=204), answer(status=400), answer(given)]
    async with scripted_server(script) as server, connected(server.root) as archive:
        table = await pull_study(archive, uid)
    assert (table.key, len(table.source.study_rows), table.source.failures) == (uid, 1, ())
    by_uid, _, _, series, metadata = (urlsplit(request.split()[1]) for request in server.requests)
    assert parse_qs(by_uid.query)["StudyInstanceUID"] == [uid]
    quoted = http_path(uid)
    assert series.path == f"/dicom-web/studies/{quoted}/series"
    assert metadata.path == f"/dicom-web/studies/{quoted}/metadata"
    assert metadata.query == metadata.fragment == ""


def http_path(uid: str) -> str:
    """A UID as one segment, each byte that is not unreserved quoted (RFC 3986, 2.3)."""
    kept = b"-._~" + bytes(range(0x30, 0x3A)) + bytes(range(0x41, 0x5B)) + bytes(range(0x61, 0x7B))
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in uid.encode())


@pytest.mark.parametrize("uid", ODD)
async def test_an_odd_uid_is_gone_once_a_whole_list_does_not_have_it(uid: str) -> None:
    empty, absent = answer(b"[]"), answer(status=404)
    others = answer(ROW)
    once = [empty, others, empty, absent, absent]  # by UID, the list, its end, series, metadata
    again = [empty, absent, absent]
    async with scripted_server([*once, *again]) as server, connected(server.root) as archive:
        with pytest.raises(ArchiveNotFoundError):
            await pull_study(archive, uid)
    assert len(server.requests) == 8


async def test_a_study_that_no_search_finds_is_not_gone_while_its_metadata_fails(store: Store) -> None:
    async with LoopbackArchive(one for uid in UIDS for one in study(uid)) as loopback:
        await pulled(loopback, store, Faults())
        before = await kept(store, "1.2.2")
        loopback.remove("1.2.2")
        for faults in (one for one in PASSING if one.status or one.login_page):
            assert (await pulled(loopback, store, faults, "1.2.2"))["1.2.2"].outcome == "failed", faults
            assert await kept(store, "1.2.2") == before
        assert (await pulled(loopback, store, Faults(), "1.2.2"))["1.2.2"].outcome == "gone"
        after = await kept(store, "1.2.2")
        assert after is not None
        assert after.state == "WITHDRAWN"


async def test_a_search_that_fails_withdraws_nothing(loopback: LoopbackArchive, store: Store) -> None:
    await pulled(loopback, store, Faults())
    for status in (400, 404, 500, 503):
        faults = Faults(status=status)
        assert (await pulled(loopback, store, faults, "1.2.2"))["1.2.2"].outcome == "failed"
    found = await kept(store, "1.2.2")
    assert found is not None
    assert found.state == "JUDGED"


class Hiding(InMemoryArchive):
    """An archive whose searches by UID find nothing."""

    async def search_studies(self, query: Any, *, limit: int, offset: int) -> list[bytes]:
        if "StudyInstanceUID" in query:
            return []
        return await super().search_studies(query, limit=limit, offset=offset)


async def test_a_study_that_no_search_finds_and_that_is_given_is_judged(store: Store) -> None:
    archive = Hiding("archive")
    for one in study("1.2"):
        archive.store(one)
    results = pull_archive(archive, [ListedStudy("1.2", ())], scoring=scoring(store))
    (result,) = [r async for r in results]
    assert (result.outcome, result.instances) == ("judged", 6)
    assert "SRC-NOT-LISTED" in result.rules
    found = await store.read(verdicts.current, HERE, "1.2")
    assert found is not None


async def test_studies_that_fail_do_not_keep_the_run_from_those_behind_them(store: Store) -> None:
    broken = [f"1.3.{n}" for n in range(3 * MOST_FAILURES)]
    async with LoopbackArchive(one for uid in (*broken, "1.4") for one in study(uid)) as loopback:
        found = await pulled(loopback, store, Faults(status=500, only=r"/1\.3\..*metadata$"))
    assert [found[uid].outcome for uid in broken] == ["failed"] * len(broken)
    assert found["1.4"].outcome == "judged"


async def test_an_archive_that_gives_no_study_at_all_ends_the_run(store: Store) -> None:
    many = [f"1.3.{n}" for n in range(2 * MOST_NOT_GIVEN)]
    async with LoopbackArchive(one for uid in many for one in study(uid)) as loopback:
        with pytest.raises(ArchiveStudyError, match=f"last {MOST_NOT_GIVEN} studies"):
            await pulled(loopback, store, Faults(status=500, only=OF_ALL))
    assert await store.read(changes.latest) == 0
