"""The words of the reading model: encodings, cells, items, data sets and the faults found in them.

A *raw cell* is one element's evidence as the source wrote it: the JSON text of the element, or the bytes of a
Part 10 element from its VR (explicit) or its length (implicit) on. It is decoded into a `Cell` once for each
distinct value.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from heltig.dicom.numbers import parse_ds

Value: TypeAlias = str | int | float | bytes | None
Syntax: TypeAlias = Literal["json", "explicit", "implicit"]

UNDEFINED_LENGTH = 0xFFFFFFFF

FAULT_KINDS = {
    "charset-undecodable": "bytes that the declared character set does not have",
    "charset-escape": "an escape sequence that the declared character sets do not allow",
    "charset-term": "a Specific Character Set value that is not a defined term",
    "json-syntax": "text that is not JSON (RFC 8259)",
    "json-nan": "a number that JSON does not have (NaN, Infinity)",
    "json-control": "an unescaped control character in a JSON string",
    "json-surrogate": "half of a surrogate pair in a JSON string",
    "json-duplicate-key": "a key that stands twice in one JSON object",
    "json-model": "legal JSON that is not the DICOM JSON model (PS3.18 F.2)",
    "number": "a numeric value that cannot be read as a number",
    "odd-length": "a value of odd length",
    "vr-unknown": "VR bytes that PS3.5 does not define",
    "vr-mismatch": "a VR that cannot be read as the value's bytes",
    "tag-order": "elements that do not ascend by tag",
    "tag-duplicate": "a tag that stands twice in one data set",
    "group-length": "a group length that is retired or wrong",
    "truncated": "a file or value that ends before its declared length",
    "trailing": "bytes after the data set",
    "fragments": "fragments that are not those of the image's frames",
    "compression": "compressed pixel data of another kind than the transfer syntax says",
    "pixels-differ": "pixel data that a copy of the object does not have",
    "preamble": "a preamble or prefix that is absent or not neutral",
    "file-meta": "file meta information that is absent or wrong",
    "implicit-in-explicit": "implicit VR elements where the transfer syntax says explicit",
    "explicit-in-implicit": "explicit VR elements where the transfer syntax says implicit",
    "transfer-syntax": "a data set in another byte order, or deflated, against its transfer syntax",
    "nesting": "sequences nested deeper, or with more items, than the limit",
    "unreadable": "content that no reader could read",
    "padding": "padding other than the VR's own",
    "checksum": "bytes that do not have the checksum their ZIP declares",
    "length": "a ZIP member that unpacks to another length than declared",
    "damaged-member": "a ZIP member that does not unpack to its end",
    "duplicate-name": "a ZIP member whose name another member with other content has too",
}


class Fault(msgspec.Struct, frozen=True, gc=False, order=True):
    """Something wrong with how a value or a data set is written.

    Attributes:
        kind: One of `FAULT_KINDS`.
        detail: Where and what, in byte values and offsets: never text that could name a patient.
    """

    kind: str
    detail: str


class Encoding(msgspec.Struct, frozen=True):
    """How the raw cells of one data set are to be read.

    Attributes:
        syntax: `json`, or Part 10 `explicit` or `implicit` little endian.
        charset: Values of Specific Character Set (0008,0005) in force; JSON is UTF-8 whatever it says.
        signed: Pixel Representation (0028,0103) is 1, so that ambiguous `US or SS` values are SS.
    """

    syntax: Syntax
    charset: tuple[str, ...] = ()
    signed: bool = False


class Item(msgspec.Struct, frozen=True, gc=False):
    """One item of a sequence: tags and raw cells side by side."""

    tags: tuple[str, ...]
    raws: tuple[bytes, ...]
    encoding: Encoding
    faults: tuple[Fault, ...] = ()


class DataSet(msgspec.Struct, frozen=True):
    """One instance as read: tags and raw cells side by side, in the order of the source.

    Attributes:
        tags: Eight upper-case hex digits each, file meta (group 0002) included where there is one.
        raws: The raw cells, one a tag.
        encoding: How to read them; file meta is always explicit with the default repertoire.
        faults: What is wrong with the data set as a whole.
        origin: The file or ZIP member it was read from; empty for DICOMweb.
    """

    tags: tuple[str, ...]
    raws: Sequence[bytes | msgspec.Raw]
    encoding: Encoding
    faults: tuple[Fault, ...] = ()
    origin: str = ""


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One decoded element.

    Attributes:
        vr: The VR as the source gives it, the dictionary's where it gives none, empty when unknown.
        values: One entry a value; `()` when the element is empty. Text keeps leading spaces and loses the
            padding its VR allows at the end; PN is `Alphabetic=Ideographic=Phonetic`; AT is eight hex
            digits; DS and IS stay as written. `None` is an empty value among others.
        faults: What is wrong with how the value is written.
        length: Length of the value field in bytes where the source shows it, `UNDEFINED_LENGTH` included.
        bulk: The value is elsewhere (BulkDataURI) or was too long to keep.
        items: The items of a sequence.
    """

    vr: str
    values: tuple[Value, ...] = ()
    faults: tuple[Fault, ...] = ()
    length: int | None = None
    bulk: bool = False
    items: tuple[Item, ...] = ()

    @property
    def empty(self) -> bool:
        """Present without a value: no value but empty ones, no items, nothing held elsewhere."""
        values = self.values
        if values and values[0] is not None and values[0] != "":
            return False
        return not self.bulk and not self.items and not any(v not in (None, "") for v in values)

    @property
    def text(self) -> str:
        """The first value as text without surrounding spaces; empty when there is none."""
        if not self.values or self.values[0] is None:
            return ""
        return str(self.values[0]).strip()

    @property
    def shown(self) -> str:
        """All values as a person would write them, joined with a backslash."""
        return "\\".join("" if v is None else str(v) for v in self.values if not isinstance(v, bytes))

    @property
    def numbers(self) -> tuple[float | None, ...]:
        """Every value as a float; `None` where a value is not a finite number as DS writes it (PS3.5 6.2)."""
        return tuple([_number(v) for v in self.values])


def _number(value: Value) -> float | None:
    if isinstance(value, str):
        return parse_ds(value)
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return None
        if number - number == 0:  # neither NaN nor infinite
            return number
    return None


ABSENT = Cell("")
"""What a rule sees for an attribute that a data set does not have (compare with `is`)."""
