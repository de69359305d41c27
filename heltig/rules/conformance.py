"""IOD conformance: is an object what the standard says of its SOP Class?"""

from collections.abc import Iterator
from typing import Final

from heltig.rules.conformance_study import Rows, conformance
from heltig.rules.conformance_words import Objection
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import cut, listed
from heltig.standard import sop_classes, uids
from heltig.standard.dictionary import keyword_of

_ABSENCE: Final = ("metadata", "all_attributes")


def _known(study: StudyView) -> bool:
    """Some object has an IOD that the tables have."""
    return study.once(conformance).known


def _hits(study: StudyView, rule_id: str) -> Iterator[Hit]:
    for objection, rows in study.once(conformance).objections.get(rule_id, ()):
        yield Hit(
            tags=("/".join(objection.path), *objection.more),
            observed=objection.observed,
            expected=objection.expected,
            message=objection.message,
            rows=rows,
            seen=objection.seen,
        )


@rule("IOD-SOP-UNKNOWN", level="instance", severity="review", reads=("SOPClassUID",), reference="PS3.4 B.5")
def sop_class_unknown(at: Values) -> Iterator[Hit]:
    """The SOP Class is not a storage SOP Class of the standard.

    Finds: SOPClassUIDs that are private, newer than the tables of this version, or no storage SOP Class at
        all. What such objects should hold nobody but their maker can say, so no other rule of this family
        looks at them.
    Why: An archive takes an object only if it knows its SOP Class, and many refuse private ones.
    Mend: Ask the maker whether the objects are needed. Leave private ones out, have them sent as a standard
        SOP Class, or add the UID to those that the archive accepts.
    Example: `1.3.12.2.1107.5.9.1`, Siemens' private class for raw data.
    """
    uid = at["SOPClassUID"].text
    if uid and sop_classes.lookup(uid) is None:
        entry = uids.lookup(uid)
        observed = f"{cut(uid)} ({entry.name})" if entry else cut(uid)
        yield Hit(observed=observed, expected="a storage SOP Class of the standard")


@rule("IOD-SOP-RETIRED", level="instance", severity="note", reads=("SOPClassUID",), reference="PS3.6 A")
def sop_class_retired(at: Values) -> Iterator[Hit]:
    """The SOP Class is retired.

    Finds: Storage SOP Classes that the standard has retired.
    Why: They may still be stored, but archives and viewers need no longer know them.
    Mend: Convert the objects into their successor class where the target does not take them.
    Example: Ultrasound Image Storage (Retired), `1.2.840.10008.5.1.4.1.1.6`, from a scanner of the nineties.
    """
    sop_class = sop_classes.lookup(at["SOPClassUID"].text)
    if sop_class and sop_class.retired:
        observed = f"{sop_class.uid} ({sop_class.name})"
        yield Hit(observed=observed, expected="a SOP Class that is in use")


@rule(
    "IOD-SOP-MODALITY",
    level="instance",
    severity="review",
    reads=("Modality", "SOPClassUID"),
    reference="PS3.3 C.7.3.1.1.1",
)
def sop_class_modality(at: Values) -> Iterator[Hit]:
    """The Modality does not go with the SOP Class.

    Finds: A Modality (0008,0060) other than those that the IOD allows, or that objects of this SOP Class
        come from. Classes that any equipment writes (secondary captures, documents) are left alone, and so is
        Modality OT.
    Why: Worklists, routing and hanging protocols go by Modality, archives and viewers by SOP Class: the study
        is sent to the wrong people, or shown with the wrong tools.
    Mend: Correct the Modality at the sender. If the SOP Class is wrong, the objects must be made again.
    Example: CT images with Modality `MR` after a worklist entry was reused.
    """
    sop_class = sop_classes.lookup(at["SOPClassUID"].text)
    modality = at["Modality"].text.upper()
    if sop_class and sop_class.modality and modality not in ("", "OT", *sop_class.modality):
        expected = " or ".join(sop_class.modality)
        observed = f"{cut(modality, 32)} in {sop_class.name}"
        yield Hit(tags=("Modality", "SOPClassUID"), observed=observed, expected=expected)


@rule("IOD-MODULE", level="study", severity="review", needs=_ABSENCE, when=_known, reference="PS3.3 A")
def module_missing(study: StudyView) -> Iterator[Hit]:
    """Nothing of a mandatory module is there.

    Finds: Modules that the IOD makes mandatory and of which the object has no attribute, if one at least must
        have a value. Their attributes are then not reported one by one. Of modules that a condition requires
        IOD-TYPE1C tells.
    Why: A whole aspect of the object is missing. Software that relies on it fails, or guesses.
    Mend: Have the sender's software, or the converter or anonymiser on the way, keep the module.
    Example: CT images without Frame of Reference module after an anonymiser removed its UID.
    """
    yield from _hits(study, "IOD-MODULE")


