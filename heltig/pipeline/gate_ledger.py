"""What gates took, written down: the files brought to disk first, then rows, for several senders at a time.

A transaction that outlasts a power cut costs as much for one object as for a hundred. So whoever comes while
one is under way waits for the next, together with all others who came meanwhile.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from heltig.pipeline.gate_spool import GateSpool, full
from heltig.store import gate_studies, objects
from heltig.store.engine import Store
from heltig.store.objects import GateObject
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

MOST_AT_ONCE: Final = 2000
"""Objects of one transaction: others wait for it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Objects of one study that a gate took.

    Attributes:
        objects: Their rows; `study` is not known yet.
        idle: How long nothing of the study may come before it is judged.
        files: What has to be on disk first.
    """

    location: Location
    study_uid: str
    objects: Sequence[GateObject]
    idle: timedelta
    files: Sequence[Path] = ()


class Ledger:
    """Writes down what gates took."""

    def __init__(self, store: Store, spool: GateSpool, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._spool = spool
        self._clock = clock
        self._waiting: list[tuple[Entry, asyncio.Future[list[bool]]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, entry: Entry) -> list[bool]:
        """Writes objects down; when this returns, they outlast a crash, and those in custody a power cut.

        Those that were forwarded are in the archive: nobody relies on us for them.

        Returns:
            Of each whether it is new; the file of one that is not is of no use.

        Raises:
            StorageError: The disk or the database failed: nothing of them is known.
        """
        told: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, told))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await asyncio.shield(told)

    async def _write(self) -> None:
        try:
            while self._waiting:
                portion = self._next()
                entries = [entry for entry, _ in portion]
                try:
                    await self._sync([path for entry in entries for path in entry.files])
                    in_custody = any(one.state == "held" for entry in entries for one in entry.objects)
                    write = self._store.write_durably if in_custody else self._store.write
                    added = await write(add_entries, entries, now=self._clock())
                except Exception as error:
                    for _, told in portion:
                        if not told.done():
                            told.set_exception(error)
                            told.exception()  # whoever waited may have gone
                else:
                    for (_, told), new in zip(portion, added, strict=True):
                        if not told.done():
                            told.set_result(new)
        finally:
            self._writing = None

    def _next(self) -> list[tuple[Entry, "asyncio.Future[list[bool]]"]]:
        portion, count = [], 0
        while self._waiting and count < MOST_AT_ONCE:
            portion.append(self._waiting.pop(0))
            count += len(portion[-1][0].objects)
        return portion

    async def _sync(self, files: Sequence[Path]) -> None:
        if files:
            try:
                await asyncio.to_thread(self._spool.sync, files)
            except OSError as error:
                raise full(error) from error


def add_entries(
    transaction: WriteTransaction, entries: Sequence[Entry], *, now: datetime
) -> list[list[bool]]:
    """Adds the objects of entries; a study of which something is new is PENDING from then on."""
    added: dict[int, list[bool]] = {}
    # In one order, so that no two transactions wait for one another's studies.
    order = sorted(range(len(entries)), key=lambda at: (entries[at].location, entries[at].study_uid))
    for at in order:
        entry = entries[at]
        if not _has_new(transaction, entry):
            added[at] = [False] * len(entry.objects)
            continue
        row = gate_studies.arrive(transaction, entry.location, entry.study_uid, due=now + entry.idle, now=now)
        added[at] = objects.add(transaction, [replace(one, study=row) for one in entry.objects])
    return [added[at] for at in range(len(entries))]


def _has_new(transaction: WriteTransaction, entry: Entry) -> bool:
    row = gate_studies.row_of(transaction, entry.location, entry.study_uid)
    if row is None:
        return True
    uids = {one.sop_instance_uid for one in entry.objects}
    known = {(one.sop_instance_uid, one.digest): one.state for one in objects.known(transaction, row, uids)}
    for one in entry.objects:
        state = known.get((one.sop_instance_uid, one.digest), "discarded")
        if state == "discarded" or (state == "forwarded" and one.state == "held"):
            return True
    return False
