"""What is in one item of a sequence."""

from heltig.dicom.cell import Cell, DataSet, Item
from heltig.dicom.study import element
from heltig.standard.dictionary import tag_of


def cell_of(item: Item, keyword: str) -> Cell:
    """An attribute of an item; without a VR where the item does not have it."""
    return element(DataSet(item.tags, item.raws, item.encoding), tag_of(keyword))


def number_of(item: Item, keyword: str) -> float | None:
    """The first value of an attribute of an item as a number; `None` where it is none."""
    numbers = cell_of(item, keyword).numbers
    return numbers[0] if numbers else None
