"""The right form of values that are written wrongly in a well-known way.

Each function gives the one form that was meant, the value itself where nothing is wrong with it, and None
where several could be meant.
"""

import re
import unicodedata
from typing import Final

from heltig.dicom.charset import DEFINED_TERMS
from heltig.dicom.dates import as_fault, da_fault, tm_fault
from heltig.dicom.numbers import ds_fault, is_fault, parse_ds
from heltig.standard.terms import defined_terms, enumerated

_SEXES: Final = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "O": "O", "OTHER": "O"}
_DELIMITED_DATE: Final = re.compile(r"([0-9]{4})([.-])([0-9]{2})\2([0-9]{2})")
_DELIMITED_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}(?:\.[0-9]{1,6})?))?")
_AGE: Final = re.compile(r"([0-9]{1,3})([DWMYdwmy])")
_AROUND: Final = " \t\n\f\r\v\x00\x1c\x1d\x1e\x1f\x85\xa0\u2007\u202f\u200b\u2060\ufeff"
"""Spaces, line ends and invisible characters that keyboards and barcode readers put around a text."""

_ONE_BYTE_SETS: Final = ("latin-1", "cp1252")
_WORD: Final = re.compile(r"[^\W\d_]+")
_LAST_OF_LATIN_EXTENDED_A: Final = "\u017f"
_WHOLE_RUN: Final = re.compile(rb"[\x80-\xff]+(?![0-9\x40-\xff])")
"""Bytes beyond ASCII side by side; behind them nothing that ends a letter of GBK, GB18030 or Shift JIS."""
_JAPANESE: Final = frozenset(("HAN", "HIRAGANA", "KATAKANA"))
_OTHER_SCRIPTS: Final = frozenset(("ARABIC", "CYRILLIC", "DEVANAGARI", "GREEK", "HEBREW", "THAI"))

_COMMA_NAME: Final = re.compile(r"([^\W\d_][^,^=\\]*[^\W\d_]), ?([^\W\d_]{3,})")
_GIVEN_NAMES: Final = frozenset(
    (
        "ADAM", "AHMED", "ALEXANDER", "ALI", "ALICE", "AMANDA", "AMY", "ANA", "ANDREA", "ANDREAS", "ANDREW",
        "ANGELA", "ANNA", "ANNE", "ANTHONY", "ANTONIO", "ARTHUR", "ASTRID", "BARBARA", "BENJAMIN", "BERND",
        "BIRGIT", "BRIAN", "CARLA", "CARLOS", "CAROL", "CATHERINE", "CHARLES", "CHRISTIAN", "CHRISTINE",
        "CHRISTOPHER", "CLAUDIA", "DANIEL", "DAVID", "DEBORAH", "DENNIS", "DIANA", "DONALD", "DOROTHY",
        "EDWARD", "ELENA", "ELIZABETH", "EMILY", "EMMA", "ERIC", "ERIK", "EVA", "FATIMA", "FELIX",
        "FERNANDO", "FRANCISCO", "FRANK", "GEORGE", "GERD", "GIOVANNI", "GIULIA", "HANNAH", "HANS",
        "HEATHER", "HEIDI", "HELEN", "HELENA", "HELGA", "HENRY", "INGRID", "IRENE", "ISABEL", "IVAN",
        "JACK", "JAMES", "JAN", "JANE", "JASON", "JAVIER", "JEAN", "JENNIFER", "JESSICA", "JOAN", "JOHANNA",
        "JOHN", "JONATHAN", "JOSE", "JOSEPH", "JOSHUA", "JUAN", "JUDITH", "JULIA", "JULIAN", "JULIE",
        "JUTTA", "KAREN", "KARIN", "KATHERINE", "KEVIN", "KLAUS", "LARS", "LAURA", "LAURENT", "LEA",
        "LINDA", "LISA", "LOUIS", "LOUISE", "LUCAS", "LUCIA", "LUIS", "LUKAS", "MANUEL", "MARC", "MARCO",
        "MARGARET", "MARIA", "MARIE", "MARIO", "MARK", "MARTA", "MARTHA", "MARTIN", "MARTINA", "MARY",
        "MATTHEW", "MATTHIAS", "MICHAEL", "MICHEL", "MICHELLE", "MIGUEL", "MOHAMMED", "MONICA", "MONIKA",
        "NANCY", "NATALIE", "NICHOLAS", "NICOLAS", "NICOLE", "NINA", "OLGA", "OLIVER", "OLIVIA", "OSCAR",
        "PABLO", "PAMELA", "PATRICIA", "PATRICK", "PAUL", "PAULA", "PEDRO", "PETER", "PETRA", "PHILIP",
        "PHILIPP", "PIERRE", "RACHEL", "REBECCA", "RICARDO", "RICHARD", "ROBERT", "ROBERTO", "ROSA", "RUTH",
        "SAMUEL", "SANDRA", "SARA", "SARAH", "SEBASTIAN", "SERGIO", "SIMON", "SOFIA", "SOPHIE", "STEFAN",
        "STEPHANIE", "STEPHEN", "STEVEN", "SUSAN", "SUSANNE", "TERESA", "THERESA", "THOMAS", "TIMOTHY",
        "TOBIAS", "URSULA", "VERONICA", "VICTOR", "VICTORIA", "VINCENT", "WALTER", "WERNER", "WILLIAM",
        "WOLFGANG", "YVONNE",
    )
)  # fmt: skip
"""Common given names. What else stands behind a comma may be a title, a suffix or a prefix."""

