"""Findings, profile and waivers make a verdict."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from heltig.rules.finding import Evaluation, Finding, NotEvaluable, RuleError
from heltig.rules.index_facts import IndexFact
from heltig.verdict import Inputs, Waiver, decide, worst

INPUTS = Inputs(snapshot="s" * 64, ruleset="r" * 64, profile="p" * 64, reference_date=date(2026, 1, 1))

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def finding(severity, rule="PAT-ID-EMPTY", observed="empty", digest="d1"):
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
        digest=digest,
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


def waiver(id="1", rule="PAT-ID-EMPTY", digest="d1", expires=NOON, series=""):
    return Waiver(id=id, rule=rule, observed="empty", expires=expires, series=series, digest=digest)


def test_a_waiver_covers_one_observed_value_and_no_other():
    covered = decide(evaluation(finding("block")), INPUTS, [waiver()])
    assert covered.readiness == "READY"
    assert covered.unwaived_readiness == "BLOCKED"
    assert covered.valid_until == NOON
    assert covered.findings[0].waived
    assert covered.waivers == (waiver(),)
    other = decide(evaluation(finding("block", digest="d2")), INPUTS, [waiver()])
    assert other.readiness == "BLOCKED"
    assert other.valid_until is None
    assert other.waivers == ()


def test_what_has_seen_the_whole_study_is_covered_while_that_stays_as_it_is():
    found = evaluation(finding("block", observed="5 not listed", digest=""))
    digest = decide(found, INPUTS).findings[0].digest
    assert decide(found, INPUTS, [waiver(digest=digest)]).readiness == "READY"
    for change in ({"snapshot": "t" * 64}, {"index_facts": (IndexFact("series", "1.2"),)}):
        other = msgspec.structs.replace(INPUTS, **change)
        assert decide(found, other, [waiver(digest=digest)]).readiness == "BLOCKED"
    unlike = evaluation(finding("block", observed="6 not listed", digest=""))
    assert decide(unlike, INPUTS, [waiver(digest=digest)]).readiness == "BLOCKED"


def test_a_waiver_of_an_older_version_covers_nothing():
    for digest in ("d1", ""):
        covered = decide(evaluation(finding("block", digest=digest)), INPUTS, [waiver(digest="")])
        assert covered.readiness == "BLOCKED"


def test_of_several_waivers_the_last_to_expire_counts():
    later = waiver("2", expires=NOON + timedelta(days=1))
    first, both = (decide(evaluation(finding("block")), INPUTS, w) for w in ([waiver()], [later, waiver()]))
    assert first.valid_until == NOON
    assert (both.valid_until, both.waivers) == (later.expires, (later,))


def test_a_verdict_ends_when_the_first_of_its_waivers_does():
    other = waiver("2", "STU-X", expires=NOON - timedelta(days=1))
    found = evaluation(finding("block"), finding("review", rule="STU-X"))
    assert decide(found, INPUTS, [waiver(), other]).valid_until == other.expires


@pytest.mark.parametrize(
    ("place", "readiness"),
    [({"1.1"}, "READY"), ({"1.1", "1.2"}, "BLOCKED"), ({"1.2"}, "BLOCKED"), (set(), "BLOCKED")],
)
def test_a_waiver_for_a_series_covers_what_is_in_it_alone(place, readiness):
    found = evaluation(finding("block"))
    assert decide(found, INPUTS, [waiver(series="1.1")], places=[place]).readiness == readiness


def test_the_id_depends_on_every_input_and_on_nothing_else():
    found = evaluation(finding("review"))
    ids = {decide(found, INPUTS).id, decide(found, INPUTS, [waiver()]).id}
    ids.add(decide(found, INPUTS, [waiver("2")]).id)
    for change in (
        {"snapshot": "t" * 64},
        {"ruleset": "t" * 64},
        {"profile": "t" * 64},
        {"reference_date": date(2026, 1, 2)},
        {"facts": ("a fact",)},
    ):
        ids.add(decide(evaluation(), msgspec.structs.replace(INPUTS, **change)).id)
    assert len(ids) == 8
    assert decide(evaluation(finding("note")), INPUTS).id == decide(evaluation(), INPUTS).id
    assert decide(evaluation(), INPUTS, [waiver(digest="d2")]).id == decide(evaluation(), INPUTS).id


def test_the_worst_of_none_is_ready():
    assert worst([]) == "READY"
    assert worst(["READY", "BLOCKED", "NEEDS_REVIEW"]) == "BLOCKED"