@rule("IOD-TYPE1", level="study", severity="review", needs=_ABSENCE, when=_known, reference="PS3.5 7.4.1")
def type_1(study: StudyView) -> Iterator[Hit]:
    """An attribute that must have a value is absent.

    Finds: Absent attributes of type 1, in the data set and in items of sequences at any depth, of mandatory
        modules. Where a module, or an item, has none of them they are one finding; where a module has nothing
        at all, it is one of IOD-MODULE. Of optional parts of the object IOD-OPTIONAL-PART speaks;
        identifiers, image pixels, planes and codes have rules of their own.
    Why: Without these an object of its kind cannot be used as the standard means it.
    Mend: Have the sender's software corrected; converters and anonymisers must keep these attributes or
        replace their values.
    Example: An RT plan without RTPlanLabel.
    """
    yield from _hits(study, "IOD-TYPE1")


@rule("IOD-TYPE1-EMPTY", level="study", severity="review", when=_known, reference="PS3.5 7.4.1")
def type_1_empty(study: StudyView) -> Iterator[Hit]:
    """An attribute that must have a value is empty.

    Finds: Attributes of type 1, and of type 1C where the condition is true, that are there without a value.
    Why: To software it is as good as absent; some of it fails on reading the empty value.
    Mend: Have the sender fill in the value, or a neutral one where it is not known.
    Example: An empty FrameOfReferenceUID.
    """
    yield from _hits(study, "IOD-TYPE1-EMPTY")


@rule("IOD-OPTIONAL-PART", level="study", severity="note", needs=_ABSENCE, when=_known, reference="PS3.5 7.4")
def optional_part(study: StudyView) -> Iterator[Hit]:
    """An optional part of the object is incomplete.

    Finds: What IOD-TYPE1, IOD-TYPE1C, IOD-TYPE1-EMPTY and IOD-SEQ-ITEMS find, in optional modules and in
        items of sequences that may be absent or empty (types 2, 2C and 3): the object would be whole without
        this part.
    Why: Software that reads the part may stumble over what is missing. Most software does not read it.
    Mend: Nothing needs to be done before the study is moved. Have the sender complete the part, or leave it
        out.
    Example: An item of OtherPatientIDsSequence without TypeOfPatientID.
    """
    yield from _hits(study, "IOD-OPTIONAL-PART")


@rule("IOD-TYPE2", level="study", severity="note", needs=_ABSENCE, when=_known, reference="PS3.5 7.4.3")
def type_2(study: StudyView) -> Iterator[Hit]:
    """An attribute that must be there, if only empty, is absent.

    Finds: Absent attributes of type 2, as IOD-TYPE1 does of type 1.
    Why: Absent and empty are the same to most software, and many scanners leave these attributes out. Some
        archives complain, or add them.
    Mend: Nothing needs to be done before the study is moved. Have the sender write the attribute, empty where
        the value is not known.
    Example: CT images without PositionReferenceIndicator.
    """
    yield from _hits(study, "IOD-TYPE2")


@rule("IOD-TYPE1C", level="study", severity="note", needs=_ABSENCE, when=_known, reference="PS3.5 7.4.2")
def type_1c(study: StudyView) -> Iterator[Hit]:
    """An attribute that must have a value under a condition is absent, and the condition is true.

    Finds: Absent attributes of type 1C, and modules of which nothing is there, whose condition can be
        evaluated and is true: in functional groups for each frame, with what is shared. Conditions that speak
        of what no attribute tells are unknown, and nothing is said of their attributes.
    Why: What other values of the object promise is not there. It is a note by default: sound scanners leave
        such attributes out, too, some of them in every study. A site that wants to see them raises it.
    Mend: Have the sender write the attribute, or correct the value that makes it required.
    Example: WindowCenter without WindowWidth.
    """
    yield from _hits(study, "IOD-TYPE1C")


@rule("IOD-TYPE2C", level="study", severity="note", needs=_ABSENCE, when=_known, reference="PS3.5 7.4.4")
def type_2c(study: StudyView) -> Iterator[Hit]:
    """An attribute that must be there under a condition is absent, and the condition is true.

    Finds: Absent attributes of type 2C, as IOD-TYPE1C does of type 1C.
    Why: Absent and empty are the same to most software; some archives complain.
    Mend: Nothing needs to be done before the study is moved. Have the sender write the attribute, empty where
        the value is not known.
    Example: CT images without PatientPosition.
    """
    yield from _hits(study, "IOD-TYPE2C")


