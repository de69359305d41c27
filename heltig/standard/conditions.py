"""Conditions of PS3.3: when an attribute or a module is required, and when it must not be there.

A condition is true, false or *unknown* (`None`): most sentences of PS3.3 speak of what no attribute tells
("if contrast media was applied"), and of some attributes the value is not there to be read. What is unknown
requires nothing and forbids nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, TypeAlias

import msgspec

from heltig.standard.dictionary import keyword_of, lookup
from heltig.standard.edition import read_table
from heltig.standard.terms import defined_terms

Truth: TypeAlias = bool | None
Operator: TypeAlias = Literal["=", "!=", ">", "<", "+", "++", "-", "and", "or"]
Consequence: TypeAlias = Literal["required", "required else forbidden", "required else", "forbidden"]

PIXEL_DATA_GROUP: Final = "7FE0"
"""Archives leave pixel data out of metadata: of its absence nothing follows."""


OTHER: Final = "*"
"""Stands for any value that no condition asks for."""

UNKNOWN_TERM: Final = "?"
"""Stands for a value that is none of the defined terms of its attribute: nobody can tell what it means."""

NUMBERS_AS_TEXT: Final = ("DS", "IS")
"""VRs that can write one number in many ways: their values are compared as numbers."""

IN_GROUPS: Final = "groups/"
"""Before a tag: the attribute in functional groups, where the data set may have one of that tag itself."""

FIRST_ITEM: Final = "item 1"
"""Asked for in place of a tag: whether the item is the first of its sequence. Of others that is unknown: what
must be in the first item must be in another one, too, where it has changed."""


class Found(msgspec.Struct, frozen=True):
    """What a condition gets to know of an attribute.

    Attributes:
        present: False where it is absent, `None` where that cannot be told.
        empty: It is there without a value.
        values: Its values as text; `()` where it has none or nothing asks for them (`interests`).
    """

    present: Truth
    empty: bool = False
    values: tuple[str, ...] = ()


NOT_TOLD: Final = Found(None)
"""Of the attribute nothing is known."""

Find: TypeAlias = Callable[[str], Found]
"""Looks up an attribute from where the condition stands, given its tag."""


class When(msgspec.Struct, frozen=True):
    """One comparison, or several joined.

    Attributes:
        operator: A comparison, or `and`, `or`.
        tag: The attribute that is compared.
        number: Which of its values, from 1; 0 for any of them.
        values: What it is compared with, as text; tags as eight hex digits.
        parts: What `and` and `or` join.
    """

    operator: Operator
    tag: str = ""
    number: int = 1
    values: tuple[str, ...] = ()
    parts: "tuple[When, ...]" = ()

    def holds(self, find: Find, *, of_absent: Truth = False) -> Truth:
        """Whether it is true where `find` looks.

        Args:
            find: Looks up attributes.
            of_absent: Whether an attribute that is absent has a value that it is compared with.
        """
        if self.parts:
            truths = [part.holds(find, of_absent=of_absent) for part in self.parts]
            deciding = self.operator == "or"
            return deciding if deciding in truths else None if None in truths else not deciding
        found = find(self.tag)
        if found.present is None:
            return None
        if self.operator in ("+", "++", "-"):
            return self._stands(found)
        if not found.present:
            # "other than NONE" is said of an attribute that is there
            return None if self.operator in ("!=", "<") else of_absent
        if UNKNOWN_TERM in (found.values if self.number == 0 else found.values[self.number - 1 :][:1]):
            return None
        if self.number == 0 and found.values:
            return (self.operator == "=") == any(value in self.values for value in found.values)
        if len(found.values) < max(self.number, 1) or not found.values[self.number - 1]:
            return None
        return self._compares(found.values[self.number - 1])

    def _stands(self, found: Found) -> Truth:
        if not found.present and self.tag.startswith(PIXEL_DATA_GROUP):
            return None
        if found.empty and self.operator != "++":
            return None  # there without a value: PS3.3 speaks of neither
        valued = bool(found.present) and not found.empty
        return not valued if self.operator == "-" else valued

    def _compares(self, value: str) -> Truth:
        if self.operator in ("=", "!="):
            return (value in self.values) == (self.operator == "=")
        try:
            number, limit = float(value), float(self.values[0])
        except ValueError:
            return None
        return number > limit if self.operator == ">" else number < limit

    def comparisons(self) -> "Iterator[When]":
        """The comparisons it is made of."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.comparisons()

    @property
    def words(self) -> str:
        """The condition as a person would say it."""
        if self.parts:
            words = [f"({p.words})" if p.parts else p.words for p in self.parts]
            return f" {self.operator} ".join(words)
        if self.tag == FIRST_ITEM:
            return "this is the first item"
        tag = self.tag.removeprefix(IN_GROUPS)
        name = (keyword_of(tag) or tag) + " in the functional groups" * (tag != self.tag)
        if self.operator in ("+", "++"):
            return f"{name} is there"
        if self.operator == "-":
            return f"{name} is not there"
        if self.number > 1:
            name = f"{name} value {self.number}"
        values = [keyword_of(value) or value if len(value) == 8 else value for value in self.values]
        verb = {"=": "is", "!=": "is not", ">": "is more than", "<": "is less than"}[self.operator]
        if self.number == 0:
            verb = "contains" if self.operator == "=" else "does not contain"
        return f"{name} {verb} {' or '.join(values)}"


