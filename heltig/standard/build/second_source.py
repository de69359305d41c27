"""The modules that only the second source has: flat lists of attributes, folded into nested rows."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from heltig.standard import dictionary

PREFIX = "highdicom "
"""Before the names of its modules and macros."""

FUNCTIONAL_GROUPS = {"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"}

Tree = dict[str, tuple[str, "Tree"]]


def tree_of(attributes: Iterable[dict[str, Any]]) -> Tree:
    """The flat list of the second source as it is nested, without what is in functional groups."""
    tree: Tree = {}
    for attribute in attributes:
        if FUNCTIONAL_GROUPS.isdisjoint(attribute["path"]):
            place = tree
            for keyword in attribute["path"]:
                place = place[keyword][1]
            place[attribute["keyword"]] = (attribute["type"], {})
    return tree


class Macros:
    """Item lists of the second source, which repeats them wherever they stand; here each has one name."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._rows: list[list[Any]] = []
        self._uses: Counter[int] = Counter()

    def rows(self, tree: Tree) -> list[Any]:
        """The rows of a tree; `named` must be asked for what stands in its items."""
        rows = []
        for keyword, (type_, below) in sorted(tree.items()):
            tag = _tag(keyword)
            if tag:
                known = "3" if type_ == "None" else type_
                rows.append(short([tag, known, self._number(below) if below else 0]))
        return rows

    def _number(self, tree: Tree) -> Any:
        rows = self.rows(tree)
        number = self._numbers.setdefault(repr(rows), len(self._rows))
        if number == len(self._rows):
            self._rows.append(rows)
        self._uses[number] += 1
        return _Number(number)

    def named(self, rows: list[Any]) -> list[Any]:
        """Rows whose items are written out, or named where several have them."""
        return [[*row[:2], self._written(row[2])] if len(row) > 2 else row for row in rows]

    def _written(self, number: "_Number") -> Any:
        if self._uses[number.value] > 1:
            return f"{PREFIX}{number.value}"
        return self.named(self._rows[number.value])

    def table(self) -> dict[str, list[Any]]:
        """The lists that several sequences share, by name."""
        shared = [number for number, uses in self._uses.items() if uses > 1]
        return {f"{PREFIX}{number}": self.named(self._rows[number]) for number in shared}


class _Number:
    def __init__(self, value: int) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"#{self.value}"


def _tag(keyword: str) -> str:
    """The tag of a keyword; empty for one that the edition does not have."""
    try:
        return dictionary.tag_of(keyword)
    except KeyError:
        return ""


def short(row: list[Any]) -> list[Any]:
    """A row without the entries at its end that say nothing."""
    while not row[-1] and row[-1] != "":
        row = row[:-1]
    return [entry if entry or entry == "" else 0 for entry in row]
