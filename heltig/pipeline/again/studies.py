"""Studies judged again by what is stored of them, several side by side."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from heltig import audit
from heltig.errors import NotFoundError
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.keep import Processes, ProfileOf, Scoring
from heltig.rules.profile import Profile
from heltig.store.jobs import NewJob
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

T = TypeVar("T")


class JudgingAgain(NamedTuple):
    """What the desks share that have stored studies judged again, as jobs.

    Attributes:
        queue: Where their jobs are queued.
        processes: Where judging is done.
        profile: The site's profile.
        profile_of: Gives that of a location: archives may have their own.
        workers: Studies judged at a time.
    """

    queue: JobQueue
    processes: Processes
    profile: Profile
    profile_of: ProfileOf
    workers: int

    def scoring(self, *, actor: str, origin: str, profile: Profile | None = None) -> Scoring:
        """Judges studies and keeps their verdicts.

        Args:
            actor: What has them judged, for the audit trail.
            origin: From where.
            profile: The profile to judge under, instead of those of their locations.
        """
        return Scoring(
            self.queue.store,
            self.processes,
            profile=profile or self.profile_of,
            clock=self.queue.clock,
            actor=actor,
            origin=origin,
            queue=self.queue,
        )

    async def start(
        self,
        new: NewJob,
        *,
        action: audit.Action,
        actor: str,
        origin: str,
        detail: Mapping[str, Any] | None = None,
    ) -> int:
        """Queues a job that somebody asks for, unless the same is queued or running; returns its id."""

        def queue(transaction: WriteTransaction) -> int:
            job = self.queue.enqueue(transaction, new)
            audit.record(
                transaction,
                at=self.queue.clock(),
                actor=actor,
                action=action,
                subject=f"job {job}",
                outcome="success",
                origin=origin,
                detail=detail,
            )
            return job

        return await self.queue.store.write_durably(queue)


async def side_by_side(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Awaits `work` for each item, for some at a time; what it raises ends the others."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


async def judge_again(
    found: Sequence[tuple[Location, str]],
    scoring: Scoring,
    context: JobContext,
    *,
    at_once: int,
    failed: Callable[[Location, str], Awaitable[None]] | None = None,
) -> dict[str, Any]:
    """Judges studies again for a job; one that fails does not keep the others from it.

    Args:
        found: The studies.
        scoring: Judges and keeps them.
        context: The job.
        at_once: How many at a time.
        failed: Called with each that failed.

    Returns:
        The job's result: the numbers of studies by what became of them.

    Raises:
        Exception: Some failed: what the last one raised. Trying the job again tries them again.
    """
    outcomes = Counter[str]()
    errors: list[Exception] = []

    async def again(study: tuple[Location, str]) -> None:
        try:
            outcomes[(await scoring.score_again(*study)).outcome] += 1
        except NotFoundError:
            outcomes["gone"] += 1
        except Exception as error:  # a fault of ours, too
            errors.append(error)
            if failed is not None:
                await failed(*study)
        context.progress(done=outcomes.total() + len(errors), total=len(found))

    await side_by_side(found, again, at_once=at_once)
    if errors:
        raise errors[-1]
    return {"studies": len(found), "outcomes": dict(outcomes)}
