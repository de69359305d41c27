"""De-identification: is what is said to be de-identified free of the patient's identity?"""

import re
from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import Cell
from heltig.dicom.dates import parse_da
from heltig.rules.acquisition import ACQUIRED
from heltig.rules.deidentification_claims import (
    MODIFIED_DATES,
    Claim,
    Found,
    cells,
    claimed_rows,
    claims,
    columns,
    declared,
    is_claimed,
)
from heltig.rules.deidentification_words import is_dummy, is_person, may_be_person
from heltig.rules.rule import Hit, rule
from heltig.rules.site_pattern import pattern_of
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup

_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"

_NATIONAL_ID: Final = re.compile(
    r"(?<!\d)(?:(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d-\d{4}"  # day, month, year and four digits
    r"|\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+]\d{4}"  # year, month, day and four digits
    r"|\d{3}-\d{2}-\d{4})(?!\d)"  # as in the United States
)
"""Numbers that states give to people."""

_MOMENT: Final = re.compile(r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-(?:[01]\d|2[0-3])[0-5]\d")
"""A day and a time of it, as programs write them."""


def personal_number(text: str) -> str:
    """A number as states give them to people, in a text; empty where there is none."""
    for found in _NATIONAL_ID.finditer(text):
        if _MOMENT.fullmatch(found[0]) is None:
            return found[0]
    return ""


@rule("DEI-CLAIM-NAME", level="study", severity="block", when=is_claimed, reference="PS3.15 E.2")
def identity_left(study: StudyView) -> Iterator[Hit]:
    """The patient's name, number or birth date was left in de-identified data.

    Finds: In instances said to be de-identified: a PatientName of words in two components that is no
        replacement; a PatientID in the form of a national number; a PatientBirthDate other than a first of
        January, unless dates are said to be shifted. Where the profile says how pseudonyms look, every
        PatientName and PatientID that does not.
    Why: Whoever gets the data knows the patient. Once it has left the house it cannot be called back.
    Mend: Keep the study back. De-identify it again from the original, and look why the first run left this.
    Example: One image of a series in which the name stayed, because it had come by another way.
    """
    pattern = study.context.parameters.pseudonyms
    for claim in claims(study):
        shifted = MODIFIED_DATES in claim.options
        for keyword in ("PatientName", "PatientID", "PatientBirthDate"):
            for group in study.groups(keyword):
                if not group.key:
                    continue
                if keyword == "PatientBirthDate":
                    looks_real = not shifted and _is_birth_date(group.key, study)
                elif pattern:
                    looks_real = not pattern_of(pattern).matches(group.key.rstrip("^="))
                else:
                    looks_real = bool(personal_number(group.key)) or (
                        keyword == "PatientName" and is_person(group.key)
                    )
                rows = claim.rows.intersection(group.rows) if looks_real else ()
                if rows:
                    yield Hit(
                        tags=(keyword,),
                        observed=cut(group.key),
                        expected="empty, or a replacement that names nobody",
                        rows=sorted(rows),
                    )
        yield from _left_in_items(study, claim, pattern)


def _left_in_items(study: StudyView, claim: Claim, pattern: str) -> Iterator[Hit]:
    """Names and numbers in items of sequences, where simple tools do not look."""
    for path, table, column in columns(study):
        if len(path) == 1 or path[-1] not in _IDENTITY or not _ELSEWHERE.isdisjoint(path):
            continue
        for found in cells(path, table, column):
            text = found.cell.text
            if pattern:
                looks_real = bool(text) and not pattern_of(pattern).matches(text.rstrip("^="))
            else:
                looks_real = bool(personal_number(text)) or (path[-1] == _NAME_TAG and is_person(text))
            rows = claim.rows.intersection(found.rows()) if looks_real else ()
            if rows:
                yield Hit(
                    tags=(found.name,),
                    observed=cut(text),
                    expected="empty, or a replacement that names nobody",
                    rows=sorted(rows),
                )


_NAME_TAG: Final = tag_of("PatientName")
_IDENTITY: Final = frozenset((_NAME_TAG, tag_of("PatientID")))
_ELSEWHERE: Final = frozenset((tag_of("OriginalAttributesSequence"), tag_of("OtherPatientIDsSequence")))
"""Sequences that DEI-ORIGINAL-ATTRS looks into."""


@rule("DEI-NAME-WORD", level="study", severity="review", when=is_claimed, reference="PS3.15 E.2")
def name_word(study: StudyView) -> Iterator[Hit]:
    """The name of a de-identified patient is a word that may be a name.

    Finds: In instances said to be de-identified, a PatientName of one word of letters that is no replacement
        such as `ANON`, none that a profile's `pseudonyms` describe, and is not the PatientID as well.
    Why: A family name alone is a name: with the dates and the place, often enough to find the person.
    Mend: Have somebody look whether it is a name. Use pseudonyms that nobody takes for one, with a number in
        them, and say in the profile how they look (`pseudonyms`).
    Example: `LINDQVIST`, where the given name was removed and the family name was not.
    """
    pattern = study.context.parameters.pseudonyms
    claimed = claimed_rows(study)
    for group in () if pattern else study.groups("PatientName"):
        rows = claimed.intersection(group.rows)
        if rows and may_be_person(group.key) and not is_person(group.key):
            numbers = {study.table.at(tag_of("PatientID"), row).text for row in rows}
            if numbers != {group.key.strip("^= ")}:
                yield Hit(
                    tags=("PatientName",),
                    observed=cut(group.key),
                    expected="empty, or a replacement that nobody takes for a name",
                    rows=sorted(rows),
                )


def _is_birth_date(text: str, study: StudyView) -> bool:
    """A day on which somebody was born: no first of January, nor the study's day, nor too long ago."""
    day = parse_da(text)
    context = study.context
    return (
        day is not None
        and (day.month, day.day) != (1, 1)
        and day.year >= context.reference_date.year - context.parameters.oldest_patient_years
        and text not in study.texts("StudyDate")
    )


def _claims_itself(at: Values) -> bool:
    return at["PatientIdentityRemoved"].text.upper() == "YES"


@rule(
    "DEI-METHOD",
    level="instance",
    severity="review",
    reads=("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    needs=("metadata", "all_attributes"),
    when=_claims_itself,
    reference="PS3.3 C.7.1.1",
)
def method(at: Values) -> Iterator[Hit]:
    """The data says that the identity was removed, but not how.

    Finds: PatientIdentityRemoved (0012,0062) YES with neither DeidentificationMethod (0012,0063) nor
        DeidentificationMethodCodeSequence (0012,0064).
    Why: Nobody can tell what was removed and what kept on purpose, so nobody can judge whether it was enough.
        The standard demands one of the two.
    Mend: Have the de-identifier write its method, best as codes of the profile and options it applied.
    Example: A script that sets the flag and removes the name, no more.
    """
    if not at.has("DeidentificationMethod") and not at.has("DeidentificationMethodCodeSequence"):
        yield Hit(
            tags=("DeidentificationMethod", "DeidentificationMethodCodeSequence"),
            observed="absent",
            expected="the method, as text or codes",
        )


@rule(
    "DEI-MIXED",
    level="study",
    severity="block",
    reads=("PatientIdentityRemoved",),
    when=lambda study: is_claimed(study) and not declared(study.context),
    needs=("metadata", "all_attributes"),
)
def mixed(study: StudyView) -> Iterator[Hit]:
    """A part of the study is said to be de-identified, a part is not.

    Finds: Instances without the claim in a study of which others claim to be de-identified. Not counted are
        objects made from images, such as segmentations and reports, of the same PatientName and PatientID:
        they were made later.
    Why: The part that was left out may name the patient, and with him all the rest.
    Mend: De-identify the instances named here, or find out that they were and have them say so; do not send
        the study before.
    Example: A series that arrived after the script had run.
    """
    claimed = claimed_rows(study)
    if len(claimed) == len(study):
        return
    names = {row: (name, id) for row, name, id in _identities(study)}
    known = {names[row] for row in claimed}
    classes = study.texts("SOPClassUID")
    others = [
        row
        for row in study.rows
        if row not in claimed and not (names[row] in known and _is_made_later(classes[row]))
    ]
    if others:
        yield Hit(
            tags=("PatientIdentityRemoved",),
            observed=f"YES in {len(claimed)}, not in {len(others)} instances",
            expected="all of the study de-identified, or nothing",
            rows=others,
        )


def _identities(study: StudyView) -> Iterator[tuple[int, str, str]]:
    return zip(study.rows, study.texts("PatientName"), study.texts("PatientID"), strict=True)


def _is_made_later(sop_class_uid: str) -> bool:
    sop_class = lookup(sop_class_uid)
    return (
        sop_class is not None
        and sop_class_uid != _SECONDARY_CAPTURE
        and bool(sop_class.modality)
        and ACQUIRED.isdisjoint(sop_class.modality)
    )


_OTHER_IDENTITIES: Final = frozenset(
    map(tag_of, ("OtherPatientIDs", "OtherPatientIDsSequence", "OtherPatientNames", "PatientBirthName"))
)
_ORIGINAL_ATTRIBUTES: Final = tag_of("OriginalAttributesSequence")
_IDENTITIES: Final = frozenset(
    map(tag_of, ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber"))
)


@rule(
    "DEI-ORIGINAL-ATTRS",
    level="study",
    severity="block",
    when=is_claimed,
    reference="PS3.3 C.12.1",
)
def old_identity(study: StudyView) -> Iterator[Hit]:
    """De-identified data keeps the old identity in another place.

    Finds: In instances said to be de-identified: OtherPatientIDs (0010,1000 and 1002), OtherPatientNames
        (0010,1001) and PatientBirthName (0010,1005) with more than a replacement, and in
        OriginalAttributesSequence (0400,0561) a name, number, birth date or accession number that the object
        no longer has.
    Why: Archives and coercing gateways write down what they changed. The name that was replaced in front
        stands there in full.
    Mend: Have the sequence and the other names and numbers removed, and the de-identifier set up to do so.
    Example: A PatientID corrected by an archive before export, with the wrong one, a real one, kept beside
        it.
    """
    claimed = claimed_rows(study)
    for path, table, column in columns(study):
        tag = path[-1]
        before = _ORIGINAL_ATTRIBUTES in path[:-1] and tag in _IDENTITIES
        if not before and tag not in _OTHER_IDENTITIES:
            continue
        for found in cells(path, table, column):
            if _tells(found.cell) and not (before and _is_kept(found, study)):
                rows = claimed.intersection(found.rows())
                if rows:
                    yield Hit(
                        tags=(found.name,),
                        observed=cut(found.cell.shown) or "present",
                        expected="removed",
                        rows=sorted(rows),
                    )


def _tells(cell: Cell) -> bool:
    if cell.items:
        return True
    digits = sum(character.isdigit() for character in cell.text)
    return not cell.empty and (digits >= 4 or not is_dummy(cell.shown))


def _is_kept(found: Found, study: StudyView) -> bool:
    """The object has the value still: it is no other identity than the one that all may see."""
    column = study.table.columns.get(found.path[-1])
    return column is not None and any(
        study.table.cell(column, code).text == found.cell.text for code in range(1, len(column.cells))
    )
