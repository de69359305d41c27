"""Runs one value rule over the values that wait for it, and says whose instances its hits are about."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from heltig.dicom.column import Column
from heltig.dicom.table import ItemTable, Table
from heltig.rules.grouping import Draft
from heltig.rules.memory import Known
from heltig.rules.rule import Hit, Rule
from heltig.rules.views import Place


class Unknown:
    """A cell of a data set that is not known to be clean.

    Attributes:
        known: The clean cells of its column.
        cell: The cell.
        applied: The rules that applied to it or to a value in its items.
        kinds: The kinds of screen that it or values in its items passed.
        clean: No rule objected yet.
    """

    __slots__ = ("applied", "cell", "clean", "kinds", "known")

    def __init__(self, known: Known, cell: bytes) -> None:
        self.known = known
        self.cell = cell
        self.applied = 0
        self.kinds: list[str] = []
        self.clean = True


Inside = Mapping[int, Unknown]
"""Of each cell of a column the one of a data set that it is, or stands in; empty where nobody asks."""


class Seen(NamedTuple):
    """A value on its way to the rules."""

    at: Place
    table: Table
    column: Column
    code: int
    where: str
    inside: Unknown | None


def ask(rule: Rule, at: Place, answers: list[bool], draft: Draft) -> bool:
    """Whether a rule applies to a value."""
    answers.append(rule.when is None or rule.when(at))
    return answers[0]


def try_values(rule: Rule, bit: int, waiting: list[Seen], draft: Draft) -> bool:
    """Run a rule over values; True if it applied to any."""
    when = rule.when
    applied = False
    hits: dict[tuple[int, str], list[tuple[Seen, Hit]]] = {}
    for seen in waiting:
        if when is None or when(seen.at):
            applied = True
            found = list(rule.check(seen.at) or ())
            if found:
                hits.setdefault((id(seen.table), seen.column.tag), []).extend((seen, hit) for hit in found)
            if seen.inside:
                seen.inside.applied |= bit
                seen.inside.clean = seen.inside.clean and not found
    for objections in hits.values():
        first = objections[0][0]
        rows = _rows(first.table, first.column, {seen.code for seen, _ in objections})
        # Of hits that read alike the first is kept: which one must not depend on the order of instances.
        for seen, hit in sorted(objections, key=_wording):
            draft.add(hit, rows[seen.code], (seen.where,))
    return applied


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
