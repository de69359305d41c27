"""Brings every distinct value, in items of sequences too, before the value rules that read it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import zip_longest
from typing import Final, NamedTuple

from heltig.dicom.cell import Syntax
from heltig.dicom.column import Column
from heltig.dicom.table import ItemTable, Table
from heltig.rules.grouping import Draft
from heltig.rules.rule import Hit, Rule
from heltig.rules.screen import screen_of
from heltig.rules.views import Context, Place
from heltig.standard.dictionary import keyword_of, lookup, tag_of
from heltig.standard.value_representations import VRS

Call = Callable[[Rule, Callable[[Draft], bool]], None]
"""Runs a rule's work, which takes a draft and says whether the rule applied; keeps errors in bounds."""

_MOST_WAITING: Final = 4096
"""Values that wait for their rules at a time."""


class ValueRules:
    """The value rules, by what they read.

    Attributes:
        all: Every one of them.
        tags: Attributes that rules name.
        unscreened: VRs that a rule from outside this package reads: no screen was made for it, so it sees
            every value.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.all = tuple(rules)
        self.tags = {tag_of(keyword) for rule in self.all for keyword in rule.reads}
        of_site = [rule.vrs for rule in self.all if not rule.check.__module__.startswith("heltig.rules.")]
        self.unscreened = frozenset[str]().union(*of_site)


def walk(table: Table, rules: ValueRules, context: Context, call: Call) -> None:
    """Run value rules over a table and, where sequences have items, over those.

    A rule on VRs does not get the values that pass their screen (`heltig.rules.screen`).

    Args:
        table: A settled table.
        rules: The rules that can be evaluated.
        context: Date and parameters.
        call: Runs a rule.
    """
    walker = _Walker(rules, context, call)
    walker.walk(table, path="", place="", depth=0)
    walker.run_rules()


class _Seen(NamedTuple):
    """A value on its way to the rules."""

    at: Place
    table: Table
    column: Column
    code: int
    where: str


class _Walker:
    """One walk through a table and the items in it."""

    def __init__(self, rules: ValueRules, context: Context, call: Call) -> None:
        self._rules = rules
        self._unscreened = rules.unscreened
        self._context = context
        self._call = call
        self._plain: dict[str, Place] = {}
        self._by_vr: dict[str, list[_Seen]] = {}
        self._by_tag: dict[str, list[_Seen]] = {}
        self._waiting = 0

    def walk(self, table: Table, *, path: str, place: str, depth: int) -> None:
        for tag in sorted(table.columns):
            column = table.columns[tag]
            named = tag in self._rules.tags
            if not named and self._is_plain(table, column):
                continue
            suspects = self._suspects(table, column, path, depth)
            if not suspects and not named:
                continue
            suspected = set(suspects) if named else ()
            has_items = False
            for code in range(1, len(column.cells)) if named else suspects:
                at = self._place(table, column, code, path, depth)
                seen = _Seen(at, table, column, code, place + tag)
                if named:
                    self._by_tag.setdefault(tag, []).append(seen)
                if not named or code in suspected:
                    vr = at.cell.vr
                    self._by_vr.setdefault(vr if vr in VRS else "", []).append(seen)
                has_items = has_items or bool(at.cell.items)
                self._waiting += 1
                if self._waiting == _MOST_WAITING:
                    self.run_rules()
            if has_items:
                name = f"{path}{keyword_of(tag) or tag}."
                self.walk(table.items(column), path=name, place=f"{place}{tag}/", depth=depth + 1)

    def _is_plain(self, table: Table, column: Column) -> bool:
        """The column has one cell, which passes a screen of a kind met before: the most frequent case."""
        cells = column.cells
        if len(cells) != 2:
            return False
        screen = screen_of(column.tag, table.encodings[column.encodings[1]].syntax, cells[1])
        return screen is not None and screen.kind in self._plain and screen.passes(cells[1])

    def _suspects(self, table: Table, column: Column, path: str, depth: int) -> Sequence[int]:
        """The cells that some rule on their VR could object to."""
        count = len(column.cells) - 1
        if count == 1 or len(table.encodings) == 1:
            syntax = table.encodings[column.encodings[1]].syntax
            return self._screened(table, column, range(1, count + 1), syntax, path, depth)
        by_syntax: dict[Syntax, list[int]] = {}
        for code in range(1, count + 1):
            by_syntax.setdefault(table.encodings[column.encodings[code]].syntax, []).append(code)
        parts = [self._screened(table, column, part, s, path, depth) for s, part in by_syntax.items()]
        return [code for part in parts for code in part]

    def _screened(
        self, table: Table, column: Column, codes: Sequence[int], syntax: Syntax, path: str, depth: int
    ) -> Sequence[int]:
        """Of some cells of one syntax those that do not pass their screen."""
        cells = column.cells
        screen = screen_of(column.tag, syntax, cells[codes[0]])
        if screen is None or not self._unscreened.isdisjoint(screen.vrs):
            return codes
        suspects = [codes[place] for place in screen.suspects([cells[code] for code in codes])]
        if screen.kind not in self._plain and len(suspects) < len(codes):
            plain = next(code for code, suspect in zip_longest(codes, suspects) if code != suspect)
            self._plain[screen.kind] = self._place(table, column, plain, path, depth)
        return suspects

    def _place(self, table: Table, column: Column, code: int, path: str, depth: int) -> Place:
        tag = column.tag
        entry = lookup(tag)
        return Place(
            table.cell(column, code),
            column.cells[code],
            table.encodings[column.encodings[code]],
            tag,
            path + ((entry and entry.keyword) or tag),
            entry,
            depth,
            self._context,
        )

    def run_rules(self) -> None:
        """Run the rules over the values that wait for them.

        A value that passed its screen speaks for all others of its VR and syntax: the rules on that VR apply,
        and pass them.
        """
        plain = list(self._plain.values())
        plain_vrs = {at.cell.vr for at in plain}
        vrs = sorted(self._by_vr)
        for rule in self._rules.all:
            if rule.reads:
                seen = [seen for tag in map(tag_of, rule.reads) for seen in self._by_tag.get(tag, ())]
            else:
                seen = [seen for vr in vrs if vr in rule.vrs for seen in self._by_vr[vr]]
            passed = () if rule.vrs.isdisjoint(plain_vrs) else plain
            if seen or passed:
                self._call(rule, partial(_try, rule, seen, passed))
        self._by_vr, self._by_tag, self._waiting = {}, {}, 0


def _try(rule: Rule, waiting: list[_Seen], passed: Collection[Place], draft: Draft) -> bool:
    """Run a rule over values; True if it applied to any, or applies to one that passed its screen."""
    when = rule.when
    applied = bool(passed) if when is None else any(when(at) for at in passed if at.cell.vr in rule.vrs)
    hits: dict[tuple[int, str], list[tuple[_Seen, Hit]]] = {}
    for seen in waiting:
        if when is None or when(seen.at):
            applied = True
            for hit in rule.check(seen.at) or ():
                hits.setdefault((id(seen.table), seen.column.tag), []).append((seen, hit))
    for found in hits.values():
        first = found[0][0]
        rows = _rows(first.table, first.column, {seen.code for seen, _ in found})
        # Of hits that read alike the first is kept: which one must not depend on the order of instances.
        for seen, hit in sorted(found, key=_wording):
            draft.add(hit, rows[seen.code], (seen.where,))
    return applied


def _wording(found: tuple[_Seen, Hit]) -> tuple[str, str, str]:
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
