"""Values: do they mean something where they stand?"""

import re
from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import ABSENT, Cell, Item, Value
from heltig.dicom.json_cell import decode_json_element
from heltig.dicom.values import decode_element
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of
from heltig.standard.terms import defined_terms, enumerated
from heltig.standard.value_representations import VRS

NEVER_ZERO: Final = frozenset(
    {"BitsAllocated", "BitsStored", "DoseGridScaling", "RescaleSlope", "SamplesPerPixel"}
)
"""Attributes of which zero leaves the image without pixels, contrast or dose."""

UNKNOWN_AS_ZERO: Final = frozenset(
    {"KVP", "NumberOfFractionsPlanned", "PatientSize", "PatientWeight", "SliceThickness"}
)
"""Attributes that real systems fill with zero where they do not know the value."""

NEVER_NEGATIVE: Final = frozenset(
    {
        *("BeamMeterset", "DoseGridScaling", "EchoTime", "ExposureTime", "KVP", "NominalBeamEnergy"),
        *("PatientSize", "PatientWeight", "RepetitionTime", "SliceThickness", "WindowWidth"),
    }
)
"""Attributes of which a negative value means nothing."""

POSITIVE: Final = NEVER_ZERO | UNKNOWN_AS_ZERO | NEVER_NEGATIVE
"""All attributes whose plain values are above zero."""

_NUMERIC: Final = ("DS", "IS", "US")
"""Their VRs."""

_NOT_JUDGED: Final = frozenset({"ApprovalStatus", "PatientSex"})
"""Listed attributes that VAL-ENUM leaves alone: CR systems write ApprovalStatus in a sense of their own."""

_SIDE_SOUGHT: Final = "HangingProtocolDefinitionSequence.Laterality"
"""The side that a hanging protocol is for may be both (PS3.3 C.23.1): its list is not that of images."""

_IMAGE_TYPES: Final = {  # value 3 of ImageType by SOP Class
    # CT: PS3.3 C.8.2.1.1.1
    "1.2.840.10008.5.1.4.1.1.2": frozenset({"AXIAL", "LOCALIZER"}),
    # NM: PS3.3 C.8.4.9.1.1
    "1.2.840.10008.5.1.4.1.1.20": frozenset(
        {
            *("STATIC", "DYNAMIC", "GATED", "WHOLE BODY"),
            *("TOMO", "GATED TOMO", "RECON TOMO", "RECON GATED TOMO"),
        }
    ),
}


@rule("VAL-ENUM", level="value", severity="review", vrs=("CS", "SS", "US"), reference="PS3.5 6.3")
def enumeration(at: Place) -> Iterator[Hit]:
    """A value is not among those that the standard allows.

    Finds: Values of attributes that have the same closed list (Enumerated Values) in every kind of object,
        or kinds with lists of their own, and are in none. PatientSex is a matter of PAT-SEX-ENUM, lower case
        and other characters of VAL-CS; ApprovalStatus is left alone, which CR systems use in a sense of their
        own.
    Why: Software decides by these values and has no case for others.
    Mend: Have the sender use one of the values listed; what is not known is sent empty or left out.
    Example: BurnedInAnnotation `OTHER`, or ImageType that begins with `LOCALIZER`.
    """
    if at.entry is None or at.entry.keyword in _NOT_JUDGED or at.path == _SIDE_SOUGHT:
        return
    for number, value in enumerate(at.cell.values, 1):
        allowed = enumerated(at.entry.keyword, number)
        if allowed and (_is_code(value) or isinstance(value, int)) and _plain(value) not in allowed:
            where = f"value {number}: " if len(at.cell.values) > 1 else ""
            expected = ", ".join(sorted(map(str, allowed)))
            yield Hit(observed=where + cut(str(value)), expected=cut(expected, 200))


def _is_code(value: Value) -> bool:
    """A value of CS in the characters that CS has: VAL-CS tells the others."""
    return isinstance(value, str) and bool(value.strip()) and VRS["CS"].characters.issuperset(value)


def _plain(value: Value) -> Value:
    return value.strip() if isinstance(value, str) else value


