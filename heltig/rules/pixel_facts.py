"""What the rules about pixels ask of objects: are they images, and which attributes do they lack?"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from operator import itemgetter
from typing import Final

from heltig.dicom.cell import Cell
from heltig.dicom.plain import plain_texts
from heltig.rules.views import StudyView
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup

PIXEL_DATA: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
"""What pixels may stand in (PS3.3 C.7.6.3, C.7.6.24, C.7.6.25)."""

_RT_DOSE: Final = "1.2.840.10008.5.1.4.1.1.481.2"


@cache
def is_image(sop_class_uid: str) -> bool:
    """Objects of this SOP Class have pixels. RT Dose may be curves alone, an unknown class anything."""
    sop_class = lookup(sop_class_uid)
    return sop_class is not None and sop_class.image and sop_class_uid != _RT_DOSE


def integer(cell: Cell) -> int | None:
    """The first value of an attribute as a whole number; `None` where it is none."""
    number = cell.numbers[0] if cell.values else None
    return int(number) if number is not None and number == int(number) else None


def rows_without(study: StudyView, keyword: str) -> set[int]:
    """The instances in which an attribute is absent or empty; plainly written values are not decoded."""
    table, column = study.table, study.table.columns.get(tag_of(keyword))
    if column is None:
        return set(study.rows)
    if column.constant:
        return set(study.rows) if table.cell(column, 1).empty else set()
    codes = set(column.codes)
    plain = plain_texts([column.cells[code] for code in codes])
    told = zip(codes, plain, strict=True)
    empty = {code for code, text in told if not text and table.cell(column, code).empty}
    return set(table.rows_with(column.tag, empty, study.rows)) if empty else set()


def by_lacking(lacking: Mapping[str, Iterable[int]]) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    """Turn rows by attribute into attributes by row: who lacks the same stands together.

    Yields:
        The attributes that instances lack, and the rows of these instances.
    """
    together: dict[tuple[str, ...], set[int]] = {}
    for keyword, rows in lacking.items():
        further = set(rows)
        for keywords, known in list(together.items()):
            if known == further:  # mostly: what lacks one lacks all
                together[*keywords, keyword], together[keywords], further = known, set(), set()
                continue
            both = known & further
            together[*keywords, keyword] = both
            known -= both
            further -= both
        together[keyword,] = further
    found = [(keywords, sorted(rows)) for keywords, rows in together.items() if rows]
    yield from sorted(found, key=itemgetter(1))
