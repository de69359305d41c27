"""The value representations (PS3.5 table 6.2-1): how long a value may be and what it may hold."""

from types import MappingProxyType
from typing import Literal, TypeAlias

import msgspec

Repertoire: TypeAlias = Literal["restricted", "default", "extended", "binary"]
Unit: TypeAlias = Literal["characters", "bytes"]

CHARSET_VRS = frozenset({"SH", "LO", "ST", "PN", "LT", "UC", "UT"})
"""VRs whose text Specific Character Set (0008,0005) governs (PS3.5 6.1.2.3)."""

FORMAT_EFFECTORS = frozenset("\t\n\f\r")
"""Control characters that ST, LT and UT may hold (PS3.5 6.1.3); ESC apart, which code extensions use."""

LONGEST_FIELD = 2**32 - 2
"""Most bytes of a value field of defined length, which is even."""


class VrEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of PS3.5 table 6.2-1.

    Attributes:
        name: The two letters.
        repertoire: `restricted` to `characters`, the `default` repertoire (ISO IR 6), `extended` by
            Specific Character Set (0008,0005), or `binary`.
        characters: The characters that a restricted VR allows, its padding space included; empty for others.
        controls: Control characters allowed in it.
        limit: Most characters or bytes of one value; of one component group for PN.
        unit: What `limit` counts.
        fixed: Every value has exactly `limit` bytes.
        multiple: A field can hold several values, separated by a backslash or `size` bytes each.
        size: Bytes of one number; the length of a field is a multiple of it. 0 for text and SQ.
        padding: The byte that makes a value even.
        leading_spaces: Spaces before the value are significant. Trailing ones are in no VR.
        long: Has a 4-byte length in explicit VR encoding (PS3.5 7.1.2).
    """

    name: str
    repertoire: Repertoire
    limit: int
    characters: frozenset[str] = frozenset()
    controls: frozenset[str] = frozenset()
    unit: Unit = "bytes"
    fixed: bool = False
    multiple: bool = True
    size: int = 0
    padding: bytes = b" "
    leading_spaces: bool = False
    long: bool = False

    @property
    def text(self) -> bool:
        """Values are text, whatever their repertoire."""
        return self.repertoire != "binary"


def vr(name: str) -> VrEntry | None:
    """Return what PS3.5 says of a VR; `None` for all other text, alternatives such as `US or SS` included."""
    return VRS.get(name)


def _restricted(name: str, limit: int, characters: str, *, fixed: bool = False) -> VrEntry:
    return VrEntry(
        name=name, repertoire="restricted", limit=limit, characters=frozenset(characters), fixed=fixed
    )


def _line(name: str, limit: int, *, leading_spaces: bool = False) -> VrEntry:
    return VrEntry(
        name=name, repertoire="extended", limit=limit, unit="characters", leading_spaces=leading_spaces
    )


def _paragraphs(name: str, limit: int, unit: Unit) -> VrEntry:
    return VrEntry(
        name=name,
        repertoire="extended",
        limit=limit,
        unit=unit,
        controls=FORMAT_EFFECTORS,
        multiple=False,
        leading_spaces=True,
        long=name == "UT",
    )


def _number(name: str, size: int, *, long: bool = False) -> VrEntry:
    return VrEntry(name=name, repertoire="binary", limit=size, fixed=True, size=size, padding=b"", long=long)


def _stream(name: str, size: int) -> VrEntry:
    return VrEntry(
        name=name,
        repertoire="binary",
        limit=2**32 - max(size, 2),
        multiple=False,
        size=size,
        padding=b"\0",
        long=True,
    )


_ROWS = (
    VrEntry(name="AE", repertoire="default", limit=16),
    _restricted("AS", 4, "0123456789DWMY", fixed=True),
    _number("AT", 4),
    _restricted("CS", 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ "),
    _restricted("DA", 8, "0123456789", fixed=True),
    _restricted("DS", 16, "0123456789+-Ee. "),
    _restricted("DT", 26, "0123456789+-. "),
    _number("FD", 8),
    _number("FL", 4),
    _restricted("IS", 12, "0123456789+- "),
    _line("LO", 64),
    _paragraphs("LT", 10240, "characters"),
    _stream("OB", 1),
    _stream("OD", 8),
    _stream("OF", 4),
    _stream("OL", 4),
    _stream("OV", 8),
    _stream("OW", 2),
    _line("PN", 64, leading_spaces=True),
    _line("SH", 16),
    _number("SL", 4),
    VrEntry(name="SQ", repertoire="binary", limit=LONGEST_FIELD, multiple=False, padding=b"", long=True),
    _number("SS", 2),
    _paragraphs("ST", 1024, "characters"),
    _number("SV", 8, long=True),
    _restricted("TM", 14, "0123456789. "),
    VrEntry(
        name="UC",
        repertoire="extended",
        limit=LONGEST_FIELD,
        leading_spaces=True,
        long=True,
    ),
    VrEntry(name="UI", repertoire="restricted", limit=64, characters=frozenset("0123456789."), padding=b"\0"),
    _number("UL", 4),
    _stream("UN", 1),
    VrEntry(
        name="UR", repertoire="default", limit=LONGEST_FIELD, multiple=False, leading_spaces=True, long=True
    ),
    _number("US", 2),
    _paragraphs("UT", LONGEST_FIELD, "bytes"),
    _number("UV", 8, long=True),
)

VRS = MappingProxyType({row.name: row for row in _ROWS})
"""Every VR of PS3.5 table 6.2-1, by name."""
