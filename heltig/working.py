"""What works jobs off: the same parts in the server and in a worker of a fleet.

Here, and only here, a kind of job gets its handler, and what has to happen now and then gets its turn.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from heltig.audit import batches as audit_batches
from heltig.audit.batches import Batches
from heltig.audit.syslog import EVERY as SYSLOG_EVERY
from heltig.audit.syslog import SyslogSender
from heltig.audit.trail import anchor, last_anchor, open_trail
from heltig.errors import StorageError
from heltig.jobs.attempt import Handler
from heltig.jobs.presence import EVERY, Presence
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.jobs.running import run
from heltig.periodic import Periodic, Sweep
from heltig.pipeline.again.context import REJUDGE
from heltig.pipeline.again.rejudge import queue_the_rest, rejudge
from heltig.pipeline.again.rescore import KIND as RESCORE
from heltig.pipeline.again.rescore import RescoreDesk
from heltig.pipeline.again.rule_costs import KIND as TIME_RULES
from heltig.pipeline.again.rule_costs import RuleCostsDesk
from heltig.pipeline.again.studies import JudgingAgain
from heltig.pipeline.again.waiving import ENDED, GIVEN, WaiverDesk
from heltig.pipeline.archives.measuring import Measurements
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.archives.probe_job import PROBE, ProbeDesk
from heltig.pipeline.backfill.walking import BACKFILL, Backfilling
from heltig.pipeline.discovery.schedule import DISCOVER, PULL
from heltig.pipeline.gate.custody import Custody
from heltig.pipeline.gate.forward import KIND as FORWARD
from heltig.pipeline.gate.forward import ForwardDesk
from heltig.pipeline.gate.judging import GateJudging
from heltig.pipeline.gate.quarantine import QuarantineDesk
from heltig.pipeline.gate.settle import KIND as GATE_SETTLE
from heltig.pipeline.gate.settle import SettleDesk
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.identifiers.key import open_identifiers
from heltig.pipeline.keep import ProfileOf, Scoring
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.publish import render
from heltig.pipeline.pull import events
from heltig.pipeline.pull.service import ArchiveProfiles, PullService
from heltig.pipeline.reading_devices import KIND as READ_DEVICES
from heltig.pipeline.reading_devices import DeviceDesk
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.research.opening import research_desk
from heltig.pipeline.research.ordering import FILES_KIND as ANALYZE_FILES
from heltig.pipeline.research.ordering import KIND as ANALYZE
from heltig.pipeline.research.publishing.desk import KIND as PUBLISH
from heltig.pipeline.retention.ages import Retention
from heltig.pipeline.retention.purge import KIND as PURGE
from heltig.pipeline.retention.purge import PurgeDesk
from heltig.pipeline.starting import Starts
from heltig.pipeline.telling.alerts import AlertDesk
from heltig.pipeline.telling.delivering import PLACES as DELIVERIES
from heltig.pipeline.telling.delivering import RETRIES as DELIVERED_AGAIN
from heltig.pipeline.telling.delivering import DeliveryDesk
from heltig.pipeline.telling.trail_conditions import TrailWatch
from heltig.pipeline.upload.resuming import ResumingDesk
from heltig.pipeline.upload.spool import Spool
from heltig.pipeline.upload.uploads import KIND as UPLOAD
from heltig.pipeline.upload.uploads import UploadDesk
from heltig.rules.profile import Profile
from heltig.settings import Settings
from heltig.store import archives, jobs
from heltig.store.deliveries import KIND as DELIVERY
from heltig.store.encryption_in_use import insist_on_keys
from heltig.store.encryption_keys import cipher_of
from heltig.store.engine import Store
from heltig.store.migrations import upgrade
from heltig.store.one_host import OneHost
from heltig.store.shares import Share, SlowLane
from heltig.store.transaction import ReadTransaction

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)

GRACE: Final = timedelta(seconds=3)
"""How long jobs at work get to finish when the service stops."""

LOOK: Final = timedelta(seconds=5)
"""How often what is due in watched archives is queued."""

GATE_LOOK: Final = timedelta(seconds=1)
"""How often studies are queued that came through a gate and are at rest."""

ALERT_LOOK: Final = timedelta(seconds=15)
"""How often alerts are raised and ended."""

FLUSH: Final = timedelta(seconds=10)
"""How often what was measured is added to the database."""

SLOW_PULLS: Final = SlowLane(after=60.0, most=16)
"""A pull that lasts longer than a slice leaves its place to others. Sixteen studies that come slowly are held
in memory beside the others, a few megabytes each, `HELTIG_METADATA_MAX_SIZE` at most."""

SLOW_LOOKS: Final = SlowLane(after=10.0, most=16)
"""Looks are short; the first one at all of a large archive lasts, while another sees what is new in it."""

PLACES: Final = 2
"""Jobs by which one archive is read, or sent to, at a time, for each process that judges: while one study is
judged, the archive answers another."""

LOOKS: Final = 2
"""Looks at one archive at a time. They cost little: there are places for looks at some more."""

LOOKING: Final = frozenset({DISCOVER, PROBE})
"""The kinds of jobs that look at archives: before every pull."""

READING: Final = frozenset({PULL, BACKFILL})
"""The kinds that read what was found."""

KEPT: Final = timedelta(hours=1)
"""How long jobs are kept that succeeded and of which there are many."""

BULK: Final = (REJUDGE, PULL, DISCOVER, PROBE, BACKFILL, GATE_SETTLE, FORWARD)
"""The kinds of those; what they came to stands with the studies and the archives."""

Does: TypeAlias = Literal["all", "uploads", "all but uploads"]
"""Which jobs a process does. Uploads, and what gates took, are files in a folder of one server."""

_BY_THE_FILES: Final = (UPLOAD, GATE_SETTLE, FORWARD, ANALYZE_FILES)
"""The kinds of jobs that need these. Not `PUBLISH`: files of analyses are where they were made, and who does
not have them leaves the job to another process."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Desks:
    """The use cases that take jobs, as far as they keep something between them."""

    uploads: UploadDesk
    resuming: ResumingDesk
    waivers: WaiverDesk
    rescoring: RescoreDesk
    rule_costs: RuleCostsDesk
    purging: PurgeDesk
    devices: DeviceDesk
    scoring: Scoring
    pulls: PullService
    backfills: Backfilling
    probes: ProbeDesk
    custody: Custody
    settling: SettleDesk
    forwarding: ForwardDesk
    quarantine: QuarantineDesk
    research: ResearchDesk
    deliveries: DeliveryDesk
    alerts: AlertDesk
    trail: TrailWatch
    archives: OpenArchives
    measurements: Measurements


