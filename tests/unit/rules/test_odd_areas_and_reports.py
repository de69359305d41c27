"""The rules about areas, icons, maps, frame types, annotations and reports on whatever may be sent."""

from datetime import date
from importlib import import_module

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue, rules_of
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context

MODULES = (
    *("annotations", "elements", "frame_types", "given_in_part", "orientation_letters", "presentation"),
    *("structured_reports", "value_maps", "value_ranges"),
)
NAMES = {rule.id for name in MODULES for rule in rules_of(import_module(f"heltig.rules.{name}"))}
RULES = Ruleset([rule for rule in catalogue().values() if rule.id in NAMES], Profile())
CONTEXT = Context(date(2026, 1, 1), Parameters())

CLASSES = ("2", "4.1", "2.1", "1.1", "1.2.1", "88.33", "91.1", "11.1")
WORDS = st.sampled_from(
    [
        *("", " ", "\t", "é", "0", "-1", "1e400", "NaN", "180", "512", "L", "LAF", "X", "CR", "Y", "N", "2D"),
        *("POINT", "POLYGON", "CIRCLE", "MONOCHROME1", "INVERSE", "FOR PROCESSING", "ORIGINAL", "MIXED"),
        *("QUADRUPED", "CONTAINER", "TEXT", "+0100"),
    ]
)
SCALARS = st.one_of(WORDS, st.none(), st.integers(), st.floats(), st.booleans())
PLAIN = st.builds(
    lambda vr, values: {"vr": vr, "Value": values},
    st.sampled_from(["CS", "US", "DS", "IS", "FD", "OF", "UN", "LO", "SQ"]),
    st.lists(SCALARS, max_size=4) | SCALARS,
) | st.sampled_from(
    [{"vr": "OF", "InlineBinary": "AACAPwAAgD8="}, {"vr": "OL", "BulkDataURI": "http://x"}, {"vr": "CS"}]
)


def items(*keywords):
    return st.lists(st.dictionaries(st.sampled_from(keywords), PLAIN, max_size=6), max_size=3)


SEQUENCES = {
    "DisplayedAreaSelectionSequence": items(
        *("DisplayedAreaTopLeftHandCorner", "DisplayedAreaBottomRightHandCorner", "PresentationPixelSpacing")
    ),
    "IconImageSequence": items(
        *("BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel", "PhotometricInterpretation")
    ),
    "RealWorldValueMappingSequence": items(
        *("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped", "RealWorldValueSlope"),
        *("RealWorldValueLUTData", "DoubleFloatRealWorldValueFirstValueMapped"),
    ),
    "AnnotationGroupSequence": items(
        *("GraphicType", "NumberOfAnnotations", "AnnotationGroupNumber", "PointCoordinatesData"),
        *("LongPrimitivePointIndexList", "MeasurementsSequence", "CommonZCoordinateValue"),
    ),
    "MeasuredValueSequence": items("NumericValue", "MeasurementUnitsCodeSequence"),
    "PerFrameFunctionalGroupsSequence": st.lists(
        st.fixed_dictionaries({}, optional={"MRImageFrameTypeSequence": items("FrameType")}), max_size=3
    ),
}
KEYWORDS = (
    *("ImageType", "PatientOrientation", "AnatomicalOrientationType", "ValueType", "ImageRotation", "KVP"),
    *("AnnotationCoordinateType", "PresentationIntentType", "PresentationLUTShape", "PatientSize"),
    *("PhotometricInterpretation", "ImageHorizontalFlip", "TimezoneOffsetFromUTC", "IssuerOfPatientID"),
    *("00280FFF", "00031001", "FrameTimeVector"),
)
INSTANCES = st.lists(
    st.builds(
        lambda uid, plain, nested: {"SOPClassUID": f"1.2.840.10008.5.1.4.1.1.{uid}"} | plain | nested,
        st.sampled_from(CLASSES),
        st.dictionaries(st.sampled_from(KEYWORDS), PLAIN, max_size=6),
        st.fixed_dictionaries({}, optional=SEQUENCES),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(INSTANCES)
def test_no_value_makes_a_rule_fail_to_run_and_the_order_does_not_matter(instances):
    named = [{"SOPInstanceUID": f"1.2.{number}"} | instance for number, instance in enumerate(instances)]
    evaluation = evaluate(RULES, study_of({"study": named}), CONTEXT)
    assert evaluation.errors == ()
    for finding in evaluation.findings:
        assert finding.observed.isprintable()
        assert len(finding.observed) <= 200
    assert evaluate(RULES, study_of({"study": named[::-1]}), CONTEXT).findings == evaluation.findings
