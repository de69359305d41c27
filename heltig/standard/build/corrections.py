"""Where the first source's reading of PS3.3 is corrected by hand, each with the text it should have read."""

from typing import Any, Final

Place = tuple[str, ...]
"""The ref of a module or macro and the tags from there down to an attribute."""

CONDITIONS: Final[dict[Place, list[Any]]] = {}
"""The condition of an attribute; empty where it cannot be evaluated."""

TYPES: Final[dict[Place, str]] = {}
"""The type of an attribute."""


def of(place: Place, condition: list[Any]) -> list[Any]:
    """Return the condition of an attribute: as corrected, or as the source has it."""
    return CONDITIONS.get(place, condition)
