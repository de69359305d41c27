"""The pages that there are, in the order in which they are offered: to whom the policy lets use them."""

from collections.abc import Sequence
from typing import Final

import msgspec

from heltig.auth.policy import refusal
from heltig.auth.principal import Principal


class Place(msgspec.Struct, frozen=True):
    """A page that can be gone to.

    Attributes:
        id: What templates call it, in `here`.
        path: Its address below `/`.
        label: What people call it.
        key: `g` and this key lead to it.
    """

    id: str
    path: str
    label: str
    key: str


PLACES: Final[tuple[tuple[Place, ...], ...]] = (
    (
        Place("overview", "overview", "Overview", "o"),
        Place("worklist", "", "Studies", "s"),
        Place("quarantine", "quarantine", "Quarantine", "q"),
        Place("waivers", "waivers", "Waivers", "w"),
    ),
    (
        Place("archives", "archives", "Archives", "a"),
        Place("uploads", "uploads", "Uploads", "u"),
        Place("jobs", "jobs", "Jobs", "j"),
    ),
    (Place("research", "research", "Research", "e"),),
    (
        Place("rules", "rules", "Rules", "r"),
        Place("profiles", "profiles", "Profiles", "p"),
        Place("health", "service", "Health", "h"),
        Place("audit", "audit", "Audit", "t"),
        Place("keys", "keys", "Keys", "k"),
    ),
)
"""All of them: what is daily work, where studies come from, what Heltig itself is and does."""


def places_for(principal: Principal | None, *, has_research: bool) -> Sequence[tuple[Place, ...]]:
    """What somebody may go to, in groups; nothing for who does not say who they are.

    Args:
        principal: Who.
        has_research: Analyses are enabled here.
    """
    groups = (
        tuple(
            place
            for place in group
            if refusal(principal, "GET", f"/{place.path}") is None
            and (has_research or place.id != "research")
        )
        for group in PLACES
    )
    return [group for group in groups if group]


_HOMES: Final = ("", "research", "audit", "jobs", "rules")
"""Where somebody begins: at the first of these that they may see."""


def home_of(principal: Principal | None) -> str:
    """The page at which somebody begins, below `/`; the list of studies for who does not say who they are."""
    return next((path for path in _HOMES if refusal(principal, "GET", f"/{path}") is None), "")
