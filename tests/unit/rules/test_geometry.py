"""What must hold for any stack of slices: laws of the geometry rules."""

import math
from datetime import date

import pytest
from bench import synthetic
from hypothesis import assume, given, settings
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


def rules_of(instances):
    return {rule for rule, _ in found(instances)}


def numbered(instances):
    """Instances numbered anew, one after the other."""
    return [instance | {"InstanceNumber": number + 1} for number, instance in enumerate(instances)]


def moved(instances, millimetres):
    """Instances moved along their normal."""
    row, column = (instances[0]["ImageOrientationPatient"][at : at + 3] for at in (0, 3))
    (a, b, c), (d, e, f) = row, column
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    return [
        instance
        | {
            "ImagePositionPatient": [
                round(place + millimetres * n, 6)
                for place, n in zip(instance["ImagePositionPatient"], normal, strict=True)
            ],
            "SliceLocation": instance["SliceLocation"] + millimetres,
        }
        for instance in instances
    ]


def rotated(yaw, pitch, roll):
    """Row direction, column direction and normal of a plane turned by three angles."""
    (a, b), (c, d), (e, f) = ((math.cos(x), math.sin(x)) for x in (yaw, pitch, roll))
    row = (a * c, b * c, -d)
    column = (a * d * f - b * e, b * d * f + a * e, c * f)
    normal = (a * d * e + b * f, b * d * e - a * f, c * e)
    return row, column, normal


@st.composite
def stacks(draw, fewest=4, most=12):
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
        for number in range(draw(st.integers(fewest, most)))
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
    assert rules_of(series) == (set() if named or times > 2 else {"GEO-SLICE-DUP"})
    del series[-2]
    if named or times > 2:
        assert {rule for rule, _ in found(series)} <= {"GEO-SLICE-GAP"}


@given(stacks(fewest=3), st.integers(3, 5), st.booleans(), st.data())
def test_a_transfer_that_ended_within_a_volume_is_told(stack, times, backwards, data):
    if backwards:
        stack.reverse()
    series = [
        instance | {"SOPInstanceUID": f"1.2.3.{time + 1}.{place + 1}", "TemporalPositionIdentifier": time + 1}
        for time in range(times)
        for place, instance in enumerate(stack)
    ]
    lost = data.draw(st.integers(1, len(stack) - 1))
    ((rule, observed),) = found(numbered(series[:-lost]))
    assert rule == "GEO-SLICE-GAP"
    assert observed.startswith(f"{lost} missing at ")


@given(stacks(fewest=3), st.integers(2, 5), st.integers(0, 6), st.booleans())
def test_positions_in_time_are_counted_with_and_without_identifiers(stack, times, lost, named):
    series = []
    for time in range(times):
        for place, instance in enumerate(stack):
            own = {
                "SOPInstanceUID": f"1.2.3.{time + 1}.{place + 1}",
                "NumberOfTemporalPositions": times + lost,
            }
            if named:
                own["TemporalPositionIdentifier"] = time + 1
            series.append(instance | own)
    told = {("GEO-VOLUME-MISSING", f"{times} of {times + lost} positions in time")}
    assert found(numbered(series)) == (told if 0 < lost <= times else set())


@given(stacks(fewest=6), st.data())
def test_a_part_of_a_stack_that_is_there_again_is_a_duplicate(stack, data):
    start = data.draw(st.integers(0, len(stack) - 1))
    end = data.draw(st.integers(start + 1, len(stack)))
    again = [
        instance | {"SOPInstanceUID": instance["SOPInstanceUID"] + ".2"} for instance in stack[start:end]
    ]
    assert rules_of(numbered(stack + again)) == {"GEO-SLICE-DUP"}


@given(stacks(fewest=6), st.sampled_from([0.1, 0.15, 0.2, 0.28, 0.42, 0.6, 0.72, 0.8, 0.9]))
def test_two_stacks_in_one_another_lack_no_slice(stack, part):
    assume(stack[0]["SliceThickness"] >= 2)  # tolerances of thinner ones take some of these for even
    again = [
        instance | {"SOPInstanceUID": instance["SOPInstanceUID"] + ".2"}
        for instance in moved(stack, part * stack[0]["SliceThickness"])
    ]
    hits = {hit for hit in found(numbered(stack + again)) if hit[0].startswith("GEO-SLICE-")}
    ((rule, observed),) = hits
    assert rule == "GEO-SLICE-IRREGULAR"
    assert observed.endswith(" mm by turns")