@rule("VAL-ZERO", level="value", severity="review", vrs=_NUMERIC, reference="PS3.3 C")
def zero(at: Place) -> Iterator[Hit]:
    """An attribute is zero that cannot be.

    Finds: Zero in BitsAllocated, BitsStored, SamplesPerPixel, RescaleSlope and DoseGridScaling, in items of
        sequences too. Rows and Columns are a matter of PIX-ROWSCOLS-ZERO, spacings of GEO-SPACING-ZERO.
    Why: The image has no pixels, no contrast or no dose: viewers show nothing.
    Mend: Have the sender write the real value.
    Example: RescaleSlope `0` from a converter that did not know it.
    """
    if at.entry is not None and at.entry.keyword in NEVER_ZERO and 0.0 in at.cell.numbers:
        yield Hit(observed=cut(at.cell.shown), expected="more than zero")


@rule("VAL-ZERO-UNKNOWN", level="value", severity="note", vrs=_NUMERIC)
def zero_for_unknown(at: Place) -> Iterator[Hit]:
    """Zero stands for a value that is not known.

    Finds: Zero in KVP, PatientSize, PatientWeight, SliceThickness and NumberOfFractionsPlanned.
    Why: Software that works out dose or uptake takes the zero for a measurement.
    Mend: Have the sender leave the value empty where it is not known. For PET, have the weight filled in.
    Example: PatientWeight `0`, since nobody asked the patient.
    """
    if at.entry is not None and at.entry.keyword in UNKNOWN_AS_ZERO and 0.0 in at.cell.numbers:
        yield Hit(observed=cut(at.cell.shown), expected="the value, or none")


@rule("VAL-NEGATIVE", level="value", severity="review", vrs=_NUMERIC, reference="PS3.3 C")
def negative(at: Place) -> Iterator[Hit]:
    """An attribute is negative that cannot be.

    Finds: Values below zero in WindowWidth, SliceThickness, EchoTime, RepetitionTime, ExposureTime, KVP,
        PatientSize, PatientWeight, DoseGridScaling, BeamMeterset and NominalBeamEnergy. Spacings are a
        matter of GEO-SPACING-ZERO.
    Why: Viewers show the image inverted or not at all, and measurements come out negative.
    Mend: Have the sender's software corrected. Mostly the sign of a direction got into a distance.
    Example: SliceThickness `-5` of a stack counted downwards.
    """
    if at.entry is None or at.entry.keyword not in NEVER_NEGATIVE:
        return
    if any(number is not None and number < 0 for number in at.cell.numbers):
        yield Hit(observed=cut(at.cell.shown), expected="no negative value")


_OFFSET: Final = re.compile(r"([+-])([0-9]{2})([0-5][0-9])")
_WEST, _EAST = -12 * 60, 14 * 60
"""The time zones of the world, in minutes."""


def offset_minutes(text: str) -> int | None:
    """The minutes of a TimezoneOffsetFromUTC east of UTC; None for what is no time zone of the world."""
    parts = _OFFSET.fullmatch(text)
    if parts is None or text == "-0000":
        return None
    minutes = int(parts[1] + "1") * (int(parts[2]) * 60 + int(parts[3]))
    return minutes if _WEST <= minutes <= _EAST else None


@rule("VAL-TIMEZONE", level="value", severity="review", reads=("TimezoneOffsetFromUTC",),
    reference="PS3.3 C.12.1.1.8")  # fmt: skip
def timezone(at: Place) -> Iterator[Hit]:
    """A time zone is none that there is.

    Finds: TimezoneOffsetFromUTC (0008,0201) that is not a sign, two digits of hours and two of minutes, from
        -1200 to +1400, or that is -0000, which the standard forbids.
    Why: Software that shifts the study's times by the offset shows another hour, or day, or fails.
    Mend: Have the sender write the offset of the place of the examination, or leave it out.
    Example: `+2500`, or `CET`.
    """
    for offset in at.cell.values:
        text = offset.rstrip() if isinstance(offset, str) else ""
        if text and offset_minutes(text) is None:
            yield Hit(observed=cut(text), expected="-1200 to +1400, such as +0100")


