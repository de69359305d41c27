"""Brings every distinct value, in items of sequences too, before the value rules that read it."""

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from heltig.dicom.cell import Syntax
from heltig.dicom.column import Column
from heltig.dicom.table import Table
from heltig.rules.memory import FEW, Known, Memory, is_full
from heltig.rules.rule import Rule
from heltig.rules.screen import NEAR, screen_of
from heltig.rules.value_run import Inside, Seen, Unknown, ask, try_values
from heltig.rules.views import Place
from heltig.standard.dictionary import keyword_of, lookup, tag_of
from heltig.standard.value_representations import VRS

Call = Callable[..., bool]
"""Runs a rule, given the rule, its `Work` and what it works on; False if the rule failed."""

_MOST_WAITING: Final = 4096
"""Values that wait for their rules at a time."""

_SETS: Final = 256
"""Sets of rules that are remembered."""


class ValueRules:
    """The value rules, by what they read.

    Attributes:
        all: Every one of them with its bit in a set of rules.
        of_tag: Of each attribute that rules name their numbers in `all`.
        of_vr: Of each VR the numbers of the rules that hold for all of it.
        spared: Of attributes whose screen speaks for the rules that name them, too, the bits of these rules.
        unscreened: VRs that a rule from outside this package reads: no screen was made for it, so it sees
            every value.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.all = tuple([(rule, 1 << number) for number, rule in enumerate(rules)])
        self.of_tag: dict[str, list[int]] = {}
        self.of_vr: dict[str, list[int]] = {}
        for number, (rule, _) in enumerate(self.all):
            for keyword in rule.reads:
                self.of_tag.setdefault(tag_of(keyword), []).append(number)
            for vr in rule.vrs:
                self.of_vr.setdefault(vr, []).append(number)
        of_site = [rule for rule, _ in self.all if not is_own(rule)]
        self.unscreened = frozenset[str]().union(*[rule.vrs for rule in of_site])
        named = {keyword for rule in of_site for keyword in rule.reads}
        self.spared = {
            tag: sum(self.all[number][1] for number in self.of_tag[tag])
            for tag in map(tag_of, NEAR - named)
            if tag in self.of_tag
        }
        self._among: dict[int, tuple[Rule, ...]] = {}

    def among(self, bits: int) -> tuple[Rule, ...]:
        """The rules of a set; most studies of an archive have one of a few."""
        rules = self._among.get(bits)
        if rules is None:
            if len(self._among) == _SETS:
                self._among.clear()
            rules = self._among[bits] = tuple([rule for rule, bit in self.all if bits & bit])
        return rules


def is_own(rule: Rule) -> bool:
    """The rule is one of this package."""
    return rule.check.__module__.startswith("heltig.rules.")


def walk(table: Table, tags: Sequence[str], rules: ValueRules, memory: Memory, call: Call) -> int:
    """Run value rules over a table and, where sequences have items, over those.

    A rule on VRs does not get the values that pass their screen (`heltig.rules.screen`), and none gets a cell
    that was found clean before.

    Args:
        table: A settled table.
        tags: Its columns, in order.
        rules: The rules that can be evaluated.
        memory: The cells found clean under these rules; it learns.
        call: Runs a rule.

    Returns:
        The bits of the rules that applied to values which they did not get.
    """
    walker = _Walker(rules, memory, call)
    walker.rows(table, tags, _Level())
    return walker.finish()


class _Level(NamedTuple):
    """Where the walk is: in data sets, or in the items of a sequence."""

    path: str = ""
    place: str = ""
    depth: int = 0

    def below(self, tag: str) -> "_Level":
        return _Level(f"{self.path}{keyword_of(tag) or tag}.", f"{self.place}{tag}/", self.depth + 1)


class _Walker:
    """One walk through a table and the items in it."""

    def __init__(self, rules: ValueRules, memory: Memory, call: Call) -> None:
        self._rules = rules
        self._memory = memory
        self._call = call
        self._failed = False
        self._applied = 0
        self._kinds: dict[str, Place | None] = {}
        self._unknown: list[Unknown] = []
        self._by_vr: dict[str, list[Seen]] = {}
        self._by_tag: dict[str, list[Seen]] = {}
        self._waiting = 0

    def rows(self, table: Table, tags: Sequence[str], level: _Level, above: Unknown | None = None) -> None:
        """Walk the columns of data sets or items, past the cells that are known to be clean.

        Args:
            table: The data sets or items.
            tags: Its columns, in order.
            level: Where they are.
            above: The cell with all these items, if there is one that does not vary.
        """
        clean = [self._memory.of(encoding) for encoding in table.encodings]
        common = self._memory.columns if not level.depth else {}
        for tag in tags:
            column = table.columns[tag]
            applied = common.get(column)
            if applied is not None:
                self._applied |= applied
                continue
            cells = column.cells
            place = level.place + tag if level.place else tag
            known = clean[column.encodings[1]].get(place)
            if len(cells) == 2:
                applied = known.get(cells[1]) if known else None
                if applied is not None:
                    self._applied |= applied
                    if above:
                        above.apply(applied)
                    elif column.common and not level.depth:
                        self._memory.learn_column(column, applied)
                    continue
                if known and is_full(known) and self._is_plain(table, column, above):
                    continue
                codes: Sequence[int] = (1,)
            else:
                codes = range(1, len(cells))
                if len(cells) > FEW or not (len(clean) == 1 or _is_read_alike(column)):
                    self._column(table, column, codes, level, dict.fromkeys(codes, above) if above else {})
                    continue
                if known:
                    codes = self._unknown_of(codes, cells, known, above)
            if codes:
                if known is None:
                    known = self._memory.begin(clean[column.encodings[1]], place)
                self._column(table, column, codes, level, self._to_find_out(codes, cells, known, above))

    def _unknown_of(
        self, codes: Sequence[int], cells: Sequence[bytes], known: Known, above: Unknown | None
    ) -> Sequence[int]:
        unknown = []
        for code in codes:
            applied = known.get(cells[code])
            if applied is None:
                unknown.append(code)
            else:
                self._applied |= applied
                if above:
                    above.apply(applied)
        return unknown

    def _to_find_out(
        self, codes: Sequence[int], cells: Sequence[bytes], known: Known, above: Unknown | None
    ) -> Inside:
        """The cells of which it would be remembered that they are clean."""
        if is_full(known):
            return dict.fromkeys(codes, above) if above else {}
        found = {code: Unknown(known, cells[code], above) for code in codes}
        self._unknown.extend(found.values())
        return found

    def _column(
        self, table: Table, column: Column, codes: Sequence[int], level: _Level, inside: Inside
    ) -> None:
        """Have some cells of a column wait for their rules, and walk the items in them."""
        tag = column.tag
        named = tag in self._rules.of_tag
        spared = self._rules.spared.get(tag, 0)
        if self._is_plain(table, column, inside.get(1)):
            return
        suspects = self._suspects(table, column, codes, level, inside)
        if not suspects and not named:
            return
        suspected = set(suspects) if named else ()
        if spared and len(suspects) < len(codes):
            self._applied |= spared
            for code in set(codes).difference(suspects) if inside else ():
                inside[code].apply(spared)
        has_items = False
        for code in codes if named and not spared else suspects:
            at = self._place(table, column, code, level)
            seen = Seen(at, table, column, code, level.place + tag, inside.get(code))
            if named:
                self._by_tag.setdefault(tag, []).append(seen)
            if not named or code in suspected:
                vr = at.cell.vr
                self._by_vr.setdefault(vr if vr in VRS else "", []).append(seen)
            has_items = has_items or bool(at.cell.items)
            self._waiting += 1
            if self._waiting == _MOST_WAITING:
                self._run_rules()
        if has_items:
            alone = len(column.cells) == 2
            if not alone:  # the items of all cells stand in one table, which does not tell them apart
                for unknown in inside.values():
                    unknown.object()
            items = table.items(column)
            self.rows(items, sorted(items.columns), level.below(tag), inside.get(1) if alone else None)

    def _is_plain(self, table: Table, column: Column, above: Unknown | None) -> bool:
        """The column has one cell, which passes a screen of a kind met before: the most frequent case."""
        cells = column.cells
        if len(cells) != 2 or column.tag in self._rules.of_tag:
            return False
        screen = screen_of(column.tag, table.encodings[column.encodings[1]].syntax, cells[1])
        if screen is None or not screen.passes(cells[1]):
            return False
        if screen.kind not in self._kinds:
            if screen.kind not in self._memory.applied:
                return False
            self._kinds[screen.kind] = None
        if above:
            above.passes(screen.kind)
        return True

    def _suspects(
        self, table: Table, column: Column, codes: Sequence[int], level: _Level, inside: Inside
    ) -> Sequence[int]:
        """The cells that some rule on their VR could object to."""
        if len(codes) == 1 or len(table.encodings) == 1:
            return self._screened(table, column, codes, level, inside)
        by_syntax: dict[Syntax, list[int]] = {}
        for code in codes:
            by_syntax.setdefault(table.encodings[column.encodings[code]].syntax, []).append(code)
        parts = [self._screened(table, column, part, level, inside) for part in by_syntax.values()]
        return [code for part in parts for code in part]

    def _screened(
        self, table: Table, column: Column, codes: Sequence[int], level: _Level, inside: Inside
    ) -> Sequence[int]:
        """Of some cells of one syntax those that do not pass their screen."""
        cells = column.cells
        syntax = table.encodings[column.encodings[codes[0]]].syntax
        screen = screen_of(column.tag, syntax, cells[codes[0]])
        if screen is None or not self._rules.unscreened.isdisjoint(screen.vrs):
            return codes
        suspects = [codes[place] for place in screen.suspects([cells[code] for code in codes])]
        if len(suspects) < len(codes):
            if screen.kind not in self._kinds:
                plain = next(code for code, suspect in zip_longest(codes, suspects) if code != suspect)
                told = screen.kind in self._memory.applied
                self._kinds[screen.kind] = None if told else self._place(table, column, plain, level)
            for code in set(codes).difference(suspects) if inside else ():
                inside[code].passes(screen.kind)
        return suspects

    def _place(self, table: Table, column: Column, code: int, level: _Level) -> Place:
        tag = column.tag
        entry = lookup(tag)
        return Place(
            table.cell(column, code),
            column.cells[code],
            table.encodings[column.encodings[code]],
            tag,
            level.path + ((entry and entry.keyword) or tag),
            entry,
            level.depth,
            self._memory.context,
        )

    def _run_rules(self) -> None:
        """Run the rules over the values that wait for them."""
        waiting: dict[int, list[Seen]] = {}
        for tag, of_tag in self._by_tag.items():
            for number in self._rules.of_tag[tag]:
                waiting.setdefault(number, []).extend(of_tag)
        for vr in sorted(self._by_vr):
            for number in self._rules.of_vr.get(vr, ()):
                waiting.setdefault(number, []).extend(self._by_vr[vr])
        for number in sorted(waiting):
            rule, bit = self._rules.all[number]
            if not self._call(rule, try_values, bit, waiting[number]):
                self._failed = True
        self._by_vr, self._by_tag, self._waiting = {}, {}, 0

    def finish(self) -> int:
        """Run the rules that are still to run, and remember what was found clean."""
        self._run_rules()
        applied = {kind: self._applied_to(kind, at) for kind, at in self._kinds.items()}
        for bits in applied.values():
            self._applied |= bits
        if not self._failed:
            for unknown in self._unknown:
                if unknown.clean:
                    for kind in unknown.kinds:
                        unknown.applied |= applied[kind]
                    self._memory.learn(unknown.known, unknown.cell, unknown.applied)
        return self._applied

    def _applied_to(self, kind: str, at: Place | None) -> int:
        """The rules that apply to what passes a screen: one such value speaks for all others of its kind."""
        if at is None:
            return self._memory.applied[kind]
        applied = 0
        for rule, bit in self._rules.all:
            if at.cell.vr in rule.vrs:
                answers: list[bool] = []
                if not self._call(rule, ask, at, answers):
                    self._failed = True
                elif answers[0]:
                    applied |= bit
        if not self._failed:
            self._memory.applied[kind] = applied
        return applied


def _is_read_alike(column: Column) -> bool:
    """All cells of a column have one encoding."""
    return len(set(column.encodings[1:])) == 1
