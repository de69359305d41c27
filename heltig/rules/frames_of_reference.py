"""Frames of reference of objects that refer to one another: do their coordinates mean the same?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from heltig.dicom.table import Table
from heltig.rules.references_read import Reference
from heltig.rules.rule import Hit
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_LISTED: Final = ("ReferencedFrameOfReferenceSequence", "FrameOfReferenceUID")
_RELATED: Final = (
    *("ReferencedFrameOfReferenceSequence", "FrameOfReferenceRelationshipSequence"),
    "RelatedFrameOfReferenceUID",
)
_OF_REGIONS: Final = ("StructureSetROISequence", "ReferencedFrameOfReferenceUID")


def other_frames(study: StudyView, by: Mapping[int, Sequence[Reference]]) -> Iterator[Hit]:
    """A hit for objects whose coordinates are not those of the objects they refer to.

    Args:
        study: The study.
        by: References by the rows of the objects that have them.
    """
    own = study.texts("FrameOfReferenceUID")
    listed = frames_of_structure_sets(study)
    rows = {uid: row for row, uid in enumerate(study.texts("SOPInstanceUID"))}
    targets = {
        row: {rows[one.instance] for one in several if one.instance in rows} for row, several in by.items()
    }

    def frames(row: int) -> set[str]:
        return listed.get(row) or {own[row]} - {""}

    def differ(one: int, other: int) -> bool:
        mine, its = frames(one), frames(other)
        return bool(mine and its) and mine.isdisjoint(its)

    wrong: dict[tuple[str, str], set[int]] = {}
    for row, those in targets.items():
        for target in those:
            if differ(row, target) and not _is_at_fault(target, row, targets, differ):
                wrong.setdefault((min(frames(row)), min(frames(target))), set()).add(row)
    for (mine_first, its_first), concerned in sorted(wrong.items()):
        yield Hit(
            tags=("FrameOfReferenceUID",),
            observed=f"{cut(mine_first, 32)}, where it refers to {cut(its_first, 32)}",
            expected="the frame of reference of what it refers to",
            rows=sorted(concerned),
        )


def _is_at_fault(
    target: int, row: int, targets: Mapping[int, set[int]], differ: Callable[[int, int], bool]
) -> bool:
    """What an object refers to differs from what it refers to itself, with which the object agrees."""
    further = targets.get(target, set()) - {row}
    return any(differ(target, one) and not differ(row, one) for one in further)


def unlisted_frames(study: StudyView) -> Iterator[Hit]:
    """A hit for regions in a frame of reference that their structure set does not list."""
    listed, related = frames_of_structure_sets(study), _uids(study.table, _RELATED)
    own = study.texts("FrameOfReferenceUID")
    wrong: dict[str, set[int]] = {}
    for row, uids in _uids(study.table, _OF_REGIONS).items():
        if row in listed:
            for uid in uids - listed[row] - related.get(row, set()) - {own[row]}:
                wrong.setdefault(uid, set()).add(row)
    for uid, concerned in sorted(wrong.items()):
        yield Hit(
            tags=("/".join(map(tag_of, _OF_REGIONS)),),
            observed=f"{cut(uid, 60)}, not listed",
            expected="a frame of reference that the structure set lists",
            rows=sorted(concerned),
        )


def frames_of_structure_sets(study: StudyView) -> dict[int, set[str]]:
    """The frames of reference that structure sets list, by row (PS3.3 C.8.8.5)."""
    return _uids(study.table, _LISTED)


def _uids(table: Table, path: tuple[str, ...]) -> dict[int, set[str]]:
    """The UIDs of an attribute in the items at the end of a path, by row of the table."""
    column = table.columns.get(tag_of(path[0]))
    if column is None:
        return {}
    if len(path) == 1:
        texts = {code: table.cell(column, code).text for code in set(column.codes)}
        return {row: {texts[code]} for row, code in enumerate(column.codes) if texts[code]}
    items = table.items(column)
    by_cell: dict[int, set[str]] = {}
    for item, uids in _uids(items, path[1:]).items():
        by_cell.setdefault(items.owners[item], set()).update(uids)
    return {row: by_cell[code] for row, code in enumerate(column.codes) if code in by_cell}
