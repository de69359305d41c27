"""Says of this process that it works jobs off."""

import contextlib
from datetime import timedelta
from typing import Final

from heltig import __version__
from heltig.errors import StorageError
from heltig.jobs.owner import Owner
from heltig.jobs.queue import JobQueue
from heltig.store import workers
from heltig.store.transaction import WriteTransaction
from heltig.store.workers import Worker

EVERY: Final = timedelta(seconds=10)
"""How often to say so."""

SILENCE: Final = timedelta(minutes=1)
"""Who was not heard of for so long is gone."""


class Presence:
    """This process among those that work jobs off."""

    def __init__(self, queue: JobQueue, owner: Owner) -> None:
        self._queue = queue
        self._owner = owner
        self._started = queue.clock()

    async def say(self) -> None:
        """Says that this process works."""
        await self._queue.store.write(self._say)

    async def leave(self) -> None:
        """Says that it has ended; who cannot say so is missed after a while."""
        with contextlib.suppress(StorageError):
            await self._queue.store.write(workers.leave, str(self._owner))

    def _say(self, transaction: WriteTransaction) -> None:
        now = self._queue.clock()
        workers.forget(transaction, before=now - SILENCE)
        workers.hear(
            transaction,
            Worker(
                owner=str(self._owner),
                host=self._owner.host,
                version=__version__,
                started=self._started,
                heard=now,
            ),
        )
