"""What rules ask of a binary value: how long is it?"""

from typing import Final

from heltig.dicom.cell import UNDEFINED_LENGTH, Cell

_TWO_BYTES: Final = frozenset({"SS", "US"})


def length_of(cell: Cell) -> int | None:
    """The bytes of a binary value, or of one written as numbers of two bytes.

    Returns:
        None where there is no value, and where the source does not show its length: metadata that gives the
        address of a value says nothing of it.
    """
    if cell.length is not None:
        return cell.length if 0 < cell.length < UNDEFINED_LENGTH else None
    if cell.vr in _TWO_BYTES and cell.values:
        return 2 * len(cell.values)
    return None
