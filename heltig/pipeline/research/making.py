"""One analysis while it is made: its states as they are told, and its files at the end."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import msgspec

from heltig.imaging.order import ENDS, Order, Told
from heltig.jobs.retries import NotNowError
from heltig.pipeline.research.asked import EndedError
from heltig.pipeline.research.folder import ResearchFolder, Work, listed
from heltig.pipeline.research.ordering import insist_on_same_study
from heltig.pipeline.research.running import Program, make
from heltig.store import analyses
from heltig.store.analyses import Analysis, Output
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction, WriteTransaction

Same: TypeAlias = tuple[Analysis, list[Output]]
"""An analysis that made the same, with its files."""


class Making:
    """Makes one analysis, and writes down how it goes."""

    def __init__(
        self, store: Store, folder: ResearchFolder, analysis: Analysis, *, clock: Callable[[], datetime]
    ) -> None:
        """Makes it.

        Args:
            store: Has the analysis' row.
            folder: Keeps its files.
            analysis: As it stands.
            clock: The time.
        """
        self._store = store
        self._folder = folder
        self._analysis = analysis
        self._clock = clock
        self._same: Same | None = None

    async def make(
        self, work: Work, order: Order, program: Program, *, stop: asyncio.Event
    ) -> Analysis | None:
        """Makes it, or takes the files of one that made the same; None where it was cancelled meanwhile.

        Args:
            work: Where; the objects of its study are there.
            order: What is to be done.
            program: What does it.
            stop: It was cancelled here.

        Raises:
            EndedError: It cannot be made.
            NotNowError: The study is PENDING.
            StorageError: The database or the disk failed.
        """
        linked = work.folder / "same"
        # Where a worker was lost with it, the times that count are those of the try that ends.
        since = {"queued": self._analysis.stages["queued"]}
        self._analysis = msgspec.structs.replace(self._analysis, stages=since)

        async def told(line: Told) -> bool:
            return await self._told(line, linked)

        last = await make(order, program, told=told, stop=stop)
        if self._same is not None:
            same, outputs = self._same
            await asyncio.to_thread(self._folder.keep, linked, self._analysis.analysis_id)
            return await self.end("done", same_as=same.analysis_id, outputs=outputs)
        if last is None:
            return None
        outputs = []
        if last.state == "done" or any(order.output.iterdir()):  # one that is refused says why of each series
            outputs = await asyncio.to_thread(listed, order.output)
            await asyncio.to_thread(self._folder.keep, order.output, self._analysis.analysis_id)
        return await self.end(last.state, code=last.code, observed=last.observed, outputs=outputs)

    async def end(
        self,
        state: str,
        *,
        code: str = "",
        observed: str = "",
        same_as: str = "",
        outputs: list[Output] | None = None,
    ) -> Analysis | None:
        """Writes down how it ended, with its files; None, and no files, where it was cancelled meanwhile.

        Raises:
            EndedError: It is done, and the study is not what it was when it was ordered.
            NotNowError: It is done, and nobody knows whether the study is: it is PENDING.
        """

        def write(transaction: WriteTransaction) -> Analysis | None:
            if state == "done":
                insist_on_same_study(transaction, self._analysis, settled=True)
            ended = analyses.move(
                transaction,
                self._analysis,
                state,
                at=self._clock(),
                code=code,
                observed=observed,
                same_as=same_as,
                place=self._folder.place if outputs else "",
                ends=True,
            )
            if ended is not None and outputs:
                analyses.put_outputs(transaction, ended.row, outputs)
            return ended

        try:
            ended = await self._store.write(write)
        except (EndedError, NotNowError):
            await asyncio.to_thread(self._folder.remove, self._analysis.analysis_id)
            raise
        if ended is None:
            await asyncio.to_thread(self._folder.remove, self._analysis.analysis_id)
        return ended

    async def _told(self, told: Told, linked: Path) -> bool:
        """Writes down what the process told; False stops it. How it ends is written with its files.

        Raises:
            EndedError: The study is not what it was when the analysis was ordered.
        """

        def write(transaction: WriteTransaction) -> Analysis | None:
            insist_on_same_study(transaction, self._analysis, settled=False)
            return analyses.move(
                transaction,
                self._analysis,
                self._analysis.state if told.state in ENDS else told.state,
                at=self._clock(),
                fingerprint=told.fingerprint,
                series_uid=told.series,
            )

        moved = await self._store.write(write)
        if moved is None:
            return False
        self._analysis = moved
        if told.state == "measuring":  # from here on the fingerprint is known
            self._same = await self._take_same(linked)
        return self._same is None

    async def _take_same(self, linked: Path) -> Same | None:
        """Links the files of an analysis that made the same, and still has them as it wrote them."""
        for same, outputs in await self._store.read(_same, self._analysis, self._folder.place):
            if await asyncio.to_thread(self._folder.link, same.analysis_id, linked, outputs):
                return same, outputs
        return None


def _same(transaction: ReadTransaction, analysis: Analysis, place: str) -> list[Same]:
    found = analyses.done_with(transaction, analysis.fingerprint, identified=analysis.identified, place=place)
    return [
        (one, analyses.outputs_of(transaction, one.row))
        for one in found
        if one.override_reason == analysis.override_reason and one.readiness == analysis.readiness
    ]
