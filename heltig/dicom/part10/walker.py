"""The walk over the elements of one data set or item.

The loops of `common` take the elements that need no thought, which are nearly all. Each hands what it does
not know back to `Walk`, which takes one element with every care and goes on.
"""

from operator import lt
from typing import Final, Literal, TypeAlias

from heltig.dicom.cell import UNDEFINED_LENGTH, Encoding, Fault, Syntax
from heltig.dicom.part10.common import common_explicit, common_implicit
from heltig.dicom.part10.encoding import charset_of, encoding_of
from heltig.dicom.part10.layout import (
    ELEMENT_LIMIT,
    EXPLICIT_HEADER,
    HEADER_LIMIT,
    ITEM_END,
    KEPT_BYTES,
    KEPT_NAMES,
    KEPT_VRS,
    LENGTH_32,
    LONG_VRS,
    NESTING_LIMIT,
    PIXEL_REPRESENTATION,
    PIXEL_TAGS,
    SEQUENCE_END,
    SHORT_VRS,
    SPECIFIC_CHARACTER_SET,
    UN,
    explicit_cell,
    is_letters,
    tag_name,
    tag_order,
)
from heltig.dicom.part10.order import group_length_faults, order_faults
from heltig.dicom.part10.pixels import PixelValue, pixel_faults
from heltig.dicom.part10.sequence import DamagedSequence, MoreNeeded, end_of_sequence
from heltig.dicom.part10.window import Window
from heltig.standard import dictionary

ItemLength: TypeAlias = Literal["defined", "undefined"]

END: Final = -1
"""In place of a position: nothing more is to be read."""

_ITEM: Final = b"\xfe\xff\x00\xe0"
_SEQUENCE_END: Final = b"\xfe\xff\xdd\xe0"
_DELIMITERS: Final = b"\xfe\xff"
_FAULTS_KEPT = 32
_HEADER_BYTES = 12


