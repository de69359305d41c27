"""De-identification: names, numbers and dates in free text and in private attributes.

Attributes that scanners and programs fill are searched as they were written, in raw cells, so that only
suspects are decoded: de-identified studies are as large as others.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from heltig.rules.deidentification_claims import FULL_DATES, Found, cells, claims, columns, is_claimed
from heltig.rules.deidentification_words import is_dummy
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.deidentification import protection
from heltig.standard.dictionary import is_private, lookup, tag_of

if TYPE_CHECKING:  # what tells names and numbers takes long to load, and most data claims nothing
    from heltig.rules.personal_numbers import Evidence

_FREE_TEXT: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_LONG_TEXT: Final = frozenset({"LT", "ST", "UT"})
_OF_THE_PATIENT: Final = frozenset(map(tag_of, ("PatientID", "OtherPatientIDs")))
_METHOD: Final = tag_of("DeidentificationMethod")
_PADDING: Final = tag_of("DataSetTrailingPadding")
_BYTES: Final = frozenset((tag_of("PrivateInformation"), _PADDING))
_CLEAN_DESCRIPTORS: Final = "113105"
_SHORTEST_NAME: Final = 4

_SUSPECT: Final = re.compile(
    rb"\^|@|\\u|InlineBinary|\d[-/.]\d\d?[-/.]\d|\d[-+A-Y]\d{3}|\+\d\d|\(\d{3}\)|\d{3}[ -]\d{3}|\d{4} \d{6}"
    rb"|(?:19|20)\d\d|[A-Za-z]\d{3}[A-Za-z]|(?i:tel|phone|mobile|fax|ph\b|mrn|cpr|ssn|nhs|chi|pat|tlf|tfn|handy|puh)"
    rb"|(?i:nummer|number|record)|[A-Z]{2}\d\d ?[A-Z\d]{4} ?\d{4}"
)
"""What has to be in a raw cell for something certain to be in its text."""

Nature: TypeAlias = Literal["comment", "description", "method", "private", "bytes", "other"]
"""What stands in an attribute: a comment, a description (which scanners fill, too), how the data was
de-identified, what only its maker knows, bytes that may hold text, or another text."""


class _Names(NamedTuple):
    """The words of the names that the study's own instances give."""

    words: frozenset[str]
    written: re.Pattern[str] | None


class _Told(NamedTuple):
    """What an attribute of some instances tells of somebody."""

    evidence: "Evidence"
    kind: str
    part: str
    attribute: str
    rows: tuple[int, ...]

    def hit(self) -> Hit:
        return Hit(
            tags=(self.attribute,),
            observed=cut(f"{self.kind}: {self.part}"),
            expected="text that names nobody",
            rows=self.rows,
        )


@rule("DEI-FREETEXT", level="study", severity="block", when=is_claimed, reference="PS3.15 E.3.5")
def free_text(study: StudyView) -> Iterator[Hit]:
    """A name, number or date stands in the free text of de-identified data.

    Finds: In texts of instances said to be de-identified, at any depth, in private attributes, in the method
        of de-identification, the private information of the file meta and the padding (as far as it is read:
        in a file that is up to the pixel data): words of a PatientName of the study; names in DICOM's form
        (`Family^Given`, in descriptions if the second is a given name); numbers as states give them, with
        their separators; record and telephone numbers after a word that says so; bank accounts (IBAN);
        addresses of mail; and, unless full dates are kept by option, dates with a full year in comments and
        descriptions. What is less sure is a matter of DEI-TEXT-WORD, and a number that is the PatientID as
        well one of DEI-ID-NUMBER.
    Why: Free text is where people write names, and where tools that clean attribute by attribute do not look.
    Mend: Keep the study back. Have the text removed or cleaned, and look through the other studies of the
        same source.
    Example: `Re-scan for Miller, Anne 170461-0126` in ImageComments.
    """
    for told in study.once(_all_told):
        if told.evidence == "certain":
            yield told.hit()


@rule("DEI-TEXT-WORD", level="study", severity="review", when=is_claimed, reference="PS3.15 E.3.5")
def text_word(study: StudyView) -> Iterator[Hit]:
    """The free text of de-identified data may tell of somebody.

    Finds: In comments and descriptions of instances said to be de-identified, in the method of
        de-identification, the private information of the file meta and the padding: a given name beside a
        word that is none of imaging, and, in descriptions, a given name before such a word in DICOM's form
        (`Gordon^TOPIC`); who is addressed (`Frau Holm`), has a label (`name: holm`) or does what only people
        do (`Patient Holm moved`); numbers after `call`, `PID`, `ID`, `Med Rec` and the like; numbers in the
        form of others that nobody can tell apart (an American social security number, a British health
        service number); dates with two digits of the year; words in the padding.
    Why: It looks like a leak but need not be one: scanners, coils and protocols have names and numbers, too.
        No rule can tell a family name from a word in every language, so a person has to look. Names in
        letters without capitals, such as Arabic or Chinese ones, are found in DICOM's form only.
    Mend: Read the text. Have it cleaned if it tells of somebody; otherwise waive the finding: the waiver
        covers this text, and no other.
    Example: `Patient Anna Miller moved` in ImageComments.
    """
    for told in study.once(_all_told):
        if told.evidence == "possible":
            yield told.hit()


def _all_told(study: StudyView) -> list[_Told]:
    names = _names(study)
    every, numbers = claims(study), study.texts("PatientID")  # a pseudonym may stand in texts, too
    told = []
    for path, table, column in columns(study):
        nature = _nature(path[-1])
        if nature is None:
            continue
        for found in cells(path, table, column):
            if not (_is_read(nature) or _is_suspect(found.raw) or _holds(names, found.raw)):
                continue
            for claim in every:
                what = _what(found, names, nature, dates=FULL_DATES not in claim.options)
                rows = found.among(claim.checked) if what else frozenset()
                if what and what[1] in _ALSO_PSEUDONYMS:
                    rows = frozenset(row for row in rows if not _is_of(numbers[row], what[2]))
                if what and rows:
                    told.append(_Told(*what, found.name, tuple(sorted(rows))))
    return told


