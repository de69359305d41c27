"""What works jobs off, opened and closed: the same parts in the server and in a worker of a fleet."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from heltig.audit import batches as audit_batches
from heltig.audit.batches import Batches
from heltig.audit.syslog import EVERY as SYSLOG_EVERY
from heltig.audit.syslog import SyslogSender
from heltig.audit.trail import anchor, last_anchor, open_trail
from heltig.desks import HOUR, Desks, Does, desks_of, handlers_of, shares_of, some_of, sweeps_of, teller_of
from heltig.errors import StorageError
from heltig.jobs.attempt import Handler
from heltig.jobs.presence import EVERY, Presence
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.jobs.running import run
from heltig.periodic import Periodic
from heltig.pipeline.identifiers.key import look, open_identifiers
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.publish import render
from heltig.pipeline.pull import events
from heltig.pipeline.pull.service import ArchiveProfiles
from heltig.pipeline.starting import Starts
from heltig.pipeline.upload.spool import Spool
from heltig.rules.profile import Profile
from heltig.settings import Settings
from heltig.store import archives
from heltig.store.encryption_in_use import insist_on_keys
from heltig.store.encryption_keys import cipher_of
from heltig.store.engine import Store
from heltig.store.migrations import upgrade
from heltig.store.one_host import OneHost
from heltig.store.transaction import ReadTransaction

GRACE: Final = timedelta(seconds=3)
"""How long jobs at work get to finish when the service stops."""

logger = logging.getLogger(__name__)


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
        ConfigurationError: The database is SQLite, and in use on another host; identifiers stand otherwise in
            it; or a key is not here: that of its audit trail, or one that something is encrypted with.
        ConflictError: Identifiers begin to be hashed in it, and others run.
        StorageError: The database cannot be opened, or nothing can be written where it is.
    """
    async with AsyncExitStack() as stack:
        one_host = _take_host(settings)
        store = await _open_store(settings, clock=clock)
        stack.push_async_callback(store.close)
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
        desks = desks_of(settings, profile, queue, pool, spool, batches=batches, profile_of=profiles.of)
        stack.push_async_callback(desks.measurements.flush)
        stack.push_async_callback(desks.archives.close)
        stack.push_async_callback(desks.deliveries.close)
        queue.on_end(events.job_end)
        handlers = {**some_of(handlers_of(desks), does), **more(desks, queue)}
        await desks.research.begin()
        shares = shares_of(
            settings.workers, cases=settings.max_parallel_cases if desks.research.is_open else 0
        )
        runner = Runner(queue, handlers, places=sum(share.most for share in shares) + 1, shares=shares)
        teller = teller_of(desks, queue)
        redis_url = settings.redis_url.secret if settings.redis_url else None
        presence = Presence(queue, runner.owner)
        await presence.say()
        stack.push_async_callback(presence.leave)
        # Who began to hash identifiers a moment ago had not heard of this process.
        await look(store, settings)
        working_off = run(runner, None if does == "uploads" else teller, queue, redis_url=redis_url)
        running = await stack.enter_async_context(_beside(working_off))
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


def _take_host(settings: Settings) -> OneHost | None:
    """Makes the folder, and takes the database in it for this host, where it is in there."""
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as wrong:
        raise StorageError(
            f"HELTIG_HOME={settings.home} cannot be made: {wrong.strerror}. Name one that can."
        ) from wrong
    one_host = OneHost.of(settings.database, home=settings.home)
    if one_host is not None:
        one_host.take()
    return one_host


async def _open_store(settings: Settings, *, clock: Callable[[], datetime]) -> Store:
    """Opens the database, in the form that this Heltig has, with the keys that it needs."""
    store = await Store.open(settings.database, render=render, cipher=cipher_of(settings))
    try:
        await upgrade(store)
        await store.read(insist_on_keys)
        await open_identifiers(store, settings, clock=clock)
    except BaseException:
        await store.close()
        raise
    return store


def _judges_at_the_door(transaction: ReadTransaction) -> bool:
    """Whether a gate judges while its senders wait."""
    return any(entry.options.gate == "enforce" for entry in archives.every(transaction))


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
