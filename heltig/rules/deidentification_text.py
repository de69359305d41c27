"""De-identification: names, numbers and dates in free text and in private attributes.

The text is searched as it was written, in raw cells, so that only suspects are decoded: de-identified studies
are as large as others.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from heltig.dicom.dates import parse_da
from heltig.rules.deidentification import personal_number
from heltig.rules.deidentification_claims import FULL_DATES, Claim, Found, cells, claims, columns, is_claimed
from heltig.rules.deidentification_words import is_dummy, is_person
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.deidentification import protection
from heltig.standard.dictionary import is_private, lookup, tag_of
from heltig.standard.terms import BODY_PARTS

_FREE_TEXT: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_LONG_TEXT: Final = frozenset({"LT", "ST", "UT"})
_OF_THE_PATIENT: Final = frozenset(map(tag_of, ("PatientID", "OtherPatientIDs", "DeidentificationMethod")))
_SHORTEST_NAME: Final = 4

_NAME: Final = re.compile(r"[^\W\d_]{3,}(?:['-][^\W\d_]+)*\^[^\W\d_]{3,}")
_DAY: Final = re.compile(
    r"(?<![\d.])(?:(?P<y>(?:19|20)\d\d)[-/](?P<m>\d\d)[-/](?P<d>\d\d)"
    r"|(?P<d2>\d\d)[./](?P<m2>\d\d)[./](?P<y2>(?:19|20)\d\d)"
    r"|(?P<y3>(?:19|20)\d\d)(?P<m3>\d\d)(?P<d3>\d\d))(?![\d.])"
)
_PHONE: Final = re.compile(
    r"(?i)\b(?:tel|phone|mobile|fax|ph)\b\W{0,3}\+?\d[\d ()/-]{5,}\d"
    r"|(?<![\w.+])\+[1-9]\d(?:[ ()/-]?\d){6,12}(?![\d.])"
    r"|(?<![\w.])(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?![\d.-])"
)
_MAIL: Final = re.compile(r"[\w.+-]{2,}@[A-Za-z][\w-]*\.[\w.-]*[A-Za-z]{2}")
_RECORD: Final = re.compile(
    r"(?i)\b(?:MRN|PID|CPR|SSN|NHS|pat(?:ient)?[ -]?(?:id|no|nr|number))\b\W{0,3}[A-Z]{0,2}\d[\d -]{2,}\d"
)
_SUSPECT: Final = re.compile(
    rb"\^|@|\d[-/.]\d\d[-/.]\d|\d[-+]\d{4}|\+\d\d|\(\d{3}\)|(?:19|20)\d{6}|(?i:tel|phone|mobile|fax|ph\b|mrn|pid|cpr|ssn|nhs|pat)"
)
"""What has to be in a raw cell for one of the forms above to be in its text."""

_NO_NAMES: Final = frozenset(
    word
    for part in BODY_PARTS.values()
    for word in re.findall(r"[^\W\d_]+", f"{part.term} {part.meaning}".upper())
) | frozenset(
    {
        *("ROUTINE", "PROTOCOL", "SERIES", "STUDY", "SCAN", "GENERAL", "ADULT", "CHILD", "LIBRARY", "USER"),
        *("CONTRAST", "ANGIO", "PERFUSION", "CARDIAC", "NEURO", "ONCO", "SPINE", "EXTREMITIES", "EXAM"),
    }
)
"""Words that stand on both sides of a `^` where no name does: scanners write protocols as `Head^Routine`."""


class _Names(NamedTuple):
    """The words of the names that the study's own instances give."""

    words: frozenset[str]
    written: re.Pattern[str] | None


