"""The desk of analyses: takes orders, makes analyses as jobs, keeps what they write, and cleans up."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from heltig import audit
from heltig.errors import ConflictError, NotFoundError
from heltig.imaging.order import Order
from heltig.jobs.attempt import Handler, JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.research.asked import Asked, EndedError
from heltig.pipeline.research.automatic import queue_wanted
from heltig.pipeline.research.fetching import Fetching
from heltig.pipeline.research.folder import ResearchFolder, Work
from heltig.pipeline.research.handing_out import HandingOut
from heltig.pipeline.research.making import Making
from heltig.pipeline.research.ordering import (
    FILES_KIND,
    GROUP,
    KIND,
    Ordered,
    Ordering,
    insist_on_same_study,
    order,
)
from heltig.pipeline.research.plan import Plan
from heltig.pipeline.research.publishing.desk import KIND as PUBLISH
from heltig.pipeline.research.publishing.desk import PublishDesk
from heltig.pipeline.research.running import Program, is_installed
from heltig.settings import Settings
from heltig.store import analyses, claims, jobs
from heltig.store.analyses import Analysis
from heltig.store.jobs import Job
from heltig.store.transaction import WriteTransaction

ATTEMPTS: Final = 3
"""So many workers may be lost with an analysis: it may be what kills them."""

_JOB_LIVES: Final = ("queued", "running")


class ResearchDesk:
    """Takes orders of analyses and makes them.

    Attributes:
        folder: Where their files are.
        files: Hands them out.
        publishing: Sends them to archives.
        plan: The site's.
        is_open: Analyses are enabled here.
        is_installed: What makes them is installed here.
    """

    def __init__(
        self,
        queue: JobQueue,
        fetching: Fetching,
        folder: ResearchFolder,
        *,
        publishing: PublishDesk,
        settings: Settings,
        plan: Plan,
        program: Program,
        clock: Callable[[], datetime],
    ) -> None:
        """Makes it.

        Args:
            queue: Where jobs are queued.
            fetching: Gives the objects of studies.
            folder: Where files are kept.
            publishing: Sends results to archives.
            settings: The site's.
            plan: What finds structures.
            program: What makes an analysis.
            clock: The time.
        """
        self.folder = folder
        self.publishing = publishing
        self.plan = plan
        self.is_open = settings.analysis_enabled
        self.is_installed = is_installed(settings)
        self._queue = queue
        self._store = queue.store
        self.files = HandingOut(queue.store, folder, clock=clock)
        self._fetching = fetching
        self._may_identify = settings.analysis_allow_identified
        self._most = settings.max_parallel_cases
        self._program = program
        self._clock = clock
        queue.on_end(self._job_ended)
        self._ended_jobs: set[asyncio.Task[None]] = set()
        self._stops: dict[str, asyncio.Event] = {}

    def handlers(self) -> dict[str, Handler]:
        """Who does the jobs of each kind; nobody where analyses are off.

        Where they cannot be made, what was made before can still be published.
        """
        if not self.is_open:
            return {}
        making: dict[str, Handler] = {KIND: self.run, FILES_KIND: self.run} if self.is_installed else {}
        return {**making, PUBLISH: self.publishing.run}

    def insist_on_open(self) -> None:
        """Insists that analyses can be ordered.

        Raises:
            ConflictError: They are off, or what makes them is not installed.
        """
        if not self.is_open:
            raise ConflictError(
                "Analyses are off here. Set HELTIG_ANALYSIS_ENABLED=true and "
                "HELTIG_ANALYSIS_USE=research-only: docs/research.md."
            )
        if not self.is_installed:
            raise ConflictError(
                'What makes analyses is not installed: pip install "heltig[imaging]", or name the Python of '
                "an environment that has it in HELTIG_ANALYSIS_PYTHON."
            )

    async def begin(self) -> None:
        """Says how many analyses there may be at a time, on all workers together."""
        if self.is_open:
            await self._store.write(claims.set_group, GROUP, most=self._most)

    async def order(self, wanted: Ordering) -> Ordered:
        """Orders an analysis; see `heltig.pipeline.research.ordering.order`.

        Raises:
            ConflictError: Analyses cannot be ordered, or not of this study.
            NotFoundError: There is no such study.
            AuthorisationError: Identified data is asked for, and not allowed.
            UsageError: The plan does not have what is asked for.
        """
        self.insist_on_open()
        return await self._store.write_durably(
            order,
            self._queue,
            wanted,
            plan=self.plan,
            may_identify=self._may_identify,
            now=self._clock(),
        )

    async def cancel(self, analysis_id: str, *, actor: str, origin: str) -> Analysis:
        """Cancels an analysis that has not ended.

        What makes it is stopped at once where it runs in this process, else when its worker next says that it
        is alive.

        Raises:
            NotFoundError: There is none.
            ConflictError: It has ended.
        """
        ended = await self._store.write_durably(self._cancel, analysis_id, actor, origin)
        if (stop := self._stops.get(analysis_id)) is not None:
            stop.set()
        return ended

    async def run(self, context: JobContext) -> dict[str, Any] | None:
        """Handles a job of `KIND` or `FILES_KIND`: makes an analysis.

        Raises:
            ArchiveError: An archive did not do its part; trying again makes sense.
            NotHereError: The study's objects are in the spool of another server.
            NotNowError: The disk is too full, or the study is PENDING.
            StorageError: The database or the disk failed.
        """
        analysis = await self._store.read(analyses.find, str(context.payload["analysis"]))
        if analysis is None or analysis.finished is not None:
            return None
        made = Making(self._store, self.folder, analysis, clock=self._clock)
        stop = self._stops[analysis.analysis_id] = asyncio.Event()
        try:
            if context.job.attempts > ATTEMPTS and analysis.state != "queued":  # its process was under way
                raise EndedError("WORKER_LOST")
            await self._store.read(insist_on_same_study, analysis, settled=True)
            self.folder.insist_on_room()
            with self.folder.work(analysis.analysis_id) as work:
                await self._fetching.fetch(
                    analysis,
                    work,
                    progress=lambda done, total: context.progress(done=done, total=total),
                    insist=self.folder.insist_on_room,
                )
                full = asyncio.create_task(self.folder.until_full())
                full.add_done_callback(lambda _: stop.set())
                try:
                    ended = await made.make(work, self._order(analysis, work), self._program, stop=stop)
                    if ended is None and full.done():
                        full.result()
                        raise EndedError("DISK_FULL")
                finally:
                    full.cancel()
        except EndedError as error:
            ended = await made.end(error.end, code=error.code, observed=error.observed)
        finally:
            self._stops.pop(analysis.analysis_id, None)
        return None if ended is None else {"state": ended.state, "code": ended.code}

    async def sweep(self) -> None:
        """Ends analyses whose jobs have ended otherwise, and removes files that belong to none."""
        await self._store.write(self._end_forsaken)
        await self.publishing.sweep()
        kept, at_work = await asyncio.to_thread(lambda: (self.folder.analyses(), self.folder.at_work()))
        here = {*kept, *at_work}
        for analysis_id in here - await self._store.read(analyses.known, here):
            await asyncio.to_thread(self.folder.remove, analysis_id)
        under_way = {one.analysis_id for one in await self._store.read(analyses.under_way)}
        for analysis_id in {*at_work} - under_way:  # of a worker that was lost, and never came back to it
            await asyncio.to_thread(self.folder.clear_work, analysis_id)

    async def look(self) -> None:
        """Orders what the plan wants to be analysed of itself."""
        if self.is_open and self.is_installed and self.plan.automatic:
            await queue_wanted(self._queue, self.plan, now=self._clock)

    def _order(self, analysis: Analysis, work: Work) -> Order:
        asked = msgspec.convert(analysis.asked, Asked)
        try:
            segmenters = self.plan.orders_for(asked.segmenters)
        except KeyError as wrong:
            raise EndedError("PLAN_CHANGED") from wrong
        return Order(
            analysis_id=analysis.analysis_id,
            objects=work.objects,
            output=work.output,
            segmenters=segmenters,
            target=asked.target,
            slice_metrics=asked.slice_metrics,
            modalities=asked.modalities,
            series=asked.series,
            policy=None if self.plan.policy is None else Path(self.plan.policy),
            optional=asked.optional,
            height_m=asked.height_m,
            allow_identified=analysis.identified,
            converter=asked.converter,
            phase_python=None if self.plan.phase_python is None else Path(self.plan.phase_python),
            verdict=analysis.readiness,
            override=analysis.override_reason or None,
        )

    def _cancel(self, transaction: WriteTransaction, analysis_id: str, actor: str, origin: str) -> Analysis:
        found = analyses.find(transaction, analysis_id)
        if found is None:
            raise NotFoundError("There is no such analysis.")
        now = self._clock()
        ended = (
            analyses.move(transaction, found, "failed", at=now, code="CANCELLED", ends=True)
            if found.finished is None
            else None
        )
        if ended is None:
            raise ConflictError(f"The analysis is {found.state}: there is nothing to cancel.")
        jobs.cancel(transaction, found.job, now=now)
        audit.record(
            transaction,
            at=now,
            actor=actor,
            action="analysis.cancel",
            subject=f"{found.location} {found.study_key}",
            outcome="success",
            origin=origin,
            detail={"analysis": analysis_id, "state": found.state},
        )
        return ended

    def _end_forsaken(self, transaction: WriteTransaction) -> None:
        for one in analyses.under_way(transaction):
            job = jobs.find(transaction, one.job)
            if job is None or job.state not in _JOB_LIVES:
                analyses.move(transaction, one, "failed", at=self._clock(), code="JOB_ENDED", ends=True)

    def _job_ended(self, job: Job) -> None:
        """Has an analysis end with its job; what is missed is left to `sweep`."""
        if job.kind in (KIND, FILES_KIND) and job.state != "succeeded":
            task = asyncio.ensure_future(self._store.write(self._end_forsaken))
            self._ended_jobs.add(task)
            task.add_done_callback(self._ended_jobs.discard)
