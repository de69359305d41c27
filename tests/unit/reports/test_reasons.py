import itertools

import pytest
from unit.reports.samples import finding

from heltig.reports.charts import WIDTH, verdict_bar
from heltig.reports.reasons import headline, together, unseen, why
from heltig.reports.wording import counted, place
from heltig.rules.finding import NotEvaluable, RuleError

ERROR = RuleError("A", "ValueError")
REQUIRED = NotEvaluable("B", ("query",), required=True)


@pytest.mark.parametrize(
    ("findings", "others", "told"),
    [
        ([], {}, "Nothing stands in the way of storing this study."),
        (
            [finding(severity="note")],
            {},
            "Nothing stands in the way of storing this study. 1 note is for information.",
        ),
        (
            [finding(waived=True)],
            {},
            "Nothing stands in the way of storing this study. 1 finding is waived.",
        ),
    ],
)
def test_why_ready(findings, others, told) -> None:
    assert why("READY", findings, **others) == told


def test_why_not_ready() -> None:
    blocked = why("BLOCKED", [finding(), finding(), finding(severity="review")])
    assert blocked == "2 findings block this study. 1 finding needs a person's review."
    review = why("NEEDS_REVIEW", [], not_evaluable=[REQUIRED], errors=[ERROR])
    assert review == (
        "1 rule failed to run, so nobody knows what it would have found. "
        "1 required rule could not be evaluated."
    )


def test_the_headline_is_the_worst_that_stands() -> None:
    assert headline([]) == ""
    assert headline([finding(text="a", waived=True), finding(text="b")]) == "message b"
    assert headline([finding(text="b"), finding()], errors=[ERROR]) == "message b, and 2 more"
    assert headline([], not_evaluable=[REQUIRED]) == "B could not be evaluated"


def test_findings_that_say_the_same_stand_together_in_their_order() -> None:
    first, other, again = finding(observed="a"), finding("VAL-CS"), finding(observed="b", tags=("00100010",))
    waived = finding(observed="c", waived=True)
    assert together([first, other, again, waived]) == [(first, again), (other,), (waived,)]


def test_what_was_not_shown_is_told_once_and_the_required_first() -> None:
    rules = [
        NotEvaluable("C", ("query",)),
        NotEvaluable("D", ("bytes",)),
        REQUIRED,
        NotEvaluable("A", ("query",)),
    ]
    found = [(group.required, group.rules) for group in unseen(rules)]
    assert found == [(True, ("B",)), (False, ("D",)), (False, ("A", "C"))]


@pytest.mark.parametrize(
    "numbers", [(1, 1, 1), (0, 0, 1), (1, 0, 100_000), (3, 100_000, 1), (1, 1, 0), (100_000, 1, 1)]
)
def test_a_bar_is_full_and_nothing_in_it_too_small_to_see(numbers) -> None:
    given = dict(zip(("BLOCKED", "NEEDS_REVIEW", "READY"), numbers, strict=True))
    shares = verdict_bar(given)
    assert [(share.readiness, share.number) for share in shares] == [(r, n) for r, n in given.items() if n]
    assert shares[0].x == 0
    assert shares[-1].x + shares[-1].width == pytest.approx(WIDTH, abs=0.05)
    assert all(share.width > 5 for share in shares)
    assert all(a.x + a.width < b.x for a, b in itertools.pairwise(shares))


def test_no_study_gives_no_bar() -> None:
    assert verdict_bar({}) == ()


def test_wording() -> None:
    assert place("00100020") == "(0010,0020) PatientID"
    assert place("00091001 CREATOR") == "(0009,1001) CREATOR"
    assert counted(1, "study", "studies") == "1 study"
    assert counted(1200, "instance") == "1,200 instances"
