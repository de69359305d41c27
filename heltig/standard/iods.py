"""Information object definitions (PS3.3 annex A): the modules and functional group macros of a SOP Class."""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, Literal, TypeAlias

import msgspec

from heltig.standard.conditions import Condition, condition_from
from heltig.standard.edition import read_table
from heltig.standard.modules import Attributes, attributes_of

Usage: TypeAlias = Literal["M", "C", "U"]
Place: TypeAlias = Literal["", "frame", "shared"]


class ModuleUse(msgspec.Struct, frozen=True, dict=True):
    """How an IOD uses a module.

    Attributes:
        name: The module's name.
        ref: Where it is: the clause of PS3.3, or the source's name for it.
        usage: M mandatory, C conditional, U user option (PS3.3 A.1.3).
        condition: Of a conditional one; `None` where it cannot be evaluated.
    """

    name: str
    ref: str
    usage: Usage
    condition: Condition | None = None

    @property
    def attributes(self) -> Attributes:
        """What is in it."""
        return attributes_of(self.ref)


class MacroUse(ModuleUse, frozen=True):
    """How an IOD uses a functional group macro.

    Attributes:
        where: `frame` where it may stand in the per-frame functional groups only, `shared` in the shared
            ones only; empty for either.
    """

    where: Place = ""


class Iod:
    """The IOD of one SOP Class.

    Attributes:
        uid: The SOP Class UID.
        name: The IOD's name.
        modules: Its modules.
        macros: Its functional group macros; none where it has no functional groups.
        closed: All its modules are known, attribute by attribute.
    """

    def __init__(self, uid: str, name: str, modules: list[Any], macros: list[Any]) -> None:
        self.uid = uid
        self.name = name
        self.modules = tuple(_module(*use) for use in modules)
        self.macros = tuple(_macro(*use) for use in macros)
        self.closed = all(len(module.attributes.by_tag) for module in self.modules)

    @cached_property
    def modules_of(self) -> Mapping[str, tuple[ModuleUse, ...]]:
        """For each attribute of the data set itself the modules that have it."""
        return _users(self.modules)

    @cached_property
    def macros_of(self) -> Mapping[str, tuple[MacroUse, ...]]:
        """For each sequence of a functional group the macros that have it."""
        return _users(self.macros)

    @cached_property
    def own(self) -> Mapping[str, frozenset[str]]:
        """For each module, by name, the attributes no other module of the IOD has: each shows it is there."""
        found: dict[str, set[str]] = {module.name: set() for module in self.modules}
        for tag, modules in self.modules_of.items():
            if len(modules) == 1:
                found[modules[0].name].add(tag)
        return {name: frozenset(tags) for name, tags in found.items()}

    @cached_property
    def in_macros(self) -> Mapping[str, tuple[str, ...]]:
        """For each attribute inside functional groups the sequences it stands in."""
        found: dict[str, dict[str, None]] = {}
        for macro in self.macros:
            for attribute in macro.attributes:
                for tag in attribute.items.by_tag if attribute.items else ():
                    found.setdefault(tag, {})[attribute.tag] = None
        return {tag: tuple(sequences) for tag, sequences in found.items()}


def _module(name: str, ref: str, usage: Usage, condition: Any = 0) -> ModuleUse:
    return ModuleUse(name, ref, usage, condition_from(condition))


def _macro(name: str, ref: str, usage: Usage, condition: Any = 0, where: Place = "") -> MacroUse:
    return MacroUse(name, ref, usage, condition_from(condition), where)


def _users(uses: tuple[Any, ...]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, list[Any]] = {}
    for use in uses:
        for tag in use.attributes.by_tag:
            found.setdefault(tag, []).append(use)
    return {tag: tuple(users) for tag, users in found.items()}


@cache
def iod_of(sop_class_uid: str) -> Iod | None:
    """The IOD of a SOP Class; `None` for one that the tables do not have."""
    row = _table().get(sop_class_uid)
    if row is None:
        return None
    uid, name, modules, *macros = msgspec.json.decode(row)
    return Iod(uid, name, modules, macros[0] if macros else [])


def sop_classes() -> tuple[str, ...]:
    """The SOP Classes whose IODs the tables have."""
    return tuple(_table())


@cache
def _table() -> dict[str, msgspec.Raw]:
    rows = read_table("iods", list[msgspec.Raw]).rows
    return {_uid(bytes(row)): row for row in rows}


def _uid(row: bytes) -> str:
    """The first text of a row, which is a UID, without decoding the rest."""
    return row[row.index(b'"') + 1 : row.index(b'"', row.index(b'"') + 1)].decode("ascii")
