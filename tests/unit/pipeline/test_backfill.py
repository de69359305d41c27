"""Backfills in a process that works: what they list and pull, where they go on, what they count."""

from datetime import date, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from servers.dicomweb import study
from unit.clock import Clock
from unit.pipeline.dying_backfill import NAME, BackfillSite
from unit.pipeline.watched import BEGIN, Site

from connectors.base import Capabilities
from heltig.cli.backfill_display import described
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveClosedError,
    ArchiveError,
    ArchivePausedError,
    ArchiveUnavailableError,
    NotFoundError,
)
from heltig.pipeline.backfill import walking as backfill
from heltig.pipeline.backfill.alone import PATIENCE, WAIT, is_somebody_working, watch
from heltig.pipeline.backfill.listing import list_on
from heltig.pipeline.backfill.report import Progress, progress_of
from heltig.pipeline.backfill.walking import range_of
from heltig.pipeline.pull.run import PulledStudy
from heltig.store import archives, audit_trail, backfill_studies, breakers, jobs, workers
from heltig.store.backfill_studies import Counts, Done
from heltig.store.backfills import Backfill
from heltig.store.breakers import Breaker
from heltig.store.engine import Store
from heltig.store.workers import Worker

MINUTE = timedelta(minutes=1)


class Filled(BackfillSite):
    async def counts(self, known: Backfill) -> Counts:
        return await self.store.read(backfill_studies.counts, known.id, now=self.clock())


@pytest.fixture
async def site(store: Store) -> Filled:
    made = Filled(store)
    await made.register(strategy="none")
    return made


async def test_every_study_is_pulled_once_and_another_backfill_pulls_none(site: Filled) -> None:
    ended = await site.end(await site.start())
    assert ended.listed
    assert not ended.cancelled
    counts = await site.counts(ended)
    assert (counts.studies, counts.outcomes, counts.instances) == (6, {"judged": 6}, 12)
    assert {(await found(site, n)).revision for n in range(6)} == {1}

    pulls = len([one for one in await site.store.read(jobs.newest, limit=500) if one.kind == "pull"])
    second = await site.end(await site.start())
    assert second.id != ended.id
    assert (await site.counts(second)).outcomes == {"known": 6}
    assert pulls == len([one for one in await site.store.read(jobs.newest, limit=500) if one.kind == "pull"])


async def found(site: Site, n: int) -> Any:
    one = await site.study(f"1.2.{n}")
    assert one is not None
    return one


async def test_studies_that_did_not_change_are_pulled_where_that_is_asked(site: Filled) -> None:
    await site.end(await site.start())
    for one in study("1.2.0", series=2, instances=2, patient="P0", date="20260101"):
        site.archive.store(one)
    ended = await site.end(await site.start(again=True))
    assert (await site.counts(ended)).outcomes == {"judged": 1, "unchanged": 5}


async def test_a_range_of_dates_is_listed_alone(site: Filled) -> None:
    ended = await site.end(await site.start("20260102-20260103"))
    assert (await site.counts(ended)).studies == 4
    assert await site.study("1.2.0") is None


async def test_the_same_again_is_the_one_that_is_under_way(site: Filled) -> None:
    first = await site.start()
    assert await site.start() == first
    assert (await site.start("20260101")).id != first.id
    assert (await site.start(again=True)).id != first.id
    with pytest.raises(NotFoundError):
        await backfill.start(site.queue, "nobody", dates="", actor="test", origin="cli")
    entries = await site.store.read(audit_trail.entries)
    assert [one.action for one in entries] == ["backfill.start"] * 3


async def test_an_archive_that_does_not_answer_is_asked_again_and_says_why(site: Filled) -> None:
    site.opens.closed[NAME] = ArchiveUnavailableError("It is away.")
    known = await site.start()
    await site.pass_time(3 * MINUTE)
    assert (await site.find(known)).error == "It is away."
    del site.opens.closed[NAME]
    ended = await site.end(known)
    assert ended.error is None
    assert (await site.counts(ended)).outcomes == {"judged": 6}


