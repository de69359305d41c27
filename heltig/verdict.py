"""Findings, profile and waivers make a verdict."""

import hashlib
from collections.abc import Iterable
from datetime import date
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.rules.finding import Evaluation, Finding, NotEvaluable, RuleError
from heltig.rules.index_facts import IndexFact

Readiness: TypeAlias = Literal["READY", "NEEDS_REVIEW", "BLOCKED"]

READINESS: Final = ("BLOCKED", "NEEDS_REVIEW", "READY")
"""Worst first."""


class Waiver(msgspec.Struct, frozen=True, order=True):
    """A reviewer's accepted exception for one observed value of one rule; another value is not covered.

    Attributes:
        id: The waiver's own id.
        rule: The rule's id.
        observed: The observed value it covers, exactly.
        expires: The last day it holds.
    """

    id: str
    rule: str
    observed: str
    expires: date


class Verdict(msgspec.Struct, frozen=True):
    """A study's readiness with its reasons; never edited, only superseded.

    Attributes:
        id: SHA-256 over everything it was made of, 64 hex digits.
        readiness: READY, NEEDS_REVIEW or BLOCKED.
        unwaived_readiness: What it would be without waivers.
        findings: Worst first.
        not_evaluable: Rules that the source did not show enough for.
        errors: Rules that failed to run.
        valid_until: The earliest expiry of a waiver that made a difference; None when none did.
    """

    id: str
    readiness: Readiness
    unwaived_readiness: Readiness
    findings: tuple[Finding, ...]
    not_evaluable: tuple[NotEvaluable, ...]
    errors: tuple[RuleError, ...]
    valid_until: date | None


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


def decide(evaluation: Evaluation, inputs: Inputs, waivers: Iterable[Waiver] = ()) -> Verdict:
    """Make the verdict from an evaluation, what it was made of, and the waivers in force now.

    BLOCKED if an unwaived `block` finding stands; else NEEDS_REVIEW if an unwaived `review` finding stands, a
    required rule was not evaluable or a rule failed to run; else READY.
    """
    in_force = sorted(waivers)
    findings, used = [], []
    for finding in evaluation.findings:
        covering = [w for w in in_force if (w.rule, w.observed) == (finding.rule, finding.observed)]
        used.extend(covering)
        findings.append(msgspec.structs.replace(finding, waived=True) if covering else finding)
    digest = hashlib.sha256(msgspec.json.encode((inputs, in_force)))
    return Verdict(
        id=digest.hexdigest(),
        readiness=readiness_of(findings, evaluation.not_evaluable, evaluation.errors),
        unwaived_readiness=readiness_of(evaluation.findings, evaluation.not_evaluable, evaluation.errors),
        findings=tuple(findings),
        not_evaluable=evaluation.not_evaluable,
        errors=evaluation.errors,
        valid_until=min((w.expires for w in used), default=None),
    )


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
