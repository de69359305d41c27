"""Pages of a list."""

from typing import Annotated, Final, Generic, TypeAlias, TypeVar

import msgspec
from litestar.params import QueryParameter

T = TypeVar("T")

DEFAULT_LIMIT: Final = 100

Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=1000, description="The most entries.")]
Offset: TypeAlias = Annotated[int, QueryParameter(ge=0, le=10**9, description="Entries to pass over.")]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some entries of a list.

    Attributes:
        items: The entries.
        limit: The most there could have been.
        offset: Entries passed over.
        more: There are others after them.
    """

    items: list[T]
    limit: int
    offset: int
    more: bool


def page(found: list[T], *, limit: int, offset: int) -> Page[T]:
    """A page out of what was found, which is one entry more where there is one."""
    return Page(found[:limit], limit, offset, len(found) > limit)