async def test_what_is_cancelled_lists_no_more_and_asks_for_nothing_that_did_not_change(site: Filled) -> None:
    await site.end(await site.start())
    known = await site.start(again=True)
    await site.backfilling.run(cast(Any, _Context(known.id)))
    assert (await seen(site, 0)).due is not None
    ended = await backfill.cancel(site.queue, known.id, actor="test", origin="cli")
    assert ended.cancelled == ended.finished == site.clock()
    assert (await seen(site, 0)).due is None
    assert await backfill.cancel(site.queue, known.id, actor="test", origin="cli") == ended
    await site.pass_time(5 * MINUTE)
    assert (await site.counts(known)).done == 0


async def seen(site: Site, n: int) -> Any:
    one = await site.observed(f"1.2.{n}")
    assert one is not None
    return one


class _Context:
    def __init__(self, id: int) -> None:
        self.payload = {"backfill": id}


async def test_the_backfill_of_an_archive_that_is_removed_ends(site: Filled) -> None:
    site.opens.closed[NAME] = ArchiveUnavailableError("It is away.")
    known = await site.start()
    await site.store.write(archives.remove, NAME)
    assert (await site.end(known)).cancelled


async def test_a_study_that_goes_while_it_waits_and_one_that_is_never_read(site: Filled) -> None:
    known = await site.start()
    await site.work()
    site.archive.remove("1.2.1")
    ended = await site.end(known)
    assert (await site.counts(ended)).outcomes == {"judged": 5, "gone": 1}


async def test_places_that_somebody_else_took_are_left_to_them(site: Filled) -> None:
    known = await site.start()
    both = [known, known]
    for one in both:  # two processes that read the same place
        async with cast(Any, site.opens).use(NAME) as opened:
            await list_on(site.store, opened, one, clock=site.clock, until=None)
    ended = await site.end(known)
    assert (await site.counts(ended)).outcomes == {"judged": 6}


DAYS = st.none() | st.dates()


@given(first=DAYS, last=DAYS)
def test_ranges_are_written_as_the_standard_does(first: date | None, last: date | None) -> None:
    written = range_of(first, last)
    assert len(written) <= 17
    assert bool(written) == bool(first or last)
    start, separator, end = written.partition("-")
    assert start == (first.isoformat().replace("-", "") if first else "")
    assert (end if separator else start) == (last.isoformat().replace("-", "") if last else "")


async def test_the_clock_of_the_rate_forgets(store: Store) -> None:
    site = Filled(store, clock=Clock(BEGIN))
    await site.register(strategy="none")
    ended = await site.end(await site.start())
    assert (await site.counts(ended)).recently == 6
    site.clock.advance(timedelta(minutes=11))
    assert (await site.counts(ended)).recently == 0


async def test_a_command_tries_again_what_failed_and_leaves_the_rest(site: Filled) -> None:
    known = await site.start()
    retrieve = site.archive.retrieve_metadata
    site.archive.retrieve_metadata = _failing(retrieve, "1.2.3")  # type: ignore[method-assign]
    ended = await site.alone(known)
    assert ended.finished
    assert (await site.counts(known)).outcomes == {"judged": 5, "failed": 1}
    site.archive.retrieve_metadata = retrieve  # type: ignore[method-assign]
    site.clock.advance(MINUTE)
    second = await site.alone(await site.start())
    assert (await site.counts(second)).outcomes == {"judged": 1, "known": 5}


class _Broken:
    """Metadata of an archive that answers 500 for one study as a whole, and for one of its instances."""

    def __init__(self, site: Filled, *, times: int, status: int = 500) -> None:
        self._retrieve = site.archive.retrieve_metadata
        self.left = times
        self._status = status

    def __call__(self, study: str, *below: str) -> Any:
        if study == "1.2.3" and (len(below) < 2 or below[1].endswith(".2")) and self.left:
            self.left -= len(below) == 2
            raise ArchiveAnswerError("It answers otherwise.", answer_status=self._status)
        return self._retrieve(study, *below)


