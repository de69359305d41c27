import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.store.databases import database_url, render
from unit.store.samples import NOW

from heltig.errors import StorageError
from heltig.pipeline.archives.answering import answering, percentile
from heltig.pipeline.archives.measuring import EDGES, Measurements, bucket_of
from heltig.store import measurements as stored
from heltig.store.engine import Store
from heltig.store.measurements import Answers, Count


@given(st.lists(st.floats(0.002, 600), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_in_the_bucket_of_the_answer_that_it_is(times: list[float], share: float) -> None:
    buckets = Counter(bucket_of(seconds) for seconds in times)
    found = percentile(buckets, share)
    true = sorted(times)[min(int(-(-share * len(times) // 1)) - 1, len(times) - 1)]
    assert found is not None
    assert true / 2**0.5 * 0.999 <= found <= true * 2**0.5 * 1.001


def test_what_is_longer_than_all_edges_is_the_last_edge() -> None:
    assert percentile({len(EDGES): 3}, 0.99) == EDGES[-1]
    assert percentile({0: 1}, 1.0) == EDGES[0]


def test_errors_and_rates() -> None:
    counted = [
        (Answers("a", "search", "ok", 20), Count(6, 6.0, 600)),
        (Answers("a", "search", "not-found", 20), Count(2, 2.0, 0)),
        (Answers("a", "search", "failed", 39), Count(1, 700.0, 0)),
        (Answers("a", "search", "refused", 20), Count(1, 1.0, 0)),
    ]
    found = answering(counted, minutes=5)
    assert (found.answers, found.errors, found.error_rate) == (10, 2, 0.2)
    assert (found.answers_per_minute, found.bytes_per_minute) == (2, 120)
    assert found.p99 is not None
    assert found.p99 <= EDGES[20]  # the one that we waited for in vain says nothing about answers


def test_nothing_is_no_rate() -> None:
    found = answering([], minutes=15)
    assert (found.answers, found.error_rate, found.p50, found.p99) == (0, None, None, None)


async def test_what_was_counted_is_in_the_database_once(tmp_path: Path) -> None:
    async with database_url(tmp_path) as url:
        store = await Store.open(url, render=render)
        measured = Measurements(store, clock=lambda: NOW)
        for received in (10, 20):
            measured.record("a", "search", outcome="ok", seconds=0.01, received=received)
        measured.record("a", "search", outcome="failed", seconds=30, received=0)
        await measured.flush()
        await measured.flush()
        found = await store.read(stored.between, ["a"], since=NOW, until=NOW)
        assert {(a.outcome, c.count, c.received) for a, c in found.items()} == {
            ("ok", 2, 30),
            ("failed", 1, 0),
        }
        await store.close()


async def test_two_processes_add_to_one_count(tmp_path: Path) -> None:
    async with database_url(tmp_path) as url:
        stores = [await Store.open(url, render=render) for _ in range(2)]
        for store in stores:
            measured = Measurements(store, clock=lambda: NOW + timedelta(seconds=30))
            measured.record("a", "search", outcome="ok", seconds=0.01, received=5)
            await measured.flush()
        ever = await stores[0].read(stored.ever, ["a"])
        assert [(count.count, count.received) for count in ever.values()] == [(2, 10)]
        for store in stores:
            await store.close()


class FailingOnce(Store):
    """A database that cannot be written to for the first time."""

    failed = False

    async def write(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.failed:
            self.failed = True
            raise StorageError("The disk is full.")
        return await super().write(work, *args, **kwargs)


async def test_what_cannot_be_written_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with database_url(tmp_path) as url:
        store = await FailingOnce.open(url, render=render)
        measured = Measurements(store, clock=lambda: NOW)
        measured.record("a", "search", outcome="ok", seconds=0.01, received=5)
        await measured.flush()
        assert "Measurements wait" in caplog.text
        measured.record("a", "search", outcome="ok", seconds=0.01, received=7)
        await measured.flush()
        ever = await store.read(stored.ever, ["a"])
        assert [(count.count, count.received) for count in ever.values()] == [(2, 12)]
        await store.close()


def test_counting_an_answer_costs_less_than_two_microseconds() -> None:
    measured = Measurements(None, clock=lambda: NOW)  # type: ignore[arg-type]  # never flushed
    best = float("inf")
    for _ in range(20):
        started = time.process_time()
        for _ in range(2000):
            measured.record("archive", "metadata", outcome="ok", seconds=0.123, received=4711)
        best = min(best, (time.process_time() - started) / 2000)
    assert best < 2e-6