_LISTED: Final = (
    *("BodyPartExamined", "ConversionType", "DecayCorrection", "DoseSummationType"),
    *(
        "LossyImageCompressionMethod",
        "Modality",
        "PatientPosition",
        "PhotometricInterpretation",
        "RescaleType",
    ),
    *("SequenceVariant", "Units", "VOILUTFunction"),
)


@rule("VAL-DEFTERM", level="instance", severity="note", reads=(*_LISTED, "ImageType", "SOPClassUID"),
    reference="PS3.5 6.3")  # fmt: skip
def defined_term(at: Values) -> Iterator[Hit]:
    """A value is not one of the standard's defined terms.

    Finds: A Modality, BodyPartExamined, PatientPosition, PhotometricInterpretation, RescaleType or one of
        some others that the standard does not list, and a third value of ImageType that CT or NM objects do
        not have. Lower case and other characters are a matter of VAL-CS.
    Why: Makers may add terms of their own, so it is allowed. But routing, hanging protocols and searches know
        the standard's terms only.
    Mend: Map the term to one of the standard's before the study is moved, or teach the target the new one.
    Example: Modality `ZZQ`, or BodyPartExamined `WHOLE BODY` for `WHOLEBODY`.
    """
    for keyword in _LISTED:
        terms = defined_terms(keyword) or frozenset()
        for value in at[keyword].values:
            if _is_code(value) and _plain(value) not in terms:
                observed = cut(str(value))
                yield Hit(tags=(keyword,), observed=observed, expected="a defined term of PS3.3 or PS3.16")
    types = _IMAGE_TYPES.get(at["SOPClassUID"].text)
    for value in at["ImageType"].values[2:3]:
        if types and _is_code(value) and _plain(value) not in types:
            observed = f"value 3: {cut(str(value))}"
            yield Hit(tags=("ImageType",), observed=observed, expected=", ".join(sorted(types)))


_CODE_VALUES: Final = tuple(map(tag_of, ("CodeValue", "LongCodeValue", "URNCodeValue")))
_SCHEME: Final = tag_of("CodingSchemeDesignator")
_MEANING: Final = tag_of("CodeMeaning")
_OLD_SCHEMES: Final = frozenset({"99SDM", "SNM3", "SRT"})


@rule("VAL-CODE-SEQ", level="value", severity="note", vrs=("SQ",), reference="PS3.3 8.8")
def code_item(at: Place) -> Iterator[Hit]:
    """A coded entry is incomplete, or of a scheme that is no longer used.

    Finds: Items of code sequences without a code, without CodingSchemeDesignator or without CodeMeaning, and
        the designators SRT, SNM3 and 99SDM, which SNOMED CT's SCT has replaced.
    Why: Without scheme a code means nothing; without meaning nobody can read it. Old schemes match no list.
    Mend: Complete the entry from the coding scheme; map old SNOMED codes by the tables of PS3.16.
    Example: A procedure code typed into the worklist without its scheme.
    """
    if at.entry is None:
        return
    of_codes = at.entry.keyword.endswith("CodeSequence")
    for item in at.cell.items:
        if of_codes or _MEANING in item.tags or not set(_CODE_VALUES).isdisjoint(item.tags):
            yield from _wrong_code(item)


def _wrong_code(item: Item) -> Iterator[Hit]:
    codes = [cell.text for tag in _CODE_VALUES if not (cell := _cell(item, tag)).empty]
    scheme, meaning = _cell(item, _SCHEME).text, _cell(item, _MEANING).text
    is_urn = not _cell(item, _CODE_VALUES[2]).empty
    shown = cut(f"({codes[0] if codes else 'no code'}, {scheme or 'no scheme'}, {meaning or 'no meaning'})")
    if not codes or not meaning or (not scheme and not is_urn):
        yield Hit(observed=shown, expected="code, scheme and meaning")
    elif scheme.upper() in _OLD_SCHEMES:
        yield Hit(observed=f"scheme {cut(scheme)}", expected="the scheme SCT")


def _cell(item: Item, tag: str) -> Cell:
    if tag not in item.tags:
        return ABSENT
    raw = item.raws[item.tags.index(tag)]
    if item.encoding.syntax == "json":
        return decode_json_element(tag, raw)
    return decode_element(tag, raw, item.encoding)