async def test_a_command_asks_again_for_what_did_not_come_whole(
    site: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that passes is no property of the study."""
    monkeypatch.setattr(site.archive, "retrieve_metadata", _Broken(site, times=1))
    ended = await site.alone(await site.start())
    assert (await site.counts(ended)).outcomes == {"judged": 6}
    assert (await found(site, 3)).instances == 2


async def test_a_study_of_which_a_part_does_not_come_has_failed_and_is_read_again(
    site: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = _Broken(site, times=99)
    monkeypatch.setattr(site.archive, "retrieve_metadata", broken)
    pulled: list[PulledStudy] = []
    ended = await site.alone(await site.start(), pulled=pulled.append)
    assert (await site.counts(ended)).outcomes == {"judged": 5, "failed": 1}
    (failed,) = (one for one in pulled if one.outcome == "failed")
    assert (failed.uid, failed.readiness) == ("1.2.3", None)
    assert "500" in failed.error
    assert "1.2.3" not in failed.error
    assert (await found(site, 3)).state == "PENDING"

    site.clock.advance(MINUTE)
    again = await site.alone(await site.start(again=True))
    assert (await site.counts(again)).outcomes == {"unchanged": 5, "failed": 1}
    broken.left = 0
    site.clock.advance(MINUTE)
    third = await site.alone(await site.start())
    assert (await site.counts(third)).outcomes == {"known": 5, "judged": 1}
    assert (await found(site, 3)).instances == 2

    broken.left = 99
    site.clock.advance(MINUTE)
    again = await site.alone(await site.start(again=True))
    assert (await site.counts(again)).outcomes == {"unchanged": 5, "failed": 1}
    broken.left = 0
    await site.alone(await site.start())
    assert ((await found(site, 3)).state, (await found(site, 3)).revision) == ("JUDGED", 1)
    assert (await found(site, 3)).readiness == (await found(site, 0)).readiness


async def test_what_an_archive_refuses_for_good_is_a_fact_about_the_study(
    site: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.archive, "retrieve_metadata", _Broken(site, times=99, status=400))
    ended = await site.alone(await site.start())
    assert (await site.counts(ended)).outcomes == {"judged": 6}
    assert ((await found(site, 3)).readiness, (await found(site, 3)).instances) == ("BLOCKED", 1)


def _failing(retrieve: Any, uid: str = "") -> Any:
    """Asked for one study it does not answer, or for any."""

    def metadata(study: str, *args: Any, **kwargs: Any) -> Any:
        if uid in ("", study):
            raise ArchiveUnavailableError("It does not answer.")
        return retrieve(study, *args, **kwargs)

    return metadata


async def test_a_command_tells_of_each_study_as_time_goes_by(site: Filled) -> None:
    """A page of studies may take an hour: whoever looks meanwhile sees how far it is."""
    told: list[int] = []
    await site.alone(
        await site.start(),
        told=lambda progress: told.append(progress.done),
        pulled=lambda _: site.clock.advance(MINUTE),
    )
    assert len(told) >= 6
    assert {*told} - {0, 6}


@pytest.mark.parametrize("after", [0, 1])
async def test_a_command_waits_for_an_archive_that_is_away_for_a_while(site: Filled, after: int) -> None:
    whole = site.archive.retrieve_metadata, site.archive.search_studies
    waits: list[float] = []
    errors: list[str | None] = []

    def away() -> None:
        for name, one in zip(("retrieve_metadata", "search_studies"), whole, strict=True):
            setattr(site.archive, name, _failing(one))

    def last_words(*args: Any, **kwargs: Any) -> Any:
        away()
        return whole[0](*args, **kwargs)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        site.clock.advance(timedelta(seconds=seconds))
        if len(waits) == 3:
            site.archive.retrieve_metadata, site.archive.search_studies = whole  # type: ignore[method-assign]

    if after:
        site.archive.retrieve_metadata = last_words  # type: ignore[method-assign]
    else:
        away()
    known = await site.start()
    ended = await site.alone(known, sleep=sleep, told=lambda progress: errors.append(progress.error))
    assert ended.finished
    assert (await site.counts(known)).outcomes == {"judged": 6}
    assert waits == [WAIT] * 3
    assert errors[-1] is None
    assert any(error and error.endswith("Asked again in 30 s.") for error in errors)


async def test_a_command_does_not_wait_for_ever(site: Filled) -> None:
    waited = timedelta(0)

    async def sleep(seconds: float) -> None:
        nonlocal waited
        waited += timedelta(seconds=seconds)
        site.clock.advance(timedelta(seconds=seconds))

    site.archive.retrieve_metadata = _failing(None)  # type: ignore[method-assign]
    site.archive.search_studies = _failing(None)  # type: ignore[method-assign]
    known = await site.start()
    with pytest.raises(ArchiveUnavailableError):
        await site.alone(known, sleep=sleep)
    assert PATIENCE - MINUTE <= waited <= PATIENCE


@pytest.mark.parametrize(
    "error",
    [
        ArchiveAccessError("You may not."),
        ArchivePausedError("It is paused."),
        ArchiveClosedError("It is outside its hours.", retry_after=36_000),
    ],
)
async def test_a_command_ends_where_waiting_makes_no_sense(site: Filled, error: ArchiveError) -> None:
    async def search(*args: Any, **kwargs: Any) -> Any:
        raise error

    async def sleep(seconds: float) -> None:
        raise AssertionError("It waits.")

    site.archive.search_studies = search  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        await site.alone(await site.start(), sleep=sleep)


async def test_a_study_that_is_not_listed_any_more_is_asked_for(site: Filled) -> None:
    await site.alone(await site.start())
    site.archive.remove("1.2.3")
    site.clock.advance(MINUTE)
    known = await site.start()
    await site.alone(known)
    assert (await site.counts(known)).outcomes == {"known": 5, "gone": 1}
    assert (await found(site, 3)).state == "WITHDRAWN"


async def test_what_another_command_did_meanwhile_has_not_failed(site: Filled) -> None:
    known = await site.start()

    async def overtaken(*args: Any, **kwargs: Any) -> Any:
        patched.undo()
        await site.alone(known)
        yield PulledStudy(uid="1.2.0", outcome="failed", error="It changed while it was read.")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("heltig.pipeline.backfill.alone.pull_archive", overtaken)
        await site.alone(known)
    assert (await site.counts(known)).outcomes == {"judged": 6}


async def test_a_command_watches_until_nobody_works_any_more(site: Filled) -> None:
    known = await site.start()
    now = site.clock()
    await site.store.write(workers.hear, Worker(owner="1", host="h", version="1", started=now, heard=now))
    assert await is_somebody_working(site.store, now=now)
    seen: list[str] = []

    def told(progress: Progress) -> None:
        seen.append(progress.state)
        site.clock.advance(MINUTE)

    progress = await watch(site.store, known.id, clock=site.clock, told=told)
    assert (progress.state, seen) == ("listing", ["listing"])
    await site.alone(known)
    progress = await watch(site.store, known.id, clock=site.clock, told=told)
    assert (progress.state, progress.done) == ("finished", 6)


async def test_a_backfill_says_what_it_waits_for(site: Filled) -> None:
    async def told() -> Progress:
        return await site.store.read(progress_of, known.id, now=site.clock())

    known, begun = await site.start(), site.clock()
    worker = Worker(owner="1", host="h", version="1", started=begun, heard=begun)
    await site.work()
    assert (await told()).waits is None  # a command does not wait
    await site.store.write(workers.hear, worker)
    progress = await told()
    assert (progress.state, progress.waits_until) == ("pulling", begun + timedelta(seconds=120))
    assert described(progress) == (
        "pulling: 0 of 6 studies, it waits: the studies that are left are not quiet yet "
        "(no change for 120 s), until 2026-03-04 12:02:00 UTC"
    )
    site.clock.advance(2 * MINUTE)
    await site.store.write(workers.hear, replace(worker, heard=site.clock()))
    assert (await told()).waits is None

    entry = await site.store.read(archives.find, NAME)
    assert entry
    await site.store.write(archives.change, replace(entry, paused=True))
    assert ((await told()).waits, (await told()).waits_until) == ("the archive is paused", None)
    hours = replace(entry.options, hours=("daily 19:00-06:00",))
    await site.store.write(archives.change, replace(entry, options=hours))
    progress = await told()
    assert progress.waits == "the archive is outside its hours"
    assert progress.waits_until == begun.replace(hour=19)
    opened = Breaker(
        operation="search",
        state="open",
        failures=5,
        openings=1,
        until=begun + timedelta(hours=1),
        error="It is away.",
        changed=begun,
    )
    await site.store.write(archives.change, entry)
    await site.store.write(breakers.put, known.location, opened)
    assert (await told()).waits_until == opened.until
    await site.end(known)
    assert (await told()).waits is None


async def test_a_command_renews_a_probe_of_more_than_a_day_ago(
    site: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def probed() -> datetime | None:
        entry = await site.store.read(archives.find, NAME)
        assert entry
        return entry.probed

    await site.alone(await site.start())
    first = site.clock()
    assert await probed() == first
    site.clock.advance(timedelta(hours=23))
    await site.alone(await site.start(again=True))
    assert await probed() == first
    site.clock.advance(timedelta(hours=1))
    await site.alone(await site.start(again=True))
    assert await probed() == site.clock()

    async def silent() -> Capabilities:
        raise ArchiveAnswerError("It answers otherwise.")

    last = site.clock()
    site.clock.advance(timedelta(days=2))
    monkeypatch.setattr(site.archive, "probe", silent)
    ended = await site.alone(await site.start(again=True))
    assert (await site.counts(ended)).outcomes == {"unchanged": 6}
    assert await probed() == last


async def test_the_time_in_which_nobody_worked_is_not_in_the_rate(site: Filled) -> None:
    known = await site.start()
    await site.backfilling.run(cast(Any, _Context(known.id)))
    undone = await site.store.read(backfill_studies.undone, known.id, after=0, limit=9)
    site.clock.advance(60 * MINUTE)
    for one in undone[:3]:
        site.clock.advance(MINUTE)
        done = [Done(row=one.observation.row, outcome="judged")]
        await site.store.write(backfill_studies.say_done, known.id, done, now=site.clock())
    progress = await site.store.read(progress_of, known.id, now=site.clock())
    assert (progress.per_minute, progress.seconds_left) == (1.0, 180)


async def test_the_rate_and_the_time_left_are_of_what_was_pulled(site: Filled) -> None:
    known = await site.start()
    await site.backfilling.run(cast(Any, _Context(known.id)))
    undone = await site.store.read(backfill_studies.undone, known.id, after=0, limit=9)
    rows = [one.observation.row for one in undone]
    site.clock.advance(2 * MINUTE)
    done = [Done(row=rows[0], outcome="known"), *(Done(row=row, outcome="judged") for row in rows[1:3])]
    await site.store.write(backfill_studies.say_done, known.id, done, now=site.clock())
    progress = await site.store.read(progress_of, known.id, now=site.clock())
    assert (progress.state, progress.studies, progress.done) == ("pulling", 6, 3)
    assert (progress.per_minute, progress.seconds_left) == (1.0, 180)
    assert described(progress) == "pulling: 3 of 6 studies, 1 a minute, 3 min left"
