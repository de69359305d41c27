"""Reads the `[[rule]]` tables of a profile's file."""

import re
from collections.abc import Mapping
from typing import Any, Final

from heltig.rules.profile_positions import Path
from heltig.rules.profile_site_sense import (
    see_that_it_can_be,
    see_that_it_can_be_asked,
    see_that_it_makes_sense,
)
from heltig.rules.profile_tables import FileTables, nearest
from heltig.rules.profile_words import modality_named, named
from heltig.rules.rule import Severity
from heltig.rules.site_pattern import Pattern, PatternError
from heltig.rules.site_rules import PREFIX, Condition, SiteRule, Whole
from heltig.standard.dictionary import entries, lookup, tag_of

_TESTS: Final = (
    "present",
    "absent",
    "non_empty",
    "equals",
    "one_of",
    "matches",
    "max_length",
    "range",
)
"""What can be asked of an attribute."""

_ABOUT_PRESENCE: Final = ("present", "absent", "non_empty")
"""What can be asked of any attribute; the rest is asked of values that are text or numbers."""

_NOT_STORED: Final = ("0000", "FFFE")
"""Groups of command elements (PS3.7 E.1) and of what delimits items (PS3.5 7.5): no data set has them."""

_WHAT_HOLDS: Final = (*_TESTS, "same_in")
_KEYS: Final = (
    "id", "title", "attribute", "severity", "modalities", "when", *_WHAT_HOLDS, "why", "mend", "example",
)  # fmt: skip
_ID: Final = re.compile(PREFIX + r"[A-Z0-9]+(-[A-Z0-9]+)*")


def read_site_rule(tables: FileTables, path: Path, table: Mapping[str, Any]) -> SiteRule | None:
    """A rule from its table; None where something is wrong with it, of which the tables take note."""
    before = len(tables.problems)
    tables.keys(table, path, _KEYS, what="setting of [[rule]]")
    texts = {key: _text(tables, path, table, key) for key in ("id", "title", "attribute", "mend")}
    if texts["id"] and not _ID.fullmatch(str(table["id"])):
        tables.problem((*path, "id"), f"id: {PREFIX} and capitals, digits and hyphens, such as SITE-MY-RULE")
    holds = _condition(tables, path, table)
    same_in: Any = tables.take(table, path, "same_in", Whole | None, None)
    asked = [key for key in _TESTS if key in table]
    if not asked and "same_in" not in table:
        tables.problem(path, f"nothing must hold: give {', '.join(_WHAT_HOLDS[:-1])} or {_WHAT_HOLDS[-1]}")
    if asked and same_in:
        tables.problem((*path, "same_in"), f"same_in stands alone: write a second rule for {asked[0]}")
    if same_in and holds.attribute:
        see_that_it_can_be_asked(tables, (*path, "same_in"), "same_in", holds.attribute)
    when = tuple(_when(tables, inner_path, inner) for inner_path, inner in tables.tables(path, "when", table))
    more = {key: _text(tables, path, table, key) for key in ("why", "example") if key in table}
    severity: Any = tables.take(table, path, "severity", Severity, "review")
    modalities = named(
        tables,
        (*path, "modalities"),
        tables.take(table, path, "modalities", tuple[str, ...], ()),
        modality_named,
    )
    if len(tables.problems) > before:
        return None
    declared = SiteRule(
        id=texts["id"],
        title=texts["title"].rstrip("."),
        holds=holds,
        mend=texts["mend"],
        severity=severity,
        modalities=modalities,
        when=when,
        same_in=same_in,
        **more,
    )
    see_that_it_makes_sense(tables, path, table, declared)
    return declared if len(tables.problems) == before else None


def _text(tables: FileTables, path: Path, table: Mapping[str, Any], key: str) -> str:
    """A text that has to be there, on one line."""
    if key not in table:
        tables.problem(path, f"{key} is missing")
        return ""
    text = " ".join(tables.take(table, path, key, str, "?").split())
    if not text:
        tables.problem((*path, key), f"{key} is empty")
    return text


