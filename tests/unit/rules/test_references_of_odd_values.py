"""References, de-identification and targets on whatever an archive may send."""

import random
from datetime import date
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters, Target
from heltig.rules.profile import Profile
from heltig.rules.views import Context

RULES = [
    rule
    for rule in catalogue().values()
    if rule.id.startswith(
        ("REF-", "IOCM-", "DEI-", "TGT-", "IOD-SOP-T", "GEO-CONTOUR", "GEO-DOSE", "GEO-SEG")
    )
]
CONTEXT = Context(
    date(2026, 1, 1), Parameters(targets=get_args(Target), accepted_sop_classes=("1.2.3",)), deidentified=True
)

CLASSES = ["2", "4.1", "66.4", "66.7", "88.59", "88.33", "11.1", "481.2", "481.3", "481.5", "6.1", "99"]
WORDS = st.sampled_from(
    [
        "",
        " ",
        "A1",
        "Miller^Anne",
        "ANON",
        "1.2.3.1",
        "1.2.3.2",
        "113001",
        "DCM",
        "YES",
        "20200417",
        "é\u0000",
        "9" * 99,
    ]
)
VALUES = st.one_of(WORDS, st.integers(-1, 2**40), st.floats(allow_nan=False, allow_infinity=False), st.none())
ELEMENTS = st.one_of(
    VALUES.map(lambda value: {"vr": "LO", "Value": [value]}),
    st.lists(VALUES, max_size=3).map(lambda values: {"vr": "UN", "Value": values}),
    st.just({"vr": "OB", "InlineBinary": "TGluZHF2aXN0XkFzdHJpZA=="}),
    st.just({"vr": "SQ"}),
    WORDS,
)
LEAVES = st.sampled_from(
    [
        *(
            "ReferencedSOPInstanceUID",
            "ReferencedSOPClassUID",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "CodeValue",
        ),
        *(
            "CodingSchemeDesignator",
            "FrameOfReferenceUID",
            "SegmentNumber",
            "ReferencedSegmentNumber",
            "PatientName",
        ),
        *(
            "PatientID",
            "ImageComments",
            "StudyDate",
            "AcquisitionDate",
            "PatientIdentityRemoved",
            "InstitutionName",
        ),
        *("DeidentificationMethod", "LongitudinalTemporalInformationModified", "00111010", "60003000"),
        *("ReferencedFrameNumber", "NumberOfFrames", "ROINumber", "ReferencedROINumber", "BeamNumber"),
        *("ReferencedBeamNumber", "ContourData", "NumberOfContourPoints"),
    ]
)
SEQUENCES = st.sampled_from(
    [
        *("ReferencedSeriesSequence", "ReferencedSOPSequence", "ReferencedImageSequence", "ContentSequence"),
        *("CurrentRequestedProcedureEvidenceSequence", "ConceptNameCodeSequence", "SegmentSequence"),
        *(
            "DeidentificationMethodCodeSequence",
            "ReferencedFrameOfReferenceSequence",
            "RTReferencedStudySequence",
        ),
        *("PerFrameFunctionalGroupsSequence", "SegmentIdentificationSequence", "OriginalAttributesSequence"),
        *(
            "ModifiedAttributesSequence",
            "ReferencedRTPlanSequence",
            "PrivateDataElementCharacteristicsSequence",
            "ReferencedStructureSetSequence",
        ),
        *("DerivationImageSequence", "SourceImageSequence", "ROIContourSequence", "ContourSequence"),
        *("ContourImageSequence", "StructureSetROISequence", "BeamSequence", "FractionGroupSequence"),
        *(
            "ReferencedFractionGroupSequence",
            "ReferencedBeamSequence",
            "StudiesContainingOtherReferencedInstancesSequence",
        ),
    ]
)
ITEMS = st.recursive(
    st.dictionaries(LEAVES, ELEMENTS, max_size=4),
    lambda inner: st.dictionaries(SEQUENCES, st.lists(inner, max_size=2), max_size=3),
    max_leaves=8,
)
INSTANCES = st.builds(
    lambda item, number, sop_class: {
        "SOPInstanceUID": f"1.2.3.{number}",
        "SOPClassUID": f"1.2.840.10008.5.1.4.1.1.{sop_class}",
        **item,
    },
    ITEMS,
    st.integers(1, 3),
    st.sampled_from(CLASSES),
)


def findings(instances):
    evaluation = evaluate(Ruleset(RULES, Profile()), study_of({"study": instances}), CONTEXT)
    assert evaluation.errors == ()
    for finding in evaluation.findings:
        assert finding.observed.isprintable()
        assert len(finding.observed) <= 160
        assert finding.count > 0
    return evaluation.findings


@settings(max_examples=150)
@given(instances=st.lists(INSTANCES, min_size=1, max_size=4), seed=st.integers(0, 9))
def test_no_rule_fails_on_odd_values_nor_minds_their_order(instances, seed) -> None:
    shuffled = instances.copy()
    random.Random(seed).shuffle(shuffled)
    assert findings(instances) == findings(shuffled)