_SPELLINGS_OF_SETS: Final = {re.sub("[ _]", "", term): term for term in DEFINED_TERMS} | {
    "UTF8": "ISO_IR 192",
    **{
        f"ISO8859{part}": f"ISO_IR {number}"
        for part, number in enumerate((100, 101, 109, 110, 144, 127, 126, 138, 148), 1)
    },
}
"""Other ways to write the name of a set; names of other sets that are like one of the standard's are none."""


def trimmed(text: str) -> str | None:
    """A line of text without what stands around it; None where something invisible is left inside.

    None, too, where the text is UTF-8 that was read in another set: its last byte may look like a space; and
    where NULL stands before the end: that is no slip of a keyboard, and something else may have been there.
    """
    if "\0" in text.rstrip(" \0"):
        return None
    core = text.strip(_AROUND)
    return core if core.isprintable() and core and not may_be_read_twice(text) else None


def trimmed_name(text: str) -> str:
    """A person name whose component groups do not begin with spaces."""
    return re.sub("(?:^|(?<==)) +", "", text)


def date(text: str) -> str | None:
    """`1997.04.24` (ACR-NEMA) and `1997-04-24` (ISO 8601) as DA has them."""
    digits = _DELIMITED_DATE.sub(r"\1\3\4", text)
    return None if da_fault(digits) else digits


def time(text: str) -> str | None:
    """`14:04:38` (ACR-NEMA, ISO 8601) as TM has it."""
    parts = _DELIMITED_TIME.fullmatch(text)
    digits = "".join(parts.groups("")) if parts else text
    return None if tm_fault(digits) else digits


def age(text: str) -> str | None:
    """`42Y` and `42y` as AS has them; a number without its unit could be years or months."""
    parts = _AGE.fullmatch(text)
    if parts is None:
        return None if as_fault(text) else text
    number = int(parts[1])
    return f"{number:03}{parts[2].upper()}" if number else None  # zero mostly stands for an unknown age


def code(text: str, keyword: str) -> str | None:
    """A code in capitals, where these are a term that the standard lists for the attribute."""
    terms = (defined_terms(keyword) or frozenset()) | (enumerated(keyword) or frozenset())
    return text if text in terms else text.upper() if text.upper() in terms else None


