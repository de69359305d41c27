"""The engine: outcomes, grouping, and that no rule ends a run."""

from collections.abc import Iterator
from datetime import date
from itertools import count

import msgspec
import pytest

from heltig.dicom.source import FILES_SHOW
from heltig.rules.cases import study_of
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.grouping import EXAMPLES, VALUES_SHOWN
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.proposal import Change
from heltig.rules.rule import MOST_HITS, Hit, rule
from heltig.rules.views import Context, Place, SeriesView, StudyView, Values

CONTEXT = Context(date(2026, 1, 1), Parameters())
HALF = Change(tag="00100020", vr="LO", was=(), becomes=("\ud800",), why="")
MANUAL = """{}.

Finds: What it finds.
Why: Why it matters.
Mend: How to mend it.
Example: An example.
"""


def declared(level, check, **declaration):
    check.__doc__ = MANUAL.format(f"A rule on a {level}")
    return rule("TST-RULE", level=level, severity="review", **declaration)(check)


def run(rules, instances, profile=None, **case):
    ruleset = Ruleset(rules, profile or Profile())
    return evaluate(ruleset, study_of({"study": instances, **case}), CONTEXT)


def test_a_value_rule_runs_once_for_each_distinct_value():
    seen = []

    def look(at: Place) -> None:
        seen.append(at.cell.text)

    run([declared("value", look, reads=("Modality",))], [{"Modality": "CT", "times": 50}, {"Modality": "MR"}])
    assert sorted(seen) == ["CT", "MR"]


def test_a_value_rule_reads_into_sequences_and_names_the_instances_that_have_the_item():
    def object_to(at: Place) -> Iterator[Hit]:
        if at.cell.text == "bad":
            yield Hit(observed="bad", expected="good")

    item = {"RequestedProcedureDescription": "bad"}
    rules = [declared("value", object_to, reads=("RequestedProcedureDescription",))]
    (finding,) = run(rules, [{"times": 3}, {"RequestAttributesSequence": [item], "times": 2}]).findings
    assert finding.tags == ("00400275/00321060",)
    assert finding.count == 2


def test_an_instance_rule_runs_once_for_each_distinct_combination():
    seen = []

    def look(at: Values) -> None:
        seen.append((at["PatientID"].text, at["PatientSex"].text))

    instances = [
        {"PatientID": "A", "PatientSex": "F", "times": 10},
        {"PatientID": "A", "PatientSex": "M"},
        {"PatientID": "A"},
    ]
    run([declared("instance", look, reads=("PatientID", "PatientSex"))], instances)
    assert sorted(seen) == [("A", ""), ("A", "F"), ("A", "M")]


def test_findings_are_grouped_by_observed_value_with_count_and_examples():
    def object_to(at: Values) -> Iterator[Hit]:
        yield Hit(observed=at["PatientSex"].text, expected="something else")

    rules = [declared("instance", object_to, reads=("PatientSex",))]
    findings = run(rules, [{"PatientSex": "M", "times": 8}, {"PatientSex": "F"}]).findings
    assert [(f.observed, f.count, len(f.instances)) for f in findings] == [("M", 8, EXAMPLES), ("F", 1, 1)]


def test_many_observed_values_are_counted_together_after_the_first():
    def object_to(at: Place) -> Iterator[Hit]:
        yield Hit(observed=at.cell.text, expected="something else")

    rules = [declared("value", object_to, reads=("InstanceNumber",))]
    findings = run(rules, [{"InstanceNumber": n} for n in range(100)]).findings
    assert len(findings) == VALUES_SHOWN + 1
    assert sum(finding.count for finding in findings) == 100
    assert f"{100 - VALUES_SHOWN} other values" in {finding.observed for finding in findings}


@pytest.mark.parametrize("level", ["value", "instance", "series", "study"])
def test_a_rule_that_raises_is_an_error_of_that_rule_and_its_text_is_not_kept(level):
    def fail(at: object) -> Iterator[Hit]:
        raise ValueError("Doe^Jane")
        yield Hit(observed="", expected="")

    def fine(study: StudyView) -> Iterator[Hit]:
        yield Hit(observed="seen", expected="")

    broken = declared(level, fail, reads=("PatientID",))
    fine.__doc__ = MANUAL.format("Another")
    other = rule("TST-OTHER", level="study", severity="note")(fine)
    evaluation = run([broken, other], [{"PatientID": "A"}])
    assert evaluation.outcomes == {"TST-OTHER": "fail", "TST-RULE": "error"}
    assert [finding.rule for finding in evaluation.findings] == ["TST-OTHER"]
    (error,) = evaluation.errors
    assert error.error.startswith("ValueError at test_engine.py:")
    assert "Doe" not in error.error


