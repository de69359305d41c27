"""Text that switches character sets by escape sequences: ISO 2022 as PS3.5 6.1.2.5 narrows it."""

import re
from typing import Final, NamedTuple

from heltig.dicom.cell import Fault

ESC_BYTE: Final = 0x1B


class CharacterSet(NamedTuple):
    """A character set as bytes are read by it.

    Attributes:
        term: Its defined term.
        codec: Python's codec. But for the sets of two 7-bit bytes all codecs have ASCII below 0x80.
    """

    term: str
    codec: str


# Registration number: Python's codec and the escape sequence, without ESC, that designates the set as G1
# (PS3.3 table C.12-3). ISO-IR 13 (JIS X 0201) is the single-byte part of Shift JIS. Python reads its romaji
# 0x5C and 0x7E (yen sign, overline) as ASCII, which suits a byte that delimits values in DICOM.
SINGLE_BYTE: Final = {
    "100": ("latin_1", b"-A"),
    "101": ("iso8859_2", b"-B"),
    "109": ("iso8859_3", b"-C"),
    "110": ("iso8859_4", b"-D"),
    "144": ("iso8859_5", b"-L"),
    "127": ("iso8859_6", b"-G"),
    "126": ("iso8859_7", b"-F"),
    "138": ("iso8859_8", b"-H"),
    "148": ("iso8859_9", b"-M"),
    "203": ("iso8859_15", b"-b"),
    "13": ("shift_jis", b")I"),
    "166": ("tis_620", b"-T"),
}

_G1 = {
    escape: CharacterSet(f"ISO 2022 IR {number}", codec) for number, (codec, escape) in SINGLE_BYTE.items()
} | {
    b"$)C": CharacterSet("ISO 2022 IR 149", "euc_kr"),
    b"$)A": CharacterSet("ISO 2022 IR 58", "gb2312"),
}
_G0 = {b"(B": "ISO 2022 IR 6", b"(J": "ISO 2022 IR 13"}
_G0_OF_PAIRS = {
    b"$B": CharacterSet("ISO 2022 IR 87", "iso2022_jp"),
    b"$(D": CharacterSet("ISO 2022 IR 159", "iso2022_jp_2"),
}
_ESCAPE_OF_PAIRS = {characters.codec: b"\x1b" + escape for escape, characters in _G0_OF_PAIRS.items()}

_ESCAPE = re.compile(rb"\x1b([\x20-\x2f]*[\x30-\x7e])?|\Z")
_CONTROLS = re.compile(rb"[\t\n\f\r]")
_RUNS = re.compile(rb"([\x21-\x7e]+)|([\x00-\x20\x7f]+)|([\x80-\xff]+)")
_NOT_JIS_X_0201 = re.compile(rb"[\x80-\xa0\xe0-\xff]")
_DEFAULT_REPERTOIRE = ("ISO_IR 6", "ISO 2022 IR 6")


class Faults(dict[str, Fault]):
    """The first fault of each kind in one text."""

    def add(self, kind: str, detail: str) -> None:
        """Note a fault unless there is one of its kind."""
        self.setdefault(kind, Fault(kind, detail))


def decode_run(data: bytes, characters: CharacterSet, *, faults: Faults, offset: int = 0) -> str:
    """Decode bytes of one character set.

    Args:
        data: Bytes without escape sequences.
        characters: The set.
        faults: Takes a `charset-undecodable` where the set does not have a byte.
        offset: Where `data` stands in the value field, for the fault.
    """
    try:
        text = data.decode(characters.codec)
    except UnicodeDecodeError as error:
        where = f"byte 0x{data[error.start]:02X} at offset {offset + error.start}"
        if characters.term in _DEFAULT_REPERTOIRE:
            # Latin-1 has a character for every byte, so the text still shows which bytes they were.
            faults.add("charset-undecodable", f"{where} is not in the default repertoire, read as ISO 8859-1")
            return data.decode("latin_1")
        faults.add("charset-undecodable", f"{where} is not in {characters.term}")
        return data.decode(characters.codec, "replace")
    if characters.codec == "shift_jis" and (kanji := _NOT_JIS_X_0201.search(data)):
        where = f"byte 0x{data[kanji.start()]:02X} at offset {offset + kanji.start()}"
        faults.add("charset-undecodable", f"{where} is not in {characters.term}, read as Shift JIS")
    return text


def decode_escaped(
    data: bytes,
    initial: CharacterSet,
    *,
    declared: frozenset[str],
    delimiters: re.Pattern[bytes],
    faults: Faults,
) -> str:
    """Decode text with escape sequences.

    A set that is not declared is read all the same, with a fault; an escape sequence that DICOM does not have
    stays in the text.

    Args:
        data: The value field.
        initial: The set in force at the start and again after each delimiter (PS3.5 6.1.2.5.3).
        declared: Defined terms that the text may switch to.
        delimiters: What brings the initial set back.
        faults: Takes `charset-escape` and `charset-undecodable`.
    """
    text: list[str] = []
    low: CharacterSet | None = None  # G0 where it is a set of two bytes a character, else it is ASCII
    high = initial  # G1
    start = 0
    for escape in _ESCAPE.finditer(data):
        run = data[start : escape.start()]
        if low or high is not initial:
            # Where G0 is a set of pairs, the codes of the other delimiters are bytes of its characters.
            delimiter = (_CONTROLS if low else delimiters).search(run)
            if delimiter:
                head = run[: delimiter.start()]
                text.append(_decode_sets(head, low=low, high=high, faults=faults, offset=start))
                run, start = run[len(head) :], start + len(head)
                low, high = None, initial
        text.append(_decode_sets(run, low=low, high=high, faults=faults, offset=start))
        start = escape.start()
        if start == len(data):
            break
        sequence = escape[1] or b""
        if sequence in _G1:
            high = _G1[sequence]
            term = high.term
        elif sequence in _G0_OF_PAIRS:
            low = _G0_OF_PAIRS[sequence]
            term = low.term
        elif sequence in _G0:
            low = None
            term = _G0[sequence]
        else:
            faults.add("charset-escape", f"the escape sequence at offset {start} is none that DICOM has")
            continue
        if term not in declared:
            faults.add(
                "charset-escape", f"the escape sequence at offset {start} is of {term}, which is not declared"
            )
        start = escape.end()
    return "".join(text)


def _decode_sets(
    data: bytes, *, low: CharacterSet | None, high: CharacterSet, faults: Faults, offset: int
) -> str:
    """Decode bytes while two sets are in force, `low` for 7-bit and `high` for 8-bit codes."""
    if low is None:
        return decode_run(data, high, faults=faults, offset=offset)
    return "".join(
        [
            _decode_pairs(run[0], low, faults=faults, offset=offset + run.start())
            if run[1]
            else decode_run(run[0], high, faults=faults, offset=offset + run.start())
            for run in _RUNS.finditer(data)
        ]
    )


def _decode_pairs(data: bytes, characters: CharacterSet, *, faults: Faults, offset: int) -> str:
    """Decode a set of two 7-bit bytes a character; Python's codec wants to see its escape sequence."""
    escape = _ESCAPE_OF_PAIRS[characters.codec]
    return decode_run(escape + data, characters, faults=faults, offset=offset - len(escape))
