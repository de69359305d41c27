"""Conformance: what conditions mean in sequences and functional groups, and that nothing is said twice."""

from datetime import date

import pytest

from heltig.dicom.shapes import PRESENT, Shape
from heltig.rules import conformance
from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.conformance_check import check
from heltig.rules.conformance_owners import NOTHING, owned_by_others, owners
from heltig.rules.conformance_scope import DataSetScope
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.rule import Rule
from heltig.rules.views import Context
from heltig.standard.dictionary import keyword_of
from heltig.standard.iods import iod_of, sop_classes

RULES = [value for value in vars(conformance).values() if isinstance(value, Rule)]
CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
PALETTE = "1.2.840.10008.5.1.4.39.1"
SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.4.2"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def found(*instances, syntax="json"):
    """The findings about these instances: rule, path by keywords, observed, count."""
    table = study_of({"study": instances, "syntax": syntax})
    evaluation = evaluate(Ruleset(RULES, Profile()), table, Context(date(2026, 1, 1), Parameters()))
    assert evaluation.errors == ()
    return {
        (finding.rule, ".".join(map(keyword_of, tag.split("/")))): finding
        for finding in evaluation.findings
        for tag in finding.tags
    }


def enhanced(shared, *frames, **more):
    return {
        "SOPClassUID": ENHANCED_CT,
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "NONE"],
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": list(frames),
        **more,
    }


def frame_type(value):
    return {"CTImageFrameTypeSequence": [{"FrameType": [value, "PRIMARY", "VOLUME", "NONE"]}]}


ORIGINAL, DERIVED = frame_type("ORIGINAL"), frame_type("DERIVED")
GEOMETRY = {"CTGeometrySequence": [{"DistanceSourceToDetector": 1}]}
WHOLE = {"CTGeometrySequence": [{"DistanceSourceToDetector": 1, "DistanceSourceToDataCollectionCenter": 1}]}
DISTANCE = "CTGeometrySequence.DistanceSourceToDataCollectionCenter"
SHARED = ("IOD-TYPE1C", f"SharedFunctionalGroupsSequence.{DISTANCE}")
PER_FRAME = ("IOD-TYPE1C", f"PerFrameFunctionalGroupsSequence.{DISTANCE}")


def test_a_condition_in_shared_groups_sees_what_every_frame_says():
    # the macro is shared, what its condition reads is each frame's own (dicom-validator issue 226)
    assert SHARED in found(enhanced(GEOMETRY, ORIGINAL, ORIGINAL))
    assert SHARED in found(enhanced(GEOMETRY | ORIGINAL, {}, {}))
    assert SHARED not in found(enhanced(GEOMETRY, DERIVED, DERIVED))


def test_where_frames_differ_nobody_knows():
    assert SHARED not in found(enhanced(GEOMETRY, ORIGINAL, DERIVED))
    assert SHARED not in found(enhanced(GEOMETRY, {}, {}))


def test_a_condition_in_a_frame_sees_what_is_shared():
    assert PER_FRAME in found(enhanced(ORIGINAL, GEOMETRY))
    assert PER_FRAME not in found(enhanced(DERIVED, GEOMETRY))


def test_each_frame_is_looked_at():
    frames = [ORIGINAL | WHOLE] * 20
    assert PER_FRAME not in found(enhanced({}, *frames))
    assert PER_FRAME not in found(enhanced({}, *frames, DERIVED | GEOMETRY))
    assert PER_FRAME in found(enhanced({}, *frames, ORIGINAL | GEOMETRY))


def test_a_forbidden_attribute_of_a_frame():
    table = {"CTTableDynamicsSequence": [{"TableSpeed": 1}]}
    stationary = {"CTAcquisitionTypeSequence": [{"AcquisitionType": "STATIONARY"}]}
    path = ("IOD-NOT-ALLOWED", "PerFrameFunctionalGroupsSequence.CTTableDynamicsSequence.TableSpeed")
    assert path in found(enhanced(stationary, ORIGINAL | table))
    assert path not in found(enhanced({}, ORIGINAL | table))


def test_a_condition_means_the_item_it_stands_in():
    """A text item is judged by its own ValueType, not by that of the document around it."""
    item = {"RelationshipType": "CONTAINS", "ValueType": "TEXT", "ConceptNameCodeSequence": [{}]}
    document = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11", "ValueType": "CONTAINER"}
    objections = found(document | {"ContentSequence": [item]})
    assert ("IOD-TYPE1C", "ContentSequence.TextValue") in objections
    assert ("IOD-TYPE1C", "TextValue") not in objections
    deeper = found(document | {"ContentSequence": [item | {"TextValue": "A", "ContentSequence": [item]}]})
    assert ("IOD-TYPE1C", "ContentSequence.ContentSequence.TextValue") in deeper
    assert ("IOD-TYPE1C", "ContentSequence.TextValue") not in deeper


