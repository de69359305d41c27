"""The files that a profile is built of: what one insists on another may have switched off."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from heltig.rules.profile import Change, Exceptions, Shared
from heltig.rules.profile_positions import Path
from heltig.rules.profile_tables import FileTables
from heltig.rules.site_rules import SiteRule

_OPPOSED: Final = (("required", "off", "on"), ("off", "required", "optional"))
"""What a file may say of a rule, what else would make it mean nothing, and how that is taken back."""


class Layer(NamedTuple):
    """What one file says."""

    name: str
    change: Change
    exceptions: tuple[Exceptions, ...]
    site_rules: tuple[SiteRule, ...]
    second_person: frozenset[Shared] | None


def see_that_they_agree(
    tables: FileTables, change: Change, exceptions: Sequence[Exceptions], below: Sequence[Layer]
) -> None:
    """Take note of rules that are insisted on here and switched off there: one of the two would mean nothing.

    Args:
        tables: The file.
        change: What it changes for all studies.
        exceptions: What it changes for some.
        below: The files that it is built on, the base of all first.
    """
    before = Change()
    for layer in below:
        before = before.then(layer.change)
    _contradict(tables, (), change, before, "its base")
    whole = before.then(change)
    earlier = [known for layer in below for known in layer.exceptions]
    for key, was, back in _OPPOSED:
        named: frozenset[str] = getattr(change, key)
        state = "switched off" if key == "required" else "insisted on"
        for rule in sorted(named):
            if _holds_for_some(rule, was, back, earlier, exceptions):
                tables.problem(
                    (key,),
                    f"{key}: {rule} is {state} for some studies by a [[for]] of its base; take it back by a "
                    f"[[for]] for the same studies with {back}",
                )
    for (path, _), one in zip(tables.tables((), "for", tables.root), exceptions, strict=True):
        _contradict(tables, path, one, whole, "what holds for all studies")
        for other in earlier:
            if one.may_meet(other):
                _contradict(tables, path, one, other, "another [[for]] that may concern the same studies")
        earlier.append(one)


def _holds_for_some(
    rule: str, was: str, back: str, below: Sequence[Exceptions], own: Sequence[Exceptions]
) -> bool:
    """Whether `[[for]]` tables below say of a rule what is not taken back for all the studies concerned."""
    holds: list[Exceptions] = []
    for one in below:
        if rule in getattr(one, was):
            holds.append(one)
        elif rule in getattr(one, back):
            holds = [other for other in holds if not one.covers(other)]
    taken_back = [one for one in own if rule in getattr(one, back)]
    return any(not any(one.covers(other) for one in taken_back) for other in holds)


def _contradict(tables: FileTables, path: Path, change: Change, before: Change, where: str) -> None:
    for key, was, back in _OPPOSED:
        named: frozenset[str] = getattr(change, key)
        for rule in sorted((named & getattr(before, was)) - getattr(change, back)):
            state = "switched off" if key == "required" else "insisted on"
            tables.problem(
                (*path, key), f"{key}: {rule} is {state} by {where}; name it in {back}, too, or leave it out"
            )