@dataclass(frozen=True, kw_only=True)
class Working:
    """The open parts.

    Attributes:
        runner: Ends only when this does, or when it fails.
        sweeps: What happens now and then.
        batches: Takes what happens too often for an entry of the audit trail each.
    """

    store: Store
    queue: JobQueue
    pool: JudgingPool
    desks: Desks
    runner: asyncio.Task[None]
    sweeps: Sequence[Periodic]
    batches: Batches

    def is_working(self) -> bool:
        """Whether jobs are worked off, archives are looked at, and what is found can be written down."""
        return not self.runner.done() and not any(sweep.has_failed for sweep in self.sweeps)


def shares_of(workers: int, *, cases: int = 0) -> tuple[Share, ...]:
    """What the jobs that wait for archives may take of a process's places.

    Looks, what reads and what forwards have places each of their own, and no archive ever has all of these.
    What lasts long has them for a while only (`heltig.jobs.slow`), and archives that are tried out
    (`heltig.pipeline.archives.probe_waits.ProbeTurns`) leave some of them. All other jobs, uploads above all,
    have one place more to themselves.

    Args:
        workers: Processes that judge.
        cases: Analyses at the same time: they have places of their own, and last long.
    """
    of_one = PLACES * workers
    return (
        Share(LOOKING, of_one + 2 * LOOKS, LOOKS, SLOW_LOOKS, is_counted=False),
        Share(READING, of_one + 3, of_one, SLOW_PULLS),
        Share(frozenset({FORWARD}), of_one + 1, of_one),
        Share(frozenset({ANALYZE, ANALYZE_FILES}), cases),
        Share(frozenset({PUBLISH}), min(cases, 1)),
    )


def handlers_of(desks: Desks) -> dict[str, Handler]:
    """Who does the jobs of each kind, but for deliveries, which have places of their own."""
    return {
        UPLOAD: desks.uploads.judge,
        REJUDGE: partial(rejudge, scoring=desks.scoring),
        GIVEN: desks.waivers.judge_concerned,
        ENDED: desks.waivers.judge_ended,
        RESCORE: desks.rescoring.run,
        TIME_RULES: desks.rule_costs.run,
        PURGE: desks.purging.run,
        READ_DEVICES: desks.devices.run,
        PROBE: desks.probes.run,
        BACKFILL: desks.backfills.run,
        GATE_SETTLE: desks.settling.run,
        FORWARD: desks.forwarding.run,
        **desks.pulls.handlers(),
        **desks.research.handlers(),
    }


