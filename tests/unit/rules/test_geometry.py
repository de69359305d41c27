"""What must hold for any stack of slices: laws of the geometry rules."""

import math
from datetime import date

import pytest
from bench import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.study import StudyTable
from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue, family_of
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context

RULES = Ruleset([rule for rule in catalogue().values() if family_of(rule) == "Geometry"], Profile())
CONTEXT = Context(date(2026, 1, 1), Parameters())
ANGLE = st.floats(-math.pi, math.pi)


def found(instances):
    evaluation = evaluate(RULES, study_of({"study": instances}), CONTEXT)
    assert evaluation.errors == ()
    return {(finding.rule, finding.observed) for finding in evaluation.findings}


def rotated(yaw, pitch, roll):
    """Row direction, column direction and normal of a plane turned by three angles."""
    (a, b), (c, d), (e, f) = ((math.cos(x), math.sin(x)) for x in (yaw, pitch, roll))
    row = (a * c, b * c, -d)
    column = (a * d * f - b * e, b * d * f + a * e, c * f)
    normal = (a * d * e + b * f, b * d * e - a * f, c * e)
    return row, column, normal


@st.composite
def stacks(draw, fewest=4):
    """A regular stack, as instances in the order of their places."""
    row, column, normal = rotated(draw(ANGLE), draw(ANGLE), draw(ANGLE))
    step = draw(st.floats(0.3, 20))
    start = draw(st.tuples(*[st.floats(-300, 300)] * 3))
    shown = draw(st.sampled_from([1, -1]))
    return [
        {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
            "SOPInstanceUID": f"1.2.3.{number + 1}",
            "InstanceNumber": (number + 1) * shown + 100,
            "ImagePositionPatient": [
                round(s + step * number * n, 6) for s, n in zip(start, normal, strict=True)
            ],
            "ImageOrientationPatient": [round(cosine, 6) for cosine in (*row, *column)],
            "PixelSpacing": [0.5, 0.5],
            "SliceThickness": step,
            "SliceLocation": round(7 + step * number, 6),
        }
        for number in range(draw(st.integers(fewest, 12)))
    ]


@given(stacks(), st.randoms(use_true_random=False))
def test_a_regular_stack_gives_no_finding_in_any_order(stack, random):
    random.shuffle(stack)
    assert found(stack) == set()


@given(stacks(), st.data())
def test_an_inner_slice_that_is_missing_is_one_gap(stack, data):
    del stack[data.draw(st.integers(1, len(stack) - 2))]
    ((rule, observed),) = found(stack)
    assert rule == "GEO-SLICE-GAP"
    assert observed.startswith("1 slice missing between ")


@given(stacks(), st.data(), st.randoms(use_true_random=False))
def test_the_order_of_instances_changes_nothing(stack, data, random):
    moved = stack[data.draw(st.integers(0, len(stack) - 1))]
    moved["ImagePositionPatient"] = stack[data.draw(st.integers(0, len(stack) - 1))]["ImagePositionPatient"]
    del stack[data.draw(st.integers(0, len(stack) - 1))]
    before = found(stack)
    random.shuffle(stack)
    assert found(stack) == before


@given(stacks(fewest=3), st.integers(2, 4), st.booleans())
def test_positions_in_time_are_no_duplicates(stack, times, named):
    series = []
    for time in range(times):
        for number, instance in enumerate(stack):
            own = {"SOPInstanceUID": f"1.2.3.{time + 1}.{number + 1}", "InstanceNumber": len(series) + 1}
            if named:
                own["TemporalPositionIdentifier"] = time + 1
            series.append(instance | own)
    assert found(series) == set()
    del series[-2]
    if named or times > 2:
        assert {rule for rule, _ in found(series)} <= {"GEO-SLICE-GAP"}


ODD = st.sampled_from(
    [
        {"vr": "DS", "Value": [1, None, 3]},
        {"vr": "DS", "Value": ["x", 2, 3]},
        {"vr": "DS", "Value": [1e308, -1e308, 1e308]},
        {"vr": "DS", "Value": [0, 0, 0, 0, 0, 0]},
        {"vr": "UN", "InlineBinary": "AAAA"},
        {"vr": "SQ", "Value": [{}]},
        {"vr": "DS"},
        None,
    ]
)
PLACES = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceLocation",
    "SliceThickness",
)


@settings(max_examples=200)
@given(stacks(), st.lists(st.tuples(st.integers(0, 3), st.sampled_from(PLACES), ODD), min_size=1, max_size=4))
def test_no_rule_fails_on_odd_values(stack, odd):
    for place, keyword, value in odd:
        stack[place][keyword] = value
    found(stack)


@pytest.mark.parametrize("instances", [1, 2, 50])
def test_a_clean_study_has_no_finding(instances):
    splitter, table = InstanceSplitter(), StudyTable("1.2", "1.2")
    for instance in splitter.feed(synthetic.body(instances)) + splitter.close():
        table.add(instance)
    table.arrange()
    assert evaluate(RULES, table, CONTEXT).findings == ()
