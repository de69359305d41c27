"""Contours, doses and segmentations on images: sound wherever they stand, and on whatever may be sent."""

import copy
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context

PLACED = ("GEO-CONTOUR-PLANE", "GEO-DOSE-PLACE", "GEO-SEG-SOURCE")
RULES = [catalogue()[rule] for rule in (*PLACED, "GEO-DOSE-OFFSETS", "REF-RT-METERSET", "REF-RT-CHAIN")]
CONTEXT = Context(date(2026, 1, 1), Parameters())
AXIAL = [1, 0, 0, 0, 1, 0]
ODD = st.one_of(
    st.none(),
    st.sampled_from(["", "1.2.3.1", "1e308", "far", "NO", -1, 0, 2**70, 1e-320]),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False), st.just("x")), max_size=7),
    st.just({"vr": "UN", "Value": ["a", 1]}),
    st.just({"vr": "DS", "BulkDataURI": "b"}),
)


def study(x=0.0, y=0.0, z=0.0):
    """Three images, and a structure set, a plan, a dose and a segmentation that fit them, all moved."""
    plane = {
        "FrameOfReferenceUID": "1.2.7",
        "ImageOrientationPatient": AXIAL,
        "PixelSpacing": [1, 1],
        "Rows": 8,
        "Columns": 8,
    }
    images = [
        plane
        | {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "SOPInstanceUID": f"1.2.3.{n}",
            "ImagePositionPatient": [x, y, z + 5 * n],
        }
        for n in range(3)
    ]
    contours = [
        {
            "ContourGeometricType": "CLOSED_PLANAR",
            "ContourImageSequence": [{"ReferencedSOPInstanceUID": f"1.2.3.{n}"}],
            "ContourData": [x, y, z + 5 * n, x + 4, y, z + 5 * n, x + 4, y + 4, z + 5 * n],
        }
        for n in range(3)
    ]
    structures = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3",
        "SOPInstanceUID": "1.2.4",
        "SeriesInstanceUID": "1.2.40",
        "ReferencedFrameOfReferenceSequence": [{"FrameOfReferenceUID": "1.2.7"}],
        "StructureSetROISequence": [{"ReferencedFrameOfReferenceUID": "1.2.7"}],
        "ROIContourSequence": [{"ContourSequence": contours}],
    }
    plan = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.5",
        "SOPInstanceUID": "1.2.5",
        "SeriesInstanceUID": "1.2.50",
        "FrameOfReferenceUID": "1.2.7",
        "ReferencedStructureSetSequence": [{"ReferencedSOPInstanceUID": "1.2.4"}],
        "BeamSequence": [
            {
                "NumberOfControlPoints": 2,
                "FinalCumulativeMetersetWeight": 1,
                "ControlPointSequence": [{"CumulativeMetersetWeight": 0}, {"CumulativeMetersetWeight": 1}],
            }
        ],
    }
    dose = plane | {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2",
        "SOPInstanceUID": "1.2.6",
        "SeriesInstanceUID": "1.2.60",
        "ImagePositionPatient": [x, y, z],
        "GridFrameOffsetVector": [0, 5, 10],
        "ReferencedRTPlanSequence": [{"ReferencedSOPInstanceUID": "1.2.5"}],
    }
    segmentation = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4",
        "SOPInstanceUID": "1.2.8",
        "SeriesInstanceUID": "1.2.80",
        "FrameOfReferenceUID": "1.2.7",
        "Rows": 8,
        "Columns": 8,
        "SharedFunctionalGroupsSequence": [
            {
                "PlaneOrientationSequence": [{"ImageOrientationPatient": AXIAL}],
                "PixelMeasuresSequence": [{"PixelSpacing": [1, 1]}],
            }
        ],
        "PerFrameFunctionalGroupsSequence": [
            {
                "PlanePositionSequence": [{"ImagePositionPatient": [x, y, z + 5 * n]}],
                "DerivationImageSequence": [
                    {"SourceImageSequence": [{"ReferencedSOPInstanceUID": f"1.2.3.{n}"}]}
                ],
            }
            for n in range(3)
        ],
    }
    return [*images, structures, plan, dose, segmentation]


def places(data):
    """Every attribute and item of some data sets: where it stands, and its key."""
    for container in data:
        for key, value in container.items():
            yield container, key
            if isinstance(value, list) and value and isinstance(value[0], dict):
                yield from places(value)


PLACES = len(list(places(study())))


def evaluated(instances):
    evaluation = evaluate(Ruleset(RULES, Profile()), study_of({"study": instances}), CONTEXT)
    assert evaluation.errors == ()
    return evaluation


@settings(max_examples=40)
@given(x=st.floats(-900, 900), y=st.floats(-900, 900), z=st.floats(-900, 900))
def test_what_was_made_from_images_is_where_they_are_wherever_that_is(x, y, z) -> None:
    evaluation = evaluated(study(x, y, z))
    assert evaluation.findings == ()
    assert {evaluation.outcomes[rule] for rule in PLACED} == {"pass"}


@settings(max_examples=40)
@given(z=st.floats(30, 900))
def test_what_was_made_from_images_is_found_elsewhere_where_they_were_moved_alone(z) -> None:
    moved = [*study(0, 0, z)[:3], *study()[3:]]
    told = {finding.rule for finding in evaluated(moved).findings}
    assert told == {"GEO-CONTOUR-PLANE", "GEO-SEG-SOURCE"}  # the dose still meets the contours


@settings(max_examples=150)
@given(where=st.lists(st.tuples(st.integers(0, PLACES - 1), ODD), min_size=1, max_size=3))
def test_no_rule_fails_on_odd_values(where) -> None:
    instances = copy.deepcopy(study())
    every = list(places(instances))
    for number, value in where:
        container, key = every[number]
        container[key] = {"vr": "UN", "Value": ["a", 1]} if key.endswith("Sequence") else value
    for finding in evaluated(instances).findings:
        assert finding.observed.isprintable()
        assert len(finding.observed) <= 160
