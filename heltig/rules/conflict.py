"""One attribute, several values where there should be one: the shape of many rules."""

from collections.abc import Callable, Iterator

from heltig.dicom.cell import Cell
from heltig.rules.rule import Hit
from heltig.rules.views import Group, RowsView


def shown(cell: Cell) -> str:
    """All values as written, without surrounding spaces."""
    return cell.shown.strip()


def values_of(view: RowsView, keyword: str, key: Callable[[Cell], str] = shown) -> list[Group]:
    """The groups of rows that have a value, the most frequent first."""
    return [group for group in view.groups(keyword, key) if group.key]


def conflict(
    view: RowsView, keyword: str, *, where: str, key: Callable[[Cell], str] = shown
) -> Iterator[Hit]:
    """A hit when an attribute has more than one value; instances without a value do not count.

    The hit names every value with its number of instances, and the instances that differ from the most
    frequent value.

    Args:
        view: The series or study.
        keyword: The attribute.
        where: `study` or `series`, for the texts.
        key: What makes two values the same.
    """
    groups = values_of(view, keyword, key)
    if len(groups) > 1:
        yield Hit(
            tags=(keyword,),
            observed=", ".join(f"{group.cell.shown} ({group.count})" for group in groups),
            expected=f"one {keyword} in the {where}",
            rows=sorted(row for group in groups[1:] for row in group.rows),
        )
