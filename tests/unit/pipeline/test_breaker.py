"""An archive that fails is left alone, tried out, and asked again."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from unit.store.samples import NOW

from connectors.base import Capabilities, InMemoryArchive, Page
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveClosedError,
    ArchiveCredentialsError,
    ArchiveError,
    ArchiveNotFoundError,
    ArchiveUnavailableError,
)
from heltig.pipeline.archives.breaker import KNOWN_FOR, Breakers
from heltig.pipeline.archives.guarded import Guard, GuardedArchive
from heltig.store import breakers
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.tables import job_groups

MAIN = Location("archive", "memory")
DOWN = ArchiveUnavailableError("Nobody answers.")
BROKEN = ArchiveAnswerError("500", answer_status=500)


class Moody(InMemoryArchive):
    """An archive that fails as it is told to, by class of operations."""

    def __init__(self) -> None:
        super().__init__()
        self.searching: ArchiveError | None = None
        self.reading: ArchiveError | None = None
        self.asked = 0

    async def search_studies(self, query: Any, *, limit: int, offset: int) -> Page:
        self.asked += 1
        if self.searching:
            raise self.searching
        return Page()

    async def search_series(self, study: str) -> list[bytes]:
        return await self.search_studies({}, limit=1, offset=0)

    async def retrieve_metadata(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> Any:
        self.asked += 1
        if self.reading:
            raise self.reading
        yield b"[]"

    async def probe(self) -> Capabilities:
        return Capabilities()


class Process:
    """One of the processes that ask the archive."""

    def __init__(self, store: Store, archive: Moody) -> None:
        self.now = NOW
        self.archive = archive
        self._breakers = Breakers(store, MAIN, clock=self.clock, trial=self._trial)
        self.guarded = GuardedArchive(archive, Guard(self._breakers, concurrency=1))
        self.trials = 0

    def clock(self) -> datetime:
        return self.now

    async def _trial(self) -> None:
        self.trials += 1
        await self.archive.search_studies({}, limit=1, offset=0)

    async def search(self) -> str:
        """How a search ends."""
        return await self._ended(self.guarded.search_studies({}, limit=5, offset=0))

    async def read(self, study: str = "1.2") -> str:
        """How reading metadata ends."""

        async def all() -> None:
            async for _ in self.guarded.retrieve_metadata(study):
                pass

        return await self._ended(all())

    async def _ended(self, work: Any) -> str:
        try:
            await work
        except ArchiveClosedError as closed:
            return f"closed {closed.retry_after:.0f}"
        except ArchiveError as error:
            return type(error).__name__
        return "ok"


@pytest.fixture
def process(store: Store) -> Process:
    return Process(store, Moody())


async def test_five_failures_one_after_the_other_open_it(process: Process, store: Store) -> None:
    process.archive.searching = DOWN
    ended = [await process.search() for _ in range(7)]
    assert ended == ["ArchiveUnavailableError"] * 5 + ["closed 30"] * 2
    assert process.archive.asked == 5
    assert await process.read() == "ok"  # another class of operations
    opened = (await store.read(breakers.of, MAIN))["search"]
    assert (opened.state, opened.failures, opened.error) == ("open", 5, "Nobody answers.")


async def test_a_success_in_between_begins_the_count_again(process: Process) -> None:
    for failures in (4, 4):
        process.archive.searching = DOWN
        for _ in range(failures):
            await process.search()
        process.archive.searching = None
        assert await process.search() == "ok"


async def test_more_than_half_of_twenty_open_it(process: Process) -> None:
    async def ask(error: ArchiveError | None) -> str:
        process.archive.searching = error
        return await process.search()

    outcomes = [None, None, DOWN] + [DOWN, DOWN, None] * 5 + [None, DOWN]  # 12 of 20 fail
    ended = [await ask(error) for error in outcomes]
    assert not any(one.startswith("closed") for one in ended)
    assert (await ask(None)).startswith("closed")


async def test_the_wait_doubles_until_something_succeeds(process: Process) -> None:
    process.archive.searching = DOWN
    for _ in range(5):
        await process.search()
    waits = []
    for _ in range(7):
        waits.append(int((await process.search()).removeprefix("closed ")))
        process.now += timedelta(seconds=waits[-1])
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    asked = process.archive.asked
    process.archive.searching = None
    assert await process.search() == "ok"
    assert process.archive.asked == asked + 2  # the trial, and what was asked
    process.archive.searching = DOWN
    assert [await process.search() for _ in range(5)] == ["ArchiveUnavailableError"] * 5
    assert await process.search() == "closed 30"


async def test_a_trial_that_succeeds_is_not_yet_a_success_of_the_class(process: Process) -> None:
    process.archive.reading = DOWN
    for _ in range(5):
        await process.read()
    assert await process.read() == "closed 30"
    process.now += timedelta(seconds=30)
    assert await process.read() == "ArchiveUnavailableError"  # searching works, reading does not
    assert process.trials == 1
    assert await process.read() == "closed 60"


async def test_retry_after_counts(process: Process) -> None:
    process.archive.searching = ArchiveUnavailableError("Not now.", retry_after=90)
    for _ in range(5):
        await process.search()
    assert await process.search() == "closed 90"


async def test_credentials_that_are_not_taken_close_everything_at_once(process: Process) -> None:
    process.archive.reading = ArchiveCredentialsError("401")
    assert await process.read() == "ArchiveCredentialsError"
    assert (await process.read(), await process.search()) == ("closed 30", "closed 30")


async def test_one_broken_study_is_not_a_broken_archive(process: Process) -> None:
    process.archive.reading = BROKEN
    assert [await process.read("1.2") for _ in range(9)] == ["ArchiveAnswerError"] * 9
    for study in ("1.3", "1.4", "1.5", "1.6"):
        assert await process.read(study) == "ArchiveAnswerError"
    assert (await process.read("1.7")).startswith("closed")


@pytest.mark.parametrize(
    "error",
    [ArchiveNotFoundError("404"), ArchiveAccessError("403"), ArchiveAnswerError("409", answer_status=409)],
)
async def test_what_is_refused_of_a_study_is_no_failure(process: Process, error: ArchiveError) -> None:
    process.archive.reading = error
    for number in range(30):
        assert not (await process.read(f"1.{number}")).startswith("closed")


@pytest.mark.parametrize("error", [ArchiveAccessError("403"), ArchiveAnswerError("a login page")])
async def test_an_archive_that_refuses_every_search_is_left_alone(
    process: Process, error: ArchiveError
) -> None:
    process.archive.searching = error
    for _ in range(5):
        await process.search()
    assert await process.search() == "closed 30"


async def test_all_processes_see_it_and_one_alone_tries(process: Process, store: Store) -> None:
    other = Process(store, process.archive)
    assert await other.search() == "ok"
    process.archive.searching = DOWN
    for _ in range(5):
        await process.search()
    other.now += KNOWN_FOR
    assert await other.search() == "closed 25"
    process.now = other.now = NOW + timedelta(seconds=30)
    await store.write(
        breakers.begin_trial,
        MAIN,
        "search",
        now=process.now,
        ends=process.now + timedelta(minutes=1),
        latest=process.now + timedelta(minutes=11),
    )  # a third process tries
    assert (await process.search(), await other.search()) == ("closed 60", "closed 60")
    process.archive.searching = None
    process.now = other.now = NOW + timedelta(seconds=90)
    assert (await process.search(), await other.search()) == ("ok", "ok")
    assert process.trials + other.trials == 1
    assert await store.read(breakers.of, MAIN) == {}


async def test_no_job_of_the_archive_is_begun_meanwhile(process: Process, store: Store) -> None:
    process.archive.searching = DOWN
    for _ in range(5):
        await process.search()

    def not_before(transaction: Any) -> datetime:
        row = transaction.connection.execute(job_groups.select().where(job_groups.c.name == str(MAIN))).one()
        found: datetime = row.not_before
        return found

    assert await store.read(not_before) == NOW + timedelta(seconds=30)
