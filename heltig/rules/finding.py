"""The result of judging: findings, and what each rule came to."""

from collections.abc import Set
from typing import Literal, TypeAlias

import msgspec

from heltig.rules.proposal import ProposedChange
from heltig.rules.rule import Level, Severity

Outcome: TypeAlias = Literal["pass", "fail", "not_applicable", "not_evaluable", "error"]


class Finding(msgspec.Struct, frozen=True, rename="camel"):
    """What one rule found about one attribute and one observed value.

    Attributes:
        rule: The rule's id.
        severity: As the profile has it.
        level: What the rule looks at.
        message: One sentence.
        tags: The attributes: eight hex digits each, joined by `/` from a sequence down to its item's
            attribute.
        observed: What is there.
        expected: What should be there.
        count: Number of instances concerned.
        instances: SOPInstanceUIDs (or fallback keys) of up to `EXAMPLES` of them.
        reference: The clause of the standard; empty for a rule of practice.
        remedy: How to mend it.
        waived: A waiver in force covers it.
        proposed: What could be written to mend it; mostly nothing, as a person has to decide.
        digest: Of rule, attributes and all that was observed, whether `observed` shows all of it or not: 32
            hex digits. A waiver covers it. Empty where what was observed is the whole study, until the
            verdict puts the digest of that in its place.
    """

    rule: str
    severity: Severity
    level: Level
    message: str
    tags: tuple[str, ...]
    observed: str
    expected: str
    count: int
    instances: tuple[str, ...]
    reference: str
    remedy: str
    waived: bool = False
    proposed: tuple[ProposedChange, ...] = ()
    digest: str = ""


class NotEvaluable(msgspec.Struct, frozen=True, rename="camel"):
    """A rule that the source did not show enough for.

    Attributes:
        rule: The rule's id.
        missing: What the source could not show (`heltig.dicom.source.SHOWS`).
        required: The profile insists on the rule.
    """

    rule: str
    missing: tuple[str, ...]
    required: bool = False


class RuleError(msgspec.Struct, frozen=True, rename="camel"):
    """A rule that failed to run: a fault of Heltig or of a site's own rule, never of the data.

    Attributes:
        rule: The rule's id.
        error: The exception's class and where it was raised, without its text (it could hold patient data).
    """

    rule: str
    error: str


class Evaluation(msgspec.Struct, frozen=True):
    """What all rules came to over one study or one package.

    Attributes:
        findings: Worst first.
        not_evaluable: Rules that the source did not show enough for.
        errors: Rules that failed to run.
        outcomes: Each rule's outcome, by its id.
        rows: The rows that each finding is about, in the order of the findings.
    """

    findings: tuple[Finding, ...]
    not_evaluable: tuple[NotEvaluable, ...]
    errors: tuple[RuleError, ...]
    outcomes: dict[str, Outcome]
    rows: tuple[Set[int], ...] = ()
