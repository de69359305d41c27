"""Objects that a sender waits for one by one, held by a file each before there are rows of them.

A C-STORE sender sends the next object when the last one is acknowledged: a transaction for each would have it
wait twice as long. So what is acknowledged is a file on disk, whose name says what is in it and who sent it;
rows are written for many files together, soon after. What a process that died left is entered by the next.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace

from heltig.errors import StorageError
from heltig.logs import described
from heltig.pipeline.gate.custody import Custody
from heltig.pipeline.gate.intake_files import Held, IntakeFolder
from heltig.pipeline.gate.received import Gate, Received
from heltig.store import gate_studies, objects
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

MOST_PENDING: Final = 5000
"""Files that may wait for their rows: more are not taken."""

GROUP_SECONDS: Final = 0.2
"""How long to wait for others before rows are written."""

GROUP_OBJECTS: Final = 1000
PATIENCE: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds to wait where rows cannot be written; the last one again and again."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.listener")


class Intake:
    """Writes rows for what is acknowledged.

    Attributes:
        folder: Where the files are.
    """

    def __init__(self, folder: IntakeFolder, custody: Custody, store: Store, gate: Gate) -> None:
        """Makes it, on the event loop that `run` is to run on."""
        self.folder = folder
        self._custody = custody
        self._store = store
        self._gate = replace(gate, mode="hold")
        self._waiting = deque[Held]()
        self._added = self._done = 0
        self._arrived = asyncio.Event()
        self._entered = asyncio.Condition()
        self._is_closing = False
        self._loop = asyncio.get_running_loop()

    @property
    def pending(self) -> int:
        """Files that wait for their rows."""
        return self._added - self._done

    def enter(self, held: Held) -> None:
        """Has a row written for a file soon; in any thread."""
        self._loop.call_soon_threadsafe(self._add, held)

    async def run(self) -> None:
        """Writes rows until it is closed, and those that are left then, where that is possible."""
        while self._waiting or not self._is_closing:
            await self._arrived.wait()
            if not self._is_closing:
                self._arrived.clear()
                await asyncio.sleep(GROUP_SECONDS)
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_OBJECTS))]
                await self._enter(group)
                self._done += len(group)
                async with self._entered:
                    self._entered.notify_all()

    def close(self) -> None:
        """Has `run` end soon. What has no row then is entered by the next process."""
        self._is_closing = True
        self._arrived.set()

    async def flush(self) -> None:
        """Waits until everything that waits now has its row."""
        mark = self._added
        async with self._entered:
            await self._entered.wait_for(lambda: self._done >= mark)

    async def recover(self) -> int:
        """Has rows written for what a process left that died; returns how many files there are.

        Raises:
            StorageError: The folder or the database cannot be read.
        """
        try:
            files = await asyncio.to_thread(self.folder.files)
            # A file that has a row is in custody, whatever became of its bytes.
            found = await asyncio.to_thread(self.folder.held, await self._without_rows(files))
        except OSError as error:
            raise StorageError(f"The gate's intake cannot be read: {error.strerror}.") from error
        useless: list[Path] = []
        for held in found:
            if await self._store.read(self._was_entered, held):
                useless.append(held.received.path)
            else:
                self._add(held)
        await asyncio.to_thread(self._custody.spool.remove, useless)
        return self.pending

    def _add(self, held: Held) -> None:
        self._waiting.append(held)
        self._added += 1
        self._arrived.set()

    async def _enter(self, group: Sequence[Held]) -> None:
        """Writes rows, again and again until there are some."""
        left = list(group)
        for attempt in itertools.count():
            try:
                if attempt:
                    # A commit that failed may have been one: what has a row now must not come as a second
                    # copy of itself, which would be useless and be removed.
                    without = set(await self._without_rows([held.received.path for held in left]))
                    left = [held for held in left if held.received.path in without]
                await self._take(left)
                return
            except Exception as error:  # whatever it is: the sender was told that we have it
                log.warning("listener.rows-wait", objects=len(left), reason=described(error))
            if self._is_closing:
                return
            await asyncio.sleep(PATIENCE[min(attempt, len(PATIENCE) - 1)])

    async def _take(self, group: Sequence[Held]) -> None:
        by_association: dict[tuple[str, str], list[Received]] = {}
        for held in group:
            by_association.setdefault((held.sender, held.association), []).append(held.received)
        for (sender, association), received in by_association.items():
            await self._custody.take(self._gate, received, sender=sender, request=association)

    async def _without_rows(self, paths: Sequence[Path]) -> list[Path]:
        files = {self._custody.spool.file_of(path): path for path in paths}
        kept = await self._store.read(objects.kept_files, files) if files else set()
        return [path for file, path in files.items() if file not in kept]

    def _was_entered(self, transaction: ReadTransaction, held: Held) -> bool:
        """Whether a row was made of a file, and let it go since: one of its bytes, younger than the file."""
        one = held.received
        row = gate_studies.row_of(transaction, self._gate.location, one.study_uid)
        known = objects.known(transaction, row, [one.sop_instance_uid]) if row is not None else []
        return any(old.digest == one.digest and old.received >= held.written for old in known)
