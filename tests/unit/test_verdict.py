"""Findings, profile and waivers make a verdict."""

from datetime import date

import msgspec
import pytest

from heltig.rules.finding import Evaluation, Finding, NotEvaluable, RuleError
from heltig.verdict import Inputs, Waiver, decide, worst

INPUTS = Inputs(snapshot="s" * 64, ruleset="r" * 64, profile="p" * 64, reference_date=date(2026, 1, 1))


def finding(severity, rule="PAT-ID-EMPTY", observed="empty"):
    return Finding(
        rule=rule,
        severity=severity,
        level="instance",
        message="",
        tags=(),
        observed=observed,
        expected="",
        count=1,
        instances=(),
        reference="",
        remedy="",
    )


def evaluation(*findings, not_evaluable=(), errors=()):
    return Evaluation(findings, tuple(not_evaluable), tuple(errors), {})


@pytest.mark.parametrize(
    ("severities", "readiness"),
    [
        ((), "READY"),
        (("note",), "READY"),
        (("note", "review"), "NEEDS_REVIEW"),
        (("review", "block"), "BLOCKED"),
    ],
)
def test_the_worst_severity_decides(severities, readiness):
    assert decide(evaluation(*map(finding, severities)), INPUTS).readiness == readiness


@pytest.mark.parametrize(
    ("more", "readiness"),
    [
        ({"not_evaluable": [NotEvaluable("X", ("query",))]}, "READY"),
        ({"not_evaluable": [NotEvaluable("X", ("query",), required=True)]}, "NEEDS_REVIEW"),
        ({"errors": [RuleError("X", "ValueError at x.py:1")]}, "NEEDS_REVIEW"),
    ],
)
def test_what_could_not_be_checked_needs_review_where_somebody_insists(more, readiness):
    assert decide(evaluation(**more), INPUTS).readiness == readiness


def test_a_waiver_covers_one_observed_value_and_no_other():
    waiver = Waiver(id="w1", rule="PAT-ID-EMPTY", observed="empty", expires=date(2026, 6, 1))
    covered = decide(evaluation(finding("block")), INPUTS, [waiver])
    assert covered.readiness == "READY"
    assert covered.unwaived_readiness == "BLOCKED"
    assert covered.valid_until == date(2026, 6, 1)
    assert covered.findings[0].waived
    other = decide(evaluation(finding("block", observed="absent")), INPUTS, [waiver])
    assert other.readiness == "BLOCKED"
    assert other.valid_until is None


def test_the_id_depends_on_every_input_and_on_nothing_else():
    waiver = Waiver(id="w1", rule="X", observed="y", expires=date(2026, 6, 1))
    ids = {decide(evaluation(), INPUTS).id, decide(evaluation(), INPUTS, [waiver]).id}
    for change in (
        {"snapshot": "t" * 64},
        {"ruleset": "t" * 64},
        {"profile": "t" * 64},
        {"reference_date": date(2026, 1, 2)},
        {"facts": ("a fact",)},
    ):
        ids.add(decide(evaluation(), msgspec.structs.replace(INPUTS, **change)).id)
    assert len(ids) == 7
    assert decide(evaluation(finding("note")), INPUTS).id == decide(evaluation(), INPUTS).id


def test_the_worst_of_none_is_ready():
    assert worst([]) == "READY"
    assert worst(["READY", "BLOCKED", "NEEDS_REVIEW"]) == "BLOCKED"
