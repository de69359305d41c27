"""Values: are they written as the dictionary and their VR ask for?"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from heltig.dicom.dates import as_fault, da_fault, dt_fault, tm_fault
from heltig.dicom.numbers import IS_HIGHEST, IS_LOWEST, ds_fault, is_fault
from heltig.dicom.values import BYTE_VRS, NUMBER_VRS
from heltig.rules import mending
from heltig.rules.elements import FORBIDDEN
from heltig.rules.proposal import Change, mended_at
from heltig.rules.rule import Hit, rule
from heltig.rules.uid import SINGLE
from heltig.rules.views import Place
from heltig.rules.wording import cut
from heltig.standard.dictionary import GROUP_LENGTH, is_private, tag_of, vm_allows
from heltig.standard.value_representations import VRS

_ALL: Final = tuple(sorted(VRS))
_COUNTED: Final = tuple(sorted(VRS.keys() - BYTE_VRS - {"SQ"}))
_LIMITED: Final = ("AE", "CS", "LO", "LT", "PN", "SH", "ST")
"""VRs whose length no rule on their form looks at; UC and UT may be as long as a value field."""

_AROUND: Final = "".join(map(chr, (*range(0x21), 0x7F)))
"""Spaces and control characters, which are no part of the text that they stand around."""

_ACCESSION_NUMBER: Final = tag_of("AccessionNumber")
_PATIENT_NAME: Final = tag_of("PatientName")
_PATIENT_SEX: Final = tag_of("PatientSex")
_CHARACTER_SET: Final = tag_of("SpecificCharacterSet")


@rule("VAL-VR-DICT", level="value", severity="review", vrs=("", *_ALL), reference="PS3.6 6")
def vr_of_dictionary(at: Place) -> Iterator[Hit]:
    """An attribute has another VR than the data dictionary gives it.

    Finds: Standard attributes with a VR that PS3.6 does not allow for them, and VRs that the standard does
        not have. Retired attributes are left alone, and UN is a matter of VAL-VR-UN.
    Why: Readers that go by the dictionary read other values than the writer wrote, or refuse the object.
    Mend: Have the sender use the dictionary's VR. Where an archive's web service gives the wrong VR, compare
        with the stored file: its own dictionary may be out of date.
    Example: DateOfLastCalibration (0018,1200) as DS.
    """
    if any(fault.kind == "vr-unknown" for fault in at.cell.faults):
        yield Hit(observed=at.cell.vr or "no VR", expected=at.entry.vr if at.entry else "a VR of PS3.5")
    elif at.entry and at.entry.vr and not at.entry.retired and at.cell.vr not in ("", "UN"):
        allowed = at.entry.vr.split(" or ")
        if at.cell.vr not in allowed:
            yield Hit(observed=at.cell.vr, expected=at.entry.vr)


@rule("VAL-VR-UN", level="value", severity="note", vrs=_ALL, reference="PS3.5 6.2.2")
def vr_unknown(at: Place) -> Iterator[Hit]:
    """A standard attribute has the VR UN.

    Finds: Attributes of the data dictionary that are written with VR UN in explicit VR or in DICOM JSON.
    Why: A system that did not know the attribute passed it on. Others may not look into it: searches and
        de-identification go past it.
    Mend: Nothing, where the target knows the attribute and sets the VR right; else have the system between
        mended whose dictionary is old.
    Example: A private router that writes everything it does not know as UN.
    """
    written = at.raw[:2] == b"UN" if at.syntax == "explicit" else at.cell.vr == "UN"
    if written and at.syntax != "implicit" and at.entry and at.entry.vr not in ("", "UN"):
        yield Hit(observed="UN", expected=at.entry.vr)


@rule("VAL-VM", level="value", severity="review", vrs=_COUNTED, reference="PS3.5 6.4")
def multiplicity(at: Place) -> Iterator[Hit]:
    r"""An attribute has more or fewer values than it may have.

    Finds: A number of values that the VM of PS3.6 does not allow; empty values at the end do not count.
        Retired and private attributes are left alone.
    Why: Readers take the first value, all of them as one text, or none.
    Mend: Have the values corrected. Where there is one too many, look for a backslash in the text: it
        parts values and cannot be written in such attributes.
    Example: StudyDescription `Hip L\R`, or PixelSpacing with one value.
    """
    if at.entry is None or at.entry.retired or (at.tag == _ACCESSION_NUMBER and at.depth == 0):
        return  # AccessionNumber: STU-ACCESSION-LEN
    if at.tag in SINGLE and at.depth == 0:
        return  # UID-CHARS
    number = len(at.cell.values)
    while number and at.cell.values[number - 1] in (None, ""):
        number -= 1
    if not number or any(isinstance(value, bytes) for value in at.cell.values):
        return  # empty, or what VAL-NUMBER tells
    if not vm_allows(at.entry.vm, number):
        yield Hit(observed=f"{number} values: {cut(at.cell.shown, 60)}", expected=f"VM {at.entry.vm}")


@rule("VAL-LENGTH", level="value", severity="review", vrs=_LIMITED, reference="PS3.5 6.2")
def length(at: Place) -> Iterator[Hit]:
    """A text is longer than its VR allows.

    Finds: More than 16 characters in AE, CS and SH, 64 in LO and in a component group of PN, 1024 in ST,
        10240 in LT. Trailing spaces do not count, and what is too long by control characters around it is a
        matter of CHR-CONTROL. UIDs, dates, times, ages, numbers, PatientName and
        AccessionNumber have rules of their own; private attributes are left alone.
    Why: Databases have columns of these lengths: they refuse the object, or cut the value.
    Mend: Shorten the value at its source: mostly a free text, or a name of a protocol or station, that
        somebody entered.
    Example: BodyPartExamined `LENDENWIRBELSAEULE`, 18 characters in CS.
    """
    owned = _PATIENT_NAME, _ACCESSION_NUMBER
    if at.entry is None or (at.depth == 0 and at.tag in owned):
        return
    limit = VRS[at.cell.vr].limit
    for value in at.cell.values:
        if isinstance(value, str) and len(value) > limit and not _is_long_by_controls(at, value):
            longest = max(map(len, value.split("="))) if at.cell.vr == "PN" else len(value)
            if longest > limit:
                yield Hit(
                    observed=f"{cut(value, 60)}: {longest} characters",
                    expected=f"at most {limit} characters in {at.cell.vr}",
                )


def _is_long_by_controls(at: Place, text: str) -> bool:
    """Short enough without spaces and control characters around it, of which CHR-CONTROL tells."""
    vr, controls = VRS[at.cell.vr], set(text) & set(_AROUND) - {" "}
    return bool(controls) and len(text.strip(_AROUND)) <= vr.limit and not vr.controls and vr.name != "CS"


def _malformed(
    at: Place,
    fault: Callable[[str], str | None],
    expected: str,
    mend: Callable[[Place], tuple[Change, ...]],
) -> Iterator[Hit]:
    """A hit for each text that is not written as its VR asks for; private attributes are left alone."""
    if at.entry is not None:
        for value in at.cell.values:
            if isinstance(value, str) and value and (wrong := fault(value)):
                message = f"{at.cell.vr} value: {wrong}"
                yield Hit(observed=cut(value), expected=expected, message=message, changes=mend(at))


def _as(mend: Callable[[str], str | None], why: str) -> Callable[[Place], tuple[Change, ...]]:
    """Proposes the right form of each value."""
    return lambda at: mended_at(at, mend, why)


@rule("VAL-DA", level="value", severity="review", vrs=("DA",), reference="PS3.5 6.2")
def date(at: Place) -> Iterator[Hit]:
    """A date is not written as YYYYMMDD, or is no day.

    Finds: Dates in another form, the ACR-NEMA form with full stops among them, and days that do not exist.
    Why: The date is not found by a search for a day or a range, and strict readers refuse the object.
    Mend: Have the date corrected at its source. An unknown date is sent empty, not as zeros. YYYYMMDD is
        proposed for year, month and day with full stops or hyphens between them.
    Example: `1997.04.24`, `20231399` or `00000000`.
    """
    mend = _as(mending.date, "Year, month and day are there, with delimiters that DICOM does not write.")
    yield from _malformed(at, da_fault, "a day as YYYYMMDD", mend)


@rule("VAL-TM-DT", level="value", severity="review", vrs=("DT", "TM"), reference="PS3.5 6.2")
def time(at: Place) -> Iterator[Hit]:
    """A time, or a date with time, is malformed or impossible.

    Finds: TM values other than HHMMSS.FFFFFF, DT values other than YYYYMMDDHHMMSS.FFFFFF&ZZXX, hours above
        23, minutes above 59, offsets from UTC outside -1200 to +1400. Both may be cut off behind any part.
    Why: Readers refuse the object or take another time: orders of events, decay and uptake are then wrong.
    Mend: Have the time corrected at its source. HHMMSS is proposed for hours, minutes and seconds with colons
        between them.
    Example: `14:04:38`, the form of ACR-NEMA, or `2530` for half past one at night.
    """
    form = "HHMMSS.FFFFFF" if at.cell.vr == "TM" else "YYYYMMDDHHMMSS.FFFFFF&ZZXX"
    mend = _as(mending.time, "Hours, minutes and seconds are there, with colons that DICOM does not write.")
    if at.cell.vr == "TM":
        yield from _malformed(at, tm_fault, f"a time as {form}", mend)
    else:
        yield from _malformed(at, dt_fault, f"a time as {form}", lambda at: ())


@rule("VAL-AS", level="value", severity="note", vrs=("AS",), reference="PS3.5 6.2")
def age(at: Place) -> Iterator[Hit]:
    """An age is not written as three digits and a unit.

    Finds: AS values other than nnnD, nnnW, nnnM and nnnY.
    Why: Readers drop it, or take years for months.
    Mend: Have the age written in the form of the standard; it can be worked out again from the birth date.
        Three digits and a capital are proposed where number and unit are there.
    Example: `0Y` or `42`.
    """
    mend = _as(mending.age, "Number and unit are there; zeros in front, or a capital, are missing.")
    yield from _malformed(at, as_fault, "nnnD, nnnW, nnnM or nnnY", mend)


@rule("VAL-CS", level="value", severity="review", vrs=("CS",), reference="PS3.5 6.2")
def code_string(at: Place) -> Iterator[Hit]:
    """A code has characters other than capitals, digits, space and underscore.

    Finds: Lower case and other characters in attributes of VR CS. SpecificCharacterSet and PatientSex have
        rules of their own; private attributes are left alone.
    Why: Codes are compared as they are: `chest` is not `CHEST` to a routing rule or a hanging protocol.
        Strict readers refuse the object.
    Mend: Have the sender use the codes of the standard; look for free text entered where a code belongs.
        Capitals are proposed where they give a term that the standard lists.
    Example: BodyPartExamined `chest (thin)`.
    """
    if at.tag not in (_CHARACTER_SET, _PATIENT_SEX):
        yield from _malformed(at, _code_fault, "capitals, digits, space and underscore", _in_capitals)


def _in_capitals(at: Place) -> tuple[Change, ...]:
    if at.entry is None or len(at.cell.values) != 1:
        return ()
    why = "In capitals it is a term that the standard lists for this attribute."
    return mended_at(at, partial(mending.code, keyword=at.entry.keyword), why)


def _code_fault(text: str) -> str | None:
    others = set(text) - VRS["CS"].characters
    if not others:
        return None
    return "lower case" if "".join(others).islower() else "characters that CS does not have"


@rule("VAL-IS-DS", level="value", severity="review", vrs=("DS", "IS"), reference="PS3.5 6.2")
def number_string(at: Place) -> Iterator[Hit]:
    """A number written as text is no number, too large or too long.

    Finds: IS and DS values that are not numbers, integers beyond 32 bits in IS, and text of more than 12
        characters in IS or 16 in DS. JSON numbers have no such length.
    Why: Readers refuse the object, or drop the value; one bad position puts a whole series out of order.
    Mend: Have the sender write a number, with fewer decimals where it is too long. What is not known is sent
        empty. The same number is proposed where only tabs, line ends or zeros at its end are too much.
    Example: `NaN`, `1,5` or `-0.00000000000000012`.
    """
    is_integer = at.cell.vr == "IS"
    why = "It is the same number, to the last digit."
    if is_integer:
        yield from _malformed(at, is_fault, "an integer", _as(mending.integer, why))
    else:
        yield from _malformed(at, ds_fault, "a number", _as(mending.decimal, why))
    if at.entry is not None and is_integer:
        for value in at.cell.values:
            if isinstance(value, int | float) and not (
                IS_LOWEST <= value <= IS_HIGHEST and value == int(value)
            ):
                yield Hit(observed=cut(str(value)), expected="an integer of 32 bits")


@rule("VAL-NUMBER", level="value", severity="review", vrs=tuple(sorted(NUMBER_VRS)), reference="PS3.5 6.2")
def binary_number(at: Place) -> Iterator[Hit]:
    """A binary number cannot be read.

    Finds: Values of US, SS, UL, SL, FL, FD and their like whose bytes are no whole number of values, and in
        DICOM JSON values that are no number or outside the range of their VR.
    Why: Each reader makes another number of it, or refuses the object.
    Mend: Have the sender write the value anew: mostly its VR was changed and its bytes were not.
    Example: Rows of one byte, or -1 in US.
    """
    for fault in at.cell.faults:
        if fault.kind == "number":
            yield Hit(observed=fault.detail, expected=f"numbers of {at.cell.vr}")


@rule("VAL-PRIVATE-CREATOR", level="value", severity="note", vrs=("", *_ALL), reference="PS3.5 7.8.1")
def private_creator(at: Place) -> Iterator[Hit]:
    """A private attribute has no private creator.

    Finds: Elements of odd groups whose block is not reserved by a private creator in the same data set or
        item, and elements that private groups must not have. Groups that are not even private are a matter of
        VAL-GROUP.
    Why: Nobody can tell whose it is and what it means; the next system may put its own meaning there.
    Mend: Nothing for the images' sake. De-identification has to remove them, as it cannot know what they
        hold.
    Example: (0019,10BB) without (0019,0010), after a converter dropped the creators.
    """
    tag = at.tag
    if len(tag) != 8 or not is_private(tag) or tag[4:] == "0000" or (tag[4:6] == "00" and tag[6] != "0"):
        return
    if tag.startswith(FORBIDDEN):
        return  # VAL-GROUP
    block = tag[4:6]
    if block < "10":
        yield Hit(observed=f"({tag[:4]},{tag[4:]})", expected="no such element in a private group")
    else:
        yield Hit(observed=f"({tag[:4]},{tag[4:]})", expected=f"a private creator in ({tag[:4]},00{block})")


@rule("VAL-RETIRED", level="value", severity="note", vrs=_ALL, reference="PS3.6 6")
def retired(at: Place) -> Iterator[Hit]:
    """A retired attribute is used.

    Finds: Attributes with a value that the standard has retired. Group lengths, which some systems still
        write, are left alone.
    Why: Newer systems do not look there: what it says goes unread, and what identifies a patient goes
        unnoticed.
    Mend: Nothing for old objects. Have new ones written with the attribute that took its place.
    Example: OtherPatientIDs (0010,1000), now in OtherPatientIDsSequence.
    """
    if at.entry and at.entry.retired and at.entry is not GROUP_LENGTH and not at.cell.empty:
        yield Hit(observed=at.entry.keyword or at.entry.name, expected="an attribute that is not retired")
