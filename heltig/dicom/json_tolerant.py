"""DICOM JSON that strict decoders refuse: NaN, loose numbers, control characters, broken text.

The strict decoder does the work; this reader gets the one instance or the one element that was refused, keeps
what can be kept and says where the text is not JSON (RFC 8259). It reads any bytes, in linear time and
without recursion.
"""

import re
from enum import IntEnum
from typing import NoReturn

import msgspec

from heltig.dicom.cell import Fault

Member = tuple[str, bytes]

MAX_DEPTH = 64
"""Objects and arrays inside one another that are looked into where a text is refused.

To read on level by level would be to read what is left again for each of them.
"""
_PATH_DEPTH = 24

_SPACE = r"[ \t\r\n]*+"
_PLAIN = r'"[ !#-\[\]-~]*+"'  # ASCII without escapes, and with nothing that needs a look
_ANY = r'"(?:[^"\\]++|\\.)*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_WORD = r"true|false|null"
_ENDS = r"(?![0-9A-Za-z.+-])"

_TOKEN = re.compile(
    rf"""{_SPACE}(?:
        (?P<mark>[{{}}\[\]:,])
      | (?P<plain>{_PLAIN})
      | (?P<string>{_ANY})
      | (?P<number>{_NUMBER}){_ENDS}
      | (?P<word>{_WORD}){_ENDS}
      | (?P<nonfinite>[+-]?(?:NaN|nan|Infinity|Inf|inf)){_ENDS}
      | (?P<loose>[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+){_ENDS}
    )""".encode(),
    re.VERBOSE | re.DOTALL,
)


def _array(value: str) -> str:
    return rf"\[(?:{_SPACE}(?:{value}){_SPACE}(?:,(?!{_SPACE}\])|(?=\])))*+{_SPACE}\]"


def _object(value: str) -> str:
    member = rf"{_SPACE}{_PLAIN}{_SPACE}:{_SPACE}(?:{value}){_SPACE}"
    return rf"\{{(?:{member}(?:,(?!{_SPACE}\}})|(?=\}})))*+{_SPACE}\}}"


_SMALL = r"-?(?:0|[1-9][0-9]{0,18}+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]{1,2}+)?+"  # no float is too small for it
_SCALAR = rf"{_PLAIN}|{_SMALL}{_ENDS}|(?:{_WORD}){_ENDS}"
_VALUE = f"{_SCALAR}|{_array(f'{_SCALAR}|{_object(_SCALAR)}')}"  # scalars and person names
# A member in which nothing is amiss, passed over in one step: an element, or the Value of one.
_CLEAN_MEMBER = re.compile(
    rf"{_SPACE}({_PLAIN}){_SPACE}:{_SPACE}({_VALUE}|{_object(_VALUE)})".encode(), re.DOTALL
)

_ESCAPE = re.compile(
    rb"""(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})
       | (?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})
       | (?P<fine>\\u[0-9a-fA-F]{4}|\\["\\/bfnrt])
       | (?P<wrong>\\)
       | (?P<control>[\x00-\x1f])""",
    re.VERBOSE,
)
_LOOSE = re.compile(rb"([+-]?)0*([0-9]*)(\.?)([0-9]*)(.*)", re.DOTALL)
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_UNFINISHED = re.compile(rb'[ \t\r\n]*(?:".*|[A-Za-z0-9.+-]*)', re.DOTALL)


class _Want(IntEnum):
    """What may come next."""

    VALUE = 0
    VALUE_OR_END = 1
    KEY = 2
    KEY_OR_END = 3
    COLON = 4
    COMMA_OR_END = 5


class _Damaged(Exception):
    """From here on the text cannot be read."""


class _Open:
    """An object or array that has not ended yet."""

    __slots__ = ("is_object", "key")

    def __init__(self, is_object: bool) -> None:
        self.is_object = is_object
        self.key = ""


