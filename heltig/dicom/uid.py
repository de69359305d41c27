"""How a Unique Identifier must be written (PS3.5 chapter 9 and annex B)."""

import re
from typing import Final, Literal, TypeAlias

UidFault: TypeAlias = Literal[
    "too-long",
    "characters",
    "empty-component",
    "leading-zero",
    "root",
    "only-zeros",
    "uuid",
]

UID_FAULTS: Final[dict[UidFault, str]] = {
    "too-long": "at most 64 characters",
    "characters": "digits and full stops alone",
    "empty-component": "a number before and behind each full stop",
    "leading-zero": "numbers without leading zeros",
    "root": "two numbers or more, the first 0, 1 or 2, and the second at most 39 under 0 or 1",
    "only-zeros": "a UID that stands for something, or none",
    "uuid": "2.25 followed by the number of one UUID, below 2^128",
}
"""What can be wrong with a UID, in the order in which `uid_faults` names it, and what is right instead."""

MAX_LENGTH = 64

VALID = re.compile(
    r"(?=.{1,64}\Z)(?:[01]\.(?:[0-9]|[1-3][0-9])|2\.(?:0|[1-9][0-9]*))(?:\.(?:0|[1-9][0-9]*))*", re.DOTALL
)
"""A UID as PS3.5 9.1 and annex B write it, to be used with `fullmatch`: the first five faults are absent."""

_COMPONENTS = re.compile(r"[0-9.]+")
_ONLY_ZEROS = re.compile(r"0[0.]*")
_UUID_END = 2**128


def is_valid(text: str) -> bool:
    """Tell whether a UID is written as PS3.5 9.1 says."""
    return VALID.fullmatch(text) is not None


def uid_faults(text: str) -> tuple[UidFault, ...]:
    """Name everything that is wrong with how a UID is written.

    Args:
        text: The value without its trailing NULL. An empty text is no UID: leave empty attributes out.

    Returns:
        Keys of `UID_FAULTS` in their order; `()` for a good UID.
    """
    if VALID.fullmatch(text) and not text.startswith(("0.0", "2.25")):
        return ()
    return tuple([fault for fault in UID_FAULTS if _has(fault, text)])


def _has(fault: UidFault, text: str) -> bool:
    components = text.split(".")
    match fault:
        case "too-long":
            return len(text) > MAX_LENGTH
        case "characters":
            return _COMPONENTS.fullmatch(text) is None and text != ""
        case "empty-component":
            return "" in components
        case "leading-zero":
            return any(c[:1] == "0" and c != "0" and c.isdecimal() for c in components)
        case "root":
            return not _is_rooted(components)
        case "only-zeros":
            return _ONLY_ZEROS.fullmatch(text) is not None
        case "uuid":
            return components[:2] == ["2", "25"] and not _is_uuid(components[2:])


def _is_rooted(components: list[str]) -> bool:
    """Judge the first two components by X.660; those that are no numbers have faults of their own."""
    first, second = components[0], components[1] if len(components) > 1 else None
    if second is None:
        return not _is_number(first)
    if not _is_number(first) or not _is_number(second):
        return True
    first, second = first.lstrip("0") or "0", second.lstrip("0") or "0"
    return first == "2" or (first in ("0", "1") and len(second) <= 2 and int(second) <= 39)


def _is_uuid(components: list[str]) -> bool:
    """One component below 2**128 (PS3.5 B.2); more components may follow where its owner allots them."""
    return bool(components) and (
        not _is_number(components[0]) or (len(components[0]) <= 39 and int(components[0]) < _UUID_END)
    )


def _is_number(component: str) -> bool:
    return component.isascii() and component.isdecimal()
