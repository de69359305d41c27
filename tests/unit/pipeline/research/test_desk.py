"""Analyses by a real queue and real processes, made by a stand-in for the program of a case."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from unit.connectors.upload.made import CT, dicom
from unit.pipeline.research.cases import HERE, STUDY, Cases, working
from unit.store.databases import database_url, render
from unit.store.samples import judge, series, snapshot

from heltig.errors import AuthorisationError, ConflictError, NotFoundError, StorageError, UsageError
from heltig.jobs.attempt import try_again
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.research.asked import Asked
from heltig.pipeline.research.ordering import AUTOMATIC, FILES_KIND, NotReadyError
from heltig.pipeline.research.plan import Automatic, Plan
from heltig.pipeline.retention.purging import Purging
from heltig.setting_types import Size
from heltig.store import (
    analyses,
    audit_trail,
    claims,
    gate_studies,
    jobs,
    objects,
    removal,
    snapshots,
    states,
    studies,
)
from heltig.store.analyses import Analysis
from heltig.store.engine import Store
from heltig.store.jobs import Job
from heltig.store.objects import GateObject
from heltig.store.purging import Ages
from heltig.store.records import Location


@pytest.fixture
async def cases(tmp_path: Path) -> AsyncIterator[Cases]:
    async with database_url(tmp_path) as url:
        store = await Store.open(url, render=render)
        yield Cases(store, tmp_path / "home")
        await store.close()


async def until_state(cases: Cases, analysis: Analysis, *states: str) -> Analysis:
    """Waits until an analysis is so."""
    async with asyncio.timeout(60):
        while True:
            if (now := await cases.found(analysis)).state in states:
                return now
            await asyncio.sleep(0.02)


async def until_it_is_tried_again(cases: Cases, analysis: Analysis) -> Job:
    """Waits until the job of an analysis has had an error."""
    async with asyncio.timeout(60):
        while True:
            job = await cases.store.read(jobs.find, analysis.job)
            if job is not None and job.error:
                return job
            await asyncio.sleep(0.02)


async def test_a_ready_study_is_analysed_and_its_files_are_kept(cases: Cases) -> None:
    await cases.judged()
    ordered = await cases.order(location=HERE)
    assert (ordered.analysis.state, ordered.is_repeat) == ("queued", False)
    again = await cases.order(location=HERE)
    assert (again.analysis.analysis_id, again.is_repeat) == (ordered.analysis.analysis_id, True)
    await cases.drain()

    done = await cases.found(ordered.analysis)
    assert (done.state, done.code, done.same_as) == ("done", "", "")
    assert list(done.stages) == [
        *("queued", "selecting", "converting", "segmenting", "measuring", "rendering", "done")
    ]
    assert (done.series_uid, done.fingerprint) == ("1.2.3.1", f"{2:064x}")
    assert done.asked["segmenters"] == ["classical"]
    assert (done.requested_by, done.readiness, done.override_reason) == ("key:lab", "READY", "")
    outputs = await cases.store.read(analyses.outputs_of, done.row)
    assert [(one.name, one.media_type) for one in outputs] == [
        ("analysis.json", "application/json"),
        ("resultados.json", "application/json"),
        ("selection.json", "application/json"),
        ("total/liver.nii.gz", "application/gzip"),
    ]
    path = cases.desk.folder.file(done.analysis_id, "analysis.json")
    assert path is not None
    order = json.loads(path.read_bytes())["order"]
    assert (order["verdict"], order["override"], order["allowIdentified"]) == ("READY", None, False)
    assert order["segmenters"] == [{"id": "classical", "options": {}}]
    assert cases.desk.folder.at_work() == []
    [entry] = await cases.store.read(audit_trail.entries, action="analysis.order")
    assert (entry.actor, entry.subject, entry.origin) == ("key:lab", f"{HERE} {STUDY}", "10.0.0.7")

    assert await cases.store.write(analyses.move, done, "failed", at=cases.clock()) is None
    for change in ("UPDATE analyses SET state = 'failed'", "UPDATE analysis_outputs SET size = 0"):
        with pytest.raises(StorageError):
            await cases.store.write(
                lambda transaction, sql: transaction.connection.exec_driver_sql(sql), change
            )
    assert await cases.found(done) == done


async def test_what_is_not_ready_needs_an_override_with_a_reason(cases: Cases) -> None:
    with pytest.raises(NotFoundError):
        await cases.order()
    await cases.judged(readiness="NEEDS_REVIEW")
    with pytest.raises(NotReadyError, match="NEEDS_REVIEW"):
        await cases.order()
    ordered = await cases.order(override="for the phantom study")
    await cases.drain()
    done = await cases.found(ordered.analysis)
    assert (done.state, done.readiness, done.override_reason) == (
        *("done", "NEEDS_REVIEW", "for the phantom study"),
    )
    [entry] = await cases.store.read(audit_trail.entries, action="analysis.override")
    assert entry.detail["reason"] == "for the phantom study"


async def test_a_pending_study_is_refused_whoever_asks(cases: Cases) -> None:
    await cases.judged()
    changed = snapshot([series(1, instances=3, study=STUDY)], study=STUDY, location=HERE)
    await cases.store.write(snapshots.put, changed)
    for override in ("", "I want it"):
        with pytest.raises(ConflictError, match="PENDING"):
            await cases.order(override=override)


async def test_identified_data_and_segmenters_are_the_site_s(cases: Cases) -> None:
    await cases.judged()
    with pytest.raises(AuthorisationError, match="HELTIG_ANALYSIS_ALLOW_IDENTIFIED"):
        await cases.order(identified=True)
    with pytest.raises(UsageError, match="totalsegmentator"):
        await cases.order(asked=Asked(segmenters=("totalsegmentator",)))


async def test_a_verdict_that_changed_meanwhile_ends_it(cases: Cases) -> None:
    await cases.judged()
    ordered = await cases.order()
    changed = snapshot([series(1, instances=3, study=STUDY)], study=STUDY, location=HERE)
    await judge(cases.store, changed, readiness="BLOCKED")
    await cases.drain()
    ended = await cases.found(ordered.analysis)
    assert (ended.state, ended.code) == ("refused", "VERDICT_CHANGED")


async def test_a_verdict_that_changes_while_it_is_made_ends_it(cases: Cases, tmp_path: Path) -> None:
    await cases.judged()
    ordered = await cases.order()
    async with working(cases.runner(cases.made("hold", STAND_IN_GO=str(tmp_path / "go")))):
        await until_state(cases, ordered.analysis, "converting")
        changed = snapshot([series(1, instances=3, study=STUDY)], study=STUDY, location=HERE)
        await judge(cases.store, changed, readiness="BLOCKED")
        (tmp_path / "go").touch()
        ended = await until_state(cases, ordered.analysis, "done", "refused")
    assert (ended.state, ended.code, ended.place) == ("refused", "VERDICT_CHANGED", "")
    assert cases.desk.folder.analyses() == []


async def test_a_study_that_is_pending_is_waited_for(cases: Cases, tmp_path: Path) -> None:
    await cases.judged()
    ordered = await cases.order()
    async with working(cases.runner(cases.made("hold", STAND_IN_GO=str(tmp_path / "go")))):
        await until_state(cases, ordered.analysis, "converting")
        await cases.store.write(states.mark_pending, HERE, STUDY, study_uid=STUDY, at=cases.clock())
        (tmp_path / "go").touch()
        async with asyncio.timeout(60):
            while True:
                job = await cases.store.read(jobs.find, ordered.analysis.job)
                if job is not None and job.state == "queued":
                    break
                await asyncio.sleep(0.02)
    assert cases.desk.folder.analyses() == []
    await cases.judged()
    cases.clock.advance(timedelta(minutes=2))
    await cases.drain()
    assert (await cases.found(ordered.analysis)).state == "done"


@pytest.mark.parametrize(
    ("kept", "code", "observed"),
    [
        (["1.2.3.1.1"], "BYTES_DIFFER", "1 absent, 0 more"),
        (["1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.9"], "BYTES_DIFFER", "0 absent, 1 more"),
        ([], "BYTES_GONE", "2 absent, 0 more"),
    ],
)
async def test_only_what_was_judged_is_analysed(
    cases: Cases, kept: list[str], code: str, observed: str
) -> None:
    await cases.judged(kept=kept)
    ordered = await cases.order()
    await cases.drain()
    ended = await cases.found(ordered.analysis)
    assert (ended.state, ended.code, ended.observed) == ("refused", code, observed)


async def test_bytes_that_are_not_kept_are_said_to_be_gone(cases: Cases) -> None:
    await cases.judged()
    cases.spool.of_upload(HERE.name).unlink()
    ordered = await cases.order()
    await cases.drain()
    ended = await cases.found(ordered.analysis)
    assert (ended.state, ended.code) == ("refused", "BYTES_GONE")


async def test_a_refusal_is_an_end_and_keeps_the_audit_of_the_selection(cases: Cases) -> None:
    await cases.judged()
    ordered = await cases.order()
    await cases.drain(cases.made("refused"))
    ended = await cases.found(ordered.analysis)
    assert (ended.state, ended.code, ended.observed) == ("refused", "SLICES_TOO_FEW", "2 slices")
    assert [one.name for one in await cases.store.read(analyses.outputs_of, ended.row)] == ["selection.json"]


@pytest.mark.parametrize(
    ("end", "seconds", "code"),
    [("crash", 60.0, "ENDED_EARLY"), ("full", 60.0, "DISK_FULL"), ("wait", 1.0, "TIMED_OUT")],
)
async def test_a_process_that_breaks_or_lasts_fails_and_leaves_nothing(
    cases: Cases, end: str, seconds: float, code: str
) -> None:
    await cases.judged()
    ordered = await cases.order()
    await cases.drain(cases.made(end, seconds=seconds))
    ended = await cases.found(ordered.analysis)
    assert (ended.state, ended.code) == ("failed", code)
    assert (cases.desk.folder.analyses(), cases.desk.folder.at_work()) == ([], [])


async def test_the_same_again_takes_the_files_that_are_there(cases: Cases, tmp_path: Path) -> None:
    go = tmp_path / "go"
    desk = cases.made("once", STAND_IN_GO=str(go))
    await cases.judged()
    first = await cases.order()
    await cases.drain(desk)
    go.touch()
    second = await cases.order()
    assert not second.is_repeat
    started = time.monotonic()
    await cases.drain(desk)
    assert time.monotonic() - started < 300  # it was stopped, where it would have gone on for ten minutes
    one, other = await cases.found(first.analysis), await cases.found(second.analysis)
    assert (other.state, other.same_as, other.fingerprint) == ("done", one.analysis_id, one.fingerprint)
    outputs = await cases.store.read(analyses.outputs_of, other.row)
    assert outputs == await cases.store.read(analyses.outputs_of, one.row)
    await asyncio.to_thread(cases.desk.folder.remove, one.analysis_id)
    assert cases.desk.folder.file(other.analysis_id, "resultados.json") is not None


@pytest.mark.parametrize("what", ["gone", "damaged"])
async def test_files_that_are_not_there_as_they_were_are_made_again(cases: Cases, what: str) -> None:
    await cases.judged()
    first = (await cases.order()).analysis
    await cases.drain()
    path = cases.desk.folder.of(first.analysis_id) / "total/liver.nii.gz"
    path.write_bytes(b"xxxx") if what == "damaged" else path.unlink()
    for asked in (
        cases.desk.files.file(first, "total/liver.nii.gz", sight=Sight()),
        cases.desk.files.files(first, sight=Sight()),
    ):
        with pytest.raises(NotFoundError, match="rder "):
            await asked
    second = (await cases.order()).analysis
    await cases.drain()
    done = await cases.found(second)
    assert (done.state, done.same_as) == ("done", "")
    made = cases.desk.folder.file(second.analysis_id, "total/liver.nii.gz")
    assert made is not None
    assert made.read_bytes() == b"mask"


@pytest.mark.parametrize("where", ["here", "elsewhere"])
async def test_cancelling_stops_the_process(cases: Cases, where: str) -> None:
    await cases.judged()
    ordered = await cases.order()
    making = cases.made("wait")
    # A worker elsewhere learns it when it says that it is alive; this one at once.
    asked, lease = (making, timedelta(minutes=10)) if where == "here" else (cases.desk, timedelta(seconds=2))
    async with working(cases.runner(making, lease=lease)):
        at_work = await until_state(cases, ordered.analysis, "converting")
        cancelled = await asked.cancel(at_work.analysis_id, actor="key:lab", origin="")
        assert (cancelled.state, cancelled.code) == ("failed", "CANCELLED")
        async with asyncio.timeout(30):
            while True:
                if not cases.desk.folder.at_work():
                    break
                await asyncio.sleep(0.02)
    with pytest.raises(ConflictError):
        await cases.desk.cancel(at_work.analysis_id, actor="key:lab", origin="")
    assert (await cases.found(at_work)).code == "CANCELLED"
    job = await cases.store.read(jobs.find, at_work.job)
    assert job is not None
    assert job.state == "cancelled"
    [entry] = await cases.store.read(audit_trail.entries, action="analysis.cancel")
    assert entry.detail == {"analysis": at_work.analysis_id, "state": "converting"}


async def test_what_fills_the_disk_is_stopped(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    await cases.judged()
    ordered = await cases.order()
    making = cases.made("wait")
    async with working(cases.runner(making)):
        await until_state(cases, ordered.analysis, "converting")
        monkeypatch.setattr(making.folder, "free", lambda: 0)
        ended = await until_state(cases, ordered.analysis, "failed")
    assert ended.code == "DISK_FULL"
    assert cases.desk.folder.at_work() == []


async def test_a_disk_that_is_away_for_a_moment_ends_nothing(
    cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cases.judged()
    ordered = await cases.order()
    making = cases.made("wait")

    def away() -> int:
        raise StorageError("The folder is away.")

    async with working(cases.runner(making)):
        await until_state(cases, ordered.analysis, "converting")
        monkeypatch.setattr(making.folder, "free", away)
        job = await until_it_is_tried_again(cases, ordered.analysis)
    assert job.state == "queued"
    assert (await cases.found(ordered.analysis)).finished is None


async def test_a_worker_that_stops_leaves_it_to_the_next_one(cases: Cases) -> None:
    await cases.judged()
    ordered = await cases.order()
    async with working(cases.runner(cases.made("wait"))):
        await until_state(cases, ordered.analysis, "converting")
    assert cases.desk.folder.at_work() == []
    assert (await cases.found(ordered.analysis)).finished is None
    await cases.drain()
    assert (await cases.found(ordered.analysis)).state == "done"


async def lost(cases: Cases) -> Job:
    """A worker that claims an analysis, begins it, and is not heard of any more."""
    [job] = await cases.store.write(
        claims.claim,
        kinds=[FILES_KIND],
        owner="elsewhere:1:1",
        now=cases.clock(),
        until=cases.clock() + timedelta(seconds=60),
    )
    found = await cases.store.read(analyses.find, job.payload["analysis"])
    assert found is not None
    await cases.store.write(analyses.move, found, "converting", at=cases.clock())
    cases.clock.advance(timedelta(hours=1))
    return job


async def test_a_worker_that_is_lost_leaves_it_to_the_next_one(cases: Cases) -> None:
    await cases.judged()
    ordered = await cases.order()
    await lost(cases)
    await cases.drain()
    done = await cases.found(ordered.analysis)
    assert done.state == "done"
    assert done.stages["converting"] > done.ordered + timedelta(minutes=59)  # not those of the lost one


async def test_what_kills_its_workers_is_given_up(cases: Cases) -> None:
    await cases.judged()
    ordered = await cases.order()
    for _ in range(3):
        job = await lost(cases)
        await cases.store.write(try_again, job, error="lost", wait=timedelta(0), now=cases.clock())
    await cases.drain()
    ended = await cases.found(ordered.analysis)
    assert (ended.state, ended.code) == ("failed", "WORKER_LOST")


async def test_what_a_gate_holds_comes_from_its_spool(cases: Cases) -> None:
    gate = Location("gate", "main")
    uids = ("1.2.3.1.1", "1.2.3.1.2")
    row = await cases.store.write(gate_studies.arrive, gate, STUDY, due=cases.clock(), now=cases.clock())
    new = snapshot(
        [series(1, instances=2, study=STUDY)], study=STUDY, location=gate, modalities_in_study=("CT",)
    )
    await judge(cases.store, new)
    held = []
    for uid in uids:
        file = cases.gate_spool.create("main")
        file.write(dicom(uid))
        held.append(
            GateObject(
                study=row,
                sop_instance_uid=uid,
                sop_class_uid=CT,
                series_uid="1.2.3.1",
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                digest=file.close(),
                size=file.size,
                state="held",
                judged=True,
                file=cases.gate_spool.file_of(file.path),
                spool=cases.gate_spool.name,
                sender="CT1",
                request="1",
                received=cases.clock(),
            )
        )
    await cases.store.write(objects.add, held)
    ordered = await cases.order(location=gate)
    await cases.drain()
    assert (await cases.found(ordered.analysis)).state == "done"
    assert all(cases.gate_spool.path_of(one.file or "").is_file() for one in held)

    elsewhere = await cases.order(location=gate, asked=Asked(target="any"))
    await cases.store.write(objects.let_go, [one.id for one in await cases.store.read(objects.of_study, row)])
    await cases.drain()  # it is with the archive behind the gate, and there is none
    ended = await cases.found(elsewhere.analysis)
    assert (ended.state, ended.code) == ("refused", "BYTES_GONE")


async def test_no_more_at_a_time_than_the_site_wants(cases: Cases, tmp_path: Path) -> None:
    go = tmp_path / "go"
    cases.settings = msgspec.structs.replace(cases.settings, max_parallel_cases=1)
    desk = cases.made("hold", STAND_IN_GO=str(go))
    await desk.begin()
    await cases.judged()
    ordered = [
        (await cases.order(desk, asked=Asked(target=target))).analysis
        for target in ("soft_tissue", "brain", "any")
    ]
    async with working(cases.runner(desk)), working(cases.runner(desk)):
        await until_state(cases, ordered[0], "converting")
        for _ in range(10):
            await asyncio.sleep(0.05)
            assert [(await cases.found(one)).state for one in ordered[1:]] == ["queued", "queued"]
        go.touch()
        for one in ordered:
            await until_state(cases, one, "done")


async def test_an_analysis_ends_with_its_job(cases: Cases) -> None:
    await cases.judged()
    ordered = await cases.order()
    left = cases.desk.folder.of(f"work/{ordered.analysis.analysis_id}-0123abcd/objects")
    left.mkdir(parents=True)  # its server was killed in the midst
    await cases.desk.sweep()
    assert left.is_dir()
    await cases.store.write(jobs.cancel, ordered.analysis.job, now=cases.clock())
    await cases.desk.sweep()
    ended = await cases.found(ordered.analysis)
    assert (ended.state, ended.code) == ("failed", "JOB_ENDED")
    assert not left.exists()


async def test_what_somebody_else_put_there_takes_nothing_away(cases: Cases) -> None:
    await cases.judged()
    ordered = await cases.order()
    await cases.drain()
    theirs = [cases.desk.folder.of(name) for name in ("lost+found", "work/.DS_Store", "work/a-b")]
    for one in theirs:
        one.mkdir(parents=True)
    await cases.desk.sweep()
    assert all(one.is_dir() for one in theirs)
    assert cases.desk.folder.file(ordered.analysis.analysis_id, "resultados.json") is not None


async def test_analyses_go_by_age_and_with_their_study(cases: Cases) -> None:
    await cases.judged()
    old = (await cases.order()).analysis
    await cases.drain()
    cases.clock.advance(timedelta(days=91))
    young = (await cases.order(asked=Asked(target="any"))).analysis
    await cases.drain()
    now = cases.clock()
    ages = Ages(now, {"analyses": cases.settings.keep_analyses.before(now) or now})
    await Purging(cases.queue, ages).purge()
    await cases.desk.sweep()
    assert await cases.store.read(analyses.find, old.analysis_id) is None
    assert cases.desk.folder.analyses() == [young.analysis_id]

    row = await cases.store.read(studies.row_of, HERE, STUDY)
    await cases.store.write(removal.remove_study, row)
    await cases.desk.sweep()
    assert await cases.store.read(analyses.find, young.analysis_id) is None
    assert cases.desk.folder.analyses() == []


async def test_the_plan_has_ready_studies_analysed_of_themselves(cases: Cases) -> None:
    wanted = Automatic(locations=("upload:*",), modalities=("CT",), segmenters=("classical",), target="any")
    cases.plan = Plan(automatic=(wanted,))
    desk = cases.made("done")
    await cases.judged(location=Location("upload", "before"))
    await desk.look()  # what was READY before stays as it is
    await cases.judged()
    await desk.look()
    await desk.look()
    [found] = await cases.store.read(analyses.newest, limit=10)
    assert (found.location, found.requested_by, found.asked["target"]) == (HERE, AUTOMATIC, "any")
    await cases.drain(desk)
    assert (await cases.found(found)).state == "done"
    elsewhere = snapshot([series(1, study="1.2.4")], study="1.2.4", modalities_in_study=("CT",))
    await judge(cases.store, elsewhere)
    await desk.look()
    assert len(await cases.store.read(analyses.newest, limit=10)) == 1


async def test_a_disk_that_is_nearly_full_has_them_wait(cases: Cases) -> None:
    await cases.judged()
    ordered = await cases.order()
    cases.settings = msgspec.structs.replace(cases.settings, alert_disk=Size(1 << 62))
    await cases.drain(cases.made("done"))
    assert (await cases.found(ordered.analysis)).state == "queued"
    cases.clock.advance(timedelta(minutes=11))
    await cases.drain()
    assert (await cases.found(ordered.analysis)).state == "done"
