"""Brings every distinct value, in items of sequences too, before the value rules that read it."""

from collections.abc import Callable, Iterable
from functools import partial

from heltig.dicom.table import Column, Table
from heltig.rules.grouping import Draft
from heltig.rules.rule import Rule
from heltig.rules.screen import Screen
from heltig.rules.views import Context, Place
from heltig.standard.dictionary import keyword_of, lookup, tag_of

Call = Callable[[Rule, Callable[[Draft], bool]], None]
"""Runs a rule's work, which takes a draft and says whether the rule applied; keeps errors in bounds."""


class ValueRules:
    """The value rules, by what they read.

    Attributes:
        by_vr: Rules on every attribute of a VR.
        by_tag: Rules on one attribute.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.by_vr: dict[str, tuple[Rule, ...]] = {}
        self.by_tag: dict[str, tuple[Rule, ...]] = {}
        for rule in rules:
            for vr in rule.vrs:
                self.by_vr[vr] = (*self.by_vr.get(vr, ()), rule)
            for tag in map(tag_of, rule.reads):
                self.by_tag[tag] = (*self.by_tag.get(tag, ()), rule)


def walk(table: Table, rules: ValueRules, context: Context, call: Call) -> None:
    """Run value rules over a table and, where sequences have items, over those.

    Args:
        table: A settled table.
        rules: The rules that can be evaluated.
        context: Date and parameters.
        call: Runs a rule.
    """
    _walk(table, rules, context, call, path="", place="", depth=0)


def _walk(
    table: Table, rules: ValueRules, context: Context, call: Call, *, path: str, place: str, depth: int
) -> None:
    for tag in sorted(table.columns):
        column = table.columns[tag]
        keyword = path + (keyword_of(tag) or tag)
        if _values(table, column, rules, context, call, path=keyword, place=place + tag, depth=depth):
            _walk(
                table.items(column),
                rules,
                context,
                call,
                path=keyword + ".",
                place=f"{place}{tag}/",
                depth=depth + 1,
            )


def _values(
    table: Table,
    column: Column,
    rules: ValueRules,
    context: Context,
    call: Call,
    *,
    path: str,
    place: str,
    depth: int,
) -> bool:
    """Run the rules over the values of one column; True if some have items."""
    entry = lookup(column.tag)
    own = rules.by_tag.get(column.tag, ())
    suspects = range(1, len(column.cells)) if own else _suspects(table, column)
    if len(suspects) + 1 < len(column.cells):
        for rule in rules.by_vr.get(entry.vr if entry else "", ()):
            call(rule, _passed)
    has_items = False
    for code in suspects:
        cell = table.cell(column, code)
        has_items = has_items or bool(cell.items)
        syntax = table.encodings[column.encodings[code]].syntax
        seen = Place(cell, column.tag, path, entry, depth, syntax, context)
        for rule in (*own, *rules.by_vr.get(cell.vr, ())):
            call(rule, partial(_try, rule, seen, table, code, place))
    return has_items


def _suspects(table: Table, column: Column) -> range | list[int]:
    """The cells that some rule on their VR could object to."""
    syntaxes = {table.encodings[number].syntax for number in set(column.encodings[1:])}
    screen = Screen.of(column.tag, syntaxes.pop()) if len(syntaxes) == 1 else None
    return range(1, len(column.cells)) if screen is None else screen.suspects(column.cells)


def _passed(draft: Draft) -> bool:
    return True


def _try(rule: Rule, seen: Place, table: Table, code: int, place: str, draft: Draft) -> bool:
    if rule.when is not None and not rule.when(seen):
        return False
    for hit in rule.check(seen) or ():
        draft.add(hit, table.study_rows(seen.tag, {code}), (place,))
    return True
