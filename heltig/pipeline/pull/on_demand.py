"""A verdict that somebody waits for, on a study that may never have been pulled."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from heltig.errors import NotFoundError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.pull.asked import NOT_FOUND, ask_for_study
from heltig.store import jobs
from heltig.store.archives import location_of
from heltig.store.lookups import Lookup

MOST_SECONDS: Final = 60
"""As long as anybody may wait: proxies give up then."""

_FIRST_LOOK: Final = 0.05
_LONGEST_LOOK: Final = 1.0


async def verdict_awaited(
    find: Callable[[], Awaitable[Sequence[Lookup]]], *, seconds: float, again: Callable[[], Awaitable[None]]
) -> Sequence[Lookup]:
    """The answers about a study as soon as none of them is PENDING, or as they are when the time is over.

    Args:
        find: Gives the answers that count.
        seconds: How long to wait.
        again: Called before each look while there is no verdict.
    """
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + seconds, _FIRST_LOOK
    while True:
        found = await find()
        left = end - loop.time()
        if (found and all(one.state != "PENDING" for one in found)) or left <= 0:
            return found
        await again()
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_LOOK)


class Pulling:
    """Has a study pulled and judged as it is found, for all who wait for it together.

    There is one job a study, whoever asks. One that was under way already leaves a study that has only just
    changed to come to rest; then the study is asked for once more.
    """

    def __init__(self, queue: JobQueue, archive: str, study: str, *, actor: str, origin: str) -> None:
        """Makes it; nothing is asked yet.

        Args:
            queue: Takes the job.
            archive: The archive's name.
            study: The StudyInstanceUID.
            actor: Who asks, for the audit trail.
            origin: From where.
        """
        self.location = location_of(archive)
        self._queue = queue
        self._archive = archive
        self._study = study
        self._who = {"actor": actor, "origin": origin}
        self._job: int | None = None

    def not_there(self) -> NotFoundError:
        """Says that the archive does not have the study."""
        return NotFoundError(f"Archive {self._archive} does not have this study: it was asked just now.")

    async def ask(self) -> None:
        """Asks, unless a job that was asked for is under way.

        Raises:
            NotFoundError: There is no archive of that name, or it does not have the study.
        """
        if self._job is not None:
            job = await self._queue.store.look_up(jobs.find, self._job)
            if (
                job is not None
                and job.state == "succeeded"
                and (job.result or {}).get("outcome") == NOT_FOUND
            ):
                raise self.not_there()
            if job is not None and job.state in ("queued", "running", "failed", "dead"):
                return  # one that ended badly would end so again
        asked = await ask_for_study(self._queue, self._archive, self._study, at_once=True, **self._who)
        self._job = asked.id
