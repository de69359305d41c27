"""One request to an archive and what came of it, for those who measure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.errors import ArchiveError

Operation: TypeAlias = Literal["search", "metadata", "retrieve", "store", "changes"]
"""A class of operations: what fails in one may work in another."""


_TRIES: Final = ContextVar("_TRIES", default=False)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request that has ended.

    Attributes:
        operation: What it was for.
        error: How it failed; None where it did not, or its reader had enough.
        is_begun: The head of a good answer came.
        seconds: From the request to the last byte, without waiting for our own turn.
        received: Bytes of the body, as they came over the network.
        is_trial: It was made to see whether the archive does such a thing at all (`trials`).
    """

    operation: Operation
    error: ArchiveError | None
    is_begun: bool
    seconds: float
    received: int
    is_trial: bool = msgspec.field(default_factory=_TRIES.get)


Observer: TypeAlias = Callable[[Exchange], None]


@contextmanager
def trials() -> Iterator[None]:
    """What is asked within is asked to see whether the archive does such a thing: it may well refuse."""
    before = _TRIES.set(True)
    try:
        yield
    finally:
        _TRIES.reset(before)