_ALSO_PSEUDONYMS: Final = "a record number", "a personal number"


def _is_of(pseudonym: str, number: str) -> bool:
    """A number in a text is the PatientID that all may see, or a part of it."""
    return bool(pseudonym) and (pseudonym in number or number in pseudonym)


def _is_suspect(raw: bytes) -> bool:
    """There may be something certain in a raw cell."""
    return _SUSPECT.search(raw) is not None if len(raw) > _LONGEST else _is_short_suspect(raw)


@lru_cache(4096)
def _is_short_suspect(raw: bytes) -> bool:
    return _SUSPECT.search(raw) is not None


@lru_cache(4096)
def _nature(key: str) -> Nature | None:
    if is_private(key):
        return None if len(key) == 8 and key[4:6] == "00" else "private"
    if key in _BYTES:
        return "bytes"
    entry, action = lookup(key), protection(key)
    if entry is None or entry.vr not in _FREE_TEXT or key in _OF_THE_PATIENT:
        return None
    if key == _METHOD:
        return "method"
    if entry.vr in _LONG_TEXT:
        return "other" if entry.keyword.endswith("Address") else "comment"  # streets are called after people
    return "description" if action is not None and _CLEAN_DESCRIPTORS in action.options else "other"


def _is_read(nature: Nature) -> bool:
    """It is decoded whatever is in it: names need no signs that could be searched for."""
    return nature not in ("private", "other")


def _names(study: StudyView) -> _Names:
    from heltig.rules.deidentification_names import name_evidence  # here: loaded where something is claimed
    from heltig.rules.deidentification_terms import is_known

    texts = {name for keyword in ("PatientName", "OtherPatientNames") for name in set(study.texts(keyword))}
    words = {
        word.casefold()
        for name in texts
        if name_evidence(name) == "certain"
        for word in re.findall(r"[^\W\d_]+", name)
        if len(word) >= _SHORTEST_NAME and not is_dummy(word) and not is_known(word)
    }
    written = "|".join(sorted(map(re.escape, words)))
    return _Names(frozenset(words), re.compile(rf"(?i)(?<![^\W_])(?:{written})(?![^\W_])") if words else None)


def _holds(names: _Names, raw: bytes) -> bool:
    return names.written is not None and names.written.search(raw.decode("utf-8", "replace")) is not None


def _what(found: Found, names: _Names, nature: Nature, *, dates: bool) -> "tuple[Evidence, str, str] | None":
    """What a cell tells of somebody, the surest of it; `None` where it tells nothing."""
    text = _text(found)
    if names.written and (name := names.written.search(text)):
        return "certain", "the patient's name", name[0]
    if nature == "bytes":
        text = "\n".join(_RUN.findall(text))
        return _surest(text, nature, dates=dates) or _padded(found.path[-1], text)
    if not _is_readable(text):
        return None
    if nature == "private" and found.cell.vr not in _FREE_TEXT | {"PN", "UN"}:
        return _surest(text, "other", dates=False)
    return _surest(text, nature, dates=dates)


def _padded(key: str, text: str) -> "tuple[Evidence, str, str] | None":
    """Words where there should be nothing but padding."""
    if key != _PADDING or len(_WORD.findall(text)) < 2:
        return None
    return "possible", "words", text


_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_RUN: Final = re.compile(r"[^\W\d_][^\x00-\x1f\x7f-\x9f\ufffd]{3,}")
"""Text among other bytes."""


def _surest(text: str, nature: Nature, *, dates: bool) -> "tuple[Evidence, str, str] | None":
    look = _remembered if len(text) <= _LONGEST else _look_through
    return look(text, nature, dates)


def _look_through(text: str, nature: Nature, dates: bool) -> "tuple[Evidence, str, str] | None":
    possible = None
    for evidence, kind, part in _everything(text, nature, dates=dates):
        if evidence == "certain":
            return evidence, kind, part
        if possible is None and _is_read(nature):
            possible = evidence, kind, part
    return possible


_remembered = lru_cache(1024)(_look_through)
_LONGEST: Final = 256
"""Characters of a text of which is remembered what it tells: descriptions are the same in many series."""


def _everything(text: str, nature: Nature, *, dates: bool) -> "Iterator[tuple[Evidence, str, str]]":
    from heltig.rules.dates_in_text import dates_in  # likewise
    from heltig.rules.names_in_text import names_in_text
    from heltig.rules.numbers_in_text import (
        accounts_in,
        mails_in,
        personal_numbers_in,
        phones_in,
        records_in,
    )

    is_prose, has_own_form = _is_read(nature), nature in ("comment", "private", "bytes")
    for evidence, name in names_in_text(text, is_prose=is_prose, has_own_form=has_own_form):
        yield evidence, "a name", name
    for kind, forms in (
        ("a personal number", personal_numbers_in),
        ("a record number", records_in),
        ("a telephone number", phones_in),
        ("an address", mails_in),
        ("a bank account", accounts_in),
    ):
        for evidence, part in forms(text):
            yield evidence, kind, part
    if dates and nature in ("comment", "description", "bytes"):
        for evidence, day in dates_in(text):
            yield evidence, "a date", day


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


def _is_readable(text: str) -> bool:
    """The text is text, not the bytes of something else."""
    return _UNREADABLE.search(text) is None


_UNREADABLE: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]")
