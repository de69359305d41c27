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

from heltig.pipeline.gate.spool import GateSpool, full
from heltig.store import gate_studies, objects
from heltig.store.engine import Store
from heltig.store.objects import Added, GateObject
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction, WriteTransaction

MOST_AT_ONCE: Final = 2000
"""Objects of one transaction: others wait for it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Objects of one study that a gate took.

    Attributes:
        objects: Their rows; `study` is not known yet.
        idle: How long nothing of the study may come before it is judged.
        files: What has to be on disk first.
        broken: Rows of objects that are known already, whose files are not what was received.
    """

    location: Location
    study_uid: str
    objects: Sequence[GateObject]
    idle: timedelta
    files: Sequence[Path] = ()
    broken: frozenset[int] = frozenset()


class Ledger:
    """Writes down what gates took."""

    def __init__(self, store: Store, spool: GateSpool, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._spool = spool
        self._clock = clock
        self._waiting: list[tuple[Entry, asyncio.Future[list[Added]]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, entry: Entry) -> list[Added]:
        """Writes objects down; when this returns, they outlast a crash, and those in custody a power cut.

        Those that were forwarded are in the archive: nobody relies on us for them.

        Where some of them are in custody already, their files are looked at: what comes again takes the place
        of one that is damaged or gone.

        Returns:
            Of each whether it is new, and the file that is of no use.

        Raises:
            StorageError: The disk or the database failed: nothing of them is known.
        """
        if any(one.state == "held" for one in entry.objects):
            again = await self._store.read(_in_custody, entry)
            entry = replace(entry, broken=await asyncio.to_thread(self._broken, again))
        told: asyncio.Future[list[Added]] = asyncio.get_running_loop().create_future()
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

    def _broken(self, again: Sequence[GateObject]) -> frozenset[int]:
        return frozenset(
            one.id
            for one in again
            if one.spool == self._spool.name and not self._spool.has(one.file, one.digest)
        )

    def _next(self) -> list[tuple[Entry, "asyncio.Future[list[Added]]"]]:
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
) -> list[list[Added]]:
    """Adds the objects of entries; a study of which something is new is PENDING from then on."""
    added: dict[int, list[Added]] = {}
    # In one order, so that no two transactions wait for one another's studies.
    order = sorted(range(len(entries)), key=lambda at: (entries[at].location, entries[at].study_uid))
    for at in order:
        entry = entries[at]
        if not _has_new(transaction, entry):
            added[at] = [Added(False, one.file) for one in entry.objects]
            continue
        row = gate_studies.arrive(transaction, entry.location, entry.study_uid, due=now + entry.idle, now=now)
        rows = [replace(one, study=row) for one in entry.objects]
        added[at] = objects.add(transaction, rows, broken=entry.broken)
    return [added[at] for at in range(len(entries))]


def _has_new(transaction: WriteTransaction, entry: Entry) -> bool:
    known = _known(transaction, entry)
    last = objects.last_digests(entry.objects)
    return any(
        objects.is_news(
            one, known.get(one.sop_instance_uid, ()), last=last[one.sop_instance_uid], broken=entry.broken
        )
        for one in entry.objects
    )


def _in_custody(transaction: ReadTransaction, entry: Entry) -> list[GateObject]:
    """Those of the same objects whose files we have for the archive, or should have."""
    known = _known(transaction, entry)
    came = {(one.sop_instance_uid, one.digest) for one in entry.objects}
    return [
        one
        for versions in known.values()
        for one in versions
        if (one.sop_instance_uid, one.digest) in came and one.state not in ("forwarded", "discarded")
    ]


def _known(transaction: ReadTransaction, entry: Entry) -> dict[str, list[GateObject]]:
    """What is known of the study under the UIDs of what came."""
    row = gate_studies.row_of(transaction, entry.location, entry.study_uid)
    found: dict[str, list[GateObject]] = {}
    if row is not None:
        for one in objects.known(transaction, row, {one.sop_instance_uid for one in entry.objects}):
            found.setdefault(one.sop_instance_uid, []).append(one)
    return found
