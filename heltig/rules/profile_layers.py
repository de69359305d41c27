"""The files that a profile is built of: what one insists on another may have switched off."""

from collections.abc import Sequence
from typing import NamedTuple

from heltig.rules.profile import Change, Exceptions
from heltig.rules.profile_positions import Path
from heltig.rules.profile_tables import FileTables
from heltig.rules.site_rules import SiteRule


class Layer(NamedTuple):
    """What one file says."""

    name: str
    change: Change
    exceptions: tuple[Exceptions, ...]
    site_rules: tuple[SiteRule, ...]


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
    taken_back = frozenset[str]().union(*(one.on for one in exceptions))
    for rule in sorted(change.required & frozenset[str]().union(*(one.off for one in earlier)) - taken_back):
        tables.problem(
            ("required",),
            f"required: {rule} is switched off for some studies by a [[for]] of its base; take it back by a "
            "[[for]] with on",
        )
    for (path, _), one in zip(tables.tables((), "for", tables.root), exceptions, strict=True):
        _contradict(tables, path, one, whole, "what holds for all studies")
        for other in earlier:
            if one.may_meet(other):
                _contradict(tables, path, one, other, "another [[for]] that may concern the same studies")
        earlier.append(one)


def _contradict(tables: FileTables, path: Path, change: Change, before: Change, where: str) -> None:
    for key, was, back in (("required", before.off, "on"), ("off", before.required, "optional")):
        named: frozenset[str] = getattr(change, key)
        for rule in sorted((named & was) - getattr(change, back)):
            state = "switched off" if key == "required" else "insisted on"
            tables.problem(
                (*path, key), f"{key}: {rule} is {state} by {where}; name it in {back}, too, or leave it out"
            )