def sweeps_of(desks: Desks, queue: JobQueue) -> list[tuple[timedelta, Sweep]]:
    """What has to happen now and then, and how often. Any number of processes may do it at the same time."""

    async def forget_jobs() -> None:
        await queue.store.write(jobs.forget_succeeded, BULK, before=queue.clock() - KEPT)

    async def queue_left() -> None:
        await queue_the_rest(queue)

    return [
        (MINUTE, desks.waivers.sweep),
        (MINUTE, desks.uploads.sweep),
        (MINUTE, desks.resuming.sweep),
        (MINUTE, forget_jobs),
        (LOOK, desks.pulls.look),
        (LOOK, desks.backfills.sweep),
        (MINUTE, desks.pulls.see_to_the_rest),
        (MINUTE, queue_left),
        (HOUR, desks.probes.sweep),
        (HOUR, desks.purging.sweep),
        (HOUR, desks.devices.sweep),
        (GATE_LOOK, desks.settling.look),
        (HOUR, desks.settling.sweep),
        (ALERT_LOOK, desks.alerts.look),
        (HOUR, desks.alerts.sweep),
        (HOUR, desks.trail.sweep),
        (HOUR, desks.deliveries.sweep),
        (MINUTE, desks.forwarding.sweep),
        (LOOK, desks.research.look),
        (MINUTE, desks.research.sweep),
        (FLUSH, desks.measurements.flush),
        (HOUR, desks.measurements.sweep),
    ]


@asynccontextmanager
async def working(
    settings: Settings,
    *,
    profile: Profile,
    clock: Callable[[], datetime],
    does: Does = "all",
    kind: str = "serve",
    more: Callable[["Desks", JobQueue], Mapping[str, Handler]] = lambda desks, queue: {},
    grace: timedelta = GRACE,
) -> AsyncIterator[Working]:
    """Opens everything, works jobs off meanwhile, and closes everything in the opposite order.

    Args:
        settings: The site's settings.
        profile: What studies are judged with.
        clock: Gives the time, in UTC.
        does: Which jobs this process does.
        kind: What this process is, for the audit trail: the name of its command.
        more: Gives the handlers of jobs that only a process of its kind can do.
        grace: How long jobs at work get to finish at the end.

    Raises:
        ConfigurationError: The database is SQLite, and in use on another host; or a key is not here: that of
            its audit trail, or one that something is encrypted with.
        StorageError: The database cannot be opened, or nothing can be written where it is.
    """
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as wrong:
        raise StorageError(
            f"HELTIG_HOME={settings.home} cannot be made: {wrong.strerror}. Name one that can."
        ) from wrong
    async with AsyncExitStack() as stack:
        one_host = OneHost.of(settings.database, home=settings.home)
        if one_host is not None:
            one_host.take()
        store = await Store.open(settings.database, render=render, cipher=cipher_of(settings))
        stack.push_async_callback(store.close)
        await upgrade(store)
        await store.read(insist_on_keys)
        await open_identifiers(store, settings, clock=clock)
        starts = Starts(
            store,
            await open_trail(store, settings, clock=clock),
            settings,
            profile,
            kind=kind,
            clock=clock,
        )
        await starts.begin()
        sender = SyslogSender(store, settings) if settings.audit_syslog and kind == "serve" else None
        if sender is not None:
            stack.push_async_callback(sender.close)  # it is the last to go: it tells of the end, too
        stack.push_async_callback(last_anchor, store, settings)
        stack.push_async_callback(starts.end)
        batches = Batches(store, clock=clock)
        stack.push_async_callback(batches.close)
        spool = Spool(settings.home / "spool")
        pool = JudgingPool(settings.workers, scratch=spool.scratch)
        stack.push_async_callback(pool.close)
        if await store.read(_judges_at_the_door):
            await stack.enter_async_context(_beside(pool.start()))  # the first sender is not to wait for it
        queue = JobQueue(store, clock=clock)
        store.on_jobs(queue.ring)
        profiles = ArchiveProfiles(store, profile, clock=clock)
        await profiles.tell_what_is_wrong()
        desks = _desks(settings, profile, queue, pool, spool, batches=batches, profile_of=profiles.of)
        stack.push_async_callback(desks.measurements.flush)
        stack.push_async_callback(desks.archives.close)
        stack.push_async_callback(desks.deliveries.close)
        queue.on_end(events.job_end)
        handlers = {**_some(handlers_of(desks), does), **more(desks, queue)}
        await desks.research.begin()
        shares = shares_of(
            settings.workers, cases=settings.max_parallel_cases if desks.research.is_open else 0
        )
        runner = Runner(queue, handlers, places=sum(share.most for share in shares) + 1, shares=shares)
        teller = _teller(queue, desks)  # a receiver that takes long must not keep studies waiting
        redis_url = settings.redis_url.secret if settings.redis_url else None
        working_off = run(runner, None if does == "uploads" else teller, queue, redis_url=redis_url)
        running = await stack.enter_async_context(_beside(working_off))
        presence = Presence(queue, runner.owner)
        stack.push_async_callback(presence.leave)
        stack.push_async_callback(runner.stop, grace=grace)
        stack.push_async_callback(teller.stop, grace=grace)
        sweeps = [*sweeps_of(desks, queue), (EVERY, presence.say)]
        sweeps += [(HOUR, partial(anchor, store, settings)), (audit_batches.EVERY, batches.flush)]
        if sender is not None:
            sweeps.append((SYSLOG_EVERY, sender.send))
        if one_host is not None:
            sweeps.append((EVERY, partial(asyncio.to_thread, one_host.keep)))
        periodic = [Periodic(every, sweep) for every, sweep in sweeps]
        for one in periodic:
            await stack.enter_async_context(_beside(one.run()))
        yield Working(
            store=store,
            queue=queue,
            pool=pool,
            desks=desks,
            runner=running,
            sweeps=periodic,
            batches=batches,
        )


