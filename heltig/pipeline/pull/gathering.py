"""A study's metadata from an archive: as a whole, else a series at a time, else an instance at a time.

What an answer gives before it breaks off is kept, and not taken again from the answers that make up for it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from connectors.base import Archive, read_row
from heltig.dicom.cell import DataSet, Fault
from heltig.dicom.json_stream import ARRAY_CUT, InstanceSplitter, NotDicomJson
from heltig.dicom.study import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, StudyTable, element
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAddressError,
    ArchiveAnswerError,
    ArchiveAnswerTooLargeError,
    ArchiveError,
    ArchiveNotFoundError,
    ArchivePausedError,
    ArchiveRateLimitedError,
    ArchiveRestingError,
    ArchiveUnavailableError,
)
from heltig.pipeline.archives.patience import TooSlowError

MOST_UNANSWERED: Final = 3
"""Requests without an answer, one after the other, after which nothing more of a study is asked for."""

MOST_REFUSED: Final = 10
"""Instances refused, one after the other, after which no more of their series is asked for."""

_PASSING_REFUSALS: Final = frozenset({407, 423, 425})
"""Refusals (4xx) that say nothing of what was asked for: a proxy's, "locked" and "too early"."""

LOST: Final = ("metadata-missing", "metadata-cut")
"""Kinds of failures with which something of a study did not come."""

_ENDS_EARLY: Final = "the answer ends before its end"
_EMPTY: Final = "the answer is empty"
_OTHER: Final = "the answer is no DICOM JSON"
MOST_INSTANCES: Final = 200_000
"""Instances of one answer. No study has so many; a small body of empty objects has."""

_TOO_LARGE: Final = "the answer is over our limit"
_NO_ADDRESS: Final = "no address can be made of its UID"
_SILENT: Final = "there is no answer"
_ABSENT: Final = "the archive does not have it"
_STATUS: Final = "the archive answers {}"
_REFUSED: Final = re.compile(re.escape(_STATUS).replace(re.escape("{}"), r"(4\d\d)"))


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
    answers = _Answers(archive, study)
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


class _Answer(msgspec.Struct, frozen=True):
    """One metadata answer: instances it gave, and why that is not all; nothing where it is."""

    instances: int
    problem: str


class _Answers:
    """Asks for metadata, until the archive falls silent.

    Attributes:
        trouble: The first answer that was no definite one, in a sentence; empty where all were.
    """

    def __init__(self, archive: Archive, study: str) -> None:
        self._archive = archive
        self._study = study
        self._unanswered = 0
        self._given = 0
        self._is_over = False
        self.trouble = ""

    async def read(self, take: Callable[[DataSet], None], *below: str) -> _Answer:
        """Hands on the instances of the study, or of a series or instance of it; those that are complete."""
        if self._is_over or self._unanswered >= MOST_UNANSWERED:
            return _Answer(0, _SILENT)
        splitter = InstanceSplitter()
        given, hollow, damaged = 0, 0, list[DataSet]()
        problem = ""
        try:
            async with aclosing(self._archive.retrieve_metadata(self._study, *below)) as chunks:
                async for chunk in chunks:
                    for instance in splitter.feed(chunk):
                        if given + hollow == MOST_INSTANCES:
                            raise ArchiveAnswerTooLargeError(
                                f"Its metadata holds more than {MOST_INSTANCES} instances."
                            )
                        if instance.tags:
                            take(instance)
                            given += 1
                        else:
                            hollow += 1
                            damaged.extend([instance] if instance.faults else [])
        except (ArchiveAccessError, ArchivePausedError, ArchiveRateLimitedError, ArchiveRestingError):
            raise
        except NotDicomJson:
            self._note(_OTHER)
            return _Answer(0, _OTHER)
        except ArchiveError as error:
            if error.retry_after is not None and not (given or self._given):
                raise  # it says itself that it is a matter of time
            problem = _problem(error)
            self._is_over = isinstance(error, TooSlowError)
            if not self.trouble and not is_definite(error):
                advice = " HELTIG_METADATA_MAX_SIZE sets it." if problem == _TOO_LARGE else ""
                self.trouble = error.detail + advice
        rest, flaw = _rest(splitter)
        for instance in rest:
            if instance.tags:
                take(instance)
                given += 1
            else:
                hollow += 1
                damaged.extend([instance] if instance.faults else [])
        if given:  # what has no element is a damaged instance beside others; alone it is anything
            for instance in damaged:
                take(instance)
            given += len(damaged)
        if not problem:
            problem = _OTHER if hollow and not given else flaw
            self._note(problem)
        elif problem == _SILENT and given:
            problem = _ENDS_EARLY
        self._unanswered = self._unanswered + 1 if problem == _SILENT else 0
        self._given += given
        return _Answer(given, problem or ("" if given else _EMPTY))

    def _note(self, flaw: str) -> None:
        """Takes note of an answer with a good status and another body than it should have."""
        if flaw and not self.trouble:
            self.trouble = f"Its metadata: {flaw}. Try again later; where it stays, see the archive's log."

    async def instances_of(self, series: str) -> list[str]:
        """The SOPInstanceUIDs that the archive lists in a series; none where it does not list."""
        try:
            rows = await self._archive.search_instances(self._study, series)
        except (ArchiveAccessError, ArchivePausedError, ArchiveRateLimitedError, ArchiveRestingError):
            raise
        except ArchiveError:
            return []
        return list(dict.fromkeys(uid for row in rows if (uid := _uid(read_row(row), SOP_INSTANCE_UID))))


