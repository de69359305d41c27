"""The items of a sequence's raw cell (PS3.5 7.5). What is nested in them stays raw."""

from heltig.dicom.cell import UNDEFINED_LENGTH, Encoding, Fault, Item, Syntax
from heltig.dicom.part10.layout import (
    EXPLICIT_HEADER,
    IMPLICIT_HEADER,
    ITEM,
    ITEM_LIMIT,
    LENGTH_32,
    SEQUENCE_END,
    SHORT_VRS,
)
from heltig.dicom.part10.sequence import item_is_explicit
from heltig.dicom.part10.source import BytesSource
from heltig.dicom.part10.walker import END, Walk
from heltig.dicom.part10.window import Window


def read_items(raw: bytes, encoding: Encoding) -> tuple[tuple[Item, ...], tuple[Fault, ...]]:
    """Read the items of a sequence, or of a UN value that holds one.

    Items inside implicit VR data, and those of UN values (PS3.5 6.2.2), are implicit VR little endian; where
    one is written otherwise it is read as it is. An item's own Specific Character Set and Pixel
    Representation go before those of `encoding`. Anything that cannot be read ends the reading with a fault,
    never an exception.

    Args:
        raw: Raw cell of the sequence, its VR and length field included.
        encoding: Encoding of the data set or item that the sequence stands in.

    Returns:
        The items, and what is wrong with the sequence itself.
    """
    head = 8 if encoding.syntax == "explicit" else 4
    items: list[Item] = []
    faults: list[Fault] = []
    if len(raw) < head:
        return (), (Fault("truncated", "the sequence ends inside its length"),)
    (declared,) = LENGTH_32(raw, head - 4)
    position = head
    while position < len(raw):
        if len(raw) - position < 8:
            faults.append(Fault("truncated", f"ends inside an item's header at offset {position}"))
            break
        number, length = IMPLICIT_HEADER(raw, position)
        position += 8
        if number == SEQUENCE_END:
            if position < len(raw):
                faults.append(
                    Fault("trailing", f"{len(raw) - position} bytes after the sequence's delimiter")
                )
            break
        if number != ITEM:
            faults.append(Fault("unreadable", f"no item at offset {position - 8}"))
            break
        if len(items) == ITEM_LIMIT:
            faults.append(Fault("nesting", f"more than {ITEM_LIMIT} items"))
            break
        item, position = _item(raw, position, length, encoding)
        items.append(item)
    else:
        if declared == UNDEFINED_LENGTH:
            faults.append(Fault("truncated", "the sequence has no end"))
    return tuple(items), tuple(faults)


def _item(raw: bytes, position: int, length: int, encoding: Encoding) -> tuple[Item, int]:
    """Read the item whose content starts at `position`; returns it and the place after it."""
    open_end = length == UNDEFINED_LENGTH
    end = len(raw) if open_end else position + length
    window = Window(BytesSource(raw, start=position, end=end), base=position)
    walk = Walk(window, encoding=encoding, item="undefined" if open_end else "defined")
    is_file_explicit = encoding.syntax == "explicit"
    expected = is_file_explicit and not raw.startswith(b"UN")
    explicit = expected
    if len(window.data) >= 8:
        explicit = item_is_explicit(window.data, 0, explicit=is_file_explicit)
        explicit = explicit or _must_be_explicit(window.data, end - position)
    if explicit != expected:
        walk.fault(*(_NO_VRS if expected else _VRS))
    walk.elements(0, explicit=explicit)
    if open_end:
        end = len(raw) if walk.item_end == END else walk.item_end
    elif end > len(raw):
        walk.fault("truncated", f"an item declares {length} bytes, {len(raw) - position} are there")
    syntax: Syntax = "explicit" if explicit else "implicit"
    walk.check_order(syntax)
    return Item(tuple(walk.tags), tuple(walk.raws), walk.encoding(syntax), tuple(walk.faults)), end


def _must_be_explicit(data: bytes, size: int) -> bool:
    """Whether the first element of an item has a VR where none belongs: read without, it would not fit."""
    _, vr, _ = EXPLICIT_HEADER(data, 0)
    (length,) = LENGTH_32(data, 4)
    return vr in SHORT_VRS and length > size - 8


_NO_VRS = ("implicit-in-explicit", "the elements of the item have no VR")
_VRS = ("explicit-in-implicit", "the elements of the item have VRs (PS3.5 6.2.2 lets a UN value have none)")
