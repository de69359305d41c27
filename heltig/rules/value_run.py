"""Runs one value rule over the values that wait for it, and says whose instances its hits are about."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from heltig.dicom.column import Column
from heltig.dicom.table import ItemTable, Table
from heltig.rules.memory import Known
from heltig.rules.rule import Hit, Rule, hits_of
from heltig.rules.seen import with_cells
from heltig.rules.views import Place


class Unknown:
    """A cell that is not known to be clean.

    What is said of it is said of the cell in whose items it stands, too.

    Attributes:
        known: The clean cells of its column.
        cell: The cell.
        applied: The rules that applied to it or to a value in its items.
        kinds: The kinds of screen that it or values in its items passed.
        clean: No rule objected yet.
    """

    __slots__ = ("_above", "applied", "cell", "clean", "kinds", "known")

    def __init__(self, known: Known, cell: bytes, above: "Unknown | None" = None) -> None:
        self.known = known
        self.cell = cell
        self.applied = 0
        self.kinds: list[str] = []
        self.clean = True
        self._above = above

    def apply(self, rules: int) -> None:
        """Some rules applied."""
        self.applied |= rules
        if self._above:
            self._above.apply(rules)

    def passes(self, kind: str) -> None:
        """A value passed a screen of a kind."""
        self.kinds.append(kind)
        if self._above:
            self._above.passes(kind)

    def object(self) -> None:
        """A rule objected, or nobody can tell."""
        self.clean = False
        if self._above:
            self._above.object()


Inside = Mapping[int, Unknown]
"""Of each cell of a column the one that it is, or in whose items it stands; empty where nobody asks."""


class Seen(NamedTuple):
    """A value on its way to the rules."""

    at: Place
    table: Table
    column: Column
    code: int
    where: str
    inside: Unknown | None


Found: TypeAlias = tuple[Hit, Iterable[int], tuple[str, ...]]
"""A hit, the rows it is about where it names none itself, and the attribute where the rule names none."""

Work: TypeAlias = Callable[..., tuple[bool, Sequence[Found]]]
"""Runs a rule, its first argument: whether it applied, and what it found."""


def ask(rule: Rule, at: Place, answers: list[bool]) -> tuple[bool, list[Found]]:
    """Whether a rule applies to a value."""
    answers.append(rule.when is None or rule.when(at))
    return answers[0], []


def try_values(rule: Rule, bit: int, waiting: Sequence[Seen]) -> tuple[bool, list[Found]]:
    """Run a rule over values."""
    when = rule.when
    applied = False
    hits: dict[tuple[int, str], list[tuple[Seen, Hit]]] = {}
    named: list[Found] = []
    for seen in waiting:
        if when is None or when(seen.at):
            applied = True
            found = hits_of(rule, seen.at)
            if found:
                hits.setdefault((id(seen.table), seen.column.tag), []).extend((seen, hit) for hit in found)
            if seen.inside:
                seen.inside.apply(bit)
                if found:
                    seen.inside.object()
    for objections in hits.values():
        first = objections[0][0]
        rows = _rows(first.table, first.column, {seen.code for seen, _ in objections})
        # Of hits that read alike the first is kept: which one must not depend on the order of instances.
        for seen, hit in sorted(objections, key=_wording):
            named.append((with_cells(hit, [seen.at.cell]), rows[seen.code], (seen.where,)))
    return applied, named


def _wording(found: tuple[Seen, Hit]) -> tuple[str, str, str]:
    hit = found[1]
    return hit.observed, hit.expected, hit.message or ""


def _rows(table: Table, column: Column, codes: Collection[int]) -> dict[int, Sequence[int]]:
    """Of each code the study's rows that have it, however deep in items; in one pass for all codes."""
    found: dict[int, list[int]] = {code: [] for code in codes}
    for row, code in enumerate(column.codes):
        if code in found:
            found[code].append(row)
    if not isinstance(table, ItemTable):
        return dict(found)
    owners = {code: {table.owners[item] for item in items} for code, items in found.items()}
    above = _rows(table.parent, table.column, set().union(*owners.values()))
    return {code: sorted({row for owner in own for row in above[owner]}) for code, own in owners.items()}