def read_object(text: bytes) -> tuple[list[Member], tuple[Fault, ...]]:
    """Read the members of one JSON object: an instance, an item or an element.

    Args:
        text: The object; anything may be wrong with it.

    Returns:
        Key and untouched text of each member in the order of the source, equal keys included, as far as the
        text can be read; and what is wrong with it, with byte offsets into `text` and the tags that lead
        there. What is nested deeper than `MAX_DEPTH` is wrong too.
    """
    reader = _Reader(text, ends_at_depth=False)
    reader.read()
    return [(key, text[start:end]) for key, start, end in reader.parts], reader.faults()


def read_array(text: bytes) -> tuple[list[bytes], tuple[Fault, ...]]:
    """Read the members of one JSON array, like `read_object`."""
    reader = _Reader(text, ends_at_depth=False)
    reader.read()
    return [text[start:end] for _, start, end in reader.parts], reader.faults()


def repair(text: bytes) -> tuple[bytes, tuple[Fault, ...]]:
    """Rewrite one JSON value so that a strict decoder takes it.

    NaN and infinities become strings, as do numbers that no float can hold; halves of surrogate pairs and
    bytes that are not UTF-8 become U+FFFD. A value that cannot be read, or is nested deeper than `MAX_DEPTH`,
    becomes `null`.

    Returns:
        The rewritten text and what is wrong with the original.
    """
    reader = _Reader(text, ends_at_depth=True)
    complete = reader.read()
    return b"".join(reader.repaired) if complete else b"null", reader.faults()