@rule("DEI-FREETEXT", level="study", severity="block", when=is_claimed, reference="PS3.15 E.3.5")
def free_text(study: StudyView) -> Iterator[Hit]:
    """A name, number or date stands in the free text of de-identified data.

    Finds: In texts of instances said to be de-identified, at any depth and in private attributes: words of a
        PatientName of the study, names in DICOM's form (`Family^Given`, in comments and private attributes),
        numbers as states give them, record and telephone numbers, addresses of mail, and, unless full dates
        are kept by option, dates in comments and descriptions.
    Why: Free text is where people write names, and where tools that clean attribute by attribute do not look.
    Mend: Keep the study back. Have the text removed or cleaned, and look through the other studies of the
        same source.
    Example: `Re-scan for Miller, Anne 170461-0126` in ImageComments.
    """
    names = _names(study)
    every = claims(study)
    for path, table, column in columns(study):
        if not _is_free_text(path[-1]):
            continue
        for found in cells(path, table, column):
            if not _SUSPECT.search(found.raw) and not _holds(names, found.raw):
                continue
            for claim in every:
                what = _told(
                    _text(found),
                    names,
                    claim,
                    may_be_name=_may_be_name(found),
                    may_have_date=_may_have_date(found.path[-1]),
                )
                rows = claim.rows.intersection(found.rows()) if what else ()
                if what and rows:
                    kind, part = what
                    yield Hit(
                        tags=(found.name,),
                        observed=cut(f"{kind}: {part}"),
                        expected="text that names nobody",
                        rows=sorted(rows),
                    )


@lru_cache(4096)
def _is_free_text(key: str) -> bool:
    if is_private(key):
        return not (len(key) == 8 and key[4:6] == "00")
    entry = lookup(key)
    return entry is not None and entry.vr in _FREE_TEXT and key not in _OF_THE_PATIENT


def _names(study: StudyView) -> _Names:
    texts = {name for keyword in ("PatientName", "OtherPatientNames") for name in set(study.texts(keyword))}
    words = {
        word.casefold()
        for name in texts
        if is_person(name)
        for word in re.findall(r"[^\W\d_]+", name)
        if len(word) >= _SHORTEST_NAME and not is_dummy(word)
    }
    written = "|".join(sorted(map(re.escape, words)))
    return _Names(frozenset(words), re.compile(rf"(?i)(?<![^\W_])(?:{written})(?![^\W_])") if words else None)


def _holds(names: _Names, raw: bytes) -> bool:
    return names.written is not None and names.written.search(raw.decode("utf-8", "replace")) is not None


def _may_have_date(key: str) -> bool:
    """A date written here may say something of the patient; in versions and calibrations it does not."""
    entry, action = lookup(key), protection(key)
    return (entry is not None and entry.vr in _LONG_TEXT) or (
        action is not None and "113105" in action.options
    )


def _is_readable(text: str) -> bool:
    """The text is text, not the bytes of something else."""
    return "\ufffd" not in text and all(character.isprintable() or character.isspace() for character in text)


def _is_name(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", text.upper())
    return is_person(text) and _NO_NAMES.isdisjoint(words)


def _text(found: Found) -> str:
    """The text of a cell; bytes, as of private attributes without a VR, as UTF-8 or ISO 8859-1."""
    parts = [
        _of_bytes(value).rstrip("\0 ") if isinstance(value, bytes) else str(value)
        for value in found.cell.values
        if value is not None
    ]
    return "\\".join(parts)


def _of_bytes(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _may_be_name(found: Found) -> bool:
    """A name in DICOM's form may stand here: in comments and private attributes, those without a VR too."""
    return found.cell.vr in _LONG_TEXT or (
        is_private(found.path[-1]) and found.cell.vr in _FREE_TEXT | {"PN", "UN"}
    )


def _told(
    text: str, names: _Names, claim: Claim, *, may_be_name: bool, may_have_date: bool
) -> tuple[str, str] | None:
    """What a text tells of somebody, and its kind; `None` where it tells nothing."""
    if names.written and (name := names.written.search(text)):
        return "the patient's name", name[0]
    if not _is_readable(text):
        return None
    if may_be_name and (name := _NAME.search(text)) and _is_name(name[0]):
        return "a name", name[0]
    if number := personal_number(text):
        return "a personal number", number
    for kind, form in (("a record number", _RECORD), ("a telephone number", _PHONE), ("an address", _MAIL)):
        if match := form.search(text):
            return kind, match[0]
    if may_have_date and FULL_DATES not in claim.options:
        for day in _DAY.finditer(text):
            digits = "".join(day[f"{part}{form}"] or "" for part in "ymd" for form in ("", "2", "3"))
            if parse_da(digits) or parse_da(digits[:4] + digits[6:] + digits[4:6]):
                return "a date", day[0]
    return None
