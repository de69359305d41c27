"""Why a study has its verdict, in plain words."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from heltig.dicom.source import SHOWS
from heltig.pipeline.report import CheckedInput
from heltig.reports.wording import counted
from heltig.rules.finding import Finding, NotEvaluable, RuleError
from heltig.verdict import READINESS, Readiness


class Unseen(msgspec.Struct, frozen=True):
    """Rules that were not evaluable for one reason.

    Attributes:
        missing: What the source does not show.
        required: The profile insists on these rules.
        rules: Their ids.
    """

    missing: str
    required: bool
    rules: tuple[str, ...]


def why(
    readiness: Readiness,
    findings: Sequence[Finding],
    *,
    not_evaluable: Iterable[NotEvaluable] = (),
    errors: Sequence[RuleError] = (),
) -> str:
    """A verdict's reasons in a few sentences."""
    return " ".join(_sentences(readiness, findings, not_evaluable, errors))


def headline(
    findings: Sequence[Finding],
    *,
    not_evaluable: Iterable[NotEvaluable] = (),
    errors: Sequence[RuleError] = (),
) -> str:
    """The worst reason in one line, with the number of others; empty when there is nothing to say."""
    reasons = [finding.message for finding in findings if not finding.waived]
    reasons += [f"{error.rule} failed to run" for error in errors]
    reasons += [f"{rule.rule} could not be evaluated" for rule in not_evaluable if rule.required]
    return more(reasons[0], len(reasons) - 1) if reasons else ""


def more(reason: str, others: int) -> str:
    """A reason with the number of others.

    >>> more("Two modalities in one series", 3)
    'Two modalities in one series, and 3 more'
    """
    return f"{reason}, and {others:,} more" if others else reason


def and_more(listed: str, others: int) -> str:
    """Some of a list, with the number of the others where there are any.

    >>> and_more("1.2.3, 1.2.4", 5), and_more("1.2.3", -1)
    ('1.2.3, 1.2.4 and 5 more', '1.2.3')
    """
    return f"{listed} and {others:,} more" if others > 0 else listed


def together(findings: Iterable[Finding]) -> list[tuple[Finding, ...]]:
    """Findings of one rule that say the same of several values, in the order of the verdict."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        what = (
            finding.rule,
            finding.severity,
            finding.message,
            finding.remedy,
            finding.reference,
            finding.waived,
        )
        groups.setdefault(what, []).append(finding)
    return [tuple(group) for group in groups.values()]


def of_inputs(inputs: Iterable[CheckedInput]) -> list[tuple[Readiness, str]]:
    """Why inputs themselves are not READY, worst first: one line for those of one readiness."""
    reasons: dict[Readiness, list[str]] = {}
    for given in sorted(inputs, key=lambda given: READINESS.index(given.readiness)):
        if given.readiness != "READY":
            first = next(finding for finding in given.findings if not finding.waived)
            reasons.setdefault(given.readiness, []).append(first.message)
    return [
        (readiness, f"{counted(len(said), 'input')} {readiness}: {'; '.join(dict.fromkeys(said))}")
        for readiness, said in reasons.items()
    ]


def unseen(rules: Iterable[NotEvaluable]) -> list[Unseen]:
    """Rules that were not evaluable, together by what the source did not show; required ones first."""
    groups: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for rule in rules:
        groups.setdefault((not rule.required, rule.missing), []).append(rule.rule)
    return [
        Unseen(not_shown(missing), not optional, tuple(sorted(ids)))
        for (optional, missing), ids in sorted(groups.items())
    ]


def not_shown(missing: Iterable[str]) -> str:
    """What the source of a rule that was not evaluable does not show, in words."""
    return "; nor ".join(SHOWS.get(need, need) for need in missing)


def _sentences(
    readiness: Readiness,
    findings: Sequence[Finding],
    not_evaluable: Iterable[NotEvaluable],
    errors: Sequence[RuleError],
) -> Iterator[str]:
    standing = [finding.severity for finding in findings if not finding.waived]
    blocks, reviews, notes = (standing.count(severity) for severity in ("block", "review", "note"))
    required = sum(rule.required for rule in not_evaluable)
    if readiness == "READY":
        yield "Nothing stands in the way of storing this study."
    if blocks:
        yield f"{counted(blocks, 'finding blocks', 'findings block')} this study."
    if reviews:
        yield f"{counted(reviews, 'finding needs', 'findings need')} a person's review."
    if errors:
        yield f"{counted(len(errors), 'rule')} failed to run, so nobody knows what it would have found."
    if required:
        yield f"{counted(required, 'required rule')} could not be evaluated."
    if notes:
        yield f"{counted(notes, 'note is', 'notes are')} for information."
    if waived := sum(finding.waived for finding in findings):
        yield f"{counted(waived, 'finding is', 'findings are')} waived."