class LikeAnInterrupt(KeyboardInterrupt):
    """What a library may raise."""


@pytest.mark.parametrize("level", ["value", "instance", "series", "study"])
@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, LikeAnInterrupt, BaseException])
def test_no_rule_ends_the_run_by_what_others_let_through(level, error):
    def leave(view):
        raise error(0)

    evaluation = run([declared(level, leave, reads=("PatientID",))], [{"PatientID": "A"}])
    assert evaluation.outcomes == {"TST-RULE": "error"}
    assert evaluation.errors[0].error.startswith(f"{error.__name__} at test_engine.py")


def test_a_user_who_interrupts_is_obeyed():
    def interrupted(view):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([declared("instance", interrupted, reads=("PatientID",))], [{"PatientID": "A"}])


@pytest.mark.parametrize(
    ("hit", "told"),
    [
        ({"observed": 3, "expected": ""}, "a Hit whose observed is of type int"),
        ({"observed": "x", "expected": None}, "a Hit whose expected is of type NoneType"),
        ({"observed": "x", "expected": "", "tags": "PatientID"}, "a Hit whose tags is of type str"),
        ({"observed": "x", "expected": "", "tags": (0x00100020,)}, "a Hit with of type int in tags"),
        ({"observed": "x", "expected": "", "tags": ("PatientIdent",)}, "a tag that is no keyword and no tag"),
        ({"observed": "x", "expected": "", "message": b""}, "a Hit whose message is of type bytes"),
        ({"observed": "x", "expected": "", "changes": ("x",)}, "a Hit with of type str in changes"),
        ({"observed": "x", "expected": "", "seen": "x"}, "a Hit whose seen is of type str"),
        ({"observed": "x", "expected": "", "rows": [-1]}, "a Hit whose rows there are not"),
        ({"observed": "x", "expected": "", "rows": [7]}, "IndexError"),
        ({"observed": "x", "expected": "", "rows": ["x"]}, "TypeError"),
        ({"observed": "x", "expected": "", "rows": count()}, "more than 10,000,000 rows in a Hit"),
        ({"observed": "x", "expected": "", "changes": (HALF,)}, "a change that is no text of Unicode"),
        (None, "of type dict, not a Hit"),
    ],
)
def test_what_is_no_hit_is_an_error_of_its_rule_and_never_in_a_report(hit, told):
    def yields(view):
        yield Hit(**hit) if hit else {"observed": "x"}

    evaluation = run([declared("study", yields, reads=("PatientID",))], [{"PatientID": "A"}])
    assert evaluation.outcomes == {"TST-RULE": "error"}
    assert evaluation.findings == ()
    assert told in evaluation.errors[0].error


@pytest.mark.parametrize("level", ["value", "instance", "series", "study"])
def test_a_rule_that_yields_without_end_is_an_error_of_that_rule(level):
    def endless(view):
        while True:
            yield Hit(observed="x", expected="")

    evaluation = run([declared(level, endless, reads=("PatientID",))], [{"PatientID": "A"}])
    assert evaluation.outcomes == {"TST-RULE": "error"}
    assert evaluation.errors[0].error == f"it yields more than {MOST_HITS:,} hits in one call"


def test_half_characters_in_a_hit_are_written_out():
    def yields(view):
        yield Hit(observed="a\ud800", expected="\udfff", message="ü\ud800")

    (finding,) = run([declared("study", yields, reads=("PatientID",))], [{"PatientID": "A"}]).findings
    assert (finding.observed, finding.expected, finding.message) == ("a\\ud800", "\\udfff", "ü\\ud800")
    assert msgspec.json.encode(finding)


def test_what_the_source_does_not_show_is_not_evaluable_and_the_rule_does_not_run():
    def never(study: StudyView) -> None:
        raise AssertionError

    rules = [declared("study", never, needs=("metadata", "query", "file_meta"))]
    evaluation = run(
        rules, [{}], shows=["metadata", "query"], profile=Profile(required=frozenset({"TST-RULE"}))
    )
    assert evaluation.outcomes == {"TST-RULE": "not_evaluable"}
    assert [(n.rule, n.missing, n.required) for n in evaluation.not_evaluable] == [
        ("TST-RULE", ("file_meta",), True)
    ]