def sex(text: str) -> str | None:
    """PatientSex where it is an English word or a small letter."""
    return _SEXES.get(text.strip().upper())


def integer(text: str) -> str | None:
    """An IS value without tabs and line ends around it."""
    core = text.strip(_AROUND)
    return None if is_fault(core) else core if is_fault(text) else text


def decimal(text: str) -> str | None:
    """A DS value without tabs and line ends around it, and without zeros that make it too long."""
    if ds_fault(text) is None:
        return text
    core = text.strip(_AROUND)
    if ds_fault(core) is None:
        return core
    if parse_ds(core) is None or "." not in core or "e" in core.lower():
        return None
    short = core.rstrip("0").rstrip(".")
    return None if ds_fault(short) else short


def name(text: str) -> str | None:
    """`DOE, JANE` as PN has it; None where the word behind the comma may be no given name."""
    parts = _COMMA_NAME.fullmatch(text)
    if parts is None or parts[2].upper() not in _GIVEN_NAMES:
        return None
    return f"{parts[1].strip()}^{parts[2]}"


def character_set(term: str) -> str | None:
    """A defined term of Specific Character Set from another spelling of it."""
    if term in DEFINED_TERMS:
        return term
    return _SPELLINGS_OF_SETS.get(re.sub("[^A-Z0-9]", "", term.upper()))


def may_be_read_twice(text: str) -> bool:
    """Whether text could be UTF-8 that was once read as ISO 8859-1 or Windows-1252, likely or not."""
    return not text.isascii() and any(_read_again(text, codec) is not None for codec in _ONE_BYTE_SETS)


def read_twice(text: str) -> str | None:
    """Text in UTF-8 that was once read as ISO 8859-1 or Windows-1252, read again rightly.

    None where it could as well be text in another set that was read so: `Ã«^Â½` is `毛^陆` in GBK, and no
    `ë^½`.
    """
    if text.isascii():
        return text
    for codec in _ONE_BYTE_SETS:
        meant = _read_again(text, codec)
        if meant is not None:
            return meant if meant.isprintable() and is_surely_utf8(meant.encode()) else None
    return None


def _read_again(text: str, codec: str) -> str | None:
    """What the bytes of a text are in UTF-8; None where they are not."""
    try:
        return text.encode(codec).decode("utf-8")
    except UnicodeError:
        return None


def is_surely_utf8(data: bytes) -> bool:
    """Whether bytes beyond ASCII can be nothing but UTF-8.

    That they are valid is not enough: two letters of half-width katakana or of GBK often are. So they have to
    read as what people write: Latin letters within words of ASCII letters and in their case, letters of one
    East Asian script that no set of two bytes a letter could have written, or some of one other script.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    letters = [letter for letter in text if not letter.isascii()]
    scripts = {_script(letter) for letter in letters}
    if scripts == {"LATIN"}:
        return all(_is_latin_word(word) for word in _WORD.findall(text))
    if scripts and (scripts <= _JAPANESE or scripts == {"HANGUL"}):
        # Sets of two bytes a letter have an odd number of them side by side only where ASCII ends the last.
        return len(letters) >= 4 or any(len(run) % 2 for run in _WHOLE_RUN.findall(data))
    return len(scripts) == 1 and scripts <= _OTHER_SCRIPTS and len(letters) >= 4


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "")
    return "HAN" if name.startswith("CJK UNIFIED IDEOGRAPH") else name.partition(" ")[0]


def _is_latin_word(word: str) -> bool:
    """A word of ASCII letters, some of them with accents."""
    plain = [letter for letter in word if letter.isascii()]
    accented = [letter for letter in word if not letter.isascii()]
    if not accented:
        return True
    if len(plain) < 2 or max(accented) > _LAST_OF_LATIN_EXTENDED_A:
        return False
    return not "".join(plain).isupper() or "".join(accented).upper() in ("".join(accented), "SS")
