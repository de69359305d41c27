"""A site that watches archives in memory, with a clock that a test moves."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from unit.clock import Clock
from unit.pipeline.scoring import ThisProcess

from connectors.base import Archive as ArchivePort
from connectors.base import Capabilities, ChangeFeed, Faults, FeedEntry, FeedPage, InMemoryArchive, Instance
from heltig.credentials import NO_AUTH, ArchiveAuth
from heltig.errors import ArchivePausedError, NotFoundError
from heltig.jobs.attempt import Handler
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import Retries
from heltig.jobs.runner import Runner
from heltig.pipeline.again.context import REJUDGE
from heltig.pipeline.again.rejudge import rejudge
from heltig.pipeline.archives.opened import OpenArchives, Opened
from heltig.pipeline.archives.probe_waits import ProbeTurns
from heltig.pipeline.archives.probing import renew_if_due
from heltig.pipeline.discovery.batch import Batch
from heltig.pipeline.discovery.discover import Discovery
from heltig.pipeline.discovery.fed import Fed
from heltig.pipeline.discovery.schedule import DISCOVER, PULL, tick
from heltig.pipeline.discovery.strategies import strategies_for
from heltig.pipeline.keep import Scoring
from heltig.pipeline.pull.job import PullDesk
from heltig.pipeline.pull.listing import list_studies
from heltig.pipeline.pull.service import ArchiveProfiles
from heltig.pipeline.pull.settle import settle
from heltig.rules.profile import DEFAULT
from heltig.store import archives, observations, studies, verdicts
from heltig.store.archives import Archive, ArchiveOptions, location_of
from heltig.store.engine import Store
from heltig.store.observations import Observation
from heltig.store.records import StoredVerdict, Study

BEGIN = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COLD = timedelta(minutes=30)
QUIET = timedelta(seconds=120)
STOP = timedelta(seconds=5400)
KNOWN = Capabilities(offset=True, filters=True, counts=True, metadata="study", all_attributes=True)


class Whole:
    """A strategy that lists everything in one batch, and proves it."""

    def __init__(self, opened: Opened, name: str = "hot", *, every: timedelta = MINUTE) -> None:
        self.name = name
        self.every = every
        self._archive = opened.archive

    async def batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        listing = await list_studies(self._archive, {})
        number = int(cursor or 0) + 1
        uids = frozenset(study.uid for study in listing.studies)
        yield Batch(
            studies=listing.studies, cursor=str(number), is_last=True, swept=("", ""), swept_uids=uids
        )


class TellingArchive(InMemoryArchive):
    """An archive with a change feed that tells what came and not what went, as Orthanc's.

    Attributes:
        told: The study of each change.
    """

    def __init__(self, *, faults: Faults | None = None) -> None:
        super().__init__(faults=faults)
        self.told: list[str] = []

    def store(self, instance: Instance, *, text: bytes | None = None) -> None:
        super().store(instance, text=text)
        self.told.append(instance["0020000D"]["Value"][0])

    def leave(self, uid: str, instances: Iterable[Instance]) -> None:
        """Deletes the instances of a study that are not among these."""
        self.remove(uid)
        for instance in instances:
            super().store(instance)

    async def start(self) -> str:
        return str(len(self.told))

    async def read(self, cursor: str, *, limit: int) -> FeedPage:
        page = self.told[int(cursor) :][:limit]
        end = int(cursor) + len(page)
        marks = {uid: str(number) for number, uid in enumerate(page, int(cursor) + 1)}
        return FeedPage(
            entries=tuple(FeedEntry(study=uid, mark=mark) for uid, mark in marks.items()),
            cursor=str(end),
            is_end=end == len(self.told),
            covered=None,
        )


def told_and_listed(opened: Opened, *, today: date) -> Sequence[Any]:
    """The strategies of an archive that tells of its changes: its feed, and a sweep every half an hour."""
    return [Fed(cast(ChangeFeed, opened.archive), every=MINUTE), Whole(opened, "cold", every=COLD)]


class Opens:
    """Archives in memory in place of `OpenArchives`.

    Attributes:
        held: The archives, by their names.
        closed: Raised instead of opening an archive, by its name.
    """

    def __init__(self, store: Store, *held: ArchivePort, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._turns = ProbeTurns(2)
        self.held = {archive.id: archive for archive in held}
        self.closed: dict[str, Exception] = {}

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Opened]:
        entry = await self._store.read(archives.find, name)
        if entry is None:
            raise NotFoundError(f"There is no archive {name}.")
        if entry.paused:
            raise ArchivePausedError("paused")
        if name in self.closed:
            raise self.closed[name]
        archive = self.held[name]
        yield Opened(
            entry=entry,
            options=entry.options,
            archive=archive,
            dicomweb=cast(Any, None),
            feed_client=None,
            guard=cast(Any, None),
            capabilities=KNOWN,
            location=location_of(name),
        )

    async def renew(self, opened: Opened) -> bool:
        name = opened.entry.name
        return await renew_if_due(self._store, name, opened.archive, clock=self._clock, turns=self._turns)


class Site:
    """The parts of the pull service in one process.

    Attributes:
        clock: Its clock.
        queue: Its jobs.
        opens: Its archives.
        arrived: For a test to remember what it stored.
    """

    def __init__(
        self,
        store: Store,
        *held: ArchivePort,
        opens: OpenArchives | None = None,
        clock: Clock | None = None,
        processes: ThisProcess | None = None,
        strategies: Callable[..., Sequence[Any]] | None = None,
        queue_most: int = 1000,
    ) -> None:
        self.store = store
        self.clock = clock or Clock(BEGIN)
        self.queue = JobQueue(store, clock=self.clock)
        self.opens = Opens(store, *held, clock=self.clock)
        self.queue_most = queue_most
        self.arrived: dict[str, list[dict[str, Any]]] = {}
        processes = processes or ThisProcess()
        opened = opens or cast(OpenArchives, self.opens)
        self.discovery = Discovery(
            opened,
            self.queue,
            clock=self.clock,
            jitter=lambda low, high: 1.0,
            strategies=strategies or (strategies_for if opens else _whole),
        )
        profiles = ArchiveProfiles(store, DEFAULT, clock=self.clock)
        self.desk = PullDesk(opened, self.queue, processes, profile_of=profiles.of, clock=self.clock)
        scoring = Scoring(
            store, processes, profile=profiles.of, clock=self.clock, actor=REJUDGE, queue=self.queue
        )

        async def again(context: Any) -> Any:
            return await rejudge(context, scoring=scoring)

        self.handlers: dict[str, Handler] = {
            DISCOVER: self.discovery.run,
            PULL: self.desk.run,
            REJUDGE: again,
        }

    async def register(
        self,
        name: str = "memory",
        *,
        root: str = "http://archive",
        auth: ArchiveAuth = NO_AUTH,
        **options: Any,
    ) -> None:
        entry = Archive(name=name, qido_url=root, wado_url=root, auth=auth, options=ArchiveOptions(**options))
        await self.store.write(archives.add, entry)

    async def work(self, *kinds: str) -> None:
        """Does what is due now: looks, hands on, pulls, judges again; until nothing is left."""
        runner = Runner(self.queue, self.handlers, retries=Retries())
        for _ in range(50):
            looked = await tick(self.store, self.queue, now=self.clock(), queue_most=self.queue_most)
            await runner.drain()
            handed_on = await settle(self.store, self.queue, now=self.clock(), queue_most=self.queue_most)
            await runner.drain()
            left = await self.desk.sweep()
            if not looked and not handed_on and not left:
                return
        raise AssertionError("It never ends.")

    async def pass_time(self, time: timedelta, *, step: timedelta = timedelta(seconds=60)) -> None:
        """Lets time pass, and works off what is due meanwhile."""
        until = self.clock() + time
        while self.clock() < until:
            self.clock.advance(min(step, until - self.clock()))
            await self.work()

    async def study(self, uid: str, archive: str = "memory") -> Study | None:
        return await self.store.read(studies.find, location_of(archive), uid)

    async def verdict(self, uid: str, archive: str = "memory") -> StoredVerdict | None:
        return await self.store.read(verdicts.current, location_of(archive), uid)

    async def observed(self, uid: str, archive: str = "memory") -> Observation | None:
        return await self.store.read(observations.find, location_of(archive), uid)

    async def rules(self, uid: str, archive: str = "memory") -> set[str]:
        found = await self.verdict(uid, archive)
        return {finding.rule for finding in found.verdict.findings} if found else set()


def _whole(opened: Opened, *, today: date) -> Sequence[Whole]:
    return [Whole(opened)]
