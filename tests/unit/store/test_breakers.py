"""Breakers as rows that all processes share."""

from datetime import timedelta

from msgspec.structs import replace
from unit.store.samples import NOW

from heltig.store import breakers
from heltig.store.breakers import Breaker
from heltig.store.engine import Store
from heltig.store.records import Location

MAIN = Location("archive", "main")
MINUTE = timedelta(minutes=1)
OPEN = Breaker(
    operation="search",
    state="open",
    failures=5,
    openings=1,
    until=NOW + MINUTE,
    error="Nobody answers.",
    changed=NOW,
)


async def test_a_breaker_comes_out_as_it_was_put(store: Store) -> None:
    assert await store.read(breakers.of, MAIN) == {}
    await store.write(breakers.put, MAIN, OPEN)
    await store.write(breakers.put, Location("archive", "other"), replace(OPEN, operation="auth"))
    assert await store.read(breakers.of, MAIN) == {"search": OPEN}
    longer = replace(OPEN, openings=2, until=NOW + 2 * MINUTE)
    await store.write(breakers.put, MAIN, longer)
    assert await store.read(breakers.of, MAIN) == {"search": longer}


async def test_one_alone_tries(store: Store) -> None:
    await store.write(breakers.put, MAIN, OPEN)

    async def tries(after: timedelta) -> bool:
        now = NOW + after
        return await store.write(
            breakers.begin_trial, MAIN, "search", now=now, ends=now + MINUTE, latest=now + 99 * MINUTE
        )

    assert not await tries(timedelta())
    assert [await tries(MINUTE), await tries(MINUTE)] == [True, False]
    assert (await store.read(breakers.of, MAIN))["search"].state == "half-open"
    assert await tries(2 * MINUTE)  # nothing was heard of the first trial
    assert not await store.write(breakers.begin_trial, MAIN, "metadata", now=NOW, ends=NOW, latest=NOW)


async def test_breakers_are_forgotten(store: Store) -> None:
    for operation in ("search", "metadata", "auth"):
        await store.write(breakers.put, MAIN, replace(OPEN, operation=operation))
    await store.write(breakers.forget, MAIN, "search")
    assert set(await store.read(breakers.of, MAIN)) == {"metadata", "auth"}
    await store.write(breakers.forget, MAIN)
    assert await store.read(breakers.of, MAIN) == {}


async def test_a_wait_that_a_clock_wrote_which_was_ahead_is_over(store: Store) -> None:
    breaker = Breaker(
        operation="search",
        state="open",
        failures=5,
        openings=1,
        until=NOW + 60 * MINUTE,
        error="",
        changed=NOW + 59 * MINUTE,
    )
    await store.write(breakers.put, MAIN, breaker)
    begin = {"now": NOW, "ends": NOW + MINUTE}
    for latest, begins in ((NOW + 61 * MINUTE, False), (NOW + 11 * MINUTE, True)):
        assert await store.write(breakers.begin_trial, MAIN, "search", **begin, latest=latest) == begins
