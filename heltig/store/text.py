"""Text as both databases can hold it, and JSON in a column."""

import hashlib
from typing import Any, TypeVar

import msgspec

from heltig.store.records import KEY_LENGTH

TEXT_LENGTH = 256
"""Characters kept of an attribute for search and display; the snapshot has all of it."""

DEVICE_LENGTH = 64
"""Characters kept of what names a device; an LO has no more (PS3.5 6.2)."""

T = TypeVar("T")


def storable(text: str, limit: int | None = None) -> str:
    """Text without what a database refuses, and no longer than its column.

    Attributes of broken studies hold anything. PostgreSQL takes no NUL, no database half of a surrogate pair;
    both become U+FFFD.

    Args:
        text: Any text.
        limit: Characters that the column has room for.
    """
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if "\0" in text:
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text[:limit]


def storable_key(key: str) -> str:
    """A study's or series' key as its column holds it: a UID that is too long, or no text, ends in its hash.

    PS3.5 9.1 allows 64 characters; what is sent can be anything.
    """
    if len(key) <= KEY_LENGTH and (kept := storable(key)) == key:
        return kept
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{storable(key, KEY_LENGTH - 33)}~{digest}"


def to_json(value: Any) -> str:
    """JSON text of structs, dictionaries and lists, their texts made `storable` where they are not."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_storable_within(msgspec.to_builtins(value))).decode()


def from_json(text: str, type: type[T]) -> T:
    """What `to_json` made text of."""
    return msgspec.json.decode(text, type=type)


def _storable_within(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case list() | tuple():
            return [_storable_within(item) for item in value]
        case dict():
            return {_storable_within(key): _storable_within(item) for key, item in value.items()}
    return value