class _Parts:
    """A study that is read in parts."""

    def __init__(self, answers: _Answers, cut: StudyTable) -> None:
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
        known = {_uid(instance, SOP_INSTANCE_UID) for instance in found}
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
                uids = _uid(instance, SERIES_INSTANCE_UID), _uid(instance, SOP_INSTANCE_UID)
                if self._given[uids] > 0:
                    self._given[uids] -= 1
                    continue
            self.table.add(instance)
            self.instances += 1

    def _lose(self, what: str, uids: Sequence[str], answer: _Answer) -> None:
        kind = "metadata-cut" if answer.problem == _ENDS_EARLY else "metadata-missing"
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


def _rest(splitter: InstanceSplitter) -> tuple[list[DataSet], str]:
    """What is left of a body that has ended: its complete instances, and why that is not all of it."""
    try:
        rest = splitter.close()
    except NotDicomJson:
        return [], _OTHER
    if not rest:
        return [], ""
    *others, last = rest
    is_complete = not any(f.kind in ("truncated", "unreadable") and f != ARRAY_CUT for f in last.faults)
    if is_complete and ARRAY_CUT not in last.faults:
        return rest, ""
    kept = msgspec.structs.replace(last, faults=tuple(f for f in last.faults if f != ARRAY_CUT))
    return [*others, kept] if is_complete else others, _ENDS_EARLY


def _uid(dataset: DataSet, tag: str) -> str:
    return element(dataset, tag).text


def _problem(error: ArchiveError) -> str:
    """Why an answer was refused, in words that are the same the next time and name no address."""
    match error:
        case ArchiveNotFoundError():
            return _ABSENT
        case ArchiveAnswerTooLargeError():
            return _TOO_LARGE
        case ArchiveAddressError():
            return _NO_ADDRESS
        case ArchiveAnswerError(answer_status=int(status)):
            return _STATUS.format(status)
        case ArchiveUnavailableError():
            return _SILENT
        case _:
            return _OTHER


def is_definite(error: ArchiveError) -> bool:
    """Whether an error is the archive's answer to what was asked, and will be the same tomorrow."""
    match error:
        case ArchiveNotFoundError() | ArchiveAddressError():
            return True
        case ArchiveAnswerError(answer_status=int(status)):
            return 400 <= status < 500 and status not in _PASSING_REFUSALS
        case _:
            return False


def may_pass(failure: Fault) -> bool:
    """Whether what an archive did not give may come the next time that it is asked.

    Args:
        failure: Of `Gathered.failures`.
    """
    if failure.kind not in LOST or any(
        words in failure.detail for words in (_ABSENT, _NO_ADDRESS, _TOO_LARGE)
    ):
        return False
    refused = _REFUSED.search(failure.detail)
    return refused is None or int(refused[1]) in _PASSING_REFUSALS