def _judges_at_the_door(transaction: ReadTransaction) -> bool:
    """Whether a gate judges while its senders wait."""
    return any(entry.options.gate == "enforce" for entry in archives.every(transaction))


def _some(handlers: dict[str, Handler], does: Does) -> dict[str, Handler]:
    if does == "uploads":
        return {kind: handlers[kind] for kind in (*_BY_THE_FILES, PUBLISH) if kind in handlers}
    return {kind: handler for kind, handler in handlers.items() if does == "all" or kind not in _BY_THE_FILES}


def _teller(queue: JobQueue, desks: Desks) -> Runner:
    """What makes deliveries."""
    handlers: dict[str, Handler] = {DELIVERY: desks.deliveries.run}
    return Runner(queue, handlers, places=DELIVERIES, retries=DELIVERED_AGAIN)


def _desks(
    settings: Settings,
    profile: Profile,
    queue: JobQueue,
    pool: JudgingPool,
    spool: Spool,
    *,
    batches: Batches,
    profile_of: ProfileOf,
) -> Desks:
    store, clock = queue.store, queue.clock
    trail = TrailWatch(store, settings, clock=clock)
    measurements = Measurements(store, clock=clock)
    opens = OpenArchives(store, settings, environ=os.environ, clock=clock, measurements=measurements)
    gate_spool = GateSpool(settings.home / "spool" / "gate", name=spool.name, reserve=settings.gate_reserve)
    judging = GateJudging(store, gate_spool, pool, profile_of=profile_of, clock=clock)
    uploads = UploadDesk(queue, spool, pool, settings=settings, profile=profile, clock=clock)
    again = JudgingAgain(queue, pool, profile, profile_of, workers=settings.workers)
    return Desks(
        uploads=uploads,
        resuming=ResumingDesk(uploads, spool, settings=settings),
        waivers=WaiverDesk(again),
        rescoring=RescoreDesk(again),
        rule_costs=RuleCostsDesk(again),
        purging=PurgeDesk(queue, Retention.of(settings), clock=clock),
        devices=DeviceDesk(queue, clock=clock),
        scoring=Scoring(store, pool, profile=profile_of, clock=clock, actor=REJUDGE, queue=queue),
        pulls=PullService(
            opens, queue, pool, profile_of=profile_of, clock=clock, queue_most=settings.queue_most
        ),
        backfills=Backfilling(opens, queue, clock=clock),
        probes=ProbeDesk(opens, queue, clock=clock),
        custody=Custody(store, gate_spool, opens, judging, batches=batches, clock=clock),
        settling=SettleDesk(queue, gate_spool, pool, profile_of=profile_of, clock=clock),
        forwarding=ForwardDesk(queue, gate_spool, opens, clock=clock),
        quarantine=QuarantineDesk(queue, gate_spool, profile_of=profile_of, clock=clock),
        research=research_desk(queue, opens, spool, gate_spool, settings=settings, clock=clock),
        deliveries=DeliveryDesk(store, clock=clock, environ=os.environ),
        alerts=AlertDesk(
            store,
            home=settings.home,
            disk=settings.alert_disk,
            quarantine=timedelta(hours=settings.alert_quarantine_hours),
            clock=clock,
            trail=trail,
        ),
        trail=trail,
        archives=opens,
        measurements=measurements,
    )


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Runs something beside what follows, and ends it after that."""
    task = asyncio.create_task(work)
    task.add_done_callback(_log_failure)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.error("A part of the service failed; /health/ready says so.", exc_info=error)