def test_what_is_required_of_the_first_item():
    first = {"ControlPointIndex": 0, "GantryAngle": 0}
    later = {"ControlPointIndex": 1}
    plan = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.5"}

    def lacks_angle(*points):
        beams = [{"ControlPointSequence": list(points)}]
        return any(path.endswith("GantryAngle") for _, path in found(plan | {"BeamSequence": beams}))

    assert not lacks_angle(first, later)
    assert lacks_angle(later, first)
    assert lacks_angle(later)


def test_a_condition_that_means_functional_groups():
    image = {"ReferencedSOPClassUID": "1.2", "ReferencedSOPInstanceUID": "1.2.3"}
    evidence = ("IOD-TYPE1C", "ReferencedImageEvidenceSequence")
    mr = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.1", "ImageType": ["ORIGINAL", "PRIMARY", "M", "NONE"]}
    referring = {"SharedFunctionalGroupsSequence": [{"ReferencedImageSequence": [image]}]}
    said = found(mr | referring)
    assert "ReferencedImageSequence in the functional groups is there" in said[evidence].message
    assert evidence not in found(mr | {"ReferencedImageSequence": [image]})


@pytest.mark.parametrize(
    ("gone", "path"),
    [
        ("FrameContentSequence", "FrameContentSequence"),
        ("SegmentIdentificationSequence", "SegmentIdentificationSequence"),
    ],
)
def test_a_segmentation_without_a_group(gone, path):
    frame = {"FrameContentSequence": [{"DimensionIndexValues": 1}]}
    frame |= {"SegmentIdentificationSequence": [{"ReferencedSegmentNumber": 1}]}
    segmentation = {
        "SOPClassUID": SEGMENTATION,
        "DimensionIndexSequence": [{"DimensionIndexPointer": "0062000B"}],
        "PerFrameFunctionalGroupsSequence": [{k: v for k, v in frame.items() if k != gone}],
    }
    assert ("IOD-FUNCTIONAL-GROUP", path) in found(segmentation)
    tiled = found(segmentation | {"DimensionOrganizationType": "TILED_FULL"})
    assert ("IOD-FUNCTIONAL-GROUP", path) not in tiled


@pytest.mark.parametrize(
    ("uid", "more", "lacking"),
    [
        # Parametric Map in the patient; a segmentation is a matter of GEO-ENH-MISSING
        ("1.2.840.10008.5.1.4.1.1.30", {"FrameOfReferenceUID": "1.2.3"}, {"RealWorldValueMappingSequence"}),
        # X-Ray 3D Angiographic Image
        ("1.2.840.10008.5.1.4.1.1.13.1.1", {}, {"PlanePositionSequence", "PixelMeasuresSequence"}),
        # Ophthalmic Tomography Image
        (
            "1.2.840.10008.5.1.4.1.1.77.1.5.4",
            {"OphthalmicVolumetricPropertiesFlag": "YES"},
            {"PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"},
        ),
        ("1.2.840.10008.5.1.4.1.1.77.1.5.4", {}, {"PixelMeasuresSequence"}),
        # Multi-frame Grayscale Word Secondary Capture
        (
            "1.2.840.10008.5.1.4.1.1.7.3",
            {"SharedFunctionalGroupsSequence": [{"PixelMeasuresSequence": [{"PixelSpacing": [1, 1]}]}]},
            {"PlanePositionSequence", "PlaneOrientationSequence"},
        ),
    ],
)
def test_planes_of_other_objects(uid, more, lacking):
    said = found({"SOPClassUID": uid, "PerFrameFunctionalGroupsSequence": [{}], **more})
    missed = {path for rule, path in said if rule == "IOD-FUNCTIONAL-GROUP"}
    planes = {"PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"}
    assert lacking <= missed
    assert missed & planes == lacking & planes or uid.endswith("13.1.1")


def test_a_content_item_that_refers_to_another_needs_no_value():
    item = {"RelationshipType": "SELECTED FROM", "ReferencedContentItemIdentifier": [1, 1]}
    document = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33", "ContentSequence": [item]}
    assert not any(path.startswith("ContentSequence.") for _, path in found(document))


def test_two_kinds_of_objects_are_told_apart():
    both = found({"SOPClassUID": CT}, {"SOPClassUID": ENHANCED_CT}, {"SOPClassUID": CT})
    table = study_of({"study": [{"SOPClassUID": CT}, {"SOPClassUID": ENHANCED_CT}, {"SOPClassUID": CT}]})
    evaluation = evaluate(Ruleset(RULES, Profile()), table, Context(date(2026, 1, 1), Parameters()))
    counts = {f.observed: f.count for f in evaluation.findings if f.tags == ("00080030",)}
    assert counts == {"absent (CT Image)": 2, "absent (Enhanced CT Image)": 1}
    assert ("IOD-TYPE2", "StudyTime") in both


