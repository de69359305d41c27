"""Removes what is not kept any more, in small transactions: nobody waits long for any of them.

Killed at any point it is gone on with: what is removed is not found again, and how much it was stands in the
job that did it, in the same transaction.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from time import monotonic
from typing import Any, Final, Protocol

from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import NotNowError
from heltig.pipeline.again import context
from heltig.store import purging, removal, studies, uploads
from heltig.store.purging import KINDS, Ages, Candidate, Kind
from heltig.store.records import Study
from heltig.store.relations import relations_of
from heltig.store.transaction import WriteTransaction

PAGE: Final = 500
"""Rows that are looked for, or removed, at a time."""

PAUSE: Final = 0.01
"""Seconds between two transactions: others that wait to write have their turn."""


class Note(Protocol):
    """Writes down what was removed, in the transaction that removes it."""

    def __call__(self, transaction: WriteTransaction, kind: str, count: int, size: int) -> None:
        """Says that so many of a kind are gone, and how many bytes about."""
        ...


def not_noted(transaction: WriteTransaction, kind: str, count: int, size: int) -> None:
    """For what is removed one by one: its audit entry says it all."""


class Purging:
    """Finds and removes what is older than it is kept."""

    def __init__(
        self, queue: JobQueue, ages: Ages, *, note: Note = not_noted, slice_seconds: float = inf
    ) -> None:
        """Makes it.

        Args:
            queue: Takes re-judgements of studies that were told of one that goes.
            ages: From when on things are kept.
            note: Writes down what was removed.
            slice_seconds: How long to remove things at a time, so that other jobs have their turn.
        """
        self._queue = queue
        self._store = queue.store
        self._ages = ages
        self._note = note
        self._end = monotonic() + slice_seconds

    async def found(self, kind: Kind) -> Candidate:
        """How many of a kind would go, as `id`, and how many bytes with them. Nothing is changed."""
        count = size = after = 0
        while page := await self._store.read(purging.due, kind, self._ages, after=after, limit=PAGE):
            count, size, after = count + len(page), size + sum(one.size for one in page), page[-1].id
        return Candidate(count, size)

    async def purge(self) -> None:
        """Removes all that is due, but for the audit trail.

        Raises:
            NotNowError: The time is over; it goes on with what is left.
            StorageError: The database failed; what is left is due the next time.
        """
        for kind in KINDS:
            if kind == "jobs" and (before := self._ages.before.get(kind)):
                await self._write(removal.forget_purged_uploads, before=before)
            after = 0
            while page := await self._store.read(purging.due, kind, self._ages, after=after, limit=PAGE):
                after = page[-1].id
                await self._purge(kind, [one.id for one in page])
                if monotonic() > self._end:
                    raise NotNowError("Other jobs have their turn.", retry_after=1)
        await self.remove_leftovers()

    async def remove_leftovers(self) -> None:
        """Removes evidence, patients and devices that belong to no study any more."""
        address = b""
        while addresses := await self._store.read(removal.free_contents, after=address, limit=PAGE):
            address = addresses[-1]
            await self._write(removal.remove_free_contents, addresses)
        row = 0
        while rows := await self._store.read(removal.free_patients, after=row, limit=PAGE):
            row = rows[-1]
            await self._write(removal.remove_free_patients, rows)
        row = 0
        while rows := await self._store.read(removal.free_device_sets, after=row, limit=PAGE):
            row = rows[-1]
            await self._write(removal.remove_free_device_sets, rows)

    async def _purge(self, kind: Kind, ids: list[int]) -> None:
        match kind:
            case "uploads":
                for row in ids:
                    await self._purge_upload(row)
            case "gate" | "withdrawn":
                for row in ids:
                    await self._write(self._remove_due_study, kind, row)
            case _:
                if kind == "reports":
                    for row in ids:
                        while await self._write(removal.thin_report, row):
                            pass
                await self._write(self._remove, kind, ids)

    async def _purge_upload(self, row: int) -> None:
        """An upload goes as a whole: should one of its studies not be due any more, the others stay, too."""
        name = await self._store.read(removal.upload_of, row)
        if name is None:
            return
        due = partial(purging.still_due, kind="uploads", ages=self._ages, ids=[row])
        size = sum(one.size for one in await self._store.read(due))
        for study, _ in await self._store.read(removal.studies_at, uploads.location_of(name)):
            if not await self._write(self._remove_study_of_upload, row, study):
                return
        await self._write(self._mark_purged, row, name, size)

    def _remove_study_of_upload(self, transaction: WriteTransaction, upload: int, study: int) -> bool:
        locked_with_related(transaction, study)
        is_due = bool(purging.still_due(transaction, "uploads", self._ages, [upload]))
        if is_due:
            self.remove_study(transaction, study)
        return is_due

    def _mark_purged(self, transaction: WriteTransaction, row: int, name: str, size: int) -> None:
        if purging.still_due(transaction, "uploads", self._ages, [row]):
            uploads.mark_purged(transaction, name, at=self._ages.now)
            self._note(transaction, "uploads", 1, size)

    def _remove_due_study(self, transaction: WriteTransaction, kind: Kind, row: int) -> None:
        study = locked_with_related(transaction, row)
        for one in purging.still_due(transaction, kind, self._ages, [row]) if study else ():
            self.remove_study(transaction, row)
            self._note(transaction, kind, 1, one.size)

    def remove_study(self, transaction: WriteTransaction, row: int) -> None:
        """Removes a study of a location, whatever its state; whoever was told of it is judged again.

        Args:
            transaction: Of `Store.write_durably`.
            row: The study's row, locked by `locked_with_related`.
        """
        for _, study in studies.lock_rows(transaction, [row]):
            if study.state != "WITHDRAWN":
                context.withdraw(transaction, study.location, study.study_key, self._queue, at=self._ages.now)
            removal.remove_study(transaction, row)

    def _remove(self, transaction: WriteTransaction, kind: Kind, ids: list[int]) -> None:
        due = purging.still_due(transaction, kind, self._ages, ids)
        removal.remove(transaction, kind, [one.id for one in due])
        self._note(transaction, kind, len(due), sum(one.size for one in due))

    async def _write(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        done = await self._store.write_durably(work, *args, **kwargs)
        await asyncio.sleep(PAUSE)
        return done


def locked_with_related(transaction: WriteTransaction, row: int) -> Study | None:
    """A study that may be removed, locked with those that were told of it; None where it is gone.

    All are locked at once, as everybody does: whoever locked the first alone would wait for one who waits for
    it.
    """
    if not removal.is_there(transaction, row):
        return None
    rows = [row, *relations_of(transaction, row).studies]
    return dict(studies.lock_rows(transaction, rows)).get(row)
