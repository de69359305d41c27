"""One request to an archive and what came of it, for those who measure."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from heltig.errors import ArchiveError

Operation: TypeAlias = Literal["search", "metadata", "retrieve", "store", "changes"]
"""A class of operations: what fails in one may work in another."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request that has ended.

    Attributes:
        operation: What it was for.
        error: How it failed; None where it did not, or its reader had enough.
        is_begun: The head of a good answer came.
        seconds: From the request to the last byte, without waiting for our own turn.
        received: Bytes of the body, as they came over the network.
    """

    operation: Operation
    error: ArchiveError | None
    is_begun: bool
    seconds: float
    received: int


Observer: TypeAlias = Callable[[Exchange], None]
