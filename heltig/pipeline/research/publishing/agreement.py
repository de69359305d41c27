"""Whether results still belong where they go: patient and study in the archive now, and in what was written.

A name may have been corrected, or a study given to another patient, since the images were analysed.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from heltig.dicom.cell import Cell, Item
from heltig.dicom.study import SOP_INSTANCE_UID, StudyTable, element
from heltig.dicom.table import decoded
from heltig.imaging.own_results import is_own_result
from heltig.pipeline.research.publishing.codes import AbortError
from heltig.pipeline.research.publishing.objects import Result
from heltig.standard.dictionary import keyword_of
from heltig.standard.modules import attributes_of

MODULES: Final = ("C.7.1.1", "C.7.1.3", "C.7.2.1", "C.7.2.2", "C.7.2.3")
"""Patient, Clinical Trial Subject, General Study, Patient Study, Clinical Trial Study (PS3.3): results have
them as the images do."""

_PATIENT: Final = ("00100020", "00100021")
"""Patient ID and its issuer: those of all objects of the study count, not only of the images."""

_MANUFACTURER: Final = "00080070"
_SERIES_DESCRIPTION: Final = "0008103E"
_CHARSET: Final = "00080005"
_MOST_NAMED: Final = 5


def insist_on_agreement(results: Sequence[Result], table: StudyTable) -> None:
    """Insists that results name the patient and the study that an archive has now.

    Args:
        results: What is to be sent.
        table: The study's current instances in the archive, arranged.

    Raises:
        AbortError: They do not; or images that they refer to are not there.
    """
    rows = [row for row in range(table.rows) if not _is_ours(table, row)]
    row_of = {table.at(SOP_INSTANCE_UID, row).text: row for row in rows}
    ours = {one.sop_instance_uid for one in results}
    images = {uid for one in results for uid in one.refers_to} - ours
    if absent := len(images - row_of.keys()):
        raise AbortError("IMAGES_ABSENT", f"{absent} of {len(images)}")
    compared = sorted(row_of[uid] for uid in images) or rows
    different = {
        tag
        for one in results
        for tag, among in ((tag, rows if tag in _PATIENT else compared) for tag in _tags())
        if not _agrees(element(one.header, tag), (table.at(tag, row) for row in among))
    }
    if different:
        named = [keyword_of(tag) for tag in sorted(different)]
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        raise AbortError("STUDY_DIFFERS", ", ".join(named[:_MOST_NAMED]) + more)


def _is_ours(table: StudyTable, row: int) -> bool:
    return is_own_result(
        manufacturer=table.at(_MANUFACTURER, row).text,
        series_description=table.at(_SERIES_DESCRIPTION, row).text,
    )


@cache
def _tags() -> tuple[str, ...]:
    return tuple(sorted({attribute.tag for module in MODULES for attribute in attributes_of(module)}))


def _agrees(ours: Cell, theirs: Iterable[Cell]) -> bool:
    last: Cell | None = None
    for one in theirs:
        if one is not last and not _same(ours, one):  # rows that have the same value share its cell
            return False
        last = one
    return True


def _same(ours: Cell, theirs: Cell) -> bool:
    """Whether two cells say the same: the one of a file, the other of an archive's JSON."""
    if theirs.bulk or any(isinstance(value, bytes) for value in theirs.values):
        return True  # nothing that results take over
    if ours.items or theirs.items:
        return len(ours.items) == len(theirs.items) and all(map(_same_items, ours.items, theirs.items))
    return _said(ours) == _said(theirs)


def _said(cell: Cell) -> tuple[float | str, ...]:
    """The values of a cell without what its encoding adds: of numbers their value, of text no padding."""
    if cell.empty:
        return ()
    return tuple(
        number
        if number is not None and cell.vr in ("DS", "IS")
        else str("" if value is None else value).strip(" ^=")
        for value, number in zip(cell.values, cell.numbers, strict=True)
    )


def _same_items(ours: Item, theirs: Item) -> bool:
    mine, other = _cells(ours), _cells(theirs)
    return all(_same(mine.get(tag, _NOTHING), other.get(tag, _NOTHING)) for tag in {*mine, *other})


_NOTHING: Final = Cell("")


def _cells(item: Item) -> dict[str, Cell]:
    """The cells of an item, but for private ones, group lengths and its character set."""
    return {
        tag: decoded(tag, raw, item.encoding)
        for tag, raw in zip(item.tags, item.raws, strict=True)
        if tag[3] not in "13579BDF" and not tag.endswith("0000") and tag != _CHARSET
    }
