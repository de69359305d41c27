"""One attribute, several values where there should be one: the shape of many rules."""

from collections.abc import Callable, Iterator

from heltig.dicom.cell import Cell
from heltig.rules.rule import Hit
from heltig.rules.views import Group, RowsView
from heltig.rules.wording import counted_groups


def shown(cell: Cell) -> str:
    """All values as written, without surrounding spaces."""
    return cell.shown.strip()


def capitals(cell: Cell) -> str:
    """All values in capitals with single spaces, for attributes whose case and spacing mean nothing."""
    return " ".join(cell.shown.upper().split())


def same_patient_id(cell: Cell) -> str:
    """A PatientID without what systems add and drop: case, surrounding spaces, leading zeros."""
    text = cell.text.casefold()
    return text.lstrip("0") or text[:1]


def values_of(view: RowsView, keyword: str, key: Callable[[Cell], str] = shown) -> list[Group]:
    """The groups of rows that have a value, the most frequent first."""
    return [group for group in view.groups(keyword, key) if group.key]


def patients(study: RowsView) -> list[RowsView]:
    """The instances of each patient of a study, so that two patients are not blamed for each detail.

    PatientIDs that `same_patient_id` makes equal are one patient; instances without PatientID are apart.
    """
    return parts(study, "PatientID", same_patient_id)


def parts(view: RowsView, keyword: str, key: Callable[[Cell], str] = shown) -> list[RowsView]:
    """The rows of each value of an attribute, absent ones together; the view itself where there is one."""
    if view.uniform(keyword):
        return [view]
    groups = view.groups(keyword, key)
    if len(groups) == 1:
        return [view]
    return [RowsView(view.table, group.rows, view.context) for group in groups]


def conflict(
    view: RowsView,
    keyword: str,
    *,
    where: str,
    key: Callable[[Cell], str] = shown,
    named: Callable[[str], str] = str,
) -> Iterator[Hit]:
    """A hit when an attribute has more than one value; instances without a value do not count.

    Instances without a UID that only stand together have no conflict: nobody says that they belong together.
    The hit names every value with its number of instances, and the instances that differ from the most
    frequent value.

    Args:
        view: The series or study.
        keyword: The attribute.
        where: `study` or `series`, for the texts.
        key: What makes two values the same.
        named: How a value is written in the hit.
    """
    if view.uniform(keyword) or not view.has_uid:
        return
    groups = values_of(view, keyword, key)
    if len(groups) > 1:
        yield Hit(
            tags=(keyword,),
            observed=counted_groups(groups, named),
            expected=f"one {keyword} in the {where}",
            rows=sorted(row for group in groups[1:] for row in group.rows),
            seen=tuple(f"{group.key} ({group.count})" for group in values_of(view, keyword)),
        )
