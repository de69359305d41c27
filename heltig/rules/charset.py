"""Character set: can every text be read, everywhere, as it was meant?"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from heltig.dicom.cell import Cell
from heltig.dicom.charset import DEFINED_TERMS, MULTI_BYTE_TERMS, SINGLE_VALUE_TERMS, normalise_charset
from heltig.rules import mending
from heltig.rules.proposal import Change, mended_at
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, StudyView
from heltig.rules.wording import counted, cut
from heltig.standard.dictionary import lookup, tag_of
from heltig.standard.value_representations import CHARSET_VRS, VRS

_BY_CHARSET: Final = tuple(sorted(CHARSET_VRS))
_LINES: Final = ("AE", *_BY_CHARSET, "UR")
"""VRs of text that is more than a code: AE and UR have the default repertoire."""

_DEFAULT_REPERTOIRE: Final = frozenset(("", "ISO_IR 6", "ISO 2022 IR 6"))
_OTHER_RULES_CONTROL: Final = frozenset(map(tag_of, ("AccessionNumber", "PatientID")))
"""Attributes of the data set whose control characters STU-ACCESSION-LEN and PAT-ID-WHITESPACE tell."""

# The second and third byte of a character in UTF-8, as ISO 8859-1 and Windows-1252 show them.
_TAIL = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
_CHARACTER: Final = f"(?:[Ä-ß]{_TAIL}|[à-ï]{_TAIL}{{2}})"
_READ_TWICE: Final = re.compile(f"[ÂÃ]{_TAIL}|{_CHARACTER}{{2,}}")
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_LAST_OF_LATIN_1: Final = "\xff"
_UNICODE: Final = frozenset(("ISO_IR 192", "GB18030"))
_CHARACTER_SET: Final = tag_of("SpecificCharacterSet")

_LEADING_SPACE: Final = re.compile("(?:^|(?<==)) ")
_LOST_IN_NAME: Final = re.compile(r"[^\W\d_]\?|\?[^\W\d_]")


def _of_standard(at: Place) -> bool:
    """Text in private attributes is for their maker's own software."""
    return at.entry is not None


@rule(
    "CHR-TERM",
    level="value",
    severity="review",
    reads=("SpecificCharacterSet",),
    reference="PS3.3 C.12.1.1.2",
)
def term(at: Place) -> Iterator[Hit]:
    """SpecificCharacterSet names no character set of the standard.

    Finds: Values of SpecificCharacterSet (0008,0005) that are not defined terms, and in files terms in the
        wrong place: several values need the terms that begin with `ISO 2022`, and a set of several bytes a
        character cannot come first. In DICOM JSON the place means nothing: archives drop empty values.
    Why: A reader that does not know the term reads the text as ASCII or refuses the object: names with
        accents come out wrong and are not found.
    Mend: Write the term as the standard has it; it is given with the finding where it can be guessed. The
        text itself is mostly right: do not convert it. Where it is the term in another spelling, `UTF-8`
        among them, that is proposed.
    Example: `ISO-IR 100`, `UTF-8` or `ISO 8859-1`.
    """
    values = ["" if value is None else str(value).strip() for value in at.cell.values]
    changes = _term_spelled(at)
    for number, value in enumerate(values, 1):
        if value not in DEFINED_TERMS and (value or number > 1):
            guess = normalise_charset((value,))[0] if value else ()
            expected = f"{guess[0]}, if that is meant" if guess else "a defined term"
        elif at.syntax == "json":
            continue
        elif len(values) > 1 and value.startswith("ISO_IR ") and value not in SINGLE_VALUE_TERMS:
            expected = f"{value.replace('ISO_IR', 'ISO 2022 IR')} beside other values"
        elif number == 1 and value in MULTI_BYTE_TERMS:
            expected = f"a set of one byte a character, or none, before {value}"
        else:
            continue
        observed = cut(value) or f"value {number} is empty"
        yield Hit(observed=observed, expected=expected, changes=changes)