@given(stacks(fewest=6, most=30), st.integers(1, 3), st.sampled_from([0, -0.5]))
def test_acquisitions_that_overlap_are_stacks_of_their_own(stack, shared, offset):
    step = stack[0]["SliceThickness"]
    second = moved(stack, step * (len(stack) - shared + offset))
    series = [
        instance | {"SOPInstanceUID": f"1.2.{number + 1}.{place + 1}", "AcquisitionNumber": number + 1}
        for number, acquisition in enumerate((stack, second))
        for place, instance in enumerate(acquisition)
    ]
    assert found(numbered(series)) == set()


@given(stacks(fewest=24, most=60), st.data())
def test_slices_lost_before_they_were_numbered_are_a_gap(stack, data):
    lost = data.draw(st.integers(3, min(15, len(stack) // 2 - 1)))
    start = data.draw(st.integers(1, len(stack) - lost - 1))
    del stack[start : start + lost]
    ((rule, observed),) = found(numbered(stack))
    assert rule == "GEO-SLICE-GAP"
    assert observed.startswith(f"{lost} slices missing between ")


@given(stacks(fewest=12, most=40), st.data())
def test_two_slabs_between_which_the_table_moved_are_blocks(stack, data):
    step, cut = stack[0]["SliceThickness"], data.draw(st.integers(3, len(stack) - 3))
    by = step * (data.draw(st.integers(3, 200)) + data.draw(st.sampled_from([0.3, 0.5, 0.7])))
    assert rules_of(numbered(stack[:cut] + moved(stack[cut:], by))) == {"GEO-SLICE-BLOCKS"}


@given(stacks(fewest=12, most=40), st.data())
def test_slabs_of_two_acquisitions_are_blocks_however_far_the_table_moved(stack, data):
    cut = data.draw(st.integers(3, len(stack) - 3))
    by = stack[0]["SliceThickness"] * data.draw(st.integers(3, len(stack)))
    slabs = [instance | {"AcquisitionNumber": 1} for instance in stack[:cut]]
    slabs += [instance | {"AcquisitionNumber": 2} for instance in moved(stack[cut:], by)]
    assert rules_of(numbered(slabs)) == {"GEO-SLICE-BLOCKS"}


@given(
    st.sampled_from([0.6, 1, 1.25, 3]), st.sampled_from([2, 5, 7.5]), st.integers(5, 40), st.integers(5, 40)
)
def test_two_distances_are_two_blocks(fine, coarse, lungs, abdomen):
    places = [number * fine for number in range(lungs)]
    places += [places[-1] + (number + 1) * coarse for number in range(abdomen)]
    instances = [
        {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "SOPInstanceUID": f"1.2.{number + 1}",
            "InstanceNumber": number + 1,
            "ImagePositionPatient": [0, 0, place],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [0.5, 0.5],
        }
        for number, place in enumerate(places)
    ]
    assert rules_of(instances) == {"GEO-SLICE-BLOCKS"}


@given(stacks(fewest=8, most=30), st.data())
def test_one_slice_far_away_is_told_once_and_counted_nowhere(stack, data):
    place = data.draw(st.integers(0, len(stack) - 1))
    stack[place] |= {"ImagePositionPatient": [0, 0, 100_000]}
    assert rules_of(stack) == {"GEO-IPP-FAR"}


@given(stacks(fewest=8, most=30), st.data())
def test_a_slice_metres_away_is_no_count_of_missing_ones(stack, data):
    place = data.draw(st.integers(1, len(stack) - 2))
    stack[place : place + 1] = moved(stack[place : place + 1], 4999.3)
    ((_, observed),) = [hit for hit in found(stack) if hit[0].startswith("GEO-SLICE-")]
    assert " mm without slices between " in observed


@given(stacks(fewest=4, most=30), st.booleans(), st.randoms(use_true_random=False))
def test_a_whole_stack_twice_is_told_unless_something_tells_the_two_apart(stack, told, random):
    series = []
    for copy in range(2):
        for number, instance in enumerate(stack):
            own = {"SOPInstanceUID": f"1.2.3.{copy + 1}.{number + 1}", "InstanceCreationTime": f"12000{copy}"}
            if told:
                own["ContentTime"] = f"11000{copy}"
            series.append(instance | own)
    random.shuffle(series)
    assert rules_of(series) == (set() if told else {"GEO-SLICE-DUP"})


@pytest.mark.parametrize(
    "says",
    [
        {"ScanningSequence": ["EP", "GR"]},
        {"NumberOfTemporalPositions": 2},
        {"SeriesType": ["DYNAMIC", "IMAGE"]},
    ],
)
def test_a_series_that_is_measured_again_and_again_is_no_stack_twice(says):
    instance = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.5, 0.5],
    }
    series = [
        instance
        | says
        | {"ImagePositionPatient": [0, 0, 5 * (number % 6)], "SOPInstanceUID": f"1.2.{number + 1}"}
        for number in range(12)
    ]
    assert rules_of(series) == set()


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