def _when(tables: FileTables, path: Path, table: Mapping[str, Any]) -> Condition:
    tables.keys(table, path, ("attribute", *_TESTS), what="setting of `when`")
    _text(tables, path, table, "attribute")
    if not any(key in table for key in _TESTS):
        tables.problem(path, f"`when` asks for nothing: give {', '.join(_TESTS[:-1])} or {_TESTS[-1]}")
    return _condition(tables, path, table)


def _condition(tables: FileTables, path: Path, table: Mapping[str, Any]) -> Condition:
    """What a table asks of an attribute."""
    asked = [key for key in _TESTS if key in table]
    if "absent" in asked and len(asked) > 1:
        tables.problem((*path, "absent"), "absent stands alone: nothing is asked of what is not there")
    for key in _ABOUT_PRESENCE:
        if table.get(key) is False:
            tables.problem((*path, key), f"{key} = false says nothing; leave it out, or ask for the opposite")
    one_of: tuple[str | int | float, ...] = tables.take(
        table, path, "one_of", tuple[str | int | float, ...], ()
    )
    if "equals" in table:
        if "one_of" in table:
            tables.problem((*path, "one_of"), "equals and one_of: one of the two")
        equals: str | int | float | None = tables.take(table, path, "equals", str | int | float | None, None)
        one_of = () if equals is None else (equals,)
    elif "one_of" in table and not one_of:
        tables.problem((*path, "one_of"), "one_of: nothing can be one of none")
    if table.get("matches") == "":
        tables.problem(
            (*path, "matches"), "matches is empty, and would say nothing; to ask for no value use absent"
        )
    most: int | None = tables.take(table, path, "max_length", int | None, None)
    if most is not None and most < 0:
        tables.problem((*path, "max_length"), "max_length is negative")
    span: tuple[float, float] | None = tables.take(table, path, "range", tuple[float, float] | None, None)
    if span is not None and span[0] > span[1]:
        tables.problem((*path, "range"), "range: the second number is smaller")
    attribute = _attribute(tables, path, tables.take(table, path, "attribute", str, ""))
    for n, value in enumerate(one_of):
        at = (*path, "equals") if "equals" in table else (*path, "one_of", n)
        see_that_it_can_be(tables, at, value, attribute)
    for key in asked:
        if key not in _ABOUT_PRESENCE:
            see_that_it_can_be_asked(tables, (*path, key), key, attribute)
    return Condition(
        attribute=attribute,
        present=tables.take(table, path, "present", bool, False),
        absent=tables.take(table, path, "absent", bool, False),
        non_empty=tables.take(table, path, "non_empty", bool, False),
        one_of=one_of,
        matches=_expression(tables, path, tables.take(table, path, "matches", str, "")),
        max_length=most,
        range=span,
    )


def _expression(tables: FileTables, path: Path, text: str) -> str:
    try:
        Pattern(text)
    except PatternError as error:
        tables.problem((*path, "matches"), f"matches: {error}")
    return text


def _attribute(tables: FileTables, path: Path, written: str) -> str:
    """A path of keywords, each known, each but the last that of a sequence."""
    keywords = written.split(".") if written else []
    for n, keyword in enumerate(keywords):
        try:
            entry = lookup(tag_of(keyword))
        except KeyError:
            near = nearest(keyword, (entry.keyword for entry in entries() if entry.keyword))
            tables.problem((*path, "attribute"), f"attribute: there is no keyword {keyword}{near}")
            continue
        if entry and entry.tag[:4] in _NOT_STORED:
            tables.problem(
                (*path, "attribute"),
                f"attribute: {keyword} is part of messages or delimits items; no data set has it",
            )
        elif n < len(keywords) - 1 and entry and entry.vr != "SQ":
            tables.problem((*path, "attribute"), f"attribute: {keyword} is no sequence, nothing is inside it")
    return written
