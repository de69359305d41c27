"""What a gate in `enforce` remembers of the studies that come through it, to hold what comes later against.

It remembers some instances of each study, not all: the first and the last ones. Those that are written down
are forgotten after a while, and found again in the store and the spool. Those that are let through and not
yet written down stand nowhere else: they are remembered until their batch ends.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from heltig.dicom.cell import DataSet
from heltig.errors import StorageError
from heltig.pipeline.gate.admission import REMEMBERED, Admission, Admitted, admit, read_files
from heltig.pipeline.gate.received import Gate, Received
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.keep import Processes, ProfileOf
from heltig.store import gate_studies, objects, snapshots, waivers
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Waiver

KNOWN_FOR: Final = timedelta(seconds=15)
"""After so long it is looked up again what came of a study: other processes take some of it, too."""

MOST_STUDIES: Final = 256
"""Studies of which something is remembered."""


_Key = tuple[str, str]
"""An archive and a StudyInstanceUID."""


class Judged(msgspec.Struct):
    """What is said of the objects of one batch, in their order; what it let through is under way.

    Attributes:
        instances: One for each object.
        let_through: Some headers of each study of which something was.
    """

    instances: list[Admitted]
    let_through: dict[_Key, Sequence[DataSet]]


class _Memory(msgspec.Struct):
    """What is written down of a study."""

    headers: list[DataSet]
    contents: tuple[bytes, ...]
    waivers: tuple[Waiver, ...]
    until: datetime

    def learn(self, accepted: Sequence[DataSet]) -> None:
        self.headers = _some([*self.headers, *accepted])


class _Turns:
    """Lets those that want some things have each of them in the order in which they asked for all of them.

    Whoever asked first waits for nobody who asked later, whatever they ask for: nobody waits for ever.
    """

    def __init__(self) -> None:
        self._last: dict[_Key, asyncio.Future[None]] = {}

    def ask(self, keys: Collection[_Key]) -> "dict[_Key, _Turn]":
        """A turn for each; every one of them has to be ended."""
        turns = {}
        for key in keys:
            end = asyncio.get_running_loop().create_future()
            turns[key] = _Turn(self._last.get(key), end)
            self._last[key] = end
            end.add_done_callback(partial(self._ended, key))
        return turns

    def _ended(self, key: _Key, end: asyncio.Future[None]) -> None:
        if self._last.get(key) is end:
            del self._last[key]


class _Turn:
    def __init__(self, before: asyncio.Future[None] | None, end: asyncio.Future[None]) -> None:
        self._before = before
        self._end = end

    async def __aenter__(self) -> None:
        """Waits until it is this one's turn."""
        if self._before is not None:
            await asyncio.shield(self._before)

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Lets the next one have it; not before those before have, where this one did not wait for them."""
        if self._before is None or self._before.done():
            self._finish()
        else:
            self._before.add_done_callback(self._finish)

    def _finish(self, _: object = None) -> None:
        if not self._end.done():
            self._end.set_result(None)


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
        self._known: dict[_Key, _Memory] = {}
        self._under_way: dict[_Key, list[Judged]] = {}
        self._turns = _Turns()

    async def judge(self, gate: Gate, received: Sequence[Received]) -> Judged:
        """Judges a batch, after those of the same studies for which it was called before.

        Where judging itself fails, that is said of each object: a gate fails closed, unless it is told
        otherwise. `end` has to be called with what this returns, whatever happens to the batch.
        """
        judged = Judged([Admitted(failed=("judging",))] * len(received), {})
        by_study: dict[_Key, list[int]] = {}
        for place, one in enumerate(received):
            by_study.setdefault((gate.archive, one.study_uid), []).append(place)
        turns = self._turns.ask(by_study)
        try:
            for key, places in by_study.items():
                async with turns[key]:
                    try:
                        admission = await self._judge(gate, key, [received[place].path for place in places])
                    except StorageError:
                        continue
                    if admission.examples:
                        judged.let_through[key] = admission.examples
                        self._under_way.setdefault(key, []).append(judged)
                for place, told in zip(places, admission.instances, strict=True):
                    judged.instances[place] = told
        except BaseException:
            self.end(judged, missing=received)
            raise
        finally:
            for turn in turns.values():
                turn.end()
        return judged

    def end(self, judged: Judged, *, missing: Collection[Received]) -> None:
        """Says that a batch is under way no more: what of it was let through is written down, but for some.

        Args:
            judged: From `judge`.
            missing: Objects that were let through and are not written down.
        """
        studies = {one.study_uid for one in missing}
        for key, headers in judged.let_through.items():
            under_way = [one for one in self._under_way.pop(key) if one is not judged]
            if under_way:
                self._under_way[key] = under_way
            if key[1] in studies:
                self._known.pop(key, None)  # which of it is written down is looked up
            elif key in self._known:
                self._known[key].learn(headers)

    async def _judge(self, gate: Gate, key: _Key, paths: Sequence[Path]) -> Admission:
        # Asked before what is written down: a batch that ends meanwhile would be missing in both.
        under_way = tuple(self._under_way.get(key, ()))
        memory = await self._memory(gate, key)
        headers = [header for one in under_way for header in one.let_through[key]]
        profile = await self._profile_of(gate.location)
        return await self._processes.run(
            admit,
            paths,
            profile,
            study_uid=key[1],
            accepted=_some([*memory.headers, *headers]),
            contents=memory.contents,
            reference_date=self._clock().date(),
            archive=gate.archive,
            # One person gives a waiver: where two have to agree it opens no gate.
            waivers=() if profile.wants_two("release") else memory.waivers,
        )

    async def _memory(self, gate: Gate, key: _Key) -> _Memory:
        now = self._clock()
        known = self._known.pop(key, None)
        if known is not None and known.until > now:
            self._known[key] = known
            return known
        under_way = self._under_way.get(key)
        paths, contents, in_force = await self._store.read(self._accepted, gate.location, key[1])
        headers = await self._processes.run(read_files, paths) if paths else []
        memory = _Memory(
            [header for header in headers if header is not None], contents, in_force, now + KNOWN_FOR
        )
        if self._under_way.get(key) is under_way:  # else a batch ended that it may lack
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
        files = _some(files)
        stored = None
        if study.snapshot is not None:
            stored = snapshots.get(transaction, location, study_uid, snapshot=study.snapshot)
        contents = tuple(series.content for series in stored.series) if stored else ()
        return files, contents, in_force


T = TypeVar("T")


def _some(all: list[T]) -> list[T]:
    """The first and the last ones of many."""
    return all if len(all) <= 2 * REMEMBERED else all[:REMEMBERED] + all[-REMEMBERED:]
