"""A study's metadata from an archive: as a whole, else a series at a time, else an instance at a time.

What an answer gives before it breaks off is kept, and not taken again from the answers that make up for it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from connectors.base import Archive
from heltig.dicom.cell import DataSet, Fault
from heltig.dicom.study import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, StudyTable
from heltig.pipeline.pull.metadata_answers import Answer, Answers, uid_of
from heltig.pipeline.pull.problems import ENDS_EARLY

MOST_REFUSED: Final = 10
"""Instances refused, one after the other, after which no more of their series is asked for."""


class Gathered(msgspec.Struct, frozen=True):
    """What could be read of a study.

    Attributes:
        table: Its instances, still to be arranged.
        instances: Number of them.
        failures: What the archive did not answer, of the kinds of `heltig.dicom.source.FAILURES`.
        trouble: Where nothing came: why that says nothing of the study, such as an error of the archive's
            own; empty where every answer was definite: the archive does not have it, or does not give it.
        is_headers: The instances are headers of the objects themselves, since there is no metadata.
    """

    table: StudyTable
    instances: int
    failures: tuple[Fault, ...]
    trouble: str = ""
    is_headers: bool = False


async def gather_metadata(archive: Archive, study: str, series: Sequence[str]) -> Gathered:
    """Reads all metadata of a study that the archive gives at some level.

    Args:
        archive: The archive.
        study: StudyInstanceUID.
        series: The SeriesInstanceUIDs that the archive lists: asked for where the study as a whole fails.

    Raises:
        ArchiveAccessError: The archive refuses us.
        ArchiveRestingError: Its hours ended.
        ArchiveUnavailableError: It wants to be asked later, and has given nothing yet.
    """
    answers = Answers(archive, study)
    table = StudyTable(study, study)
    whole = await answers.read(table.add)
    if not whole.problem:
        return Gathered(table, whole.instances, ())
    parts = _Parts(answers, table)
    for uid in dict.fromkeys(series):
        await parts.read_series(uid)
    return Gathered(
        parts.table,
        parts.instances,
        parts.failures(whole.problem, listed=bool(series)),
        "" if parts.instances else answers.trouble,
    )


class _Parts:
    """A study that is read in parts."""

    def __init__(self, answers: Answers, cut: StudyTable) -> None:
        """Starts with what the study's own answer gave before it broke off."""
        self._answers = answers
        self._given: Counter[tuple[str, str]] = Counter()
        self._lost: dict[tuple[str, str, str], list[str]] = {}
        self._in_instances: list[str] = []
        cut.settle()
        for row in range(cut.rows):
            self._given[cut.at(SERIES_INSTANCE_UID, row).text, cut.at(SOP_INSTANCE_UID, row).text] += 1
        self.instances = cut.rows
        self.table = StudyTable(cut.key, cut.uid)
        self.table.absorb(cut)

    async def read_series(self, series: str) -> None:
        """Reads one series, in instances where it fails as a whole."""
        found: list[DataSet] = []
        answer = await self._answers.read(found.append, series)
        self._take(found)
        if not answer.problem:
            return
        known = {uid_of(instance, SOP_INSTANCE_UID) for instance in found}
        known |= {sop for of_series, sop in self._given if of_series == series}
        listed = await self._answers.instances_of(series)
        if listed:
            self._in_instances.append(series)
            await self._read_instances(series, [sop for sop in listed if sop not in known])
        else:
            self._lose("series", [series], answer)

    async def _read_instances(self, series: str, listed: Sequence[str]) -> None:
        refused = 0
        for number, sop in enumerate(listed):
            found: list[DataSet] = []
            answer = await self._answers.read(found.append, series, sop)
            self._take(found)
            refused = refused + 1 if answer.problem else 0
            if refused == MOST_REFUSED == number + 1:
                self._lose("instances", listed[number:], answer)
                return
            if answer.problem:
                self._lose("instances", [sop], answer)

    def _take(self, instances: Iterable[DataSet]) -> None:
        for instance in instances:
            if self._given:
                uids = uid_of(instance, SERIES_INSTANCE_UID), uid_of(instance, SOP_INSTANCE_UID)
                if self._given[uids] > 0:
                    self._given[uids] -= 1
                    continue
            self.table.add(instance)
            self.instances += 1

    def _lose(self, what: str, uids: Sequence[str], answer: Answer) -> None:
        kind = "metadata-cut" if answer.problem == ENDS_EARLY else "metadata-missing"
        self._lost.setdefault((kind, what, answer.problem), []).extend(uids)

    def failures(self, problem: str, *, listed: bool) -> tuple[Fault, ...]:
        """What is to be said of it all.

        Args:
            problem: Why the study was not read as a whole.
            listed: There were series to ask for.
        """
        if not listed:
            kind = "metadata-cut" if self.instances else "metadata-missing"
            return (Fault(kind, f"the study: {problem}; its series are not listed"),)
        lost = [
            Fault(kind, f"{len(uids)} {what}, such as {uids[0]}: {why}")
            for (kind, what, why), uids in sorted(self._lost.items())
        ]
        if lost:
            return tuple(lost)
        level = "an instance" if self._in_instances else "a series"
        return (Fault("metadata-in-parts", f"the study: {problem}; it came {level} at a time"),)
