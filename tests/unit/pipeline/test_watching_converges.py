"""Whatever the order of arrivals, looks, pulls and crashes: it ends as if all had been pulled once."""

import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.dicomweb import instance
from unit.clock import Clock
from unit.pipeline.scoring import ThisProcess
from unit.pipeline.watched import COLD, STOP, Site, TellingArchive, told_and_listed
from unit.store.databases import database_url

from connectors.base import InMemoryArchive
from heltig.errors import HeltigError, StorageError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.keep import Scoring
from heltig.pipeline.publish import render
from heltig.pipeline.pull.listing import list_studies
from heltig.pipeline.pull.run import judged_again, pull_archive
from heltig.rules.profile import DEFAULT
from heltig.store import leases, studies, verdicts
from heltig.store.archives import location_of
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

HERE = location_of("memory")
UIDS = ("1.2.1", "1.2.2", "1.2.3")

# The instances of 1.2.1 and 1.2.2 share a SOP Instance UID: what one study is told depends on the other.
arrivals = st.tuples(st.just("store"), st.sampled_from(UIDS), st.integers(1, 3))
actions = st.one_of(
    arrivals,
    arrivals,
    st.tuples(st.just("remove"), st.sampled_from(UIDS), st.none()),
    st.tuples(st.just("leave"), st.sampled_from(UIDS), st.integers(1, 2)),
    st.tuples(st.just("pass"), st.sampled_from((1, 2, 3, 10)), st.none()),
    st.tuples(st.just("pull"), st.none(), st.none()),
    st.tuples(st.just("crash"), st.integers(0, 25), st.booleans()),
)


class MortalStore(Store):
    """A store whose process dies at a write: from then on nothing is written or read until it starts again.

    Attributes:
        writes_left: Writes until then; None for no end.
        loses_last: That write is lost; else it is committed, and nobody learns of it.
    """

    writes_left: int | None = None
    loses_last = False

    async def _write(self, work: Any, durable: bool, *args: Any, **kwargs: Any) -> Any:
        if self.writes_left is None:
            return await super()._write(work, durable, *args, **kwargs)
        self.writes_left -= 1
        if self.writes_left == 0 and not self.loses_last:
            await super()._write(work, durable, *args, **kwargs)
        if self.writes_left <= 0:
            raise StorageError("dead")
        return await super()._write(work, durable, *args, **kwargs)

    async def read(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        if self.writes_left is not None and self.writes_left <= 0:
            raise StorageError("dead")
        return await super().read(work, *args, **kwargs)


def started_again(transaction: WriteTransaction) -> None:
    """What the first sweep of the next process does."""
    for job in leases.running(transaction):
        leases.put_back(transaction, job.id, owner=job.lease_owner or "", not_before=None)


async def do(site: Site, store: MortalStore, archive: TellingArchive, action: tuple[Any, ...]) -> None:
    match action:
        case ("store", uid, number):
            sop = "1.2.9.9" if number == 3 and uid != "1.2.3" else f"{uid}.1.{number}"
            one = instance(uid, f"{uid}.1", sop, number=number)
            if one not in site.arrived.get(uid, ()):
                archive.store(one)
                site.arrived.setdefault(uid, []).append(one)
        case ("remove", uid, _):
            archive.remove(uid)
            site.arrived.pop(uid, None)
        case ("leave", uid, number):  # that many instances; a feed does not tell of what went
            if uid in site.arrived:
                del site.arrived[uid][number:]
                archive.leave(uid, site.arrived[uid])
        case ("pass", minutes, _):
            await site.pass_time(timedelta(minutes=minutes))
        case ("pull", _, _):
            await pulled_by_hand(store, archive, site.clock)
        case ("crash", writes, loses_last):
            store.writes_left, store.loses_last = writes + 1, loses_last
            with suppress(HeltigError), pytest.MonkeyPatch.context() as patch:
                patch.setattr("heltig.jobs.attempt._WAITS", ())  # this database does not come back meanwhile
                await site.pass_time(timedelta(minutes=3))
            store.writes_left = None
            await store.write(started_again)


async def pulled_by_hand(store: Store, archive: InMemoryArchive, clock: Clock) -> None:
    listing = await list_studies(archive, {})
    scoring = Scoring(
        store, ThisProcess(), profile=DEFAULT, clock=clock, actor="test", queue=JobQueue(store, clock=clock)
    )
    async for _ in pull_archive(archive, listing.studies, scoring=scoring):
        pass
    await judged_again("memory", scoring)


async def outcome(store: Store) -> dict[str, tuple[str, list[tuple[str, str, int]]]]:
    """Of each study that stands its readiness and its findings."""
    found = {}
    for uid in UIDS:
        study = await store.read(studies.find, HERE, uid)
        verdict = await store.read(verdicts.current, HERE, uid)
        if study is not None and study.state != "WITHDRAWN":
            assert study.state == "JUDGED", study
            assert verdict is not None
            facts = [(one.rule, one.message, one.count) for one in verdict.verdict.findings]
            found[uid] = (verdict.verdict.readiness, facts)
    return found


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(actions, min_size=1, max_size=12), st.booleans())
async def test_any_history_ends_as_one_pull(history: list[tuple[Any, ...]], tells: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = TellingArchive()
        async with database_url(Path(folder)) as url:
            store = await MortalStore.open(url, render=render)
            assert isinstance(store, MortalStore)
            try:
                site = Site(store, archive, strategies=told_and_listed if tells else None)
                await site.register()
                for action in history:
                    await do(site, store, archive, action)
                await site.pass_time(STOP + 2 * COLD, step=timedelta(minutes=20))
                watched = await outcome(store)
            finally:
                await store.close()
        (Path(folder) / "once").mkdir()
        async with database_url(Path(folder) / "once") as url:
            store = await Store.open(url, render=render)
            try:
                await pulled_by_hand(store, archive, site.clock)
                assert watched == await outcome(store)
            finally:
                await store.close()
