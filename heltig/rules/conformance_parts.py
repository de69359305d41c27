"""The parts of an object that are checked together: modules, macros, and what of them stands in items."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from heltig.rules.duplicates import OF_A_QUERY
from heltig.standard.dictionary import lookup, tag_of
from heltig.standard.iods import MacroUse, ModuleUse
from heltig.standard.modules import Attribute, Attributes, Type

_IMAGE_TYPE: Final = tag_of("ImageType")
STRICTEST: Final[tuple[Type, ...]] = ("1", "1C", "2", "2C", "3")
"""The types of attributes, the strictest first (PS3.5 7.4)."""

_MAY_BE_EMPTY: Final = frozenset({"2", "2C", "3"})


class Part(NamedTuple):
    """A module or macro that an object has, or the part of it that is in a sequence.

    Attributes:
        name: The module's name.
        attributes: What is in it.
        optional: The object would be whole without it: an optional module, or items of a sequence that may
            be absent or empty (types 2, 2C and 3).
    """

    name: str
    attributes: Attributes
    optional: bool


class Known:
    """The tags that may be in an item."""

    def __init__(self, possible: Iterable[Attributes]) -> None:
        self._possible = tuple({id(attributes): attributes for attributes in possible}.values())

    def __contains__(self, tag: object) -> bool:
        return any(tag in attributes for attributes in self._possible)


def instead_of(attribute: Attribute) -> set[str]:
    """The attributes that may stand instead of one: it is required where they are not there."""
    comparisons = attribute.condition.comparisons() if attribute.condition else ()
    return {when.tag for when in comparisons if when.operator == "-"}


def in_use(tag: str) -> bool:
    """An attribute of the standard that is not retired and not of answers to queries: these have rules."""
    entry = lookup(tag)
    return entry is not None and bool(entry.keyword) and not entry.retired and entry.keyword not in OF_A_QUERY


def part_of(module: ModuleUse, *, optional: bool) -> Part:
    """A module or macro as a part of an object."""
    return Part(module.name, module.attributes, optional)


def goes_by_frame(macro: MacroUse) -> bool:
    """Its condition asks for ImageType: of mixed objects each frame has a type of its own."""
    comparisons = macro.condition.comparisons() if macro.condition else ()
    return any(when.tag == _IMAGE_TYPE for when in comparisons)


def parts_below(of_tag: Iterable[tuple[Part, Attribute]]) -> list[Part]:
    """What may be in the items of a sequence, once for modules that say the same of it."""
    below: dict[int, Part] = {}
    for part, attribute in of_tag:
        if attribute.items:
            found = Part(part.name, attribute.items, part.optional or attribute.type in _MAY_BE_EMPTY)
            known = below.setdefault(id(attribute.items), found)
            if known.optional:
                below[id(attribute.items)] = found
    return list(below.values())


def rule_for(rule: str, part: Part) -> str:
    """The rule that reports what is missing in a part of the object: another one where it is optional."""
    return "IOD-OPTIONAL-PART" if part.optional and rule not in ("IOD-TYPE2", "IOD-TYPE2C") else rule


def rule_of_type(type: Type, part: Part) -> str:
    """The rule that reports absent attributes of a type, which is no 3."""
    return rule_for(f"IOD-TYPE{type}", part)