def test_a_rule_whose_attributes_are_absent_does_not_apply():
    def look(series: SeriesView) -> None:
        raise AssertionError

    evaluation = run([declared("series", look, reads=("PatientPosition",))], [{}])
    assert evaluation.outcomes == {"TST-RULE": "not_applicable"}


def test_a_rule_is_not_asked_about_studies_without_an_attribute_that_it_requires():
    asked = []

    def when(at: Values) -> bool:
        asked.append(at["PatientID"].text)
        return True

    looking = declared("instance", lambda at: None, reads=("PatientID", "PatientSex"),
                       requires=("PatientSex",), when=when)  # fmt: skip
    assert run([looking], [{"PatientID": "A"}, {"PatientID": "B"}]).outcomes == {"TST-RULE": "not_applicable"}
    assert run([looking], [{"PatientID": "C"}, {"PatientSex": "F"}]).outcomes == {"TST-RULE": "pass"}
    assert sorted(asked) == ["", "C"]


def test_a_series_rule_sees_each_series():
    def look(series: SeriesView) -> Iterator[Hit]:
        yield Hit(observed=f"{series.uid}: {len(series)}", expected="")

    instances = [{"SeriesInstanceUID": "1.2.1", "times": 2}, {"SeriesInstanceUID": "1.2.2"}]
    findings = run([declared("series", look)], instances).findings
    assert [(f.observed, f.count) for f in findings] == [("1.2.1: 2", 2), ("1.2.2: 1", 1)]


def test_a_profile_switches_rules_off_and_changes_severities():
    def object_to(study: StudyView) -> Iterator[Hit]:
        yield Hit(observed="x", expected="y")

    rules = [declared("study", object_to)]
    assert run(rules, [{}], Profile(off=frozenset({"TST-RULE"}))).outcomes == {}
    (finding,) = run(rules, [{}], Profile(severity_of={"TST-RULE": "block"})).findings
    assert finding.severity == "block"


def test_groups_count_absent_and_empty_as_one():
    def look(study: StudyView) -> Iterator[Hit]:
        groups = [(group.key, group.count, group.rows) for group in study.groups("PatientID")]
        yield Hit(observed=str(groups), expected="")

    instances = [{"PatientID": "B ", "times": 2}, {"PatientID": ""}, {}, {"PatientID": "A"}]
    (finding,) = run([declared("study", look)], instances).findings
    assert finding.observed == "[('', 2, [2, 3]), ('B', 2, [0, 1]), ('A', 1, [4])]"


@pytest.mark.parametrize(
    ("declaration", "told"),
    [
        ({"level": "value"}, "attributes or VRs"),
        ({"level": "value", "reads": ("PatientID",), "vrs": ("LO",)}, "attributes or VRs"),
        ({"level": "study", "needs": ("telepathy",)}, "telepathy"),
        ({"level": "study", "reads": ("PatientIdd",)}, "no keyword PatientIdd; the nearest one is PatientID"),
        ({"level": "study", "reads": "PatientID"}, "no keyword P"),
        ({"level": "value", "vrs": ("XX",)}, "unknown VR"),
        ({"level": "study", "requires": ("PatientID",)}, "requires what it does not read"),
        ({"level": "studies"}, "'studies' is no level; known are value"),
        ({"level": "study", "severity": "error"}, "'error' is no severity; known are block"),
    ],
)
def test_a_wrong_declaration_is_refused(declaration, told):
    def check(at: object) -> None:
        """Nothing to see."""

    check.__doc__ = MANUAL.format("A rule")
    with pytest.raises(ValueError, match=told):
        rule("TST-WRONG", **{"severity": "note", **declaration})(check)


@pytest.mark.parametrize(
    "manual", ["", "A title.", "A title.\n\nFinds: x\nWhy: y\nMend: z", MANUAL + "\nMore: x"]
)
def test_a_rule_without_its_manual_is_refused(manual):
    def check(at: object) -> None: ...

    check.__doc__ = manual
    with pytest.raises(ValueError, match="docstring"):
        rule("TST-WRONG", level="study", severity="note")(check)


def test_files_show_all_but_an_index():
    assert "query" not in FILES_SHOW
    assert "complete_study" in FILES_SHOW
