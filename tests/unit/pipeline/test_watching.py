from datetime import datetime, timedelta
from typing import Any

import pytest
from unit.store import pulling
from unit.store.pulling import MINUTE
from unit.store.samples import NOW

from connectors.paging import Position
from heltig.errors import NotFoundError
from heltig.pipeline.archives import watching
from heltig.pipeline.archives.status import ArchiveStatus, ServiceStatus
from heltig.pipeline.discovery.rounds import Place
from heltig.store import claims, jobs, leases
from heltig.store.archives import ArchiveOptions
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.transaction import WriteTransaction


async def status(store: Store, name: str = "main") -> ArchiveStatus:
    return await store.read(watching.archive_status, name, now=NOW)


async def service(store: Store) -> ServiceStatus:
    return await store.read(watching.service_status, now=NOW)


async def test_an_archive_that_was_never_looked_at(store: Store) -> None:
    await pulling.add_archive(store, "main")
    found = await status(store)
    assert (found.state, found.polled, found.succeeded, found.lag_seconds) == ("unwatched", None, None, None)
    assert found.answering("24 h").answers == 0
    assert found.cursors == found.breakers == found.backfills == found.notes == []


async def test_no_such_archive(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await status(store, "nobody")


async def test_lag_is_that_of_the_strategy_that_sees_what_is_new(store: Store) -> None:
    await pulling.add_archive(store, "main")
    await pulling.put_cursor(store, "main", "cold", covered=NOW, finished=NOW - 9 * MINUTE)
    await pulling.put_cursor(
        store, "main", "hot", covered=NOW - 3 * MINUTE, finished=NOW - 2 * MINUTE, started=NOW - MINUTE
    )
    found = await status(store)
    assert (found.state, found.lag_seconds) == ("current", 180)
    assert (found.polled, found.succeeded) == (NOW - MINUTE, NOW - 2 * MINUTE)
    await pulling.put_cursor(store, "main", "feed", covered=NOW - 7 * MINUTE)
    assert (await status(store)).lag_seconds == 420


async def test_a_clock_that_runs_ahead_is_no_negative_lag(store: Store) -> None:
    await pulling.add_archive(store, "main")
    await pulling.put_cursor(store, "main", covered=NOW + 60 * MINUTE)
    found = await status(store)
    assert (found.state, found.lag_seconds) == ("current", 0)


POSITIONS = {
    ("feed", None): None,
    ("feed", ""): None,
    ("feed", '{"seq":4711,"anchors":[[4710,"1.2.840.99"]]}'): "after change 4,711",
    ("feed", '{"type":"numbers","last":7}'): "after change 7",
    (
        "feed",
        '{"type":"times","start":"2026-03-01T08:00:00Z","skip":3}',
    ): "after changes until 2026-03-01 08:00",
    ("feed", '{"since":"2026-03-01T08:00:00Z"}'): "after changes until 2026-03-01 08:00",
    ("feed", "1.2.840.99.4711" * 40): "under way",
    ("feed", '{"token":"1.2.840.99.4711"}'): "under way",
    ("hot", '{"day":"20991231"}'): "at the newest studies",
    ("cold", '{"day":"20260301","since":"2026-03-09T08:00:00Z"}'): "at studies of 2026-03-01 and earlier",
    ("cold", '{"since":"2026-03-09T08:00:00Z"}'): "at the list of all studies",
    ("cold", '{"position":{"skip":1300,"anchors":["1.2.840.99"]}}'): "after 1,300 studies of the list of all",
    ("warm", '{"day":"1.2.840.99"}'): "under way",
    ("warm", "[1]"): "under way",
}


@pytest.mark.parametrize(("strategy", "position"), POSITIONS)
async def test_positions_are_shown_in_words_without_uids(
    store: Store, strategy: str, position: str | None
) -> None:
    await pulling.add_archive(store, "main")
    await pulling.put_cursor(store, "main", strategy, position=position)
    (shown,) = (await status(store)).cursors
    assert shown.position == POSITIONS[strategy, position]


STATES = {
    "paused": ({"paused": True}, {}),
    "resting": ({"options": ArchiveOptions(hours=("daily 20:00-22:00",))}, {}),
    "stopped": ({}, {"breaker": {"state": "open"}}),
    "unwatched": ({"options": ArchiveOptions(strategy="none")}, {}),
    "failing": ({}, {"cursor": {"error": "It answers 500."}}),
    "behind": ({}, {"cursor": {"finished": NOW - 10 * MINUTE}}),
    "current": ({}, {"breaker": {"state": "half-open", "until": None}}),
}


@pytest.mark.parametrize("name", STATES)
async def test_states(store: Store, name: str) -> None:
    entry, rows = STATES[name]
    await pulling.add_archive(store, "main", **entry)
    await pulling.put_cursor(store, "main", **rows.get("cursor", {}))
    if "breaker" in rows:
        await pulling.put_breaker(store, "main", **rows["breaker"])
    found = await status(store)
    assert found.state == name
    assert found.why.endswith(".")


async def test_a_first_round_that_has_not_ended_is_behind(store: Store) -> None:
    await pulling.add_archive(store, "main")
    await pulling.put_cursor(store, "main", covered=None, finished=None, started=NOW)
    found = await status(store)
    assert (found.state, found.lag_seconds) == ("behind", None)


@pytest.mark.parametrize(
    ("rows", "finished", "state"),
    [
        (1_000, None, "current"),
        (100_000, None, "behind"),
        (100_000, NOW, "current"),
        (1_000_000, NOW, "behind"),
    ],
)
async def test_a_list_that_goes_on_and_on_is_not_current(
    store: Store, rows: int, finished: datetime | None, state: str
) -> None:
    await pulling.add_archive(store, "main")
    await pulling.put_cursor(store, "main", "hot")
    position = f'{{"position":{{"skip":{rows},"anchors":[]}}}}'
    await pulling.put_cursor(store, "main", "cold", position=position, started=NOW, finished=finished)
    assert (await status(store)).state == state


@pytest.mark.parametrize(
    ("options", "is_put_off", "why"),
    [
        ({}, False, "it is read beside others, and keeps none waiting. Have its administrator"),
        ({"concurrency": 1}, False, "but all else of this one does, as its concurrency is used up"),
        ({}, True, "tried again when there is room"),
        ({"requests_per_second": 1.0}, False, "Limits of ours make it slow"),
    ],
)
async def test_an_archive_that_is_waited_for_long_is_slow(
    store: Store, options: dict[str, Any], is_put_off: bool, why: str
) -> None:
    await pulling.add_archive(store, "main", options=ArchiveOptions(**options))
    await pulling.put_cursor(store, "main")

    def begin(transaction: WriteTransaction) -> None:
        jobs.enqueue(transaction, NewJob(kind="pull", group="archive:main"), now=NOW)
        until = NOW + MINUTE
        (job,) = claims.claim(transaction, kinds=["pull"], owner="me", now=NOW, until=until)
        leases.extend(transaction, job.id, owner="me", until=until, progress={jobs.SLOW: True})
        if is_put_off:
            leases.put_back(transaction, job.id, owner="me", not_before=until, attempts=0)

    await store.write(begin)
    found = await status(store)
    assert (found.state, why in found.why) == ("slow", True)


async def test_an_archive_whose_pulls_get_no_place_is_behind(store: Store) -> None:
    await pulling.add_archive(store, "main")
    await pulling.put_cursor(store, "main")
    old = NewJob(kind="pull", group="archive:main")
    await store.write(jobs.enqueue, old, now=NOW - 20 * MINUTE)
    found = await status(store)
    assert (found.state, "11:40 UTC, and none is pulled" in found.why) == ("behind", True)
    await store.write(claims.claim, kinds=["pull"], owner="me", now=NOW, until=NOW + MINUTE)
    await store.write(jobs.enqueue, old, now=NOW - 20 * MINUTE)
    assert (await status(store)).state == "current"


async def test_an_archive_that_never_answered_is_failing(store: Store) -> None:
    await pulling.add_archive(store, "main")
    await pulling.put_cursor(store, "main", "plan", covered=None, finished=None, error="No connection.")
    found = await status(store)
    assert (found.state, found.why) == ("failing", "The last look at it failed: No connection.")


async def test_a_time_in_the_future_is_not_current(store: Store) -> None:
    await pulling.add_archive(store, "main")
    await pulling.put_cursor(store, "main", finished=NOW + 60 * MINUTE)
    found = await status(store)
    assert (found.state, "clock" in found.why) == ("behind", True)


async def test_the_queue_of_each_archive(store: Store) -> None:
    for name in ("main", "other"):
        await pulling.add_archive(store, name)
    for state in ("queued", "queued", "running", "failed", "dead", "succeeded"):
        await pulling.put_job(store, "pull", "main", state=state)
    await pulling.put_job(store, "discover", "other")
    for study, due in (("1.1", NOW - MINUTE), ("1.2", NOW + MINUTE), ("1.3", None)):
        await pulling.put_observation(store, "main", study, due=due)
    found = await status(store)
    queue = found.queue
    assert (queue.queued, queue.running, queue.failed, queue.dead) == (2, 1, 1, 1)
    assert (queue.settling, queue.due) == (2, 1)
    assert (await status(store, "other")).queue.queued == 1


async def test_the_service_as_a_whole(store: Store) -> None:
    for name in ("main", "other"):
        await pulling.add_archive(store, name)
        await pulling.put_job(store, "pull", name)
    # It was made long ago and is for tomorrow: nobody waits for it.
    later, long_ago = NOW + timedelta(days=1), NOW - timedelta(days=1)
    await pulling.put_job(store, "pull", "main", at=long_ago, not_before=later)
    # It is older, and its archive is left alone: it could not start.
    await pulling.put_job(store, "pull", "other", at=NOW - timedelta(hours=1))
    await store.write(claims.set_group, "archive:other", not_before=later)
    await pulling.put_worker(store, "w1")
    await pulling.put_worker(store, "w2", heard=NOW - timedelta(seconds=61))
    found = await service(store)
    assert [archive.name for archive in found.archives] == ["main", "other"]
    assert [worker.owner for worker in found.workers] == ["w1"]
    assert [(job.kind, job.state, job.number) for job in found.jobs] == [("pull", "queued", 4)]
    assert found.oldest_queued == NOW - 5 * MINUTE
    assert found.changes == 0


async def test_answers_of_each_operation_in_each_span_of_time(store: Store) -> None:
    await pulling.add_archive(store, "main")
    await pulling.put_answers(store, "main", *[0.1] * 9, operation="metadata")
    await pulling.put_answers(store, "main", 30.0, operation="search", outcome="failed")
    await pulling.put_answers(store, "main", *[0.1] * 10, at=NOW - timedelta(hours=5))
    await pulling.put_answers(store, "main", 1.0, at=NOW - timedelta(hours=26))
    await pulling.put_answers(store, "other", 1.0)
    found = await status(store)
    assert [(a.window, a.operation) for a in found.answers] == [
        ("15 min", None),
        ("15 min", "metadata"),
        ("15 min", "search"),
        ("24 h", None),
        ("24 h", "metadata"),
        ("24 h", "search"),
    ]
    lately, a_day = found.answering("15 min"), found.answering("24 h")
    assert (lately.answers, lately.error_rate, a_day.answers, a_day.error_rate) == (10, 0.1, 20, 0.05)
    assert lately.p95 == pytest.approx(0.1, rel=0.42)


async def test_what_is_particular_is_told_in_words(store: Store) -> None:
    await pulling.add_archive(store, "main", capabilities={"offset": False, "notes": ["Its clock is off."]})
    await pulling.add_archive(store, "odd", capabilities={"offset": "what?"})
    assert (await status(store)).notes == [
        "Ignores offset: only its first page can be listed.",
        "Whether its metadata has every attribute is not known yet: it is found out when there is a study to "
        "try.",
        "Its clock is off.",
    ]
    assert (await status(store, "odd")).notes == []


async def test_a_list_without_an_end_is_noted(store: Store) -> None:
    await pulling.add_archive(store, "main")
    far = Place(position=Position(2_345_678, ("1.2",)), has_no_dates=True)
    await pulling.put_cursor(store, "main", "warm", position=far.cursor)
    (note,) = (await status(store)).notes
    assert "more than 2,000,000 rows" in note
