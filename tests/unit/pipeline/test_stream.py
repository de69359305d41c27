"""The change feed as it grows."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

import pytest
from unit.store.samples import judge, snapshot

from heltig.pipeline.telling import stream
from heltig.pipeline.telling.stream import ChangeStream
from heltig.store.changes import Change
from heltig.store.engine import Store

SOON = timedelta(milliseconds=5)
NEVER = timedelta(hours=1)


async def taken(following: AsyncGenerator[list[Change], None], number: int) -> list[int]:
    """The sequences of so many changes."""
    found: list[int] = []
    while len(found) < number:
        found += [change.sequence for change in await anext(following)]
    return found


async def judged(store: Store, *numbers: int) -> None:
    for number in numbers:
        await judge(store, snapshot(study=f"1.2.3.{number}"))


async def test_what_was_and_what_comes(store: Store) -> None:
    await judged(store, 1, 2, 3)
    async with aclosing(ChangeStream(store, every=SOON).follow(1, heartbeat=NEVER)) as following:
        assert await taken(following, 2) == [2, 3]
        waiting = asyncio.create_task(taken(following, 2))
        await judged(store, 4, 5)
        assert await waiting == [4, 5]


async def test_only_what_comes(store: Store) -> None:
    await judged(store, 1)
    changes = ChangeStream(store, every=SOON)
    async with aclosing(changes.follow(None, heartbeat=SOON)) as following:
        assert await anext(following) == []
        await judged(store, 2)
        assert await taken(following, 1) == [2]


async def test_followers_get_the_same_whenever_they_came(store: Store) -> None:
    changes = ChangeStream(store, every=SOON)
    async with (
        aclosing(changes.follow(0, heartbeat=NEVER)) as first,
        aclosing(changes.follow(0, heartbeat=NEVER)) as second,
    ):
        both = asyncio.gather(taken(first, 6), taken(second, 6))
        await judged(store, 1, 2, 3)
        async with aclosing(changes.follow(0, heartbeat=NEVER)) as late:
            assert await taken(late, 3) == [1, 2, 3]
        await judged(store, 4, 5, 6)
        assert await both == [[1, 2, 3, 4, 5, 6]] * 2


async def test_nobody_follows_and_nothing_is_looked_at(store: Store) -> None:
    changes = ChangeStream(store, every=SOON)
    async with aclosing(changes.follow(0, heartbeat=SOON)) as following:
        await anext(following)
        assert changes.followers == 1
    assert changes.followers == 0
    await judged(store, 1)
    async with aclosing(changes.follow(0, heartbeat=NEVER)) as following:
        assert await taken(following, 1) == [1]


async def test_whoever_is_far_behind_gets_every_change(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEPT", 2)
    await judged(store, 1, 2, 3, 4, 5)
    async with aclosing(ChangeStream(store, every=SOON).follow(0, heartbeat=NEVER)) as following:
        assert await taken(following, 5) == [1, 2, 3, 4, 5]