@pytest.mark.parametrize("syntax", ["json", "explicit", "implicit"])
def test_files_and_metadata_are_judged_alike(syntax):
    instance = {
        "SOPClassUID": CT,
        "BitsAllocated": 8,
        "StudyTime": "",
        "ModalityLUTSequence": [{"LUTDescriptor": [1, 0, 8]}],
        "OtherPatientIDsSequence": [{"PatientID": "A1"}],
    }
    rules = {
        (rule, path): finding.observed for (rule, path), finding in found(instance, syntax=syntax).items()
    }
    assert rules == {
        (rule, path): finding.observed for (rule, path), finding in found(instance, syntax="json").items()
    }
    assert ("IOD-ENUM", "BitsAllocated") in rules
    assert ("IOD-OPTIONAL-PART", "OtherPatientIDsSequence.TypeOfPatientID") in rules


@pytest.mark.parametrize("uid", [CT, ENHANCED_CT, SEGMENTATION, "1.2.840.10008.5.1.4.1.1.128"])
def test_what_other_rules_report_is_not_said_again(uid):
    bare = {"SOPClassUID": uid, "Modality": None, "SOPInstanceUID": None}
    named = {tag for finding in found(bare).values() for tag in finding.tags}
    nothing = DataSetScope(Shape(()), iod_of(uid)).own
    assert named.isdisjoint(owned_by_others(uid, nothing).in_data_set)
    assert named


@pytest.mark.parametrize(
    ("instance", "path"),
    [
        ({"SOPClassUID": DX, "BodyPartExamined": "THORAX"}, "ImageLaterality"),
        # derived frames may lie nowhere to GEO-IPP-IOP-MISSING, not to their IOD
        (
            {
                "SOPClassUID": ENHANCED_CT,
                "ImageType": ["DERIVED", "PRIMARY"],
                "PerFrameFunctionalGroupsSequence": [{}],
            },
            "PlanePositionSequence",
        ),
        ({"SOPClassUID": SPECTROSCOPY, "DataPointRows": 1}, "Rows"),
        (
            {
                "SOPClassUID": ENHANCED_CT,
                "PixelPresentation": "COLOR",
                "RedPaletteColorLookupTableData": "AA==",
            },
            "RedPaletteColorLookupTableDescriptor",
        ),
        ({"SOPClassUID": PALETTE, "ContentLabel": "HOT"}, "InstanceNumber"),
    ],
)
def test_what_a_rule_does_not_look_at_is_said(instance, path):
    assert any(path in {keyword_of(tag) for tag in finding.tags} for finding in found(instance).values())


def test_the_rules_that_report_it_are_in_the_catalogue():
    assert set(owners()) <= set(catalogue())


def test_what_other_rules_report_of_the_data_set_is_said_of_items():
    """SER-UID-MISSING looks at the series of the object, not at those that it refers to."""
    refers = {"SOPClassUID": CT, "ReferencedSeriesSequence": [{"ReferencedInstanceSequence": [{}]}]}
    assert ("IOD-OPTIONAL-PART", "ReferencedSeriesSequence.SeriesInstanceUID") in found(refers)
    digital = found({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "ImageType": ["ORIGINAL", "PRIMARY", ""]})
    assert "00281053" in {tag for finding in digital.values() for tag in finding.tags}  # PIX-RESCALE: CT, PET


def shape_of(attributes, depth):
    """Everything that may be there is there, sequences with one item, to some depth."""
    states = []
    for tag in sorted(attributes.by_tag):
        items = [a.items for a in attributes.by_tag[tag] if a.items is not None]
        states.append((tag, (shape_of(items[0], depth - 1),) if items and depth else PRESENT))
    return Shape(tuple(states))


@pytest.mark.parametrize("uid", sop_classes())
def test_every_iod_takes_an_object_that_has_all(uid):
    """No type is missed in it, and nothing in it is outside the IOD: what it has is what the IOD says."""
    iod = iod_of(uid)
    states = {tag: state for m in iod.modules for tag, state in shape_of(m.attributes, 2).attributes}
    for sequence in ("52009229", "52009230"):
        if sequence in states and iod.macros:
            groups = [state for m in iod.macros for state in shape_of(m.attributes, 1).attributes]
            states[sequence] = (Shape(tuple(sorted(dict(groups).items()))),)
    said = {objection.rule for objection in check(iod, Shape(tuple(sorted(states.items()))), owned=NOTHING)}
    assert said <= {"IOD-NOT-ALLOWED", "IOD-FUNCTIONAL-GROUP"}  # it has what excludes one another, too
    bare = {objection.rule for objection in check(iod, Shape(()), owned=NOTHING)}
    assert bare & {"IOD-MODULE", "IOD-TYPE1"}


def test_hostile_shapes():
    deep: dict[str, object] = {"ValueType": "TEXT"}
    for _ in range(60):
        deep = {"ValueType": "CONTAINER", "ContentSequence": [deep]}
    found({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"} | deep)
    found(enhanced({}, *[{}] * 200), {"SOPClassUID": CT, "PerFrameFunctionalGroupsSequence": [{}]})
    found(
        {
            "SOPClassUID": CT,
            "ImageType": {"vr": "SQ", "Value": [{}]},
            "RequestAttributesSequence": {"vr": "LO"},
        }
    )
    found({"SOPClassUID": [CT, CT]}, {"SOPClassUID": ""}, {"SOPClassUID": {"vr": "UI", "Value": [None, 1]}})
