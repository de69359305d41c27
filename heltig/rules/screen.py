"""Screens: what a raw cell looks like when no value rule on its VR can object to it.

Most values are plainly right. A screen is a regular expression over the raw cell that only such cells match:
the dictionary's VR, a number of values that the VM allows, every value plain. A cell that matches is not
decoded for the value rules that hold for a whole VR; every other cell goes the long way. A screen may be too
strict, never too lenient: tests hold the screens against all these rules, over made-up cells and real ones.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final, Literal, TypeAlias

from heltig.dicom.cell import Syntax
from heltig.dicom.values import BYTE_VRS, NUMBER_VRS
from heltig.rules.elements import FORBIDDEN
from heltig.rules.plain_values import (
    Plain,
    instance_uid,
    listed_value,
    near_value,
    plain_value,
    positive_value,
)
from heltig.rules.uid import OF_INSTANCES
from heltig.rules.value_meanings import POSITIVE
from heltig.standard.dictionary import GROUP_LENGTH, Entry, lookup
from heltig.standard.terms import enumerated
from heltig.standard.value_representations import VRS

Dialect: TypeAlias = Literal["compact", "json", "explicit", "implicit"]
"""How a cell is written: DICOM JSON without white space and with `vr` first, other JSON, or Part 10."""

NEAR: Final = frozenset({"ImagePositionPatient"})
"""Attributes of which nearly each image has its own value: no rule that names one objects to what passes its
screen (GEO-IPP-FAR)."""

_SEPARATOR: Final = b"\xff"
"""Stands between cells: text that matches does not hold it."""

_WORTH_COMPILING: Final = 24
"""Cells after which a screen has saved more than it takes to compile it."""

_FEW: Final = 16
"""Suspects up to which it is worth looking for the next one."""

_MOST_TAGS: Final = 16_384
_WHITE: Final = rb"[ \t\r\n]*+"
_EVEN: Final = b"[" + b"".join(re.escape(bytes((low,))) for low in range(0, 256, 2)) + b"]"
_WRITTEN_VR: Final = re.compile(rb'"vr"' + _WHITE + b":" + _WHITE + rb'"([A-Z]{2})"')
_VM: Final = re.compile(r"(\d+)(?:-(\d*)(n?))?")


class Screen:
    """The screen of some cells: those of one attribute, or of all private attributes of one VR.

    Attributes:
        pattern: What the cells that match look like.
        vrs: Their VRs.
        kind: The same text for screens of the same VRs and dialect.
    """

    __slots__ = ("_asked", "_compiled", "_is_text", "kind", "pattern", "vrs")

    def __init__(self, pattern: bytes, *, vrs: Sequence[str], dialect: Dialect) -> None:
        self.vrs = vrs
        self.kind = f"{dialect} {vrs}"
        self.pattern = pattern
        self._is_text = dialect in ("compact", "json") or all(VRS[vr].text for vr in vrs)
        self._asked = 0
        self._compiled: re.Pattern[bytes] | None = None  # of text: any number of cells, each with a separator

    def passes(self, cell: bytes) -> bool:
        """The cell matches; not before the screen is worth compiling."""
        if self._compiled is None:
            return False
        if not self._is_text:
            return self._compiled.fullmatch(cell) is not None
        return _SEPARATOR not in cell and self._compiled.fullmatch(cell + _SEPARATOR) is not None

    def suspects(self, cells: Sequence[bytes]) -> Sequence[int]:
        """The places, from 0 on, of the cells that do not match.

        While few cells were seen all of them are suspects: that is cheaper than compiling.
        """
        if self._compiled is None:
            self._asked += len(cells)
            if self._asked < _WORTH_COMPILING:
                return range(len(cells))
            self._compiled = re.compile(
                rb"(?:" + self.pattern + rb"\xFF)*+" if self._is_text else self.pattern
            )
        found = self._few_suspects(cells, self._compiled) if self._is_text and len(cells) > 1 else None
        if found is None:
            found = [place for place, cell in enumerate(cells) if not self.passes(cell)]
        return found

    def _few_suspects(self, cells: Sequence[bytes], pattern: re.Pattern[bytes]) -> list[int] | None:
        """The same, from each suspect to the next in one go: faster than one by one; None for many."""
        joined = _SEPARATOR.join((*cells, b""))
        if joined.count(_SEPARATOR) != len(cells):
            return None
        match, suspects, start, place = pattern.match, list[int](), 0, 0
        while len(suspects) <= _FEW:
            found = match(joined, start)
            stop = found.end() if found else start
            if stop == len(joined):
                return suspects
            place += joined.count(_SEPARATOR, start, stop)
            suspects.append(place)
            start = joined.index(_SEPARATOR, stop) + 1
            place += 1
        return None


def screen_of(tag: str, syntax: Syntax, sample: bytes) -> Screen | None:
    """The screen for the cells of one column; `None` where every cell has to go the long way.

    Args:
        tag: Eight hex digits, or the key of a private column.
        syntax: Of all its cells.
        sample: One of its cells: archives write all theirs alike.
    """
    dialect: Dialect
    if tag.startswith(FORBIDDEN):
        return None  # VAL-GROUP objects to each
    if syntax == "json":
        dialect = "compact" if sample.startswith(b'{"vr":"') else "json"
    else:
        dialect = "explicit" if tag.startswith("0002") else syntax
    if len(tag) == 8:
        return _of_attribute(tag, dialect)
    return _of_vr(_written_vr(sample, dialect), dialect)


def _written_vr(cell: bytes, dialect: Dialect) -> str:
    if dialect == "implicit":
        return "UN"
    if dialect == "explicit":
        return cell[:2].decode("latin-1")
    written = _WRITTEN_VR.search(cell)
    return written[1].decode() if written else ""


@lru_cache(_MOST_TAGS)
def _of_attribute(tag: str, dialect: Dialect) -> Screen | None:
    entry = lookup(tag)
    if entry is None or (entry.retired and entry is not GROUP_LENGTH):
        return None
    vrs = tuple(entry.vr.split(" or "))
    if "SQ" in vrs or not set(vrs) <= VRS.keys():
        return None
    if dialect == "implicit" and len(vrs) > 1:
        vrs = ("US",) if vrs == ("US", "SS") else ("OW",)
    return _screen(tuple([_cell(vr, _values(entry, vr), entry.vm, dialect) for vr in vrs]), vrs, dialect)


@cache
def _of_vr(vr: str, dialect: Dialect) -> Screen | None:
    """The screen for private attributes, of which nothing but the VR is known."""
    if vr == "SQ" or vr not in VRS:
        return None
    vm = "1-n" if VRS[vr].multiple else "1"
    return _screen((_cell(vr, _plain_values(vr), vm, dialect),), (vr,), dialect)


@cache
def _screen(cells: tuple[bytes, ...], vrs: tuple[str, ...], dialect: Dialect) -> Screen:
    """One screen for all attributes with the same pattern."""
    pattern = cells[0] if len(cells) == 1 else b"(?:" + b"|".join(cells) + b")"
    return Screen(pattern, vrs=vrs, dialect=dialect)


def _values(entry: Entry, vr: str) -> list[Plain]:
    """What the first, the second and every further value of an attribute may be."""
    if entry.tag in OF_INSTANCES:
        return [instance_uid()]
    if entry.keyword in NEAR:
        return [near_value()]
    if entry.keyword in POSITIVE:
        return [positive_value(vr)]
    listed = [enumerated(entry.keyword, number) for number in (1, 2, 3)]
    if not any(listed):
        return _plain_values(vr)
    values = [listed_value(vr, allowed) if allowed else plain_value(vr) for allowed in listed]
    while len(values) > 1 and values[-1] == values[-2]:
        values.pop()
    return values


def _plain_values(vr: str) -> list[Plain]:
    """Bytes are of no interest to rules on a VR."""
    return [] if vr in BYTE_VRS else [plain_value(vr)]


def _cell(vr: str, values: list[Plain], vm: str, dialect: Dialect) -> bytes:
    if dialect == "compact":
        return _object(vr, values, vm, white=b"", either_order=False)
    if dialect == "json":
        return _object(vr, values, vm, white=_WHITE, either_order=True)
    header = _EVEN + rb"[\x00-\xFE]"
    if dialect == "implicit":
        return header + rb"[\x00-\xFE]{2}" + _field(vr, values, vm)
    if VRS[vr].long:
        header = rb"\x00\x00" + header + rb"[\x00-\xFE]{2}"
    return vr.encode() + header + _field(vr, values, vm)


def _object(vr: str, values: list[Plain], vm: str, *, white: bytes, either_order: bool) -> bytes:
    """An element in DICOM JSON: its VR, and its values or where they are."""
    named = white.join((rb'"vr"', b":", b'"%b"' % vr.encode()))
    if values:
        listed = _repeated([white.join(value.tokens) for value in values], white + b"," + white, vm)
        content = white.join((rb'"Value"', b":", rb"\[", rb"(?:" + listed + white + rb")?+\]"))
    else:
        content = white.join((rb'"BulkDataURI"', b":", rb'"[!#-\[\]-~]*+"'))
    members = named + rb"(?:" + white + b"," + white + content + rb")?+"
    if either_order:
        members = rb"(?:" + members + rb"|" + content + white + b"," + white + named + rb")"
    return rb"\{" + white + members + white + rb"\}"


def _field(vr: str, values: list[Plain], vm: str) -> bytes:
    """The value field of a Part 10 element; an empty one too."""
    if not values:
        return rb"(?s:.*)"
    if vr in NUMBER_VRS:
        return rb"(?:" + _repeated([value.field for value in values], b"", vm) + rb")?+"
    padding = b"" if vr == "UI" else rb" *+"
    listed = _repeated([value.field + padding for value in values], rb"\\", vm)
    return rb"(?:" + listed + (rb"\x00?+" if vr == "UI" else b"") + rb")?+"


def _repeated(values: list[bytes], separator: bytes, vm: str) -> bytes:
    """As many values as a VM allows, the last of the patterns for all further ones (PS3.5 6.4)."""
    low, high, more = _VM.match(vm).groups()  # type: ignore[union-attr]  # every VM of PS3.6 matches
    fixed = separator.join(values[min(number, len(values) - 1)] for number in range(int(low)))
    further = separator + values[-1]
    if more:
        return fixed + rb"(?:" + further * int(high or 1) + rb")*+"
    return fixed + (rb"(?:%b){0,%d}+" % (further, int(high) - int(low)) if high else b"")
