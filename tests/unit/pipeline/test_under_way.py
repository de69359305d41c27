"""Batches that come to a gate in `enforce` at the same time are judged as one after the other would be."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from integration.gated import files_of
from servers.httpd import Asked
from servers.scripted import answer
from unit.pipeline.test_custody import Site, Upstream, response, site_before, stored_answer

from heltig.errors import ArchiveError
from heltig.pipeline.gate.judging import KNOWN_FOR
from heltig.pipeline.gate.received import Decision
from heltig.store.engine import Store

OTHER_PATIENT = 0xC350
FILES = files_of("two-patient-ids")
OURS, OTHERS = FILES[:3], FILES[-2:]


class SlowUpstream(Upstream):
    """Keeps whoever sends first waiting until it is told to go on.

    Attributes:
        came: Somebody waits.
        goes_on: Nobody waits any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.came, self.goes_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, asked: Asked) -> bytes:  # type: ignore[override]
        given = super().__call__(asked)
        if asked.method == "POST" and len(self.sent) == 1:
            self.came.set()
            await self.goes_on.wait()
        return given


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_before(SlowUpstream(), store, tmp_path) as made:
        yield made


async def slow_one(site: Site) -> "asyncio.Task[list[Decision]]":
    """An object that was let through, and that the archive does not answer yet."""
    slow = asyncio.create_task(site.take(site.gate("enforce"), OURS[:1]))
    await site.upstream.came.wait()  # type: ignore[attr-defined]
    return slow


def refuses(came: list[str]) -> bytes:
    return response((), dict.fromkeys(came, 0xA900), status=409)


def fails(came: list[str]) -> bytes:
    return answer(b"", status=503)


@pytest.mark.parametrize("answers", [stored_answer, refuses, fails])
async def test_what_is_under_way_counts_whatever_becomes_of_others(
    site: Site, answers: Callable[[list[str]], bytes]
) -> None:
    gate, slow = site.gate("enforce"), await slow_one(site)
    site.upstream.answers, site.upstream.takes = answers, lambda uid: False
    with suppress(ArchiveError):
        await site.take(gate, OURS[1:2])
    assert [one.code for one in await site.take(gate, OTHERS)] == [OTHER_PATIENT] * 2
    site.now[0] += KNOWN_FOR + timedelta(seconds=1)
    assert [one.code for one in await site.take(gate, OTHERS)] == [OTHER_PATIENT] * 2
    site.upstream.goes_on.set()  # type: ignore[attr-defined]
    assert await slow == [Decision()]
    for _ in range(2):  # by what is remembered of it, and by what is written down
        assert [one.code for one in await site.take(gate, OTHERS)] == [OTHER_PATIENT] * 2
        site.now[0] += KNOWN_FOR + timedelta(seconds=1)


@pytest.mark.parametrize("answers", [refuses, fails])
async def test_what_was_not_taken_is_held_against_nothing(
    site: Site, answers: Callable[[list[str]], bytes]
) -> None:
    site.upstream.goes_on.set()  # type: ignore[attr-defined]
    site.upstream.answers, site.upstream.takes = answers, lambda uid: False
    with suppress(ArchiveError):
        await site.take(site.gate("enforce"), OURS)
    site.upstream.answers, site.upstream.takes = stored_answer, lambda uid: True
    assert await site.take(site.gate("enforce"), OTHERS) == [Decision()] * 2


async def test_whoever_stops_waiting_is_not_under_way(site: Site) -> None:
    slow = await slow_one(site)
    slow.cancel()
    with suppress(asyncio.CancelledError):
        await slow
    site.upstream.goes_on.set()  # type: ignore[attr-defined]
    assert await site.take(site.gate("enforce"), OTHERS) == [Decision()] * 2


async def test_a_batch_of_several_studies_comes_first_in_all_of_them(site: Site) -> None:
    """While its first study is judged, nobody who came later is judged in its second one."""
    site.upstream.goes_on.set()  # type: ignore[attr-defined]
    run, overtaken = site.processes.run, asyncio.Event()
    calls: list[str] = []

    async def slow(work: Any, *args: Any, **named: Any) -> Any:
        if work.__name__ == "admit":
            calls.append(named["study_uid"])
            if len(calls) == 1:
                with suppress(TimeoutError):
                    await asyncio.wait_for(overtaken.wait(), 0.3)
            else:
                overtaken.set()
        return await run(work, *args, **named)

    site.processes.run = slow  # type: ignore[method-assign]
    gate = site.gate("enforce")
    first, second = await asyncio.gather(
        site.take(gate, [*files_of("mg-screening")[:1], *OURS]), site.take(gate, OTHERS)
    )
    assert first == [Decision()] * 4
    assert [one.code for one in second] == [OTHER_PATIENT] * 2
    assert len(set(calls)) == 2
