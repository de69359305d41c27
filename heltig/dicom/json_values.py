"""Values of DICOM JSON by VR, whatever JSON types the archive gives them (PS3.18 F.2.3 to F.2.6)."""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Any

import msgspec

from heltig.dicom.cell import Fault, Value
from heltig.dicom.charset import split_values
from heltig.dicom.values import BYTE_VRS, TEXT_VRS

INTEGER_RANGES = {
    "US": (0, 2**16 - 1),
    "SS": (-(2**15), 2**15 - 1),
    "UL": (0, 2**32 - 1),
    "SL": (-(2**31), 2**31 - 1),
    "UV": (0, 2**64 - 1),
    "SV": (-(2**63), 2**63 - 1),
}
FLOAT_VRS = frozenset({"FL", "FD"})
EITHER_VRS = frozenset({"DS", "IS", "SV", "UV"})
"""VRs whose values may be JSON numbers or strings (PS3.18 table F.2.3-1)."""

PERSON_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")

_INTEGER = re.compile(r" *[+-]?[0-9]{1,300} *")
_FLOAT = re.compile(r" *[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *")
_NON_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_AT = re.compile(r"\(?(?:0x)?([0-9A-Fa-f]{4}),? ?(?:0x)?([0-9A-Fa-f]{4})\)?")
_MOST_FAULTS = 8


class Interpreter:
    """Turns the JSON values of one element into values of its VR.

    Attributes:
        faults: What is wrong with them, at most a few of them named.
    """

    def __init__(self, vr: str) -> None:
        self.vr = vr
        self.faults: list[Fault] = []
        self._number = 0

    def values(self, nodes: list[Any]) -> tuple[Value, ...]:
        """Interpret decoded JSON values; a person name is text here, `Alphabetic=Ideographic=Phonetic`."""
        values: list[Value] = []
        for self._number, node in enumerate(nodes, 1):
            if node is None:
                values.append(None)
            elif isinstance(node, bool | dict | list):
                self._blame("json-model", f"is {_name(node)}")
                values.append(msgspec.json.encode(node).decode())
            elif self.vr in TEXT_VRS:
                values += self._text(node)
            elif self.vr in INTEGER_RANGES:
                values.append(self._integer(node))
            elif self.vr in FLOAT_VRS:
                values.append(self._float(node))
            elif self.vr == "AT":
                values.append(self._tag(node))
            else:
                values.append(node)
        if self.vr in BYTE_VRS and values:
            self.faults.append(Fault("json-model", f"Value where {self.vr} has InlineBinary or BulkDataURI"))
        return () if values in ([None], [""]) else tuple(values)

    def _blame(self, kind: str, what: str) -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(Fault(kind, f"value {self._number} {what}"))

    def _text(self, node: str | float) -> list[Value]:
        if not isinstance(node, str):
            if self.vr in EITHER_VRS:
                return [node]
            self._blame("json-model", "is a number")
            return [msgspec.json.encode(node).decode()]
        if "\\" not in node:
            return [self._stripped(node)]
        pieces = split_values(node, vr=self.vr)
        if len(pieces) > 1:
            self._blame("json-model", f"is {len(pieces)} values joined with backslashes")
        return [self._stripped(piece) for piece in pieces]

    def _stripped(self, text: str) -> str | None:
        """Take off what pads a value at its end (PS3.5 6.2), as from Part 10."""
        stripped = text.rstrip(" \0")
        padding = text[len(stripped) :]
        if self.vr == "UI":
            if " " in padding:
                self._blame("padding", "is padded with spaces")
        elif "\0" in padding:
            self._blame("padding", "is padded with NULL")
        return (stripped.rstrip("=") if self.vr == "PN" else stripped) or None

    def _integer(self, node: str | float) -> Value:
        number: Value = node
        if isinstance(node, str):
            if not _INTEGER.fullmatch(node):
                self._blame("number", "is no integer")
                return node
            if self.vr not in EITHER_VRS:
                self._blame("json-model", "is a string")
            number = int(node)
        elif isinstance(node, float):
            if not node.is_integer():
                self._blame("number", "is no integer")
                return node
            number = int(node)
        lowest, highest = INTEGER_RANGES[self.vr]
        if not lowest <= number <= highest:
            self._blame("number", f"is outside {lowest} to {highest}")
        return number

    def _float(self, node: str | float) -> Value:
        if isinstance(node, str):
            # JSON has no number for these: archives write them as strings.
            if _NON_FINITE.fullmatch(node):
                return float(node)
            if not _FLOAT.fullmatch(node):
                self._blame("number", "is no number")
                return node
            self._blame("json-model", "is a string")
        try:
            return float(node)
        except OverflowError:
            self._blame("number", "is larger than any float")
            return str(node)

    def _tag(self, node: str | float) -> Value:
        if isinstance(node, int) and 0 <= node < 2**32:
            self._blame("json-model", "is a number")
            return f"{node:08X}"
        written = _AT.fullmatch(node.strip(" \0")) if isinstance(node, str) else None
        if written is None:
            self._blame("json-model", "is no tag")
            return str(node)
        tag = (written[1] + written[2]).upper()
        if tag != node:
            self._blame("json-model", "is a tag, but not as eight upper-case hex digits")
        return tag


def inline_binary(node: Any) -> tuple[bytes | None, str]:
    """Decode InlineBinary (PS3.18 F.2.7): its bytes, or `None` and why not."""
    if not isinstance(node, str):
        return None, f"InlineBinary is {_name(node)}, not a string"
    try:
        return a2b_base64(node.encode("ascii"), strict_mode=True), ""
    except (Base64Error, UnicodeEncodeError):
        return None, "InlineBinary is not base64"


def _name(node: Any) -> str:
    """The JSON type of a decoded value."""
    if node is None:
        return "null"
    for kind, name in ((bool, "a boolean"), (str, "a string"), (dict, "an object"), (list, "an array")):
        if isinstance(node, kind):
            return name
    return "a number"
