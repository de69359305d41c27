"""Metadata as an archive gives it of a study, a series or an instance: one answer after the other."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Final

import msgspec

from connectors.base import Archive, read_row
from heltig.dicom.cell import DataSet
from heltig.dicom.json_stream import ARRAY_CUT, InstanceSplitter, NotDicomJson
from heltig.dicom.study import SOP_INSTANCE_UID, element
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerTooLargeError,
    ArchiveError,
    ArchivePausedError,
    ArchiveRateLimitedError,
    ArchiveRestingError,
)
from heltig.pipeline.archives.patience import TooSlowError
from heltig.pipeline.pull.problems import EMPTY, ENDS_EARLY, OTHER, SILENT, TOO_LARGE, is_definite, problem_of

MOST_UNANSWERED: Final = 3
"""Requests without an answer, one after the other, after which nothing more of a study is asked for."""

MOST_INSTANCES: Final = 200_000
"""Instances of one answer. No study has so many; a small body of empty objects has."""


class Answer(msgspec.Struct, frozen=True):
    """One metadata answer: instances it gave, and why that is not all; nothing where it is."""

    instances: int
    problem: str


class Answers:
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

    async def read(self, take: Callable[[DataSet], None], *below: str) -> Answer:
        """Hands on the instances of the study, or of a series or instance of it; those that are complete."""
        if self._is_over or self._unanswered >= MOST_UNANSWERED:
            return Answer(0, SILENT)
        body = _Body(take)
        problem = ""
        try:
            async with aclosing(self._archive.retrieve_metadata(self._study, *below)) as chunks:
                async for chunk in chunks:
                    body.feed(chunk)
        except (ArchiveAccessError, ArchivePausedError, ArchiveRateLimitedError, ArchiveRestingError):
            raise
        except NotDicomJson:
            self._note(OTHER)
            return Answer(0, OTHER)
        except ArchiveError as error:
            if error.retry_after is not None and not (body.given or self._given):
                raise  # it says itself that it is a matter of time
            problem = problem_of(error)
            self._is_over = isinstance(error, TooSlowError)
            if not self.trouble and not is_definite(error):
                advice = " HELTIG_METADATA_MAX_SIZE sets it." if problem == TOO_LARGE else ""
                self.trouble = error.detail + advice
        flaw = body.end()
        if not problem:
            problem = OTHER if body.hollow and not body.given else flaw
            self._note(problem)
        elif problem == SILENT and body.given:
            problem = ENDS_EARLY
        self._unanswered = self._unanswered + 1 if problem == SILENT else 0
        self._given += body.given
        return Answer(body.given, problem or ("" if body.given else EMPTY))

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
        return list(dict.fromkeys(uid for row in rows if (uid := uid_of(read_row(row), SOP_INSTANCE_UID))))


class _Body:
    """The body of one answer, as it comes.

    Attributes:
        given: Number of instances that were handed on.
        hollow: Number of objects without an element.
    """

    def __init__(self, take: Callable[[DataSet], None]) -> None:
        self.given = 0
        self.hollow = 0
        self._take = take
        self._splitter = InstanceSplitter()
        self._damaged: list[DataSet] = []

    def feed(self, chunk: bytes) -> None:
        """Hands on the instances that are complete.

        Raises:
            NotDicomJson: It is none.
            ArchiveAnswerTooLargeError: They are more than any study has.
        """
        for instance in self._splitter.feed(chunk):
            if self.given + self.hollow == MOST_INSTANCES:
                raise ArchiveAnswerTooLargeError(f"Its metadata holds more than {MOST_INSTANCES} instances.")
            self._hand_on(instance)

    def end(self) -> str:
        """Hands on what is left; returns why that is not all, if it is not."""
        rest, flaw = _rest(self._splitter)
        for instance in rest:
            self._hand_on(instance)
        if self.given:  # what has no element is a damaged instance beside others; alone it is anything
            for instance in self._damaged:
                self._take(instance)
            self.given += len(self._damaged)
        return flaw

    def _hand_on(self, instance: DataSet) -> None:
        if instance.tags:
            self._take(instance)
            self.given += 1
        else:
            self.hollow += 1
            self._damaged.extend([instance] if instance.faults else [])


def _rest(splitter: InstanceSplitter) -> tuple[list[DataSet], str]:
    """What is left of a body that has ended: its complete instances, and why that is not all of it."""
    try:
        rest = splitter.close()
    except NotDicomJson:
        return [], OTHER
    if not rest:
        return [], ""
    *others, last = rest
    is_complete = not any(f.kind in ("truncated", "unreadable") and f != ARRAY_CUT for f in last.faults)
    if is_complete and ARRAY_CUT not in last.faults:
        return rest, ""
    kept = msgspec.structs.replace(last, faults=tuple(f for f in last.faults if f != ARRAY_CUT))
    return [*others, kept] if is_complete else others, ENDS_EARLY


def uid_of(dataset: DataSet, tag: str) -> str:
    """The UID that an instance has under a tag, as text."""
    return element(dataset, tag).text