def _term_spelled(at: Place) -> tuple[Change, ...]:
    """The terms as the standard spells them, where that makes the whole declaration right."""
    changes = mended_at(at, mending.character_set, "The same character set, as the standard spells it.")
    return tuple(change for change in changes if not normalise_charset(change.becomes or ())[1])


@rule(
    "CHR-MULTI-UTF8",
    level="value",
    severity="review",
    reads=("SpecificCharacterSet",),
    reference="PS3.3 C.12.1.1.2",
)
def beside_unicode(at: Place) -> Iterator[Hit]:
    r"""Another character set is declared beside Unicode, GB18030 or GBK.

    Finds: `ISO_IR 192`, `GB18030` or `GBK` among several values of SpecificCharacterSet (0008,0005).
    Why: These sets hold everything and allow no switching. Readers differ in which value they believe.
    Mend: Leave the one value by which the text reads rightly.
    Example: `ISO_IR 192\ISO 2022 IR 87` from a gateway that converts the text and adds to the old value.
    """
    values = ["" if value is None else str(value).strip() for value in at.cell.values]
    if len(values) > 1 and not SINGLE_VALUE_TERMS.isdisjoint(values):
        yield Hit(observed=cut("\\".join(values)), expected="one of the values alone")


@rule(
    "CHR-MISSING",
    level="value",
    severity="review",
    vrs=_BY_CHARSET,
    needs=("metadata", "bytes"),
    reference="PS3.3 C.12.1.1.2",
)
def missing(at: Place) -> Iterator[Hit]:
    """There is text beyond ASCII, and no character set is declared.

    Finds: Bytes above 0x7F in text where SpecificCharacterSet (0008,0005) is absent, empty or names the
        default repertoire only. DICOM JSON is Unicode whatever was declared: its sources cannot show this.
    Why: Every reader guesses. One shows `Müller`, the next `M?ller`, and an archive that converts to
        Unicode makes the guess permanent.
    Mend: Find out by which set the text reads rightly, ISO_IR 100 in most of Western Europe, and have the
        sender declare it. ISO_IR 192 is proposed where all such text of an instance is UTF-8 and reads as
        words in it: short texts in Asian sets can be UTF-8 by accident.
    Example: A workstation of a German hospital that sends ISO 8859-1 and says nothing.
    """
    if _of_standard(at) and _DEFAULT_REPERTOIRE.issuperset(at.encoding.charset):
        for hit in _faults(at, "charset-undecodable", "a SpecificCharacterSet that has these characters"):
            yield replace(hit, changes=_declare_unicode(at))


def _declare_unicode(at: Place) -> tuple[Change, ...]:
    """The declaration of UTF-8, where the bytes behind VR and length (PS3.5 7.1) prove it."""
    long = at.syntax == "explicit" and VRS[at.cell.vr].long
    if not mending.is_surely_utf8(at.raw[8 if long else 4 :]):
        return ()
    declared = at.encoding.charset
    return (
        Change(
            tag=_CHARACTER_SET,
            vr="CS",
            was=declared if any(declared) else (),
            becomes=("ISO_IR 192",),
            why="All text beyond ASCII is UTF-8, and reads as words in it.",
            unanimous=True,
        ),
    )


@rule(
    "CHR-UNDECODABLE",
    level="value",
    severity="review",
    vrs=_LINES,
    needs=("metadata", "bytes"),
    reference="PS3.5 6.1",
)
def undecodable(at: Place) -> Iterator[Hit]:
    """Text holds bytes that its character set does not have.

    Finds: Bytes that are no characters in the SpecificCharacterSet (0008,0005) declared, and bytes above 0x7F
        in AE and UR, which allow ASCII only.
    Why: Readers drop them, replace them or refuse the object. The name is not found again.
    Mend: Find out by which set the text reads rightly. If all of it does, have the declaration corrected; if
        only some of it, the text was put together from two sources and needs to be entered again.
    Example: ISO_IR 192 declared over text in ISO 8859-1, after a gateway changed the declaration only.
    """
    charset = at.encoding.charset if at.cell.vr in CHARSET_VRS else ("ISO_IR 6",)
    if not _of_standard(at) or (at.cell.vr in CHARSET_VRS and not normalise_charset(charset)[0]):
        return  # CHR-MISSING or CHR-TERM says what is wrong
    yield from _faults(at, "charset-undecodable", "characters of the set")