class Walk:
    """The elements of one data set or item as they are read.

    Attributes:
        tags: Names of the tags read so far.
        raws: Their raw cells.
        faults: What is wrong with the data set as a whole.
        pixels: The pixel data that ended the walk.
        item_end: Where the item of undefined length that is read ends, its delimiter included.
    """

    def __init__(self, window: Window, *, encoding: Encoding, item: ItemLength | None = None) -> None:
        self.tags: list[str] = []
        self.raws: list[bytes] = []
        self.faults: list[Fault] = []
        self.item_end = END
        self._group_lengths: list[int] = []
        self.pixels: PixelValue | None = None
        self._window = window
        self._item = item
        self._charset = encoding.charset
        self._signed = encoding.signed

    def fault(self, kind: str, detail: str) -> None:
        """Keep a fault; a hopeless file does not fill the memory with them."""
        if len(self.faults) < _FAULTS_KEPT:
            self.faults.append(Fault(kind, detail))

    def encoding(self, syntax: Syntax) -> Encoding:
        """How the cells read here are to be decoded."""
        return encoding_of(syntax, self._charset, self._signed)

    def go_on(self, window: Window) -> None:
        """Take what follows from another window."""
        self._window = window

    def check_pixels(self) -> None:
        """Compare the length of the pixel data that ended the walk with the bytes that are there."""
        if self.pixels is not None:
            self.faults.extend(pixel_faults(self._window, self.pixels, self.tags, self.raws))

    def check_order(self, syntax: Syntax) -> None:
        """Look at the order of all elements read, and at their group lengths."""
        tags = self.tags
        if not all(map(lt, tags, tags[1:])):
            self.faults.extend(order_faults(tags))
        if self._group_lengths:
            self.faults.extend(group_length_faults(tags, self.raws, self._group_lengths, syntax))

    def elements(self, position: int, *, explicit: bool) -> None:
        """Read to the end of the data set, or to the pixel data that ends a header."""
        take = common_explicit if explicit else common_implicit
        while position != END:
            position = take(self._window.data, position, self.tags, self.raws)
            position = self.element(position, explicit=explicit)
            if len(self.tags) > ELEMENT_LIMIT:
                self.fault("nesting", f"more than {ELEMENT_LIMIT} elements")
                break

    def element(self, position: int, *, explicit: bool) -> int:
        """Read one element, whatever it is; returns the place of the next, or `END`."""
        window = self._window
        position = window.reach(position, _HEADER_BYTES)
        rest = len(window.data) - position
        if rest < 8:
            return self._leftover(position)
        number, vr, length = EXPLICIT_HEADER(window.data, position)
        if number in (ITEM_END, SEQUENCE_END):
            return self._delimiter(position, number)
        if not explicit:
            return self._implicit(position, number)
        if vr in SHORT_VRS:
            return self._value(position, number, head=8, length=length, kept=True)
        if vr in LONG_VRS:
            if rest < _HEADER_BYTES:
                return self._leftover(position)
            (length,) = LENGTH_32(window.data, position + 8)
            kept = length <= KEPT_BYTES or vr in KEPT_VRS or (length == UNDEFINED_LENGTH and vr == UN)
            return self._value(position, number, head=12, length=length, kept=kept)
        return self._odd_vr(position, number, vr=vr, length=length)

    def _implicit(self, position: int, number: int) -> int:
        data = self._window.data
        (length,) = LENGTH_32(data, position + 4)
        if number == 0 and self.tags and not any(data[position : position + _HEADER_BYTES]):
            return self._leftover(position)
        kept = length <= KEPT_BYTES or _is_text_or_sequence(number, data[position + 8 : position + 12])
        return self._value(position, number, head=8, length=length, kept=kept)

    def _value(self, position: int, number: int, *, head: int, length: int, kept: bool) -> int:
        """Add an element whose header is understood, and pass over its value."""
        window = self._window
        if number in PIXEL_TAGS and self._item is None:
            self._add(number, window.data[position + 4 : position + head])
            place = window.base + position + head
            self.pixels = PixelValue(tag_name(number), place, length, head == 12)
            return END
        kept = kept and number not in PIXEL_TAGS
        if length == UNDEFINED_LENGTH:
            return self._undefined(position, number, head=head, kept=kept)
        if not kept:
            self._add(number, window.data[position + 4 : position + head])
            position, there = window.skip(position + head, length)
            return position if there == length else self._ended(number, length, there)
        position = window.reach(position, head + length)
        end = position + head + length
        if end > len(window.data):
            return self._cut(position, number, head=head, length=length)
        self._add(number, window.data[position + 4 : end])
        return end

    def _undefined(self, position: int, number: int, *, head: int, kept: bool) -> int:
        """Walk a value of undefined length to its delimiter (PS3.5 7.5.1) without decoding it."""
        window = self._window
        explicit = head == 12
        while True:
            try:
                end, depth = end_of_sequence(window.data, position + head, explicit=explicit)
            except MoreNeeded as short:
                before = len(window.data) - position
                position = window.reach(position, short.size - position)
                if len(window.data) - position > before:
                    continue
                return self._cut(position, number, head=head, length=UNDEFINED_LENGTH)
            except DamagedSequence as damage:
                return self._damaged_sequence(position, number, damage)
            break
        if depth > NESTING_LIMIT:
            self.fault("nesting", f"{tag_name(number)} nests {depth} sequences, the limit is {NESTING_LIMIT}")
            kept = False
        self._add(number, window.data[position + 4 : end if kept else position + head])
        return end

    def _damaged_sequence(self, position: int, number: int, damage: DamagedSequence) -> int:
        """Keep a sequence up to its damage, and go on after a delimiter that leads to a later element."""
        data = self._window.data
        place = self._window.base + damage.position
        self.fault("unreadable", f"{tag_name(number)}: {damage.reason} at offset {place}")
        self._add(number, data[position + 4 : damage.position])
        end = damage.position
        while (end := data.find(_SEQUENCE_END, end)) >= 0:
            end += 8
            if not data.startswith(_DELIMITERS, end) and self._follows(end, number):
                return end
        return END

    def _odd_vr(self, position: int, number: int, *, vr: int, length: int) -> int:
        """VR bytes that PS3.5 does not define: the reading that leads to a later element is believed."""
        window = self._window
        if self.tags and not any(window.data[position : position + _HEADER_BYTES]):
            return self._leftover(position)
        position = window.reach(position, 2 * KEPT_BYTES)
        name, place = tag_name(number), window.base + position
        (without_vr,) = LENGTH_32(window.data, position + 4)
        entry = None if is_letters(vr) else dictionary.lookup(name)
        if entry is not None and self._follows(position + 8 + without_vr, number):
            self.fault("implicit-in-explicit", f"{name} at offset {place} has no VR")
            end = position + 8 + without_vr
            self._add(number, explicit_cell(entry.vr[:2] or "UN", window.data[position + 8 : end]))
            return end
        self.fault("vr-unknown", f"{name} at offset {place} has VR bytes {vr & 0xFF:02X} {vr >> 8:02X}")
        if not self._follows(position + 8 + length, number):
            longer = window.data[position + 8 : position + _HEADER_BYTES]
            end = position + _HEADER_BYTES + int.from_bytes(longer, "little")
            if length == 0 and self._follows(end, number):  # the length was the two reserved bytes
                self._add(number, window.data[position + 4 : end])
                return end
            if not is_letters(vr):
                return self._damage(position)
        return self._value(position, number, head=8, length=length, kept=True)

    def _follows(self, position: int, number: int) -> bool:
        """Whether the data end at a place, or an element of a later tag stands there."""
        data = self._window.data
        if position > len(data) - 8:
            return position == len(data)
        follower, vr, _ = EXPLICIT_HEADER(data, position)
        if tag_order(follower) <= tag_order(number):
            return False
        return vr in SHORT_VRS or vr in LONG_VRS or dictionary.lookup(tag_name(follower)) is not None

    def _delimiter(self, position: int, number: int) -> int:
        """The end of the item that is read, or a delimiter that ends nothing."""
        place = self._window.base + position
        if self._item == "undefined" and number == ITEM_END:
            self.item_end = place + 8
            return END
        self.fault("trailing", f"{tag_name(number)} at offset {place} ends nothing")
        return position + 8

    def _leftover(self, position: int) -> int:
        """Less than an element is left, or what is left starts with zeros."""
        window = self._window
        left = window.data[position:]
        place = window.base + position
        if self._item == "undefined":
            self.fault("truncated", "an item has no end")
        elif left and not any(left):
            self.fault("trailing", f"zeros from offset {place} on")
        elif len(left) >= _HEADER_BYTES:
            return self._damage(position)
        elif left:
            self.fault("truncated", f"the data end inside an element's header at offset {place}")
        return END

    def _damage(self, position: int) -> int:
        after = f", after {self.tags[-1]}" if self.tags else ""
        place = self._window.base + position
        self.fault("unreadable", f"no element can be told from offset {place} on{after}")
        return END

    def _cut(self, position: int, number: int, *, head: int, length: int) -> int:
        """The data end inside a value: of a sequence its first items are kept, of others nothing."""
        data = self._window.data
        start = position + head
        end = len(data) if data.startswith(_ITEM, start) else start
        self._add(number, data[position + 4 : end])
        return self._ended(number, length, len(data) - start)

    def _ended(self, number: int, length: int, there: int) -> int:
        name = tag_name(number)
        if self._window.full:
            self.fault("unreadable", f"{name} passes the {HEADER_LIMIT} bytes that are read of a header")
        elif length == UNDEFINED_LENGTH:
            self.fault("truncated", f"{name} has no end, {there} bytes are there")
        else:
            self.fault("truncated", f"{name} declares {length} bytes, {there} are there")
        return END

    def _add(self, number: int, raw: bytes) -> None:
        self.tags.append(tag_name(number))
        self.raws.append(raw)
        if number == SPECIFIC_CHARACTER_SET:
            self._charset = charset_of(raw[4:])
        elif number >> 16 == 0:
            self._group_lengths.append(len(self.tags) - 1)
        elif number == PIXEL_REPRESENTATION:
            self._signed = raw[4:6] == b"\x01\x00"


def _is_text_or_sequence(number: int, start: bytes) -> bool:
    """Whether a long implicit VR value is kept: it starts with an item, or the dictionary calls it text."""
    if start in (_ITEM, _SEQUENCE_END):
        return True
    entry = dictionary.lookup(tag_name(number))
    return entry is not None and entry.vr in KEPT_NAMES
