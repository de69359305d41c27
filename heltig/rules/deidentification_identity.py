"""De-identification: is what is said to be de-identified free of the patient's name and numbers?"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from heltig.dicom.cell import Cell
from heltig.dicom.dates import parse_da
from heltig.rules.deidentification_claims import (
    MODIFIED_DATES,
    Found,
    cells,
    checked_rows,
    claims,
    columns,
    is_claimed,
)
from heltig.rules.deidentification_words import is_dummy
from heltig.rules.rule import Hit, rule
from heltig.rules.site_pattern import pattern_of
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

if TYPE_CHECKING:  # what tells names and numbers takes long to load, and most data claims nothing
    from heltig.rules.personal_numbers import Evidence

_NAME: Final = tag_of("PatientName")
_ID: Final = tag_of("PatientID")
_ORIGINAL_ATTRIBUTES: Final = tag_of("OriginalAttributesSequence")
_OTHER_IDS_SEQUENCE: Final = tag_of("OtherPatientIDsSequence")
_ELSEWHERE: Final = frozenset((_ORIGINAL_ATTRIBUTES, _OTHER_IDS_SEQUENCE))
"""Sequences that DEI-ORIGINAL-ATTRS looks into."""


@rule("DEI-CLAIM-NAME", level="study", severity="block", when=is_claimed, reference="PS3.15 E.2")
def identity_left(study: StudyView) -> Iterator[Hit]:
    """The patient's name, number or birth date was left in de-identified data.

    Finds: In instances said to be de-identified, items of sequences too: in a component group of PatientName
        (each is judged by itself) two words, one of them a given name, a common family name, a form of
        address or in letters other than A to Z, that are neither replacements nor words of imaging,
        institutions, trials, therapy, animals and phantoms, or in the second and third group ideographs that
        are no replacement; a PatientID that is a given name and another word,
        alone or with a birth date, an address of mail, or a national number in a form that hardly one in a
        thousand pseudonyms has; a PatientBirthDate other than a first of January, a day in January 1900 or a
        day to come, unless dates are said to be shifted (then DEI-TABLE-X tells it). Objects made from the
        images, see DEI-MIXED, are looked through, too. Where the profile says how pseudonyms look, every
        PatientName and PatientID that does not. What is less sure is a matter of DEI-NAME-WORD and
        DEI-ID-NUMBER.
    Why: Whoever gets the data knows the patient. Once it has left the house it cannot be called back.
    Mend: Keep the study back. De-identify it again from the original, and look why the first run left this.
    Example: One image of a series in which the name stayed, because it had come by another way.
    """
    for tag in (_NAME, _ID):
        yield from _hits(study, tag, "certain", "empty, or a replacement that names nobody")
    for claim in claims(study):
        if MODIFIED_DATES in claim.options:
            continue
        for group in study.groups("PatientBirthDate"):
            rows = claim.checked.intersection(group.rows) if is_birth_date(group.key, study) else ()
            if rows:
                yield Hit(
                    tags=("PatientBirthDate",),
                    observed=cut(group.key),
                    expected="empty, or a replacement that names nobody",
                    rows=sorted(rows),
                )


@rule("DEI-NAME-WORD", level="study", severity="review", when=is_claimed, reference="PS3.15 E.2")
def name_word(study: StudyView) -> Iterator[Hit]:
    """The name of a de-identified patient is a word that may be a name.

    Finds: In instances said to be de-identified, items of sequences too, a PatientName that may be a name:
        one word of letters; two that are no common names (`LOBATI^KUPO`, as random pseudonyms are, and rare
        names, too); two of which one is a word of imaging, of an institution or a study (`Sofia^University`)
        or looks like none that people have (`HN^CHUM`), or that stand beside a number; a common family name
        beside a number or a replacement (`Müller^ANON`), a given name beside one (`Patient^Anna`); names with
        spaces between their letters (`S M I T H`); a given name and another word joined to a number
        (`Schulz-0042-Eva`); a whole name beside a replacement (`SMITH^JOHN^TEST`); an animal or a phantom
        with a given name; a national number with its separators. Not told are replacements such as `ANON` or
        `John Doe`, in the languages of Europe and East Asia, one word beside a number (`Aquila 12`), words of
        imaging alone, hexadecimal codes, what a profile's `pseudonyms` describe, and a name that is the
        PatientID as well (whatever stands between their words), unless it is two words that look like names.
    Why: A family name alone is a name: with the dates and the place, often enough to find the person.
    Mend: Have somebody look whether it is a name. Use pseudonyms that nobody takes for one, with a number in
        them, and say in the profile how they look (`pseudonyms`).
    Example: `LINDQVIST`, where the given name was removed and the family name was not.
    """
    yield from _hits(study, _NAME, "possible", "empty, or a replacement that nobody takes for a name")


@rule("DEI-ID-NUMBER", level="study", severity="review", when=is_claimed, reference="PS3.15 E.2")
def id_number(study: StudyView) -> Iterator[Hit]:
    """The PatientID of a de-identified patient may be a number that a state gave, or hold a name.

    Finds: In instances said to be de-identified, items of sequences too, a PatientID that may be a national
        number: digits with a birth date and a check digit, with the separators of a state (`811228-9874`) or
        without; with a birth date as in Denmark, Malaysia and Egypt, or a check digit as in Spain, Singapore,
        Chile, India and for the British health service, or in the form of a number of the United States or
        Pakistan (these unless the PatientName is the same); one that says itself that it is the number of a
        record (`MRN 1234`). And one that may hold a name: a given name and another word joined to other
        numbers, or as one word (with a capital each, with a common family name or before a birth date:
        `MillerAnne`); two words with a comma; a word with an initial (`Miller, A.`) or a form of address; two
        to six ideographs; a telephone number with that of a country; an address of mail that is nobody's own.
    Why: A national number is as good as a name. But pseudonyms are such numbers, too: of random ones with ten
        digits one in twenty passes as that of some state, of those with eleven one in forty, of those that
        begin with a date nearly all. Nobody can tell these by their form, so a person has to look. Forms that
        hardly one in a thousand passes as are told by DEI-CLAIM-NAME; those without birth date or long check
        (the Dutch BSN, a British number without spaces) are not told at all.
    Mend: Have somebody look how the pseudonyms were made. If they are pseudonyms, say in the profile how they
        look (`pseudonyms`); otherwise keep the study back and have it de-identified again.
    Example: `1704610126`, a Danish number of somebody born on 17 April 1961.
    """
    yield from _hits(study, _ID, "possible", "empty, or a pseudonym that no state could have given")


def _hits(study: StudyView, tag: str, evidence: "Evidence", expected: str) -> Iterator[Hit]:
    """The values of an attribute, in items too, that are so surely those of a person."""
    claimed = checked_rows(study)
    for path, table, column in columns(study):
        if path[-1] != tag or not _ELSEWHERE.isdisjoint(path):
            continue
        for found in cells(path, table, column):
            if _evidence(found, study.context.parameters.pseudonyms) != evidence:
                continue
            rows = found.among(claimed)
            if evidence == "possible" and not _is_told_anyway(found):
                rows = _with_other_name_than_number(study, found, rows)
            if rows:
                yield Hit(
                    tags=(found.name,),
                    observed=cut(found.cell.shown.strip()),
                    expected=expected,
                    rows=sorted(rows),
                )


def _evidence(found: Found, pseudonyms: str) -> "Evidence | None":
    """How surely a name or number is that of a person."""
    from heltig.rules.deidentification_names import name_evidence  # here: loaded where something is claimed
    from heltig.rules.names_in_identifiers import name_in_identifier
    from heltig.rules.numbers_in_text import mails_in, records_in
    from heltig.rules.personal_numbers import personal_number

    text = found.cell.shown.strip()
    if pseudonyms and text:
        return None if pattern_of(pseudonyms).matches(text.rstrip("^=")) else "certain"
    number, is_name = personal_number(text), found.path[-1] == _NAME
    said: list[Evidence | None] = [number.evidence if number and not (is_name and text.isdigit()) else None]
    if is_name or "^" in text:
        said.append(name_evidence(text))
    if not is_name:
        said.append(name_in_identifier(text))
        said.extend(evidence for evidence, _ in mails_in(text))
        said.extend("possible" for _ in records_in(text))
    return "certain" if "certain" in said else "possible" if "possible" in said else None


def _is_told_anyway(found: Found) -> bool:
    """A number with check digits that fit, or a whole name: others are told where name and number differ."""
    from heltig.rules.deidentification_names import has_two_names  # likewise
    from heltig.rules.names_in_identifiers import has_whole_name
    from heltig.rules.personal_numbers import personal_number

    text = found.cell.shown
    if found.path[-1] == _NAME and has_two_names(text):
        return True
    number = personal_number(text) if found.path[-1] == _ID else None
    return (number is not None and number.has_check) or has_whole_name(text)


def _with_other_name_than_number(study: StudyView, found: Found, rows: frozenset[int]) -> frozenset[int]:
    """The instances whose PatientName is not their PatientID: who makes pseudonyms puts them in both."""
    others = study.texts("PatientID" if found.path[-1] == _NAME else "PatientName")
    value = _joined(found.cell.shown)
    return frozenset(row for row in rows if _joined(others[row]) != value)


def _joined(text: str) -> str:
    """A name or number, whatever stands between its parts: `Blue^Falcon` and `Blue_Falcon` are the same."""
    return _BETWEEN.sub("_", text.strip("^=_ "))


_BETWEEN: Final = re.compile(r"[\s^=_.,-]+")


def is_birth_date(text: str, study: StudyView) -> bool:
    """A day on which somebody was born, and none that stands in for one.

    That is no first of January, nor in January 1900, where programs begin to count, nor the study's day, nor
    too long ago or to come.
    """
    day = parse_da(text)
    context = study.context
    return (
        day is not None
        and (day.month, day.day) != (1, 1)
        and (day.year, day.month) != (1900, 1)
        and day <= context.reference_date
        and day.year >= context.reference_date.year - context.parameters.oldest_patient_years
        and text not in study.texts("StudyDate")
    )


_OTHER_IDENTITIES: Final = frozenset(
    map(tag_of, ("OtherPatientIDs", "OtherPatientNames", "PatientBirthName"))
)
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
        (0010,1001) and PatientBirthName (0010,1005) with more than a replacement or the PatientID or
        PatientName that the object has anyway, and in OriginalAttributesSequence (0400,0561) a name, number,
        birth date or accession number that the object no longer has.
    Why: Archives and coercing gateways write down what they changed. The name that was replaced in front
        stands there in full.
    Mend: Have the sequence and the other names and numbers removed, and the de-identifier set up to do so.
    Example: A PatientID corrected by an archive before export, with the wrong one, a real one, kept beside
        it.
    """
    claimed = checked_rows(study)
    for path, table, column in columns(study):
        tag = path[-1]
        before = _ORIGINAL_ATTRIBUTES in path[:-1] and tag in _IDENTITIES
        is_other_id = tag == _ID and path[-2:-1] == (_OTHER_IDS_SEQUENCE,)
        if not (before or is_other_id or tag in _OTHER_IDENTITIES):
            continue
        for found in cells(path, table, column):
            if not _tells(found.cell) or (before and _is_kept(found, study)):
                continue
            rows = found.among(claimed)
            if not before:
                rows = _with_another(study, found, rows)
            if rows:
                yield Hit(
                    tags=(found.name,),
                    observed=cut(found.cell.shown) or "present",
                    expected="removed",
                    rows=sorted(rows),
                )


def _tells(cell: Cell) -> bool:
    from heltig.rules.deidentification_names import name_evidence  # likewise

    if cell.vr == "PN":
        return name_evidence(cell.shown) is not None
    digits = sum(character.isdigit() for character in cell.text)
    return not cell.empty and (digits >= 4 or not is_dummy(cell.shown))


def _with_another(study: StudyView, found: Found, rows: frozenset[int]) -> frozenset[int]:
    """The instances in which a name or number is another than the one that all may see."""
    own = study.texts("PatientName" if found.cell.vr == "PN" else "PatientID")
    values = {_plain(str(value)) for value in found.cell.values if value is not None}
    return frozenset(row for row in rows if values != {_plain(own[row])})


def _plain(text: str) -> str:
    return text.strip("^= ").casefold()


def _is_kept(found: Found, study: StudyView) -> bool:
    """The object has the value still: it is no other identity than the one that all may see."""
    column = study.table.columns.get(found.path[-1])
    return column is not None and any(
        study.table.cell(column, code).text == found.cell.text for code in range(1, len(column.cells))
    )