@rule(
    "CHR-CODE-EXT",
    level="value",
    severity="review",
    vrs=_BY_CHARSET,
    needs=("metadata", "bytes"),
    reference="PS3.5 6.1.2.5",
)
def code_extension(at: Place) -> Iterator[Hit]:
    """Text switches to a character set that is not declared.

    Finds: Escape sequences of ISO 2022 whose set is not among the values of SpecificCharacterSet
        (0008,0005), or that DICOM does not have.
    Why: Readers that go by the declaration show the escape sequence and a row of wrong letters instead of the
        name.
    Mend: Have the sender declare every set it switches to, as `ISO 2022 IR …` from the second value on.
    Example: A Japanese name with `ISO_IR 13` alone declared.
    """
    if _of_standard(at):
        yield from _faults(at, "charset-escape", "escape sequences of declared sets only")


def _faults(at: Place, kind: str, expected: str) -> Iterator[Hit]:
    for fault in at.cell.faults:
        if fault.kind == kind:
            yield Hit(observed=f"{cut(at.cell.shown, 48)}: {fault.detail}", expected=expected)


@rule("CHR-REPLACEMENT", level="value", severity="review", vrs=_BY_CHARSET, reference="PS3.5 6.1")
def replacement(at: Place) -> Iterator[Hit]:
    """Characters were lost or read in the wrong set before the object was written.

    Finds: The replacement character U+FFFD, letters of UTF-8 read as ISO 8859-1 (`Ã¼` for `ü`), and question
        marks next to letters in person names.
    Why: The name is spoilt in the object itself: it does not match the information system, and no reader
        can bring it back.
    Mend: Have the text written again from its source, and the converter that spoilt it mended: it spoils
        every study. Letters of UTF-8 that were read as ISO 8859-1 can be read again: that is proposed where
        they read as words. In a file whose set has no such letters, and all of whose text reads in UTF-8,
        the declaration is what is wrong: ISO_IR 192 is proposed.
    Example: `MÃ¼ller^JÃ¼rgen`, or `M?ller^J?rgen`.
    """
    if not _of_standard(at) or any(fault.kind == "charset-undecodable" for fault in at.cell.faults):
        return
    for value in at.cell.values:
        if isinstance(value, str) and (
            "\ufffd" in value
            or (not value.isascii() and _is_read_twice(value))
            or (at.cell.vr == "PN" and "?" in value and ("??" in value or _LOST_IN_NAME.search(value)))
        ):
            changes = () if "?" in value else _read_rightly(at)
            yield Hit(observed=cut(value), expected="the characters that were meant", changes=changes)


def _read_rightly(at: Place) -> tuple[Change, ...]:
    """The text as it was meant or, where its character set has no such letters, the set that has them."""
    why = "The letters are UTF-8 read as ISO 8859-1, and give words when read rightly."
    changes = mended_at(at, mending.read_twice, why)
    meant = "".join(text for change in changes for text in change.becomes or ())
    if meant.isascii() or max(meant) <= _LAST_OF_LATIN_1 or _UNICODE.issuperset(at.encoding.charset):
        return changes
    return () if at.syntax == "json" else _declare_unicode(at)


def _is_read_twice(text: str) -> bool:
    """Text with letters of UTF-8 as another set shows them: `Ã¼`, several side by side, or nothing else."""
    return _READ_TWICE.search(text) is not None or (
        len(_BEYOND_ASCII.findall(text)) > 1 and mending.may_be_read_twice(text)
    )


