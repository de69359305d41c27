"""Which instances a gate in `enforce` lets through: the part that costs CPU and needs no database.

An instance is judged against itself and against what was accepted of its study before, by the rules that need
no complete study. Those that come together are judged together, and divided only where something is wrong: so
that the usual case costs one judgement, and that of an instance does not depend on what came after it.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from heltig.dicom.cell import DataSet
from heltig.dicom.part10 import HeaderReader, NotDicom, SeekableSource, UnreadableFile
from heltig.dicom.snapshot import read_snapshot
from heltig.dicom.source import FILES_SHOW, Source
from heltig.dicom.study import StudyTable
from heltig.pipeline.judging import kinds_of, ruleset_under
from heltig.rules.catalogue import catalogue, ruleset_hash
from heltig.rules.engine import evaluate
from heltig.rules.profile import Profile
from heltig.rules.views import Context
from heltig.verdict import Inputs, Waiver, decide

SHOWS: Final = FILES_SHOW - {"complete_study"}
REMEMBERED: Final = 24
"""Instances of a request that are kept to hold later ones of its study against."""

_NEW: Final = "new "


class Admitted(msgspec.Struct, frozen=True):
    """What is said of one instance.

    Attributes:
        blocks: The rules that refuse it.
        failed: The rules that would refuse, and failed to run.
        is_readable: Its header could be read.
    """

    blocks: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    is_readable: bool = True


class Admission(msgspec.Struct, frozen=True):
    """What is said of some instances of a study, in their order, and some that were let through."""

    instances: tuple[Admitted, ...]
    examples: tuple[DataSet, ...]


def admit(
    paths: Sequence[Path],
    profile: Profile,
    *,
    study_uid: str,
    accepted: Sequence[DataSet],
    contents: Sequence[bytes],
    reference_date: date,
    archive: str,
    waivers: tuple[Waiver, ...],
) -> Admission:
    """Judges instances of one study.

    Args:
        paths: Their files.
        profile: The profile to judge under.
        study_uid: The study.
        accepted: Instances of it that were let through lately.
        contents: The series of it that are in the store.
        reference_date: "Today" to the rules.
        archive: Where they are to go, for the profile's exceptions.
        waivers: Those in force for the study.
    """
    return _Admission(
        profile,
        study_uid=study_uid,
        accepted=accepted,
        contents=contents,
        reference_date=reference_date,
        archive=archive,
        waivers=waivers,
    ).of(paths)


def read_files(paths: Iterable[Path]) -> list[DataSet | None]:
    """The headers of files; nothing of one that cannot be read."""
    reader = HeaderReader()
    found: list[DataSet | None] = []
    for path in paths:
        try:
            with FileIO(path) as file:
                header = reader.read(SeekableSource(file))
        except (OSError, NotDicom, UnreadableFile):
            found.append(None)
        else:
            found.append(replace(header, raws=tuple(bytes(raw) for raw in header.raws)))
    return found


class _Admission:
    def __init__(
        self,
        profile: Profile,
        *,
        study_uid: str,
        accepted: Sequence[DataSet],
        contents: Sequence[bytes],
        reference_date: date,
        archive: str,
        waivers: tuple[Waiver, ...],
    ) -> None:
        self._profile = profile
        self._uid = study_uid
        self._accepted = list(accepted)
        self._contents = contents
        self._date = reference_date
        self._archive = archive
        self._waivers = waivers
        self._known: frozenset[str] | None = None  # rules that object to what was accepted by itself
        self._said: dict[str, Admitted] = {}
        self._severities = {
            id: profile.severity(rule) for id, rule in profile.rules_among(catalogue()).items()
        }

    def of(self, paths: Sequence[Path]) -> Admission:
        headers = read_files(paths)
        named = [
            replace(header, origin=f"{_NEW}{number}")
            for number, header in enumerate(headers)
            if header is not None
        ]
        before = len(self._accepted)
        if named:
            self._divide(named)
        unreadable = Admitted(is_readable=False)
        said = tuple(
            self._said.get(f"{_NEW}{number}", Admitted()) if header is not None else unreadable
            for number, header in enumerate(headers)
        )
        examples = [replace(header, origin="") for header in self._accepted[before:]]
        return Admission(
            said, tuple(examples[: REMEMBERED // 2] + examples[REMEMBERED // 2 :][-REMEMBERED // 2 :])
        )

    def _divide(self, new: list[DataSet]) -> None:
        """Lets all of some instances through, or judges each half of them by itself, the first one first."""
        blocks, failed = self._objections(new)
        if not blocks and not failed:
            self._accepted.extend(new)
        elif len(new) == 1:
            self._said[new[0].origin] = Admitted(tuple(sorted(blocks)), tuple(sorted(failed)))
            self._known = None
        else:
            half = len(new) // 2
            self._divide(new[:half])
            self._divide(new[half:])

    def _objections(self, new: list[DataSet]) -> tuple[Collection[str], Collection[str]]:
        """The rules that object to these instances beside what was accepted, and those that failed to run."""
        found, concerned, failed = self._judge([*self._accepted, *new])
        if found - concerned:
            # What is told of others alone may be told because of these: a value that two have is that of
            # neither. Unless it was told before.
            if self._known is None:
                self._known = (
                    self._judge(self._accepted)[0] if self._accepted or self._contents else frozenset()
                )
            found = concerned | (found - self._known)
        return found, failed

    def _judge(self, headers: Sequence[DataSet]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """Rules with a `block` finding; those of them about a new instance; and those that failed to run."""
        table = StudyTable(self._uid, self._uid, Source(shows=SHOWS))
        if self._contents:
            table.absorb(read_snapshot(self._uid, self._uid, table.source, self._contents))
        for header in headers:
            table.add(header)
        table.arrange()
        profile = self._profile
        if profile.exceptions:
            profile = profile.for_study(kinds=kinds_of(table), archive=self._archive)
        evaluation = evaluate(ruleset_under(profile), table, Context(self._date, profile.parameters, False))
        series = [one.key for one in table.series for _ in one.rows]
        places = [frozenset(series[row] for row in rows) for rows in evaluation.rows] if self._waivers else ()
        inputs = Inputs(snapshot="", ruleset=ruleset_hash(), profile=profile.hash, reference_date=self._date)
        verdict = decide(evaluation, inputs, self._waivers, places=places)
        found, concerned = set[str](), set[str]()
        for finding, rows in zip(verdict.findings, evaluation.rows, strict=True):
            if finding.severity == "block" and not finding.waived:
                found.add(finding.rule)
                if any(table.origins[row].startswith(_NEW) for row in rows):
                    concerned.add(finding.rule)
        failed = {error.rule for error in evaluation.errors if self._severities.get(error.rule) == "block"}
        return frozenset(found), frozenset(concerned), frozenset(failed)
