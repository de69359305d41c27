"""Nuclear medicine, ultrasound and radiotherapy on whatever an archive may send in sequences and vectors."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.rules.cases import evaluate_case, study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context

IDS = (
    "PIX-NM-VECTOR",
    "PIX-NM-COUNT",
    "PIX-NM-POINTER",
    "PIX-PET-INDEX",
    "REF-RT-COUNT",
    "PIX-US-REGION",
    "PIX-US-SCALE",
    "REF-RT-NUMBER",
    "GEO-CONTOUR",
)
RULES = [catalogue()[id] for id in (*IDS, "REF-FRAME", "REF-SEG-FRAMES", "REF-SOURCE-ELSEWHERE")]
CONTEXT = Context(date(2026, 1, 1), Parameters())

KINDS = ["STATIC", "TOMO", "RECON TOMO", " GATED ", "", "X" * 99]
SCALARS = st.one_of(
    st.integers(-3, 5),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.sampled_from([*KINDS, "DYNAMIC", "1", "-1", "1e400", "9" * 500, "\u0000é", "00540010", "00540020"]),
)
VRS = st.sampled_from(["US", "UL", "FD", "DS", "IS", "AT", "CS", "LO", "UN", "SQ", "ZZ"])
ELEMENTS = st.one_of(
    st.builds(lambda vr, values: {"vr": vr, "Value": values}, VRS, st.lists(SCALARS, max_size=6)),
    st.builds(lambda vr, value: {"vr": vr, "Value": value}, VRS, SCALARS),
    st.just({"vr": "US"}),
    st.just({"vr": "OW", "BulkDataURI": "http://a.example/1"}),
    st.just({"vr": "OB", "InlineBinary": "QUJD"}),
)
OF_ITEMS = [
    *("RegionLocationMinX0", "RegionLocationMaxX1", "RegionLocationMinY0", "RegionLocationMaxY1"),
    *("PhysicalUnitsXDirection", "PhysicalDeltaX", "PhysicalDeltaY", "NumberOfFramesInRotation"),
    *("NumberOfFramesInPhase", "ROINumber", "ReferencedROINumber", "BeamNumber", "ReferencedBeamNumber"),
    *("ContourData", "NumberOfContourPoints", "ReferencedSOPInstanceUID", "ReferencedFrameNumber"),
    *("NumberOfBeams", "NumberOfControlPoints", "DVHNumberOfBins", "DVHData"),
]
ITEMS = st.recursive(
    st.dictionaries(st.sampled_from(OF_ITEMS), ELEMENTS, max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(
            ["ContourSequence", "ReferencedBeamSequence", "ContourImageSequence", "ControlPointSequence"]
        ),
        st.lists(inner, max_size=3),
        max_size=2,
    ),
    max_leaves=6,
)
SEQUENCES = [
    *("SequenceOfUltrasoundRegions", "RotationInformationSequence", "PhaseInformationSequence"),
    *("StructureSetROISequence", "ROIContourSequence", "BeamSequence", "FractionGroupSequence"),
    *("ReferencedRTPlanSequence", "SourceImageSequence", "DVHSequence"),
]
ATTRIBUTES = sorted({keyword for rule in RULES for keyword in rule.reads} - set(SEQUENCES) - {"SOPClassUID"})
CLASSES = st.sampled_from(["20", "128", "6.1", "481.2", "481.3", "481.5", "66.4"]).map(
    "1.2.840.10008.5.1.4.1.1.{}".format
)
INSTANCES = st.builds(
    lambda sop_class, number, plain, nested: {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": f"1.2.3.{number}",
        **plain,
        **nested,
    },
    CLASSES,
    st.integers(1, 2),
    st.dictionaries(st.sampled_from(ATTRIBUTES), ELEMENTS, max_size=10),
    st.dictionaries(st.sampled_from(SEQUENCES), st.one_of(ELEMENTS, st.lists(ITEMS, max_size=3)), max_size=5),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(INSTANCES, min_size=1, max_size=4))
def test_no_rule_fails_on_odd_values_nor_minds_their_order(instances) -> None:
    found = evaluate(Ruleset(RULES, Profile()), study_of({"study": instances}), CONTEXT)
    assert found.errors == ()
    for finding in found.findings:
        assert finding.observed.isprintable()
        assert len(finding.observed) <= 160
        assert len(finding.expected) <= 160
        assert finding.count > 0
    turned = evaluate(Ruleset(RULES, Profile()), study_of({"study": instances[::-1]}), CONTEXT)
    assert turned.findings == found.findings


@pytest.mark.parametrize("syntax", ["json", "explicit", "implicit"])
def test_thousands_of_frames_beyond_the_count_are_one_short_finding(syntax) -> None:
    frames = 20_000
    study = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.20",
        "NumberOfFrames": frames,
        "SliceVector": list(range(1, frames + 1)),
        "NumberOfSlices": 10,
    }
    found = evaluate_case(
        Ruleset([catalogue()["PIX-NM-VECTOR"]], Profile()), {"study": [study], "syntax": syntax}
    )
    assert [finding.observed for finding in found.findings] == [
        "11, 12, 13, 14, 19986 more, where there are 10"
    ]
