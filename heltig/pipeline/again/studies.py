"""Studies judged again by what is stored of them, several side by side."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from heltig.errors import NotFoundError
from heltig.jobs.attempt import JobContext
from heltig.pipeline.keep import Scoring
from heltig.store.records import Location

T = TypeVar("T")


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
