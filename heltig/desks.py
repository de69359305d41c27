"""The use cases that take jobs, and what is whose.

Here, and only here, a kind of job gets its handler, and what has to happen now and then gets its turn.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, Literal, TypeAlias

from heltig.audit.batches import Batches
from heltig.jobs.attempt import Handler
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.periodic import Sweep
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
from heltig.pipeline.keep import ProfileOf, Scoring
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.pull.service import PullService
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
from heltig.store import jobs
from heltig.store.deliveries import KIND as DELIVERY
from heltig.store.shares import Share, SlowLane

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)

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


def some_of(handlers: Mapping[str, Handler], does: Does) -> dict[str, Handler]:
    """The handlers of the jobs that a process does."""
    if does == "uploads":
        return {kind: handlers[kind] for kind in (*_BY_THE_FILES, PUBLISH) if kind in handlers}
    return {kind: handler for kind, handler in handlers.items() if does == "all" or kind not in _BY_THE_FILES}


def teller_of(desks: Desks, queue: JobQueue) -> Runner:
    """What makes deliveries: a receiver that takes long must not keep studies waiting."""
    handlers: dict[str, Handler] = {DELIVERY: desks.deliveries.run}
    return Runner(queue, handlers, places=DELIVERIES, retries=DELIVERED_AGAIN)


def desks_of(
    settings: Settings,
    profile: Profile,
    queue: JobQueue,
    pool: JudgingPool,
    spool: Spool,
    *,
    batches: Batches,
    profile_of: ProfileOf,
) -> Desks:
    """The desks of a process.

    Args:
        settings: The site's settings.
        profile: Its profile.
        queue: Takes their jobs.
        pool: Where judging is done.
        spool: Has the ZIPs of uploads.
        batches: Takes what happens too often for an entry of the audit trail each.
        profile_of: Gives the profile of a location.
    """
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
