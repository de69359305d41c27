"""What judging again came to: verdicts and findings before and after, study by study and rule by rule.

Nothing that changed is hidden by numbers that did not: findings are compared one by one. What a finding is
called by (`Finding.digest`) is no part of the comparison.
"""

from collections import Counter, defaultdict
from typing import TypeAlias

import msgspec

from heltig.pipeline.judging import RulesetName
from heltig.pipeline.publish import standing_rules
from heltig.rules.finding import Finding
from heltig.rules.rule import SEVERITIES, Severity
from heltig.store.records import Location
from heltig.verdict import Readiness, Verdict


class Move(msgspec.Struct, frozen=True, rename="camel"):
    """A study whose verdict became another.

    Attributes:
        before: Its readiness; `before_rules` those that kept it from being READY, the worst first.
        after: Likewise now.
        rules: The rules that say something else of it now, by id.
    """

    location: str
    study: str
    before: Readiness
    before_rules: tuple[str, ...]
    after: Readiness
    after_rules: tuple[str, ...]
    rules: tuple[str, ...]


class StudyChange(msgspec.Struct, frozen=True):
    """A study of which other things are said, though its readiness is the same.

    Attributes:
        rules: The rules that say something else of it now, by id.
    """

    location: str
    study: str
    readiness: Readiness
    rules: tuple[str, ...]


class RuleCount(msgspec.Struct, frozen=True, rename="camel"):
    """What one rule said of all studies before and after, what is waived too.

    Attributes:
        before: The number of its findings, `after` likewise.
        severity_before: The severities that these have, the worst first; `severity_after` likewise.
        studies: The number of studies of which it says something else now.
    """

    rule: str
    before: int
    after: int
    severity_before: tuple[Severity, ...]
    severity_after: tuple[Severity, ...]
    studies: int


class Failure(msgspec.Struct, frozen=True):
    """A study that could not be judged again, and why, without patient data. What was known of it stands."""

    location: str
    study: str
    error: str


class Transition(msgspec.Struct, frozen=True):
    """How many studies went from one readiness to another."""

    before: Readiness
    after: Readiness
    studies: int


class RescoreReport(msgspec.Struct, frozen=True, rename="camel"):
    """What judging again came to, or would come to.

    Attributes:
        dry_run: Nothing was written.
        profile: The name of the profile, `profile_hash` what it comes to.
        under_own_profiles: Studies that were not judged under it, but under their archives' own profiles.
        studies: Studies looked at; the numbers below add up to it.
        unchanged: Studies with the same readiness of which every rule says the same.
        changed: Studies with the same readiness and other findings, rules that failed to run, or required
            rules that were not evaluable.
        moved: Studies with another readiness.
        moves: These one by one, by location and study.
        changes: Those that changed likewise.
        rules: The rules with any finding before or after, or that failed to run, by id.
        failed: Studies that could not be judged.
        rendered: Prepared answers of an older form that were made anew, or would be.
        transitions: How many of the studies that moved went from what to what.
    """

    dry_run: bool
    ruleset: RulesetName
    profile: str
    profile_hash: str
    under_own_profiles: int
    studies: int
    unchanged: int
    changed: int
    moved: int
    moves: tuple[Move, ...]
    changes: tuple[StudyChange, ...]
    rules: tuple[RuleCount, ...]
    failed: tuple[Failure, ...]
    rendered: int
    transitions: tuple[Transition, ...] = ()


_Said: TypeAlias = "dict[str, Counter[object]]"
"""What each rule says of a study."""


class Comparison:
    """Verdicts before and after, of any number of studies.

    Attributes:
        unchanged: The number of studies of which the same is said.
        moves: Studies that have another readiness.
        changes: The others of which something else is said.
    """

    def __init__(self) -> None:
        self.unchanged = 0
        self.moves: list[Move] = []
        self.changes: list[StudyChange] = []
        self._studies = Counter[str]()
        self._before: dict[str, Counter[Severity]] = defaultdict(Counter)
        self._after: dict[str, Counter[Severity]] = defaultdict(Counter)

    def add(self, location: Location, study_key: str, before: Verdict, after: Verdict) -> None:
        """Compare the verdicts on a study."""
        for verdict, severities in ((before, self._before), (after, self._after)):
            for finding in verdict.findings:
                severities[finding.rule][finding.severity] += 1
        was, is_now = _said(before), _said(after)
        rules = tuple(
            sorted(rule for rule in was.keys() | is_now.keys() if was.get(rule) != is_now.get(rule))
        )
        self._studies.update(rules)
        if before.readiness != after.readiness:
            self.moves.append(
                Move(
                    str(location),
                    study_key,
                    before.readiness,
                    tuple(standing_rules(before)),
                    after.readiness,
                    tuple(standing_rules(after)),
                    rules,
                )
            )
        elif rules:
            self.changes.append(StudyChange(str(location), study_key, after.readiness, rules))
        else:
            self.unchanged += 1

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """How many studies went from one readiness to another."""
        counted = Counter((move.before, move.after) for move in self.moves)
        return tuple(Transition(before, after, number) for (before, after), number in sorted(counted.items()))

    @property
    def rules(self) -> tuple[RuleCount, ...]:
        """What each rule said before and after."""
        ids = sorted(self._before.keys() | self._after.keys() | self._studies.keys())
        return tuple(
            RuleCount(
                id,
                self._before[id].total(),
                self._after[id].total(),
                tuple(severity for severity in SEVERITIES if self._before[id][severity]),
                tuple(severity for severity in SEVERITIES if self._after[id][severity]),
                self._studies[id],
            )
            for id in ids
        )


def _said(verdict: Verdict) -> _Said:
    said: _Said = defaultdict(Counter)
    for finding in verdict.findings:
        said[finding.rule][_of_the_data(finding)] += 1
    for error in verdict.errors:
        said[error.rule][error] += 1
    for rule in verdict.not_evaluable:
        if rule.required:
            said[rule.rule][rule] += 1
    return said


def _of_the_data(finding: Finding) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(finding, digest=""))
