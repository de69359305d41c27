"""What a gate in `enforce` remembers of the studies that come through it, to hold what comes later against.

It remembers some instances of each study, not all: the first and the last ones. They are forgotten after a
while, and found again in the store and the spool.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

import msgspec

from heltig.dicom.cell import DataSet
from heltig.errors import StorageError
from heltig.pipeline.admission import REMEMBERED, Admitted, admit, read_files
from heltig.pipeline.gate_spool import GateSpool
from heltig.pipeline.keep import Processes, ProfileOf
from heltig.store import gate_studies, objects, snapshots, waivers
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Waiver

if TYPE_CHECKING:
    from heltig.pipeline.custody import Gate, Received

KNOWN_FOR: Final = timedelta(seconds=15)
"""After so long it is looked up again what came of a study: other processes take some of it, too."""

MOST_STUDIES: Final = 256
"""Studies of which something is remembered."""


class _Memory(msgspec.Struct):
    headers: list[DataSet]
    contents: tuple[bytes, ...]
    waivers: tuple[Waiver, ...]
    until: datetime

    def learn(self, accepted: Sequence[DataSet]) -> None:
        headers = [*self.headers, *accepted]
        if len(headers) > 2 * REMEMBERED:
            headers = headers[:REMEMBERED] + headers[-REMEMBERED:]
        self.headers = headers


class GateJudging:
    """Judges what comes through gates in `enforce`."""

    def __init__(
        self,
        store: Store,
        spool: GateSpool,
        processes: Processes,
        *,
        profile_of: ProfileOf,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._spool = spool
        self._processes = processes
        self._profile_of = profile_of
        self._clock = clock
        self._known: dict[tuple[str, str], _Memory] = {}
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def judge(self, gate: "Gate", received: "Sequence[Received]") -> list[Admitted]:
        """What is said of each of some objects, in their order.

        Where judging itself fails, that is said of each: a gate fails closed, unless it is told otherwise.
        """
        said: list[Admitted] = [Admitted(failed=("judging",))] * len(received)
        by_study: dict[str, list[int]] = {}
        for place, one in enumerate(received):
            by_study.setdefault(one.study_uid, []).append(place)
        for study_uid, places in by_study.items():
            key = (gate.archive, study_uid)
            lock = self._locks.get(key)
            if lock is None:
                lock = self._locks[key] = asyncio.Lock()
            async with lock:
                try:
                    found = await self._judge(gate, study_uid, [received[place].path for place in places])
                except StorageError:
                    continue
            for place, told in zip(places, found, strict=True):
                said[place] = told
        return said

    def forget(self, gate: "Gate", studies: Collection[str]) -> None:
        """Says that something of some studies was not taken after all."""
        for study in studies:
            self._known.pop((gate.archive, study), None)

    async def _judge(self, gate: "Gate", study_uid: str, paths: Sequence[Path]) -> Sequence[Admitted]:
        memory = await self._memory(gate, study_uid)
        admission = await self._processes.run(
            admit,
            paths,
            await self._profile_of(gate.location),
            study_uid=study_uid,
            accepted=memory.headers,
            contents=memory.contents,
            reference_date=self._clock().date(),
            archive=gate.archive,
            waivers=memory.waivers,
        )
        memory.learn(admission.examples)
        return admission.instances

    async def _memory(self, gate: "Gate", study_uid: str) -> _Memory:
        key, now = (gate.archive, study_uid), self._clock()
        known = self._known.get(key)
        if known is not None and known.until > now:
            return known
        paths, contents, in_force = await self._store.read(self._accepted, gate.location, study_uid)
        headers = await self._processes.run(read_files, paths) if paths else []
        memory = _Memory(
            [header for header in headers if header is not None], contents, in_force, now + KNOWN_FOR
        )
        while len(self._known) >= MOST_STUDIES:
            del self._known[next(iter(self._known))]
        self._known[key] = memory
        return memory

    def _accepted(
        self, transaction: ReadTransaction, location: Location, study_uid: str
    ) -> tuple[list[Path], tuple[bytes, ...], tuple[Waiver, ...]]:
        in_force = waivers.in_force(transaction, location, study_uid, at=self._clock())
        row = gate_studies.row_of(transaction, location, study_uid)
        study = gate_studies.find(transaction, row) if row is not None else None
        if study is None:
            return [], (), in_force
        files = [
            self._spool.path_of(one.file)
            for one in objects.of_study(transaction, study.id)
            if one.file is not None and not one.judged and one.spool == self._spool.name
        ]
        if len(files) > 2 * REMEMBERED:
            files = files[:REMEMBERED] + files[-REMEMBERED:]
        stored = None
        if study.snapshot is not None:
            stored = snapshots.get(transaction, location, study_uid, snapshot=study.snapshot)
        contents = tuple(series.content for series in stored.series) if stored else ()
        return files, contents, in_force
