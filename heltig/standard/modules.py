"""Modules and macros (PS3.3 annexes A to C, chapter 10): their attributes, with types and conditions."""

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import Any, Final, Literal, TypeAlias

import msgspec

from heltig.standard.conditions import Condition, condition_from
from heltig.standard.edition import read_table

Type: TypeAlias = Literal["1", "1C", "2", "2C", "3"]

GROUP_MACROS: Final = "*"
"""Stands for the functional group macros of the IOD."""


class Attribute(msgspec.Struct, frozen=True):
    """An attribute as one module or macro has it.

    Attributes:
        tag: Its tag.
        type: 1, 1C, 2, 2C or 3 (PS3.5 7.4).
        condition: Of types 1C and 2C, and of some of type 3 that must not be there; `None` where PS3.3
            gives none, or one that cannot be evaluated.
        values: Its enumerated values, by the number of the value; number 0 for all of them.
        items: What is in the items of a sequence; `None` where it is no sequence, or nothing is known.
        guard: Where it comes from a macro that is included under a condition, that condition.
    """

    tag: str
    type: Type
    condition: Condition | None = None
    values: Mapping[int, frozenset[str]] = {}
    items: "Attributes | None" = None
    guard: Condition | None = None


class Attributes:
    """The attributes of a module, a macro or the items of a sequence, with what is included.

    Attributes:
        has_groups: The functional group macros of the IOD stand here, too.
    """

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows
        self._by_tag: dict[str, list[Attribute]] | None = None
        self.has_groups = ["", GROUP_MACROS] in rows

    @property
    def by_tag(self) -> Mapping[str, list[Attribute]]:
        """The attributes; more than one of a tag where macros that are included have it, too."""
        if self._by_tag is None:
            self._by_tag = {}
            for attribute in _attributes(self._rows, None):
                self._by_tag.setdefault(attribute.tag, []).append(attribute)
        return self._by_tag

    @cached_property
    def always_valued(self) -> frozenset[str]:
        """The tags of type 1 attributes, which must have a value whatever else there is."""
        return frozenset(
            [attribute.tag for attribute in self if attribute.type == "1" and not attribute.guard]
        )

    def __contains__(self, tag: object) -> bool:
        return tag in self.by_tag

    def __iter__(self) -> Iterator[Attribute]:
        for attributes in self.by_tag.values():
            yield from attributes


@cache
def attributes_of(ref: str) -> Attributes:
    """The attributes of a module or macro.

    Args:
        ref: As the tables of this package name it: the clause or table of PS3.3.

    Raises:
        KeyError: There is no such module.
    """
    return Attributes(msgspec.json.decode(_table()[ref]))


@cache
def enumerated_anywhere() -> frozenset[str]:
    """The enumerated values of all attributes, whichever module or macro has them."""
    found: set[str] = set()
    waiting = [_rows_of(ref) for ref in _table()]
    while waiting:
        for tag, *rest in waiting.pop():
            _, items, _, values = (*rest, 0, 0, 0, 0)[:4]
            if tag and isinstance(items, list):
                waiting.append(items)
            if tag and values:
                found.update(value for _, allowed in values for value in allowed)
    return frozenset(found)


@cache
def conditions_anywhere() -> frozenset[Condition]:
    """The conditions of all attributes and of what is included, whichever module or macro has them."""
    found: set[Condition | None] = set()
    waiting = [_rows_of(ref) for ref in _table()]
    while waiting:
        for tag, *rest in waiting.pop():
            if tag:
                _, items, condition = (*rest, 0, 0, 0)[:3]
                found.add(condition_from(condition))
                if isinstance(items, list):
                    waiting.append(items)
            elif len(rest) > 1:
                found.add(condition_from(rest[1]))
    return frozenset(filter(None, found))


def _attributes(rows: list[Any], guard: Condition | None) -> Iterator[Attribute]:
    for tag, *rest in rows:
        if tag:
            yield _attribute(tag, guard, *rest)
        elif rest[0] != GROUP_MACROS:
            under = condition_from(rest[1]) if len(rest) > 1 else guard
            yield from _attributes(_rows_of(rest[0]), under)


def _attribute(
    tag: str, guard: Condition | None, type_: Type, items: Any = 0, condition: Any = 0, values: Any = 0
) -> Attribute:
    return Attribute(
        tag,
        type_,
        condition_from(condition),
        {number: frozenset(allowed) for number, allowed in values or ()},
        attributes_of(items) if isinstance(items, str) else Attributes(items) if items else None,
        guard,
    )


@cache
def _rows_of(ref: str) -> list[Any]:
    rows: list[Any] = msgspec.json.decode(_table()[ref])
    return rows


@cache
def _table() -> dict[str, msgspec.Raw]:
    return dict(read_table("modules", list[tuple[str, msgspec.Raw]]).rows)
