"""What is older than it is kept goes; what is under review, waived or in custody stays, whatever its age."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from integration.gated import files_of
from msgspec.structs import replace
from sqlalchemy import func, select
from unit.pipeline.scoring import ThisProcess, scoring, table_of
from unit.pipeline.test_context import images
from unit.pipeline.test_custody import Upstream, site_before
from unit.store.samples import (
    MAIN,
    NOW,
    finding,
    put_judged_with,
    series,
    sha,
    snapshot,
    verdict,
)

from heltig.audit.trail import open_trail
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.again.rejudge import rejudge_queued
from heltig.pipeline.gate.spool_mending import SpoolDesk
from heltig.pipeline.retention import purge as daily
from heltig.pipeline.retention import purging as working
from heltig.pipeline.retention.ages import Retention
from heltig.pipeline.retention.purge import KIND, PurgeDesk
from heltig.pipeline.retention.removing import RemovalDesk
from heltig.setting_types import Days
from heltig.settings import Settings
from heltig.store import (
    audit_trail,
    changes,
    gate_studies,
    jobs,
    publication,
    snapshots,
    states,
    studies,
    uploads,
    verdicts,
    waivers,
)
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.purging import KINDS
from heltig.store.records import Location
from heltig.store.tables import Table
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.store.uploads import Upload
from heltig.store.waivers import NewWaiver
from heltig.verdict import Readiness

LONG_AGO = NOW - timedelta(days=1000)
GATE = Location("gate", "main")
DAILY = {"actor": "admin", "origin": "test"}


def desk(store: Store, *, now: datetime = NOW, **keep: int) -> PurgeDesk:
    """Keeps everything for ever but what is named."""
    days = {kind: Days(keep.get(kind, 0)) for kind in KINDS}
    queue = JobQueue(store, clock=lambda: now)
    return PurgeDesk(queue, Retention(days, Days(keep.get("audit", 0))), clock=lambda: now)


async def purge(store: Store, made: PurgeDesk) -> dict[str, int]:
    """Has a purge done; gives the numbers of what went."""
    await made.start(dry_run=False, **DAILY)
    queue = JobQueue(store, clock=lambda: NOW)
    await Runner(queue, {KIND: made.run}, places=1).drain()
    [job] = await store.read(jobs.newest, kind=KIND, limit=1)
    assert job.state == "succeeded", job.error
    assert job.result
    return {kind: one["count"] for kind, one in job.result["kinds"].items() if one["count"]}


async def judged(
    store: Store,
    study: str,
    *ages: int,
    readiness: Readiness = "READY",
    location: Location = MAIN,
    content: str = "",
) -> None:
    """A study that was judged so many days ago, each time with another content."""
    await store.write(put_judged_with)
    for number, days in enumerate(ages):
        at = NOW - timedelta(days=days)
        blobs = [series(study=study, content=f"{content}{number}")]
        new = replace(snapshot(blobs, study=study, location=location), received=at)
        put = await store.write(snapshots.put, new)
        said = (finding(),) if readiness == "BLOCKED" else ()
        made = verdict(put, *said, readiness=readiness, study=study, location=location, at=at)
        await store.write_durably(publication.publish, made)


async def uploaded(store: Store, name: str, *, state: str = "succeeded") -> int:
    def add(transaction: WriteTransaction) -> int:
        job, _ = jobs.enqueue(transaction, NewJob(kind="upload"), now=LONG_AGO)
        transaction.connection.execute(
            Table.metadata.tables["jobs"].update().values(state=state, finished=LONG_AGO)
        )
        new = Upload(
            name=name, digest=sha(name), profile_hash="p", target="", job=job, size=1, received=LONG_AGO
        )
        uploads.add(transaction, new)
        return job

    return await store.write(add)


def counts(transaction: ReadTransaction) -> dict[str, int]:
    """The rows of every table."""
    return {
        name: transaction.connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in Table.metadata.tables.items()
    }


async def revisions(store: Store, study: str, location: Location = MAIN) -> list[int]:
    return [one.revision for one in await store.read(verdicts.history, location, study)]


async def test_superseded_verdicts_and_evidence_go_but_for_studies_that_somebody_looks_at(
    store: Store,
) -> None:
    await judged(store, "1.1", 900, 500, 5)
    await judged(store, "1.2", 900, 500, readiness="BLOCKED")
    await judged(store, "1.3", 900, 500)
    waiver = NewWaiver(
        rule="PAT-ID-EMPTY",
        tags=(),
        observed="",
        digest="",
        study_key="1.3",
        reason="why",
        author="me",
        created=NOW,
        expires=NOW + timedelta(days=1),
    )
    await store.write(waivers.add, waiver)
    await judged(store, "1.4", 900, 500, location=GATE)
    due = {"due": NOW, "now": NOW}
    await store.write(gate_studies.arrive, GATE, "1.4", **due)
    made = desk(store, verdicts=400, snapshots=400)

    before = await store.read(counts)
    dry = await made.would_purge()
    assert await store.read(counts) == before
    assert dry.dry_run
    assert {kind: one.count for kind, one in dry.kinds.items() if one.count} == {
        "verdicts": 1,
        "snapshots": 1,
    }
    assert all(one.size > 0 for one in dry.kinds.values() if one.count)

    assert await purge(store, made) == {"verdicts": 1, "snapshots": 1}
    assert await revisions(store, "1.1") == [3, 2]
    assert await revisions(store, "1.2") == [2, 1]
    assert await revisions(store, "1.3") == [2, 1]
    assert await revisions(store, "1.4", GATE) == [2, 1]
    after = await store.read(counts)
    assert after["contents"] == before["contents"] - 1
    [entry] = await store.read(audit_trail.entries, action="retention.purge")
    assert entry.actor == "admin"
    assert {kind: one["count"] for kind, one in entry.detail.items()} == {"verdicts": 1, "snapshots": 1}
    assert await purge(store, made) == {}
    assert len(await store.read(audit_trail.entries, action="retention.purge")) == 1


async def test_the_evidence_of_the_verdict_in_force_stays_while_newer_evidence_waits(store: Store) -> None:
    await judged(store, "1.1", 900)
    newer = replace(
        snapshot([series(study="1.1", content="new")], study="1.1"), received=NOW - timedelta(days=800)
    )
    await store.write(snapshots.put, newer)
    assert await purge(store, desk(store, snapshots=1, verdicts=1)) == {}


async def test_studies_go_as_a_whole_with_their_uploads_or_once_they_are_long_gone(store: Store) -> None:
    for name in ("old", "review", "failed"):
        await uploaded(store, name)
    old, review = (Location("upload", name) for name in ("old", "review"))
    await judged(store, "2.1", 900, 500, location=old)
    await judged(store, "2.2", 900, location=review)
    await judged(store, "2.3", 900, location=review, readiness="NEEDS_REVIEW")
    for study, readiness, days in (("3.1", "BLOCKED", 500), ("3.2", "READY", 500), ("3.3", "BLOCKED", 3)):
        await judged(store, study, 900, 800, readiness=readiness)
        await store.write_durably(states.withdraw, MAIN, study, at=NOW - timedelta(days=days))
    await judged(store, "4.1", 900)
    found = await purge(store, desk(store, uploads=365, withdrawn=365, verdicts=1, snapshots=1))
    assert found == {"uploads": 2, "withdrawn": 2}
    known = await store.read(
        lambda t: set(t.connection.execute(select(Table.metadata.tables["studies"].c.study_key)).scalars())
    )
    assert known == {"2.2", "2.3", "3.3", "4.1"}
    upload = await store.read(uploads.find, "old")
    assert upload
    assert upload.purged == NOW
    rows = await store.read(counts)
    assert rows["patients"] == 1
    assert rows["series"] == rows["studies"] == rows["lookups"] == 4
    assert rows["instances"] == 12
    [gone] = [one for one in await store.read(changes.since, 0, limit=100) if one.location == old][-1:]
    assert gone.state == "WITHDRAWN"
    # Once its job is old enough nothing is left of the upload but its name.
    later = desk(store, now=NOW + timedelta(days=2), jobs=1)
    assert (await purge(store, later))["jobs"] >= 2
    assert await store.read(uploads.find, "old") is None
    assert await store.read(uploads.find, "review") is not None


async def test_the_change_feed_loses_its_beginning_and_never_its_end(store: Store) -> None:
    await judged(store, "1.1", 900, 800, 700, 5)
    await judged(store, "1.2", 4)
    assert await purge(store, desk(store, changes=100)) == {"changes": 3}
    assert [one.sequence for one in await store.read(changes.since, 0, limit=9)] == [4, 5]
    assert await purge(store, desk(store, now=NOW + timedelta(days=500), changes=100)) == {"changes": 1}
    assert await store.read(changes.latest) == 5


async def test_jobs_go_by_how_they_ended(store: Store) -> None:
    def add(transaction: WriteTransaction) -> None:
        table = Table.metadata.tables["jobs"]
        for kind, state in (
            ("pull", "succeeded"),
            ("pull", "cancelled"),
            ("pull", "dead"),
            ("forward", "dead"),
            ("webhook", "succeeded"),
            ("pull", "queued"),
        ):
            job, _ = jobs.enqueue(transaction, NewJob(kind=kind), now=LONG_AGO)
            ended = None if state == "queued" else LONG_AGO
            transaction.connection.execute(
                table.update().where(table.c.id == job).values(state=state, finished=ended)
            )

    await store.write(add)
    assert await purge(store, desk(store, jobs=30, failed_jobs=0, deliveries=30)) == {
        "jobs": 2,
        "deliveries": 1,
    }
    assert await purge(store, desk(store, failed_jobs=30)) == {"failed_jobs": 1}


async def test_old_entries_of_the_audit_trail_go_behind_a_checkpoint(store: Store, tmp_path: Any) -> None:
    await judged(store, "1.1", 900, 800, 5)
    assert await purge(store, desk(store)) == {}
    await open_trail(store, Settings(home=tmp_path), clock=lambda: NOW)
    made = desk(store, audit=100)
    assert (await made.would_purge()).kinds["audit"].count == 2
    assert await purge(store, made) == {"audit": 2}
    left = await store.read(audit_trail.entries)
    assert [left[0].sequence, left[0].action] == [3, "verdict.publish"]
    assert left[-1].action == "audit.checkpoint"


class KilledError(BaseException):
    """Stands for the end of the process."""


async def test_killed_in_the_middle_it_goes_on_and_tells_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "PAGE", 2)
    for number in range(7):
        await judged(store, f"1.{number}", 900, 800)
    made = desk(store, verdicts=10)
    id = await made.start(dry_run=False, **DAILY)
    write = store.write_durably
    done = 0

    async def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal done
        result = await write(*args, **kwargs)
        done += 1
        if done == 2:
            raise KilledError
        return result

    def claimed(transaction: WriteTransaction) -> None:
        table = Table.metadata.tables["jobs"]
        transaction.connection.execute(table.update().where(table.c.id == id).values(state="running"))

    await store.write(claimed)
    monkeypatch.setattr(store, "write_durably", dying)
    job = await store.read(jobs.find, id)
    assert job
    with pytest.raises(KilledError):
        await made.run(JobContext(job))
    monkeypatch.undo()
    job = await store.read(jobs.find, id)
    assert job
    result = await made.run(JobContext(job))
    assert result["kinds"]["verdicts"]["count"] == 7
    [entry] = await store.read(audit_trail.entries, action="retention.purge")
    assert entry.detail["verdicts"]["count"] == 7


async def test_a_long_purge_gives_others_their_turn_and_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "PAGE", 2)
    monkeypatch.setattr(daily, "SLICE", timedelta(0))
    for number in range(5):
        await judged(store, f"1.{number}", 900, 800)
    now = [NOW]
    queue = JobQueue(store, clock=lambda: now[0])
    made = desk(store, verdicts=10)
    id = await made.start(dry_run=False, **DAILY)
    states = []
    for _ in range(4):
        await Runner(queue, {KIND: made.run}, places=1).drain()
        now[0] += timedelta(seconds=2)
        job = await store.read(jobs.find, id)
        assert job
        states.append((job.state, job.attempts))
    assert states == [("queued", 0), ("queued", 0), ("queued", 0), ("succeeded", 1)]
    assert job.result
    assert job.result["kinds"]["verdicts"]["count"] == 5


async def test_the_service_purges_once_a_day_and_not_while_it_starts(store: Store) -> None:
    now = [NOW]
    queue = JobQueue(store, clock=lambda: now[0])
    days = dict.fromkeys(KINDS, Days(0))
    made = PurgeDesk(queue, Retention(days, Days(0)), clock=lambda: now[0])
    for hours, expected in ((0, 0), (1, 1), (24, 1), (26, 2)):
        now[0] = NOW + timedelta(hours=hours)
        await made.sweep()
        await Runner(queue, {KIND: made.run}, places=1).drain()
        assert len(await store.read(jobs.newest, kind=KIND)) == expected


async def states_of(store: Store, study: str) -> Sequence[tuple[str, str | None]]:
    return [(str(one.location), one.readiness) for one in await store.read(studies.find_everywhere, study)]


async def test_an_upload_that_came_in_wrongly_contradicts_others_until_it_is_purged(store: Store) -> None:
    keeps = scoring(store, ThisProcess())
    upload = Location("upload", "wrong")
    await uploaded(store, "wrong")
    await keeps.score(table_of(images("1.1", accession="A1", patient="P1")), MAIN)
    before = await states_of(store, "1.1")
    shared = [{**one} for one in images("1.2", accession="A1", patient="P2", series="1.1.1")]
    await keeps.score(table_of(shared), upload)
    await rejudge_queued(keeps)
    assert await states_of(store, "1.1") != before
    removing = RemovalDesk(JobQueue(store, clock=keeps.clock), clock=keeps.clock)
    by = {"actor": "admin", "origin": "test"}
    with pytest.raises(UsageError, match="why"):
        await removing.remove_upload("wrong", reason=" ", **by)
    [gone] = await removing.remove_upload("wrong", reason="of another patient", **by)
    assert gone.study_key == "1.2"
    await rejudge_queued(keeps)
    assert await states_of(store, "1.1") == before
    assert await states_of(store, "1.2") == []
    with pytest.raises(NotFoundError):
        await removing.remove_upload("wrong", reason="again", **by)
    entries = await store.read(audit_trail.entries, actor="admin")
    assert [(entry.action, entry.detail["reason"]) for entry in entries if "purge" in entry.action] == [
        ("study.purge", "of another patient"),
        ("upload.purge", "of another patient"),
    ]


async def test_one_study_is_named_with_its_location_where_several_have_it(store: Store) -> None:
    await judged(store, "1.1", 5)
    await judged(store, "1.1", 5, location=GATE)
    await store.write(gate_studies.arrive, GATE, "1.1", due=NOW, now=NOW)
    removing = RemovalDesk(JobQueue(store, clock=lambda: NOW), clock=lambda: NOW)
    why: dict[str, Any] = {"reason": "wrong", "actor": "admin", "origin": "test"}
    with pytest.raises(UsageError, match="archive:main, gate:main"):
        await removing.remove_study("1.1", None, **why)
    with pytest.raises(ConflictError, match="custody"):
        await removing.remove_study("1.1", GATE, **why)
    await removing.remove_study("1.1", MAIN, **why)
    assert [location for location, _ in await states_of(store, "1.1")] == ["gate:main"]
    with pytest.raises(NotFoundError):
        await removing.remove_study("1.1", MAIN, **why)


async def test_files_and_rows_that_do_not_agree_are_found_and_mended(store: Store, tmp_path: Path) -> None:
    async with site_before(Upstream(), store, tmp_path) as site:
        await site.take(site.gate("hold"), files_of("two-patient-ids"))
        await site.take(site.gate("hold"), files_of("patient-id-empty"))
        await site.work()
        desk = SpoolDesk(JobQueue(store, clock=lambda: NOW), site.spool, clock=lambda: NOW)
        whole = await desk.look()
        assert (whole.lost, whole.useless) == ([], [])
        assert whole.objects == len(site.files()) > 3
        waiting = await site.quarantine.waiting(gate=None, limit=9, offset=0)
        assert len(waiting) == 2
        gone = [one.file for one in (await site.quarantine.show(waiting[0].study.id)).objects]
        site.spool.remove([site.spool.path_of(file) for file in gone if file])
        old = site.spool.create("main")
        old.close()
        os.utime(old.path, (0, 0))
        found = await desk.look()
        assert len(found.lost) == len(gone)
        assert found.useless == [site.spool.file_of(old.path)]
        why: dict[str, Any] = {"actor": "cli", "origin": "cli"}
        with pytest.raises(UsageError, match="why"):
            await desk.mend(found, reason="", **why)
        await desk.mend(found, reason="the disk failed", **why)
        assert (await desk.look()).lost == []
        assert (await desk.look()).useless == []
        assert [one.study.id for one in await site.quarantine.waiting(gate=None, limit=9, offset=0)] == [
            waiting[1].study.id
        ]
        [entry] = await store.read(audit_trail.entries, action="spool.write-off")
        assert (entry.outcome, len(entry.detail["lost"])) == ("failure", len(gone))
        left = await store.read(studies.find, waiting[0].study.location, waiting[0].study.study_key)
        assert left
        assert left.state == "WITHDRAWN"
        site.spool.remove(site.files())
        with pytest.raises(UsageError, match="whether its disk is there"):
            await desk.mend(await desk.look(), reason="again", **why)


async def test_what_a_gate_knows_goes_once_all_is_handed_on(store: Store, tmp_path: Path) -> None:
    async with site_before(Upstream(), store, tmp_path) as site:
        await site.take(site.gate("hold"), files_of("mr-brain"))
        await site.take(site.gate("hold"), files_of("two-patient-ids"))
        late = NOW + timedelta(days=3000)
        assert await purge(store, desk(store, now=late, gate=1, snapshots=1, verdicts=1)) == {}
        await site.work()
        assert len(await site.quarantine.waiting(gate=None, limit=9, offset=0)) == 1
        before = await store.read(counts)
        found = await purge(store, desk(store, now=late, gate=1, snapshots=1, verdicts=1))
        assert found.get("gate", 0) == before["gate_studies"] - 1
