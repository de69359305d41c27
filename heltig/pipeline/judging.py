"""One study's table in, its verdict out: the step that `heltig check`, pulls and uploads share."""

from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from typing import Protocol

import msgspec

from heltig.dicom.snapshot import series_evidence, snapshot_id
from heltig.dicom.study import StudyTable
from heltig.rules.catalogue import VERSION, catalogue, ruleset_hash
from heltig.rules.combinations import Combinations
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.finding import Evaluation, Finding
from heltig.rules.index_facts import IndexFact
from heltig.rules.profile import InstanceKind, Profile
from heltig.rules.views import Context
from heltig.standard.dictionary import tag_of
from heltig.standard.edition import EDITION
from heltig.verdict import Inputs, Verdict, Waiver, decide


class RulesetName(msgspec.Struct, frozen=True):
    """What judged: the catalogue's version and hash, and the edition of the standard it knows."""

    version: str
    hash: str
    standard: str


class Judged(msgspec.Struct, frozen=True):
    """A judged study.

    Attributes:
        key: The StudyInstanceUID or fallback key.
        uid: None where the instances have no StudyInstanceUID.
        snapshot: The id of the evidence.
        series: Number of series.
        instances: Number of instances.
        inputs: What the verdict is a function of.
        verdict: The verdict.
    """

    key: str
    uid: str | None
    snapshot: str
    series: int
    instances: int
    inputs: Inputs
    verdict: Verdict


class Hides(Protocol):
    """What is between rules and a store that holds no identifiers (`heltig.pipeline.identifiers.hashing`)."""

    def told(self, table: StudyTable, facts: tuple[IndexFact, ...], /) -> tuple[IndexFact, ...]:
        """What the index says, as rules can compare it with the study."""
        ...

    def sealed(self, finding: Finding, /) -> Finding:
        """What is kept of a finding."""
        ...


@cache
def ruleset_name() -> RulesetName:
    """The ruleset of this installation."""
    return RulesetName(version=VERSION, hash=ruleset_hash(), standard=EDITION)


@cache
def _ruleset(profile_text: bytes) -> Ruleset:
    profile = msgspec.json.decode(profile_text, type=Profile)
    return Ruleset(profile.rules_among(catalogue()).values(), profile)


def ruleset_under(profile: Profile) -> Ruleset:
    """The catalogue and the site's own rules under a profile; prepared once for each profile."""
    return _ruleset(profile.text)


def judge(
    table: StudyTable,
    profile: Profile,
    *,
    reference_date: date,
    deidentified: bool = False,
    archive: str = "",
    waivers: Iterable[Waiver] = (),
    snapshot: str = "",
    index_facts: tuple[IndexFact, ...] = (),
    hides: Hides | None = None,
) -> Judged:
    """Judge one arranged study.

    Args:
        table: The study.
        profile: The profile as configured; its exceptions for this study are applied here.
        reference_date: "Today" to the rules.
        deidentified: The data is declared de-identified.
        archive: The archive it was seen in, for the profile's exceptions; empty for files.
        waivers: Those in force now for this study and its series.
        snapshot: The id of the study's evidence, where that is known: to make it costs as much as a fifth of
            the rules.
        index_facts: What the index of all studies says about this one, sorted.
        hides: Hides identifiers from the verdict; None where it has them.
    """
    own = profile.for_study(kinds=kinds_of(table), archive=archive) if profile.exceptions else profile
    context = Context(reference_date, own.parameters, deidentified)
    snapshot = snapshot or snapshot_id(table, series_evidence(table))
    inputs = Inputs(
        snapshot=snapshot,
        ruleset=ruleset_hash(),
        profile=profile.hash,
        reference_date=reference_date,
        facts=("deidentified",) if deidentified else (),
        index_facts=index_facts,
    )
    told = hides.told(table, index_facts) if hides else index_facts
    evaluation = evaluate(ruleset_under(own), table, context, facts=told)
    in_force = tuple(waivers)
    places = _places(table, evaluation) if any(waiver.series for waiver in in_force) else ()
    verdict = decide(evaluation, inputs, in_force, places=places, sealed=hides.sealed if hides else None)
    return Judged(table.key, table.uid, snapshot, len(table.series), table.rows, inputs, verdict)


def _places(table: StudyTable, evaluation: Evaluation) -> list[frozenset[str]]:
    """The series in which the instances of each finding are, by their keys."""
    series = [one.key for one in table.series for _ in one.rows]
    return [frozenset(series[row] for row in rows) for rows in evaluation.rows]


def kinds_of(table: StudyTable) -> Iterator[InstanceKind]:
    """The kinds of instances of a study, for the scopes of a profile."""
    tags = tuple(map(tag_of, ("Modality", "SOPClassUID", "Manufacturer")))
    for combination in Combinations(table).of(tags):
        yield InstanceKind(*(cell.text for cell in combination.cells()))