@rule(
    "CHR-MIXED",
    level="study",
    severity="note",
    compares=True,
    reads=("SpecificCharacterSet",),
    reference="PS3.3 C.12.1.1.2",
)
def mixed(study: StudyView) -> Iterator[Hit]:
    """The character set changes within the study.

    Finds: More than one SpecificCharacterSet (0008,0005) in a study of which a person name goes beyond ASCII.
        Absent and the default repertoire count as one; so do a set with and without code extensions.
    Why: The same name is other bytes in each part. Systems that compare bytes find two patients.
    Mend: Nothing, where the target converts to one set; else have it convert when it takes the study in.
    Example: Images in ISO_IR 100 with a structured report in ISO_IR 192.
    """
    groups = study.groups("SpecificCharacterSet", _effective)
    if len(groups) > 1 and _has_name_beyond_ascii(study):
        yield Hit(
            observed=counted((group.cell.shown or "none", group.count) for group in groups),
            expected="one SpecificCharacterSet in the study",
            rows=sorted(row for group in groups[1:] for row in group.rows),
        )


def _effective(cell: Cell) -> str:
    terms, _ = normalise_charset(tuple("" if value is None else str(value) for value in cell.values))
    return "\\".join(terms).replace("ISO 2022 IR", "ISO_IR")


def _has_name_beyond_ascii(study: StudyView) -> bool:
    names = [column for tag, column in study.table.columns.items() if (e := lookup(tag)) and e.vr == "PN"]
    return any(
        not study.table.cell(column, code).shown.isascii()
        for column in names
        for code in range(1, len(column.cells))
    )


@rule("CHR-CONTROL", level="value", severity="review", vrs=_LINES, reference="PS3.5 6.1.3")
def control(at: Place) -> Iterator[Hit]:
    """Text holds control characters that its VR does not allow.

    Finds: Control characters in text; tabs, line and page ends are allowed in ST, LT and UT alone.
    Why: They break table layouts, exports and searches, and some readers end the text there. XML, and thus
        many archives' interfaces, cannot hold most of them at all.
    Mend: Have the text entered again without them; look for barcode readers that send a control character,
        and for text of Windows-1252 declared as ISO_IR 100. Trimming is proposed where they stand before or
        behind the text only.
    Example: SeriesDescription with a line end, copied from a report.
    """
    if not _of_standard(at) or (at.depth == 0 and at.tag in _OTHER_RULES_CONTROL):
        return
    kinds = {fault.kind for fault in at.cell.faults}
    if "charset-undecodable" in kinds:
        return  # what looks like a control character is a letter of another set
    allowed = VRS[at.cell.vr].controls | ({"\x1b"} if "charset-escape" in kinds else set())
    for value in at.cell.values:
        if isinstance(value, str) and not value.isprintable() and _has_control(value, allowed):
            permitted = "tabs and line ends only" if VRS[at.cell.vr].controls else "none"
            why = "Control characters before and behind a text are no part of it."
            changes = () if VRS[at.cell.vr].controls else mended_at(at, mending.trimmed, why)
            yield Hit(observed=cut(value), expected=f"of control characters {permitted}", changes=changes)


def _has_control(text: str, allowed: frozenset[str] | set[str]) -> bool:
    return any(unicodedata.category(letter) == "Cc" and letter not in allowed for letter in text)


@rule("CHR-PN-LEAD-SPACE", level="value", severity="review", vrs=("PN",), reference="PS3.5 6.2")
def leading_space(at: Place) -> Iterator[Hit]:
    """A person name begins with a space.

    Finds: Person names of which a component group has a space before its first letter.
    Why: The space counts. A search for `Doe*` does not find ` Doe^John`, and the archive takes them for two
        names.
    Mend: Trim the name where it is entered, and have it corrected in the study as proposed.
    Example: ` DOE^JOHN`, typed into a form that pads names to the right.
    """
    if _of_standard(at):
        for value in at.cell.values:
            if isinstance(value, str) and _LEADING_SPACE.search(value):
                why = "The spaces are no part of the name."
                yield Hit(
                    observed=cut(_LEADING_SPACE.sub("␣", value)),
                    expected="no space before the name",
                    changes=mended_at(at, mending.trimmed_name, why),
                )
