"""A job of kind `pull`: one study of an archive, pulled, judged and kept."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.keep import Processes
from heltig.pipeline.opened import OpenArchives
from heltig.rules.profile import Profile


class PullDesk:
    """Handles jobs of kind `pull`; wire it as `{PULL: desk.run}` and call `desk.sweep()` now and then."""

    def __init__(
        self,
        archives: OpenArchives,
        queue: JobQueue,
        processes: Processes,
        *,
        profile: Profile,
        clock: Callable[[], datetime],
    ) -> None:
        """Makes it.

        Args:
            archives: The archives.
            queue: Takes the re-judgements of others.
            processes: Where judging is done.
            profile: For archives that name none of their own.
            clock: The time.
        """
        self._archives = archives
        self._queue = queue
        self._processes = processes
        self._profile = profile
        self._clock = clock

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Pulls the study that the job names, unless it changed again meanwhile or nothing is asked of it.

        Raises:
            ArchiveError: The archive does not answer; trying again makes sense.
            JobFailedError: It refuses definitely.
            StorageError: The database failed, or a process that judged died.
        """
        raise NotImplementedError

    async def sweep(self) -> int:
        """Says of studies whose pulls were given up that they could not be evaluated; returns their number.

        Raises:
            StorageError: The database failed.
        """
        raise NotImplementedError
