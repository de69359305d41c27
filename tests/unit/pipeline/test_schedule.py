"""Which archive is looked at when."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from unit.clock import Clock
from unit.pipeline.watched import BEGIN, Site

from connectors.base import InMemoryArchive
from heltig.jobs.runner import Runner
from heltig.pipeline.discovery.batch import Batch
from heltig.pipeline.discovery.schedule import DISCOVER, PULL, tick
from heltig.store import cursors, jobs
from heltig.store.archives import location_of
from heltig.store.cursors import Cursor
from heltig.store.engine import Store
from heltig.store.jobs import NewJob

HERE = location_of("memory")


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store, InMemoryArchive())


async def looked(site: Site, *, queue_most: int = 10) -> set[str]:
    """The strategies that are queued now."""
    await tick(site.store, site.queue, now=site.clock(), queue_most=queue_most)
    queued = await site.store.read(jobs.newest, kind=DISCOVER, state="queued")
    return {str(job.payload["strategy"]) for job in queued}


async def has_cursors(site: Site, *names: str, **values: object) -> None:
    for name in names:
        cursor = replace(Cursor(location=HERE, name=name, due=site.clock()), **values)
        await site.store.write(cursors.put, cursor)


async def test_an_archive_that_was_never_looked_at_is_planned_first(site: Site) -> None:
    await site.register()
    assert await looked(site) == {"plan"}
    assert await looked(site) == {"plan"}
    assert len(await site.store.read(jobs.newest, kind=DISCOVER)) == 1


async def test_an_archive_that_is_not_watched_is_left_alone(site: Site) -> None:
    await site.register(strategy="none")
    assert await looked(site) == set()


async def test_outside_its_hours_an_archive_is_left_alone(site: Site) -> None:
    await site.register(hours=["daily 19:00-06:00"])
    await has_cursors(site, "hot", "cold")
    assert await looked(site) == set()
    site.clock.advance(timedelta(hours=8))
    assert await looked(site) == {"hot", "cold"}


async def test_what_is_not_due_waits(site: Site) -> None:
    await site.register()
    await has_cursors(site, "hot", "cold")
    await has_cursors(site, "warm", due=site.clock() + timedelta(minutes=5))
    assert await looked(site) == {"hot", "cold"}


@pytest.mark.parametrize(
    ("queued", "expected"),
    [(5, {"hot", "warm", "cold"}), (6, {"hot", "warm"}), (10, {"hot", "warm"}), (11, {"hot"})],
)
async def test_a_long_queue_puts_off_what_can_wait(site: Site, queued: int, expected: set[str]) -> None:
    await site.register()
    await has_cursors(site, "hot", "warm", "cold")

    def fill(transaction) -> None:
        for number in range(queued):
            site.queue.enqueue(transaction, NewJob(kind=PULL, key=f"{number}"))

    await site.store.write(fill)
    assert await looked(site) == expected


async def test_nothing_is_put_off_for_ever_and_a_round_under_way_goes_on(site: Site) -> None:
    await site.register()
    await has_cursors(site, "cold")

    def fill(transaction) -> None:
        for number in range(10):
            site.queue.enqueue(transaction, NewJob(kind=PULL, key=f"{number}"))

    await site.store.write(fill)
    assert await looked(site) == set()
    await has_cursors(site, "cold", started=site.clock())
    assert await looked(site) == {"cold"}
    await site.store.write(jobs.cancel, 11, now=site.clock())
    await has_cursors(site, "cold", started=None)
    site.clock.advance(timedelta(hours=24))
    assert await looked(site) == {"cold"}


async def test_what_a_clock_wrote_that_was_ahead_is_due_now(site: Site) -> None:
    await site.register()
    hour = timedelta(hours=1)
    await has_cursors(site, "hot", "cold", due=site.clock() + hour)
    assert await looked(site) == {"hot"}  # the cold sweep may well be due in an hour
    await has_cursors(site, "cold", due=site.clock() + 27 * hour)
    assert await looked(site) == {"hot", "cold"}


class Long:
    """A strategy whose rounds take longer than its period."""

    name = "hot"
    every = timedelta(seconds=60)

    def __init__(self, clock: Clock, batches: int) -> None:
        self._clock = clock
        self._batches = batches

    async def batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        done = int(cursor or 0) % self._batches
        while done < self._batches:
            done += 1
            self._clock.advance(timedelta(seconds=50))
            yield Batch(studies=(), cursor=str(done), is_last=done == self._batches)


@pytest.mark.parametrize("batches", [1, 3])
async def test_a_round_that_never_ends_leaves_half_of_the_time_to_pulls(store: Store, batches: int) -> None:
    clock = Clock(BEGIN)
    site = Site(
        store, InMemoryArchive(), clock=clock, strategies=lambda opened, today: [Long(clock, batches)]
    )
    await site.register(concurrency=1)
    await has_cursors(site, "hot")
    runner = Runner(site.queue, site.handlers)
    begin, listing = clock(), timedelta(0)
    while clock() < begin + timedelta(minutes=30):
        before = clock()
        await tick(site.store, site.queue, now=before, queue_most=10)
        await runner.drain()
        listing += clock() - before
        clock.advance(timedelta(seconds=5))
    assert listing <= (clock() - begin) * 0.52
    assert listing >= (clock() - begin) * 0.4
