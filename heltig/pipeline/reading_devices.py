"""Devices of studies that were kept before devices were: read from their evidence, while the service works.

What was read stands with each study. So it goes on where it was, whatever ended it, and a study that is read
again meanwhile brings its devices itself.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final

import msgspec

from heltig.dicom.snapshot import read_combinations
from heltig.errors import StorageError
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import NotNowError
from heltig.pipeline.evidence import DEVICE_TAGS, device_text
from heltig.store import devices, jobs
from heltig.store.devices import Unread
from heltig.store.jobs import NewJob
from heltig.store.keyed import Keyed
from heltig.store.records import Device
from heltig.store.series_contents import contents_of
from heltig.store.transaction import ReadTransaction, WriteTransaction

KIND: Final = "read-devices"
"""The kind of job."""

EVERY: Final = timedelta(days=1)
"""How often it is tried again with studies whose evidence could not be read."""

SLICE: Final = timedelta(seconds=5)
"""How long it works at a time: other jobs have their turn then."""

_PAGE: Final = 20
_PRIORITY: Final = 20
"""After everything else."""

logger = logging.getLogger(__name__)


class DeviceDesk:
    """Queues and does the reading."""

    def __init__(self, queue: JobQueue, *, clock: Callable[[], datetime]) -> None:
        self._queue = queue
        self._store = queue.store
        self._clock = clock

    async def sweep(self) -> None:
        """Queues a job where there is something to read: every hour, in any number of processes."""
        if total := await self._store.read(devices.unread):
            await self._store.write(self._enqueue, total)

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`: its result is how many studies were read.

        Raises:
            NotNowError: A slice is over; the job goes on at once.
            StorageError: The database failed; it goes on where it was.
        """
        given = msgspec.convert(context.payload, _Payload)
        end = monotonic() + SLICE.total_seconds()
        after = number = unreadable = 0
        while page := await self._store.read(devices.next_unread, after=after, limit=_PAGE):
            after = page[-1].row
            read = []
            for one in page:
                try:
                    read.append((one, await self._store.read(_devices_of, one, self._store.keyed)))
                except (StorageError, msgspec.DecodeError):
                    unreadable += 1
            await self._store.write(_keep, read)
            number += len(read)
            left = await self._store.read(devices.unread)
            context.progress(done=max(given.total - left, 0), total=given.total)
            if monotonic() > end and number:
                raise NotNowError("Other jobs have their turn.", retry_after=1)
        if unreadable:
            logger.error("the devices of %d studies cannot be read: their evidence is damaged", unreadable)
        return {"studies": given.total - unreadable, "unreadable": unreadable}

    def _enqueue(self, transaction: WriteTransaction, total: int) -> None:
        last = next(iter(jobs.newest(transaction, kind=KIND, limit=1)), None)
        if last is None or last.created <= self._clock() - EVERY:
            self._queue.enqueue(
                transaction,
                NewJob(kind=KIND, key=KIND, group=KIND, priority=_PRIORITY, payload={"total": total}),
            )


class _Payload(msgspec.Struct, frozen=True):
    total: int


def _devices_of(transaction: ReadTransaction, study: Unread, keyed: Keyed | None) -> set[Device]:
    found = {
        Device(*map(device_text, texts))
        for content in contents_of(transaction, study.row)
        for texts in read_combinations(content, DEVICE_TAGS)
    }
    return set(map(keyed.device, found)) if keyed else found


def _keep(transaction: WriteTransaction, read: list[tuple[Unread, set[Device]]]) -> None:
    for study, named in read:
        devices.fill(transaction, study, named)
