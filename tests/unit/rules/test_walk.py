"""The walk: which values reach which rules, and whose instances a hit names."""

from collections.abc import Iterator
from datetime import date

from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Context, Place

CONTEXT = Context(date(2026, 1, 1), Parameters())
MANY = 200
"""More values than a screen lets through before it is compiled."""


def run(rules, instances, **case):
    return evaluate(Ruleset(rules, Profile()), study_of({"study": instances, **case}), CONTEXT)


def of_catalogue(*ids):
    return [catalogue()[id] for id in ids]


def of_site(check, **declaration):
    check.__doc__ = "A rule of a site.\n\nFinds: A.\nWhy: B.\nMend: C.\nExample: D.\n"
    return rule("SITE-RULE", level="value", severity="note", **declaration)(check)


def test_one_odd_value_among_many_plain_ones_is_found():
    uids = [f"1.2.826.0.1.{number}" for number in range(1, MANY)]
    instances = [{"SOPInstanceUID": uid} for uid in [*uids, "1.2.826.0.1.007"]]
    (finding,) = run(of_catalogue("UID-LEADING-ZERO", "UID-CHARS"), instances).findings
    assert (finding.rule, finding.observed, finding.instances) == (
        "UID-LEADING-ZERO",
        "1.2.826.0.1.007",
        ("1.2.826.0.1.007",),
    )


def test_a_rule_passes_values_that_were_not_shown_to_it():
    instances = [{"SeriesDescription": f"Series {number}"} for number in range(MANY)]
    outcomes = run(of_catalogue("VAL-LENGTH", "VAL-DA", "CHR-CONTROL"), instances).outcomes
    assert outcomes == {"VAL-LENGTH": "pass", "VAL-DA": "not_applicable", "CHR-CONTROL": "pass"}


def test_a_rule_that_does_not_apply_to_a_syntax_does_not_pass_it():
    instances = [{"SeriesDescription": f"Series {number}"} for number in range(MANY)]
    rules = of_catalogue("SRC-JSON-MODEL")
    assert run(rules, instances, syntax="explicit").outcomes == {"SRC-JSON-MODEL": "not_applicable"}
    assert run(rules, instances, syntax="json").outcomes == {"SRC-JSON-MODEL": "pass"}


def test_a_rule_of_a_site_sees_every_value():
    seen = []

    def look(at: Place) -> None:
        seen.append(at.cell.text)

    instances = [{"SeriesDescription": f"Series {number}"} for number in range(MANY)]
    run([of_site(look, vrs=("LO",)), *of_catalogue("VAL-LENGTH")], instances)
    assert sorted(seen) == sorted(instance["SeriesDescription"] for instance in instances)


def test_a_rule_that_fails_to_say_when_it_applies_ends_nothing():
    def fail(at: Place) -> bool:
        raise KeyError(at.tag)

    def look(at: Place) -> None:
        raise AssertionError("it does not apply")

    instances = [{"Modality": f"M{number}"} for number in range(MANY)]
    rules = [of_site(look, vrs=("CS", "UI"), when=fail), *of_catalogue("VAL-CS")]
    evaluation = run(rules, instances)
    assert [error.rule for error in evaluation.errors] == ["SITE-RULE"]
    assert evaluation.outcomes == {"SITE-RULE": "error", "VAL-CS": "pass"}


def test_a_value_in_items_names_the_instances_that_have_it_at_any_depth():
    def object_to(at: Place) -> Iterator[Hit]:
        if at.cell.text.startswith("bad"):
            yield Hit(observed=at.cell.text, expected="good")

    def nested(text):
        return {
            "RequestAttributesSequence": [
                {"ScheduledProtocolCodeSequence": [{"CodeMeaning": text}, {"CodeMeaning": "good"}]}
            ]
        }

    instances = [nested("bad 1") | {"times": 3}, nested("good"), nested("bad 2") | {"times": 2}]
    findings = run([of_site(object_to, reads=("CodeMeaning",))], instances).findings
    assert {(finding.observed, finding.count) for finding in findings} == {("bad 1", 3), ("bad 2", 2)}
    assert {finding.tags for finding in findings} == {("00400275/00400008/00080104",)}


def test_more_values_than_wait_at_a_time_are_all_judged():
    instances = [{"SOPInstanceUID": f"1.2.826.0.{number:05}"} for number in range(10_000)]
    findings = run(of_catalogue("UID-LEADING-ZERO"), instances).findings
    assert sum(finding.count for finding in findings) == 10_000


def test_values_of_both_part_10_syntaxes_in_one_study():
    table = study_of({"study": [{"SeriesDescription": f"S {n}"} for n in range(MANY)], "syntax": "explicit"})
    other = study_of({"study": [{"SeriesDescription": "T\x07"}], "syntax": "implicit"})
    joined = study_of({"study": []})
    for part in (table, other):
        joined.absorb(part)
    joined.arrange()
    evaluation = evaluate(Ruleset(of_catalogue("CHR-CONTROL"), Profile()), joined, CONTEXT)
    assert [(finding.observed, finding.count) for finding in evaluation.findings] == [("T\\x07", 1)]


def test_a_rule_that_names_positions_is_spared_plain_ones_and_passes_them():
    near = [{"ImagePositionPatient": f"0\\0\\{number}"} for number in range(MANY)]
    assert run(of_catalogue("GEO-IPP-FAR"), near).outcomes == {"GEO-IPP-FAR": "pass"}
    (finding,) = run(of_catalogue("GEO-IPP-FAR"), [*near, {"ImagePositionPatient": "0\\0\\10001"}]).findings
    assert (finding.observed, finding.count) == ("0\\0\\10001", 1)


def test_a_rule_of_a_site_sees_every_position():
    seen = []

    def look(at: Place) -> None:
        seen.append(at.cell.shown)

    near = [f"0\\0\\{number}" for number in range(MANY)]
    rules = [of_site(look, reads=("ImagePositionPatient",)), *of_catalogue("GEO-IPP-FAR", "VAL-IS-DS")]
    run(rules, [{"ImagePositionPatient": position} for position in near])
    assert sorted(seen) == sorted(near)
