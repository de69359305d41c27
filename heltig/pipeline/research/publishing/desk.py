"""The outbox of analyses: what would be sent, what is ordered to be, and the job that does it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from heltig import audit
from heltig.errors import AuthorisationError, ConflictError, NotFoundError
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.administration import find_archive
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.research.folder import ResearchFolder
from heltig.pipeline.research.publishing.codes import AbortError
from heltig.pipeline.research.publishing.objects import Result, results_of
from heltig.pipeline.research.publishing.sending import Sending
from heltig.store import analyses, publications
from heltig.store.analyses import Analysis
from heltig.store.archives import location_of
from heltig.store.jobs import Job, NewJob
from heltig.store.publications import Publication
from heltig.store.transaction import ReadTransaction, WriteTransaction

KIND: Final = "publish"
"""The kind of job that sends results of an analysis to an archive."""

_PRIORITY: Final = 15


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """An object that would be sent.

    Attributes:
        result: The object.
        publication: Its way to the archive, where it was sent before; None where it was not.
    """

    result: Result
    publication: Publication | None

    @property
    def is_sent(self) -> bool:
        """Whether it would be sent: what the archive has shown is not sent again."""
        return self.publication is None or self.publication.state != "verified"


class PublishDesk:
    """Takes orders to publish, and carries them out.

    Attributes:
        targets: The archives that the site allows.
    """

    def __init__(
        self,
        queue: JobQueue,
        folder: ResearchFolder,
        opens: OpenArchives,
        *,
        targets: Sequence[str],
        clock: Callable[[], datetime],
    ) -> None:
        """Makes it.

        Args:
            queue: Where jobs are queued.
            folder: Has the files of analyses.
            opens: The archives.
            targets: HELTIG_ANALYSIS_PUBLISH_TO.
            clock: The time.
        """
        self.targets = tuple(targets)
        self._queue = queue
        self._store = queue.store
        self._folder = folder
        self._opens = opens
        self._clock = clock
        queue.on_end(self._job_ended)
        self._ended_jobs: set[asyncio.Task[None]] = set()

    async def plan(self, analysis: Analysis, target: str) -> list[Planned]:
        """What would be sent to an archive, in the order in which it would go. Nothing is sent or asked.

        Raises:
            ConflictError: Publishing is off, the analysis is not done, or wrote no DICOM objects.
            AuthorisationError: The archive is not one that the site allows.
            NotFoundError: It is not configured; or the files are not on this server.
        """
        await self._insist(analysis, target)
        outputs = await self._store.read(analyses.outputs_of, analysis.row)
        try:
            found = await asyncio.to_thread(results_of, self._folder, analysis, outputs)
        except AbortError as error:
            raise NotFoundError(
                "The files of the analysis are not on this server, or not what it wrote. Order it again."
            ) from error
        if not found:
            raise ConflictError("The analysis wrote no DICOM objects: there is nothing to publish.")
        known = {
            one.name: one
            for one in await self._store.read(publications.of_analysis, analysis.row, target=target)
        }
        return [Planned(result=one, publication=known.get(one.name)) for one in found]

    async def publish(self, analysis: Analysis, target: str, *, actor: str, origin: str) -> list[Publication]:
        """Has an analysis sent to an archive; what is there already, or under way, is not sent twice.

        Args:
            analysis: The analysis.
            target: The archive's name.
            actor: Who wants it, for the audit trail.
            origin: From where.

        Returns:
            All its objects, as their way to that archive stands.

        Raises:
            ConflictError: See `plan`, as for the others.
            AuthorisationError: Not allowed.
            NotFoundError: Not there.
        """
        planned = await self.plan(analysis, target)
        if not any(one.is_sent for one in planned):
            return [one.publication for one in planned if one.publication is not None]
        return await self._store.write_durably(self._put, analysis, target, planned, actor, origin)

    async def of(self, analysis: Analysis) -> list[Publication]:
        """What of an analysis goes, or went, to archives."""
        return await self._store.read(publications.of_analysis, analysis.row)

    async def run(self, context: JobContext) -> dict[str, Any] | None:
        """Handles a job of `KIND`.

        Raises:
            ArchiveError: See `Sending.run`, as for the others.
            NotHereError: The files are on another server.
            StorageError: The database or the disk failed.
        """
        target = str(context.payload["archive"])
        analysis = await self._store.read(analyses.find, str(context.payload["analysis"]))
        if analysis is None or not await self._store.read(_is_under_way, analysis.row, target):
            return None
        sending = Sending(
            self._store, self._folder, self._opens, analysis=analysis, target=target, clock=self._clock
        )
        try:
            if target not in self.targets:
                raise AbortError("TARGET_NOT_NAMED")
            return dict(await sending.run())
        except AbortError as error:
            await sending.abort(error.code, error.observed)
            return {"code": error.code}

    async def sweep(self) -> None:
        """Gives up what no job sends any more."""
        await self._store.write(self._give_up)

    def _put(
        self,
        transaction: WriteTransaction,
        analysis: Analysis,
        target: str,
        planned: Sequence[Planned],
        actor: str,
        origin: str,
    ) -> list[Publication]:
        found = publications.put(
            transaction,
            analysis.row,
            target,
            [one.result.as_publication() for one in planned],
            at=self._clock(),
        )
        self._queue.enqueue(
            transaction,
            NewJob(
                kind=KIND,
                key=publications.job_key(analysis.analysis_id, target),
                group=str(location_of(target)),
                priority=_PRIORITY,
                payload={"analysis": analysis.analysis_id, "archive": target},
                follows=True,  # one that is running may have read already what waits
            ),
        )
        audit.record(
            transaction,
            at=self._clock(),
            actor=actor,
            action="analysis.publish",
            subject=f"{analysis.location} {analysis.study_key}",
            outcome="success",
            origin=origin,
            detail={
                "analysis": analysis.analysis_id,
                "archive": target,
                "files": [one.result.name for one in planned if one.is_sent],
            },
        )
        return found

    async def _insist(self, analysis: Analysis, target: str) -> None:
        if not self.targets:
            raise ConflictError(
                "Publishing is off here. HELTIG_ANALYSIS_PUBLISH_TO names archives that results may go to."
            )
        if target not in self.targets:
            raise AuthorisationError(
                "Results may not go to this archive: HELTIG_ANALYSIS_PUBLISH_TO does not name it."
            )
        await find_archive(self._store, target)
        if analysis.state != "done":
            raise ConflictError(f"The analysis is {analysis.state}: only one that is done can be published.")

    def _give_up(self, transaction: WriteTransaction) -> None:
        for row, target in publications.forsaken(transaction, kind=KIND):
            found = publications.of_analysis(transaction, row, target=target)
            for state, code in (("waiting", "GIVEN_UP"), ("stored", "NOT_SHOWN")):
                rows = [one.row for one in found if one.state == state]
                publications.move(transaction, rows, "failed", at=self._clock(), code=code)

    def _job_ended(self, job: Job) -> None:
        """Has objects fail with the job that sends them; what is missed is left to `sweep`."""
        if job.kind == KIND and job.state != "succeeded":
            task = asyncio.ensure_future(self._store.write(self._give_up))
            self._ended_jobs.add(task)
            task.add_done_callback(self._ended_jobs.discard)


def _is_under_way(transaction: ReadTransaction, row: int, target: str) -> bool:
    found = publications.of_analysis(transaction, row, target=target)
    return any(one.state in ("waiting", "stored") for one in found)