@rule("IOD-NOT-ALLOWED", level="study", severity="note", when=_known, reference="PS3.5 7.4.2")
def not_allowed(study: StudyView) -> Iterator[Hit]:
    """An attribute is there that a condition forbids.

    Finds: Attributes and modules that must not be there if a condition is true, or unless it is, where the
        condition can be evaluated.
    Why: The object says two things that exclude each other, and readers may choose differently.
    Mend: Have the sender leave out the one that is not meant.
    Example: ModalityLUTSequence beside RescaleIntercept.
    """
    yield from _hits(study, "IOD-NOT-ALLOWED")


@rule("IOD-ENUM", level="study", severity="note", when=_known, reference="PS3.5 6.3")
def enumeration_of_iod(study: StudyView) -> Iterator[Hit]:
    """A value is not among those that this kind of object may have.

    Finds: Values outside the Enumerated Values of a module of the object, though another module has them.
        Values that no module has are a matter of VAL-ENUM, but for those of ApprovalStatus, and of attributes
        that some module leaves open.
    Why: The value means something, but not in this kind of object: viewers may show it wrongly.
    Mend: Have the sender use one of the values listed, or the SOP Class that the value belongs to.
    Example: BitsAllocated `8` in CT images.
    """
    yield from _hits(study, "IOD-ENUM")


@rule("IOD-SEQ-ITEMS", level="study", severity="review", when=_known, reference="PS3.5 7.5")
def sequence_items(study: StudyView) -> Iterator[Hit]:
    """A sequence has no item where it needs one, or several where it may have one.

    Finds: Sequences of type 1, and of type 1C where the condition is true, without items; sequences with more
        than one item of which the standard allows only one.
    Why: Software takes the first of several items and overlooks the others, or finds none and fails.
    Mend: Have the sender's software corrected.
    Example: An empty DimensionOrganizationSequence in an enhanced object.
    """
    yield from _hits(study, "IOD-SEQ-ITEMS")


@rule(
    "IOD-FUNCTIONAL-GROUP",
    level="study",
    severity="review",
    needs=_ABSENCE,
    when=_known,
    reference="PS3.3 C.7.6.16",
)
def functional_group(study: StudyView) -> Iterator[Hit]:
    """A functional group is missing, or stands where it may not.

    Finds: Functional groups of enhanced objects that the IOD makes mandatory, or a condition requires, and
        that are neither shared nor in every frame's own groups, those that are nowhere in one finding; and
        groups that must be shared, or must be each frame's own, and are the other. Of groups in both places
        GEO-ENH-FG tells, of missing planes GEO-IPP-IOP-MISSING.
    Why: Viewers look for the timing, contrast or segment of a frame there, and cannot show it without.
    Mend: Have the sender's or converter's software corrected.
    Example: Frames of a segmentation without SegmentIdentificationSequence.
    """
    yield from _hits(study, "IOD-FUNCTIONAL-GROUP")


@rule("IOD-EXTENDED", level="study", severity="note", when=_known, reference="PS3.2 7.3")
def extended(study: StudyView) -> Iterator[Hit]:
    """The object has attributes of the standard that are not in its IOD.

    Finds: Attributes of the data dictionary that no module of the IOD has, in the data set or in items, all
        of one IOD in one finding. Private attributes are no matter of it, retired ones one of VAL-RETIRED.
    Why: It is allowed (a Standard Extended SOP Class), and most scanners do it. But archives may drop what
        they do not expect, and nobody else reads it.
    Mend: Nothing needs to be done. Do not rely on these attributes after a migration without a trial.
    Example: CT images with WindowCenterWidthExplanation in an item where it has no place.
    """
    by_iod: dict[str, list[tuple[Objection, Rows]]] = {}
    for objection, rows in study.once(conformance).objections.get("IOD-EXTENDED", ()):
        by_iod.setdefault(objection.observed, []).append((objection, rows))
    for iod, found in by_iod.items():
        paths = sorted({objection.path for objection, _ in found})
        names = [".".join(keyword_of(tag) or tag for tag in path) for path in paths]
        yield Hit(
            tags=tuple("/".join(path) for path in paths),
            observed=f"{len(paths)} attribute{'s' * (len(paths) > 1)} ({iod})",
            expected="attributes of the IOD",
            message=f"Not in the IOD, but there: {listed(names, 400)}",
            rows=sorted(set[int]().union(*{id(rows): rows for _, rows in found}.values())),
        )