class _Reader:
    """Walks through one text, token by token.

    Attributes:
        parts: Key (empty in an array), start and end of each member of the outermost object or array.
        repaired: The text in pieces as strict JSON.
    """

    def __init__(self, text: bytes, *, ends_at_depth: bool) -> None:
        self.text = text
        self.ends_at_depth = ends_at_depth
        self.parts: list[tuple[str, int, int]] = []
        self.repaired: list[bytes] = []
        self._open: list[_Open] = []
        self._want = _Want.VALUE
        self._begin = 0
        self._seen: dict[tuple[str, str, str], tuple[int, int]] = {}

    def read(self) -> bool:
        """Read the whole text; false when some of it cannot be read."""
        position = 0
        try:
            while True:
                position = self._step(position)
                if not self._open:
                    break
        except _Damaged:
            return False
        if self.text[position:].strip(b" \t\r\n"):
            self._note("json-syntax", "text after the end", position)
        return True

    def faults(self) -> tuple[Fault, ...]:
        """What was found so far: one fault a kind and place, with the offset of its first occurrence."""
        return tuple(
            Fault(kind, f"{what} at offset {offset}{place}{f', {count} times' if count > 1 else ''}")
            for (kind, what, place), (offset, count) in self._seen.items()
        )

    def _note(self, kind: str, what: str, offset: int) -> None:
        tags = [frame.key.upper() for frame in self._open[:_PATH_DEPTH] if _TAG.fullmatch(frame.key)]
        place = f" in {'.'.join(tags)}" if tags else ""
        first, count = self._seen.get((kind, what, place), (offset, 0))
        self._seen[kind, what, place] = (first, count + 1)

    def _step(self, position: int) -> int:
        """Take one token, or one member in which nothing is amiss; return where it ends."""
        if self._want in (_Want.KEY, _Want.KEY_OR_END):
            member = _CLEAN_MEMBER.match(self.text, position)
            if member:
                if len(self._open) == 1:
                    self.parts.append((member[1][1:-1].decode(), member.start(2), member.end(2)))
                self.repaired.append(member[0])
                self._want = _Want.COMMA_OR_END
                return member.end()
        token = _TOKEN.match(self.text, position)
        if token is None:
            if _UNFINISHED.fullmatch(self.text, position):
                self._note("truncated", "the text ends without an end of what starts", position)
                raise _Damaged
            self._refuse(position)
        kind = token.lastgroup or ""
        start = token.start(kind)
        if kind == "mark":
            self._mark(token[kind], start)
        elif self._want in (_Want.KEY, _Want.KEY_OR_END) and kind in ("plain", "string"):
            written = self._string(token[kind], start) if kind == "string" else token[kind]
            self._open[-1].key = msgspec.json.decode(written, type=str)
            self.repaired.append(written)
            self._want = _Want.COLON
        elif self._want in (_Want.VALUE, _Want.VALUE_OR_END):
            if len(self._open) == 1:
                self._begin = start
            self.repaired.append(self._scalar(kind, token[kind], start))
            self._end_value(token.end())
        else:
            self._refuse(start)
        return token.end()

    def _mark(self, mark: bytes, at: int) -> None:
        want = self._want
        in_object = bool(self._open) and self._open[-1].is_object
        if mark in b"{[" and want in (_Want.VALUE, _Want.VALUE_OR_END):
            if len(self._open) == MAX_DEPTH:
                self._note("nesting", f"objects and arrays nested deeper than {MAX_DEPTH}", at)
                if self.ends_at_depth:
                    raise _Damaged
            if len(self._open) == 1:
                self._begin = at
            self._open.append(_Open(mark == b"{"))
            self._want = _Want.KEY_OR_END if mark == b"{" else _Want.VALUE_OR_END
        elif mark == b":" and want is _Want.COLON:
            self._want = _Want.VALUE
        elif mark == b"," and want is _Want.COMMA_OR_END:
            self._want = _Want.KEY if in_object else _Want.VALUE
            self._open[-1].key = ""
        elif (mark == b"}" and in_object and want in (_Want.KEY, _Want.KEY_OR_END, _Want.COMMA_OR_END)) or (
            mark == b"]" and self._open and not in_object
        ):
            if want in (_Want.KEY, _Want.VALUE):
                self._note("json-syntax", "comma before a closing bracket", at)
                self.repaired.pop()
            self._open.pop()
            self.repaired.append(mark)
            self._end_value(at + 1)
            return
        else:
            self._refuse(at)
        self.repaired.append(mark)

    def _end_value(self, end: int) -> None:
        self._want = _Want.COMMA_OR_END
        if len(self._open) == 1:
            self.parts.append((self._open[0].key, self._begin, end))

    def _refuse(self, at: int) -> NoReturn:
        self._note("json-syntax", "text that cannot be read", at)
        raise _Damaged

    def _scalar(self, kind: str, token: bytes, at: int) -> bytes:
        """The token of a scalar value as strict JSON."""
        if kind == "string":
            return self._string(token, at)
        if kind == "nonfinite":
            self._note("json-nan", "a number that JSON does not have", at)
            return b'"' + token + b'"'
        if kind == "loose":
            self._note("json-syntax", "a number that JSON writes otherwise", at)
            sign, whole, point, fraction, exponent = _LOOSE.fullmatch(token).groups()  # type: ignore[union-attr]
            token = sign.replace(b"+", b"") + (whole or b"0") + point
            token += (fraction or b"0" if point else b"") + exponent
        if kind in ("number", "loose") and float(token) - float(token) != 0:
            self._note("number", "a number that no float can hold", at)
            return b'"' + token + b'"'
        return token

    def _string(self, token: bytes, at: int) -> bytes:
        """A string token as strict JSON."""

        def mend(found: re.Match[bytes]) -> bytes:
            offset = at + found.start()
            if found.lastgroup == "half":
                self._note("json-surrogate", "half of a surrogate pair", offset)
                return rb"\ufffd"
            if found.lastgroup == "wrong":
                self._note("json-syntax", "an escape that JSON does not have", offset)
                return rb"\\"
            if found.lastgroup == "control":
                self._note("json-control", f"byte 0x{found[0][0]:02X} unescaped in a string", offset)
                return b"\\u%04x" % found[0][0]
            return found[0]

        mended = _ESCAPE.sub(mend, token)
        try:
            token.decode()
        except UnicodeDecodeError as error:
            offset, first = at + error.start, token[error.start]
            if first == 0xED and token[error.start + 1] >= 0xA0:
                self._note("json-surrogate", "UTF-8 bytes of half of a surrogate pair", offset)
            else:
                self._note("charset-undecodable", f"byte 0x{first:02X}, which is not UTF-8,", offset)
            mended = mended.decode(errors="replace").encode()
        return mended
