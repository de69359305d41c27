"""Checks a shape against the information object definition of its SOP Class (PS3.3 annexes A to C).

The check says what is wrong with all instances of a shape at once. What a condition leaves unknown is no
objection, and neither is anything about an optional module unless an attribute that only this module has
shows that it is there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from heltig.dicom.shapes import EMPTY, Shape, State
from heltig.rules.conformance_owners import Owned
from heltig.rules.conformance_parts import (
    STRICTEST,
    Known,
    Part,
    goes_by_frame,
    in_use,
    instead_of,
    part_of,
    parts_below,
    rule_for,
    rule_of_type,
)
from heltig.rules.conformance_scope import PER_FRAME, SHARED, DataSetScope, GroupScope, Scope
from heltig.rules.conformance_words import Objection, Words
from heltig.standard.conditions import Truth
from heltig.standard.iods import Iod, MacroUse, ModuleUse
from heltig.standard.modules import Attribute, Attributes
from heltig.standard.single_items import SINGLE_ITEM

Found: TypeAlias = dict[tuple[str, tuple[str, ...]], Objection]
"""Objections by rule and path: what two modules say of one attribute is said once."""

Lacking: TypeAlias = dict[str, tuple[Attribute, Part]]
"""Absent attributes by tag, each with the part that requires it."""

_SEVERAL: Final = 2  # attributes of one module that are reported as one


def check(iod: Iod, shape: Shape, *, owned: Owned) -> tuple[Objection, ...]:
    """What is wrong with objects of a shape.

    Args:
        iod: The IOD of their SOP Class.
        shape: The shape of their data sets.
        owned: Attributes whose absence other rules report.
    """
    return tuple(_Check(iod, shape, owned).run().values())


class _Check:
    def __init__(self, iod: Iod, shape: Shape, owned: Owned) -> None:
        self.iod = iod
        self.scope = DataSetScope(shape, iod)
        self.owned = owned
        self.words = Words(iod)
        self.found: Found = {}

    def run(self) -> Found:
        required = [module for module in self.iod.modules if self._required(module)]
        there = [module for module in self.iod.modules if module in required or self._shows(module)]
        missing = [module for module in required if self._missing(module, required)]
        parts = [
            part_of(module, optional=module not in required) for module in there if module not in missing
        ]
        for module in there:
            self._forbidden_module(module)
        self._level(parts, self.scope)
        self._unsure_sequences(there)
        self._extended(self.scope, self.iod.modules_of if self.iod.closed else None)
        if self.iod.macros and (self.scope.shared is not None or self.scope.frames):
            self._groups()
        return self.found

    # -- modules

    def _required(self, module: ModuleUse) -> Truth:
        if module.usage == "C":
            return module.condition.requires(self.scope.find) if module.condition else None
        return module.usage == "M"

    def _shows(self, module: ModuleUse) -> bool:
        """An attribute is there that only this module has."""
        return not self.iod.own[module.name].isdisjoint(self.scope.states)

    def _missing(self, module: ModuleUse, required: Sequence[ModuleUse]) -> bool:
        """Nothing of a mandatory module is there; says so."""
        needed = module.attributes.always_valued - self.scope.states.keys() - self.owned.in_data_set
        if not needed:
            return False
        elsewhere = {tag for other in required if other is not module for tag in other.attributes.by_tag}
        own = module.attributes.by_tag.keys() - elsewhere
        if needed.isdisjoint(own) or not own.isdisjoint(self.scope.states):
            return False
        self._add(self.words.module_missing(module, tuple(sorted(needed))))
        return True

    def _forbidden_module(self, module: ModuleUse) -> None:
        if module.condition and module.condition.forbids(self.scope.find):
            tags = tuple(sorted(self.iod.own[module.name] & self.scope.states.keys()))
            if tags:
                self._add(self.words.module_forbidden(module, tags))

    def _unsure_sequences(self, there: Sequence[ModuleUse]) -> None:
        """Sequences of modules that may be there or not: an objection stands if all these modules agree."""
        for tag, state in self.scope.states.items():
            modules = self.iod.modules_of.get(tag, ())
            if not isinstance(state, tuple) or not modules or any(module in there for module in modules):
                continue
            opinions = []
            for module in modules:
                before, self.found = self.found, {}
                self._sequence(tag, state, [part_of(module, optional=True)], self.scope)
                opinions.append(self.found)
                self.found = before
            for key in set(opinions[0]).intersection(*opinions[1:]):
                self.found.setdefault(key, opinions[0][key])

    # -- attributes

    def _level(self, parts: Sequence[Part], scope: Scope) -> None:
        """Check the attributes of a data set, an item or the groups of a frame."""
        lacking: Lacking = {}
        for part in parts:
            for attribute in part.attributes:
                state = scope.states.get(attribute.tag)
                if attribute.guard and not attribute.guard.requires(scope.find):
                    continue
                if state is None:
                    if self._is_needed(attribute, scope):
                        entry = (attribute, part)
                        lacking[attribute.tag] = min(lacking.get(attribute.tag, entry), entry, key=_rank)
                else:
                    self._there(attribute, state, part, parts, scope)
        together: set[str] = set()
        for part in parts if not scope.path else ():
            together |= self._hollow_module(part, lacking)
        left: Lacking = {}
        for tag, entry in lacking.items():
            others = instead_of(entry[0]) & lacking.keys()
            instead = {other for other in others if tag in instead_of(lacking[other][0])}
            if tag not in together and not self._is_owned(tag, scope) and not any(o < tag for o in instead):
                left[tag] = entry
        if scope.path and not scope.states and len(left) >= _SEVERAL:
            attribute, part = min(left.values(), key=_rank)
            rule = rule_of_type(attribute.type, part)
            self._add(self.words.empty_item(rule, scope.path, part.name, tuple(sorted(left))))
            return
        for attribute, part in left.values():
            self._add(self.words.absent(rule_of_type(attribute.type, part), scope.path, attribute, part.name))
        for tag, state in scope.states.items():
            if isinstance(state, tuple):
                self._sequence(tag, state, parts, scope)

    def _hollow_module(self, part: Part, lacking: Lacking) -> set[str]:
        """Says at once that a module has none of the attributes that must have a value; gives these."""
        needed = part.attributes.always_valued
        if not needed <= lacking.keys():
            return set()
        told = {tag for tag in needed - self.owned.in_data_set if lacking[tag][1] is part}
        if len(told) < _SEVERAL:
            return set()
        self._add(self.words.all_absent(rule_of_type("1", part), part.name, tuple(sorted(told))))
        return told

    def _is_owned(self, tag: str, scope: Scope) -> bool:
        """Another rule reports the attribute where it is absent or empty."""
        if not scope.path:
            return tag in self.owned.in_data_set
        in_groups = scope.path[0] in (SHARED, PER_FRAME) and tag in self.owned.in_groups
        return in_groups or tag in self.owned.in_items

    def _is_needed(self, attribute: Attribute, scope: Scope) -> Truth:
        if attribute.condition:
            return attribute.type != "3" and attribute.condition.requires(scope.find)
        return attribute.type in ("1", "2")

    def _there(
        self, attribute: Attribute, state: State, part: Part, parts: Sequence[Part], scope: Scope
    ) -> None:
        """Check an attribute that is there."""
        tag = attribute.tag
        if attribute.condition and attribute.condition.forbids(scope.find):
            if not self._allowed_elsewhere(tag, parts, scope):
                self._add(self.words.forbidden(scope.path, attribute, part.name))
        elif state == EMPTY:
            needed = attribute.type == "1" or (attribute.type == "1C" and self._is_needed(attribute, scope))
            if needed and not self._is_owned(tag, scope):
                rule = "IOD-TYPE1-EMPTY" if attribute.items is None else "IOD-SEQ-ITEMS"
                self._add(self.words.empty(rule_for(rule, part), scope.path, attribute, part.name))
        else:
            self._values(attribute, part, scope)

    def _values(self, attribute: Attribute, part: Part, scope: Scope) -> None:
        """Check the values of an attribute that the standard enumerates."""
        values = scope.values.get(attribute.tag, ())
        for number, allowed in attribute.values.items():
            chosen = values if number == 0 else values[number - 1 : number]
            for value in chosen:
                if value and value not in allowed:
                    found = self.words.value(scope.path, attribute, number, value, allowed, part.name)
                    if found:
                        self._add(found)

    def _allowed_elsewhere(self, tag: str, parts: Sequence[Part], scope: Scope) -> bool:
        """Another module of the object, or of the IOD, does not forbid the attribute."""
        modules = self.iod.modules_of.get(tag, ()) if scope is self.scope else ()
        others = [*(part.attributes for part in parts), *(module.attributes for module in modules)]
        definitions = [attribute for other in others for attribute in other.by_tag.get(tag, ())]
        return any(not (d.condition and d.condition.forbids(scope.find)) for d in definitions)

    def _sequence(self, tag: str, state: tuple[Shape, ...], parts: Sequence[Part], scope: Scope) -> None:
        """Check the items of a sequence: of those that are alike one."""
        of_tag = [(part, attribute) for part in parts for attribute in part.attributes.by_tag.get(tag, ())]
        below = parts_below(of_tag)
        if of_tag and len(state) > 1 and tag in SINGLE_ITEM:
            part = of_tag[0][0]
            rule = rule_for("IOD-SEQ-ITEMS", part)
            self._add(self.words.too_many_items(rule, (*scope.path, tag), len(state), part.name))
        if not below or any(part.attributes.has_groups for part in below):
            return
        known = Known(self._possible(tag, parts, scope))
        for item in dict.fromkeys(state):
            inside = Scope(item, known, scope, (*scope.path, tag), first=item is state[0])
            self._level(below, inside)
            self._extended(inside, known)

    def _possible(self, tag: str, parts: Sequence[Part], scope: Scope) -> list[Attributes]:
        """What may be in the items of a sequence after any module, whether it is there or not."""
        modules = self.iod.modules_of.get(tag, ()) if scope is self.scope else ()
        every = [*(part.attributes for part in parts), *(module.attributes for module in modules)]
        return [a.items for attributes in every for a in attributes.by_tag.get(tag, ()) if a.items]

    def _extended(self, scope: Scope, known: "Mapping[str, object] | Known | None") -> None:
        if known is not None:
            for tag in scope.states:
                if tag not in known and not tag.startswith(_REPEATING) and in_use(tag):
                    self._add(self.words.extended((*scope.path, tag)))

    # -- functional groups

    def _groups(self) -> None:
        shared = self.scope.shared
        self._missing_groups([group for macro in self.iod.macros for group in self._macro(macro)])
        places = [(SHARED, shared)] if shared is not None else []
        for place, shape in (*places, *((PER_FRAME, frame) for frame in self.scope.frames)):
            scope = GroupScope(shape, self.scope, place)
            self._extended(scope, self.iod.macros_of)
            for tag, state in scope.states.items():
                macros = self.iod.macros_of.get(tag, ())
                parts = [part_of(macro, optional=not self._required(macro)) for macro in macros]
                for part in parts[:1]:
                    for attribute in part.attributes.by_tag[tag]:
                        self._there(attribute, state, part, parts, scope)
                if isinstance(state, tuple):
                    self._sequence(tag, state, parts[:1], scope)

    def _missing_groups(self, missing: Sequence[tuple[str, MacroUse]]) -> None:
        """Says of groups that stand nowhere that they are missing: of several at once."""
        if len(missing) >= _SEVERAL:
            self._add(self.words.groups_missing(tuple(sorted(tag for tag, _ in missing))))
        for tag, macro in missing if len(missing) < _SEVERAL else ():
            self._add(self.words.group_missing(tag, macro, "all"))
        for rule in ("IOD-TYPE1", "IOD-SEQ-ITEMS") if missing else ():  # since there are no shared ones
            self.found.pop((rule, (SHARED,)), None)

    def _macro(self, macro: MacroUse) -> Iterator[tuple[str, MacroUse]]:
        """Check where a functional group macro stands: in the shared groups or in each frame's own.

        Yields:
            A group that is missing in both, with its macro.
        """
        for attribute in macro.attributes:
            tag = attribute.tag
            in_shared = self.scope.shared is not None and tag in self.scope.shared.states
            lacking = sum(tag not in dict(frame.attributes) for frame in self.scope.frames)
            in_frames = len(self.scope.frames) - lacking
            if in_shared and macro.where == "frame":
                self._add(self.words.group_misplaced(tag, macro, "shared"))
            elif in_frames and macro.where == "shared":
                self._add(self.words.group_misplaced(tag, macro, "per-frame"))
            elif (not in_shared and lacking == len(self.scope.frames)) or (lacking and in_frames):
                needed = self._required(macro) and self._is_needed(attribute, self.scope)
                if not needed or tag in self.owned.in_data_set or (in_frames and goes_by_frame(macro)):
                    continue
                if in_frames:
                    self._add(self.words.group_missing(tag, macro, "some"))
                else:
                    yield tag, macro

    def _add(self, objection: Objection) -> None:
        self.found.setdefault((objection.rule, objection.path), objection)


_REPEATING: Final = ("50", "60", "7F")
"""Overlays and curves stand in groups of their own, of which the tables have the first."""


def _rank(entry: tuple[Attribute, Part]) -> tuple[bool, int]:
    attribute, part = entry
    return part.optional, STRICTEST.index(attribute.type)