class Condition(msgspec.Struct, frozen=True):
    """What follows from a condition.

    Attributes:
        consequence: `required`: what has the condition is required if it is true, and may be there
            otherwise. `required else forbidden`: it must not be there otherwise. `required else`: it may be
            there otherwise only if `other` is true. `forbidden`: it must not be there if it is true.
        when: The condition.
        other: Only with `required else`.
    """

    consequence: Consequence
    when: When
    other: When | None = None

    def requires(self, find: Find) -> Truth:
        """Whether the attribute or module must be there."""
        return False if self.consequence == "forbidden" else self.when.holds(find)

    def forbids(self, find: Find) -> Truth:
        """Whether the attribute or module must not be there.

        Where an attribute that the condition reads is absent, which may be the very defect, that is unknown.
        """
        if self.consequence == "required":
            return False
        holds = self.when.holds(find, of_absent=None)
        if self.consequence == "forbidden" or holds is None:
            return holds
        if holds or self.other is None:
            return not holds
        other = self.other.holds(find, of_absent=None)
        return None if other is None else not other

    @property
    def forbidden_words(self) -> str:
        """When it must not be there, as a person would say it."""
        if self.consequence == "forbidden":
            return f"if {self.when.words}"
        implied = self.when.operator == "and" and self.other in self.when.parts
        allowed = [when.words for when in (None if implied else self.when, self.other) if when]
        return f"unless {', or '.join(allowed)}"

    def comparisons(self) -> Iterator[When]:
        """The comparisons it is made of."""
        for when in filter(None, (self.when, self.other)):
            yield from when.comparisons()


def condition_from(row: Any) -> Condition | None:
    """A condition of the compiled tables; `None` where there is none or it cannot be evaluated."""
    if not row:
        return None
    consequence, when, *other = row
    return Condition(consequence, _when(when), _when(other[0]) if other else None)


def _when(row: list[Any]) -> When:
    operator, *rest = row
    if operator in ("and", "or"):
        return When(operator, parts=tuple(map(_when, rest)))
    tag, *compared = rest
    return When(operator, tag, compared[0], tuple(compared[1])) if compared else When(operator, tag)


class Interest(msgspec.Struct, frozen=True, array_like=True):
    """Which values of an attribute make a difference to what is required, forbidden or allowed in any IOD.

    Attributes:
        tag: The attribute.
        numbers: How many of its values are looked at; 0 for all of them.
        enumerated: Some module enumerates its values: any other makes a difference, too.
        values: The values that conditions compare it with.
        limits: The numbers that conditions compare it with, in order.
    """

    tag: str
    numbers: int
    enumerated: bool
    values: frozenset[str]
    limits: tuple[float, ...]

    def of(self, values: Sequence[str]) -> tuple[str, ...]:
        """The values that are looked at, each as itself or, where it makes no difference, as any other.

        So objects that differ in other values only are alike, and judged once.
        """
        return tuple([self._of(value) for value in values[: self.numbers or None]])

    def _of(self, value: str) -> str:
        if is_number_as_text(self.tag):
            value = _plain_number(value)
        if self.enumerated or not value or value in self.values:
            return value
        terms = defined_terms(keyword_of(self.tag))
        if terms and value not in terms:
            return UNKNOWN_TERM
        if self.limits:
            try:
                number = float(value)
            except ValueError:
                return OTHER
            return str(max(min(number, self.limits[-1] + 1), self.limits[0] - 1))
        return OTHER


@cache
def is_number_as_text(tag: str) -> bool:
    """An attribute holds numbers that are written as text."""
    entry = lookup(tag)
    return entry is not None and entry.vr in NUMBERS_AS_TEXT


def _plain_number(text: str) -> str:
    """The shortest way to write a number; what is none stays as it is."""
    try:
        return f"{float(text):.15g}"
    except ValueError:
        return text


@cache
def interests() -> Mapping[str, Interest]:
    """The attributes whose values make a difference, by tag."""
    return {row.tag: row for row in read_table("interests", list[Interest]).rows}
