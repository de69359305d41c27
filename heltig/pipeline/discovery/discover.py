"""A job of kind `discover`: one archive looked at by one strategy, for a minute at most."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.opened import OpenArchives


class Discovery:
    """Handles jobs of kind `discover`; wire it as `{DISCOVER: discovery.run}`."""

    def __init__(self, archives: OpenArchives, queue: JobQueue, *, clock: Callable[[], datetime]) -> None:
        """Makes it.

        Args:
            archives: The archives.
            queue: Takes what has to be done at once.
            clock: The time.
        """
        self._archives = archives
        self._queue = queue
        self._clock = clock

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Reads some batches of the round that the job names, and keeps each with its cursor.

        What the archive does not answer is written down, and left to the next round.

        Raises:
            StorageError: The database failed.
        """
        raise NotImplementedError
