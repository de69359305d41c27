"""Findings, profile and waivers make a verdict."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.rules.finding import Evaluation, Finding, NotEvaluable, RuleError
from heltig.rules.index_facts import IndexFact
from heltig.rules.seen import digest_of

Readiness: TypeAlias = Literal["READY", "NEEDS_REVIEW", "BLOCKED"]

READINESS: Final = ("BLOCKED", "NEEDS_REVIEW", "READY")
"""Worst first."""


class Waiver(msgspec.Struct, frozen=True, order=True):
    """A reviewer's accepted exception for one finding; where anything else was observed it is not covered.

    Attributes:
        id: The waiver's own id.
        rule: The rule's id.
        observed: The text of the finding, which may show a part of what was observed.
        expires: From this minute on it covers nothing, in UTC.
        series: It covers only findings whose instances are all of the series with this key; empty for any.
        tags: The attributes of the finding.
        digest: That of the finding: of rule, attributes and all that was observed. Without one the waiver
            covers nothing.
    """

    id: str
    rule: str
    observed: str
    expires: datetime
    series: str = ""
    tags: tuple[str, ...] = ()
    digest: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """A study's readiness with its reasons; never edited, only superseded.

    Attributes:
        id: SHA-256 over everything it was made of, 64 hex digits.
        readiness: READY, NEEDS_REVIEW or BLOCKED.
        unwaived_readiness: What it would be without waivers.
        findings: Worst first.
        not_evaluable: Rules that the source did not show enough for.
        errors: Rules that failed to run.
        waivers: Those that cover a finding: of several that cover the same one the last to expire.
        valid_until: The earliest expiry among these, from which on the verdict no longer holds; None without
            one.
    """

    id: str
    readiness: Readiness
    unwaived_readiness: Readiness
    findings: tuple[Finding, ...]
    not_evaluable: tuple[NotEvaluable, ...]
    errors: tuple[RuleError, ...]
    waivers: tuple[Waiver, ...]
    valid_until: datetime | None


class Inputs(msgspec.Struct, frozen=True):
    """What a verdict is a function of, beside the waivers.

    Attributes:
        snapshot: The snapshot's id.
        ruleset: The ruleset's hash.
        profile: The profile's hash.
        reference_date: "Today" to the rules.
        facts: What was said of the data beside the snapshot: `deidentified`.
        index_facts: What the index of all studies said, sorted: the input of context rules.
    """

    snapshot: str
    ruleset: str
    profile: str
    reference_date: date
    facts: tuple[str, ...] = ()
    index_facts: tuple[IndexFact, ...] = ()


def decide(
    evaluation: Evaluation,
    inputs: Inputs,
    waivers: Iterable[Waiver] = (),
    *,
    places: Sequence[Collection[str]] = (),
    sealed: Callable[[Finding], Finding] | None = None,
) -> Verdict:
    """Make the verdict from an evaluation, what it was made of, and the waivers in force now.

    BLOCKED if an unwaived `block` finding stands; else NEEDS_REVIEW if an unwaived `review` finding stands, a
    required rule was not evaluable or a rule failed to run; else READY.

    Waivers that cover nothing leave no trace: one that is given for something else must not make another
    verdict of the same findings.

    Args:
        evaluation: What the rules came to.
        inputs: What the verdict is a function of.
        waivers: Those in force for this study.
        places: For each finding the keys of the series in which its instances are; needed where a waiver is
            for one series.
        sealed: Makes of a finding what is kept of it, where that is not all; waivers go by what is kept.
    """
    in_force = list(waivers)
    findings, used = [], set[Waiver]()
    for position, finding in enumerate(evaluation.findings):
        place = places[position] if places else ()
        if not finding.digest:
            finding = msgspec.structs.replace(finding, digest=_digest(finding, inputs))
        if sealed is not None:
            finding = sealed(finding)
        covering = [waiver for waiver in in_force if _covers(waiver, finding, place)]
        if covering:
            used.add(max(covering, key=lambda waiver: (waiver.expires, waiver)))
            finding = msgspec.structs.replace(finding, waived=True)
        findings.append(finding)
    standing = tuple(sorted(used))
    return Verdict(
        id=hashlib.sha256(msgspec.json.encode((inputs, standing))).hexdigest(),
        readiness=readiness_of(findings, evaluation.not_evaluable, evaluation.errors),
        unwaived_readiness=readiness_of(evaluation.findings, evaluation.not_evaluable, evaluation.errors),
        findings=tuple(findings),
        not_evaluable=evaluation.not_evaluable,
        errors=evaluation.errors,
        waivers=standing,
        valid_until=min((waiver.expires for waiver in standing), default=None),
    )


def _digest(finding: Finding, inputs: Inputs) -> str:
    """The digest of a finding that has seen the whole study, and what the index says of it."""
    facts = msgspec.json.encode(inputs.index_facts).decode()
    return digest_of(finding.rule, finding.tags, finding.observed, (inputs.snapshot, facts))


def _covers(waiver: Waiver, finding: Finding, place: Collection[str]) -> bool:
    if (waiver.rule, waiver.digest) != (finding.rule, finding.digest):
        return False
    return not waiver.series or set(place) == {waiver.series}


def readiness_of(
    findings: Iterable[Finding], not_evaluable: Iterable[NotEvaluable] = (), errors: Iterable[RuleError] = ()
) -> Readiness:
    """The readiness that findings lead to, with what was not evaluable or failed to run."""
    standing = {finding.severity for finding in findings if not finding.waived}
    if "block" in standing:
        return "BLOCKED"
    if "review" in standing or any(rule.required for rule in not_evaluable) or any(errors):
        return "NEEDS_REVIEW"
    return "READY"


def worst(readiness: Iterable[Readiness]) -> Readiness:
    """The worst of several; READY when there are none."""
    return min(readiness, key=READINESS.index, default="READY")
