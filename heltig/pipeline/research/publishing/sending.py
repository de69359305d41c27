"""One analysis on its way to one archive: compared with what is there, sent, and looked for."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from connectors.storing import Outcome, is_transient
from heltig import audit
from heltig.errors import ArchiveUnavailableError, NotFoundError
from heltig.jobs.retries import NotHereError
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.gate.upstream import present, send
from heltig.pipeline.pull.headers import gather_study
from heltig.pipeline.pull.problems import may_pass
from heltig.pipeline.research.folder import ResearchFolder
from heltig.pipeline.research.publishing.agreement import insist_on_agreement
from heltig.pipeline.research.publishing.codes import AbortError
from heltig.pipeline.research.publishing.objects import REPORTS, SEGMENTATIONS, Result, results_of, stage_of
from heltig.store import analyses, publications
from heltig.store.analyses import Analysis, Output
from heltig.store.engine import Store
from heltig.store.publications import Publication, PublicationState
from heltig.store.transaction import ReadTransaction, WriteTransaction

ACTOR: Final = "publish"
_UNDER_WAY: Final = ("waiting", "stored")


class Sending:
    """Sends what of an analysis waits for an archive."""

    def __init__(
        self,
        store: Store,
        folder: ResearchFolder,
        opens: OpenArchives,
        *,
        analysis: Analysis,
        target: str,
        clock: Callable[[], datetime],
    ) -> None:
        """Makes it.

        Args:
            store: Has the outbox.
            folder: Has the files.
            opens: The archives.
            analysis: Whose objects are sent.
            target: The archive's name.
            clock: The time.
        """
        self._store = store
        self._folder = folder
        self._opens = opens
        self._analysis = analysis
        self._target = target
        self._clock = clock

    async def run(self) -> Counter[str]:
        """Sends what waits, and looks for it; returns how many objects are in which state then.

        What the archive shows already is not sent: it came by an earlier attempt, whose end was lost.

        Raises:
            AbortError: Nothing of it can be sent, however often it is tried.
            ArchiveError: The archive does not answer, or refuses for a reason that may pass: trying again
                makes sense, and sends what is not there yet.
            NotHereError: The files are on another server.
            StorageError: A file cannot be read, or the database failed; likewise.
        """
        try:
            results = await self._results()
            await self._insist_on_agreement(list(results.values()))
            await self._look(results)
            for _, stage in groupby(await self._under_way("waiting"), key=_stage_of):
                await self._send(list(stage), results)
            await self._look(results)
        except NotFoundError as error:
            raise AbortError("TARGET_REMOVED") from error
        if left := len(await self._under_way("stored")):
            raise ArchiveUnavailableError(
                f"Archive {self._target} does not show {left} objects that it stored, as it said. Try later."
            )
        return Counter(one.state for one in await self._all())

    async def abort(self, code: str, observed: str = "") -> None:
        """Gives up what is under way."""
        await self._move(await self._under_way(*_UNDER_WAY), "failed", code=code, observed=observed)

    async def _results(self) -> dict[str, Result]:
        """The objects under way, by the names of their files."""
        names, outputs = await self._store.read(self._wanted)
        try:
            found = await asyncio.to_thread(results_of, self._folder, self._analysis, outputs)
        except AbortError:
            if self._analysis.place != self._folder.place:
                raise NotHereError from None
            raise
        return {one.name: one for one in found if one.name in names}

    def _wanted(self, transaction: ReadTransaction) -> tuple[set[str], list[Output]]:
        found = publications.of_analysis(transaction, self._analysis.row, target=self._target)
        names = {one.name for one in found if one.state in _UNDER_WAY}
        outputs = analyses.outputs_of(transaction, self._analysis.row)
        return names, [one for one in outputs if one.name in names]

    async def _insist_on_agreement(self, results: Sequence[Result]) -> None:
        """Insists that the archive has the study as the results name it.

        Raises:
            AbortError: It has not.
        """
        study = results[0].sendable.study_uid
        async with self._opens.use(self._target) as opened:
            gathered = await gather_study(
                opened.archive,
                study,
                [self._analysis.series_uid],
                has_no_metadata=opened.capabilities.metadata == "none",
            )
        if gathered.trouble or any(map(may_pass, gathered.failures)):
            raise ArchiveUnavailableError(
                f"Archive {self._target} does not give all metadata of the study now, with which results are "
                "compared before they are sent. Try again later."
            )
        if not gathered.instances:
            raise AbortError("STUDY_ABSENT")
        await asyncio.to_thread(gathered.table.arrange)
        await asyncio.to_thread(insist_on_agreement, results, gathered.table)

    async def _send(self, stage: Sequence[Publication], results: dict[str, Result]) -> None:
        """Sends objects of one stage.

        Raises:
            ArchiveUnavailableError: Some were not taken, for now: what refers to them has to wait.
        """
        if _stage_of(stage[0]) == REPORTS and await self._lacks_segmentation():
            return await self._move(stage, "failed", code="SEGMENTATION_ABSENT")
        outcomes = await send(self._opens, self._target, [results[one.name].sendable for one in stage])
        ended = [(_state(told), _code(told)) for told in outcomes]
        for state, code in sorted(set(ended)):
            these = [one for one, end in zip(stage, ended, strict=True) if end == (state, code)]
            await self._move(these, state, code=code, sent=True)
        if passing := sum(state == "waiting" for state, _ in ended):
            raise ArchiveUnavailableError(
                f"Archive {self._target} did not take {passing} objects for now. Try again later."
            )

    async def _look(self, results: dict[str, Result]) -> None:
        """Looks whether the archive shows what is under way."""
        found = await self._under_way(*_UNDER_WAY)
        if not found:
            return
        shown = await present(self._opens, self._target, [results[one.name].sendable for one in found])
        there = [one for one, is_there in zip(found, shown, strict=True) if is_there]
        for code in sorted({one.code for one in there}):
            await self._move([one for one in there if one.code == code], "verified", code=code)

    async def _lacks_segmentation(self) -> bool:
        return any(one.state == "failed" and _stage_of(one) == SEGMENTATIONS for one in await self._all())

    async def _all(self) -> list[Publication]:
        return await self._store.read(publications.of_analysis, self._analysis.row, target=self._target)

    async def _under_way(self, *states: str) -> list[Publication]:
        return [one for one in await self._all() if one.state in states]

    async def _move(
        self,
        these: Collection[Publication],
        state: PublicationState,
        *,
        code: str = "",
        observed: str = "",
        sent: bool = False,
    ) -> None:
        """Writes down what became of objects; the audit trail has what ends."""

        def write(transaction: WriteTransaction) -> None:
            rows = [one.row for one in these]
            changed = publications.move(
                transaction, rows, state, at=self._clock(), code=code, observed=observed, sent=sent
            )
            if changed and state in ("verified", "failed"):
                audit.record(
                    transaction,
                    at=self._clock(),
                    actor=ACTOR,
                    action="analysis.published",
                    subject=f"{self._analysis.location} {self._analysis.study_key}",
                    outcome="success" if state == "verified" else "failure",
                    origin="",
                    detail={
                        "analysis": self._analysis.analysis_id,
                        "archive": self._target,
                        "files": sorted(one.name for one in these),
                        "code": code,
                    },
                )

        await self._store.write_durably(write)


def _stage_of(publication: Publication) -> int:
    return stage_of(publication.sop_class_uid)


def _state(outcome: Outcome) -> PublicationState:
    if outcome.kind in ("success", "warning"):
        return "stored"
    return "failed" if outcome.kind == "failure" and not is_transient(outcome) else "waiting"


def _code(outcome: Outcome) -> str:
    """The reason that an archive gave, as PS3.18 I.2.2 writes it; empty where it gave none."""
    return f"{outcome.code:04X}H" if outcome.code else ""
