"""Answers out of prepared bytes, with entity tags (RFC 9110 8.8.3)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from litestar.types import Receive, Scope, Send

from heltig.errors import HeltigError

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"

_QUALITY: Final = re.compile(r"[01](\.\d*)?", re.ASCII)
_VARY: Final = (b"vary", b"Accept, Authorization")
_CACHING: Final = (_VARY, (b"cache-control", b"private, no-cache"))
"""Whoever got an answer may keep it, and has to ask whether it still holds."""


class NotAcceptableError(HeltigError):
    """The client takes none of the media types that there are."""

    status = 406
    problem_type = "/problems/not-acceptable"
    title = "No such representation"


class TaggedAnswer:
    """An answer with an entity tag: 304 to whoever has it already, to HEAD without the body."""

    __slots__ = ("_body", "_headers", "_tag")

    def __init__(
        self, body: bytes, *, media_type: str, tag: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Makes it.

        Args:
            body: The representation.
            media_type: Its media type.
            tag: The strong entity tag, without quotes: another one for each representation.
            headers: Others.
        """
        self._body = body
        self._tag = tag
        self._headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"etag", f'"{tag}"'.encode()),
            *_CACHING,
            *headers,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it, in one piece: some archives wait long for a body that follows its header."""
        body, status, headers = self._body, 200, self._headers
        if has_it(scope, self._tag):
            body, status, headers = b"", 304, headers[2:]
        elif scope.get("method") == "HEAD":
            body = b""
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class PlainAnswer:
    """An answer that nobody may keep."""

    __slots__ = ("_body", "_headers")

    def __init__(self, body: bytes, *, media_type: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Makes it.

        Args:
            body: The representation.
            media_type: Its media type.
            headers: Others.
        """
        self._body = body
        self._headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            _VARY,
            (b"cache-control", b"no-store"),
            *headers,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        body = b"" if scope.get("method") == "HEAD" else self._body
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def tagged(tag: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer that has a strong entity tag, given without quotes."""
    return [(b"etag", f'"{tag}"'.encode()), *_CACHING]


def header(scope: Scope, name: bytes) -> str:
    """A header of a request, empty where it has none."""
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return ""


@lru_cache(maxsize=64)  # a client sends the same each time
def chosen(accept: str, *media_types: str) -> str:
    """The media type to answer with, by the Accept header of a request; empty where the client takes none.

    Of several that it likes as much, and without a header, the first. For each type the most specific range
    of the header counts, and with a quality of 0 it is refused (RFC 9110 12.4.2 and 12.5.1).

    Args:
        accept: The header, empty where there is none.
        media_types: Those that there are, the preferred first.
    """
    if not accept:
        return media_types[0]
    ranges = _ranges(accept)
    best, quality = "", 0.0
    for known in media_types:
        name = known.partition(";")[0]
        liked = next((ranges[r] for r in (name, f"{name.partition('/')[0]}/*", "*/*") if r in ranges), 0.0)
        if liked > quality:
            best, quality = known, liked
    return best


def chosen_or_refused(scope: Scope, *media_types: str) -> str:
    """The same for a request.

    Raises:
        NotAcceptableError: The client takes none of them.
    """
    media_type = chosen(header(scope, b"accept"), *media_types)
    if not media_type:
        raise NotAcceptableError(f"This route answers with {' or '.join(media_types)}.")
    return media_type


def _ranges(accept: str) -> dict[str, float]:
    """The media ranges of a header with their qualities; parameters of a type itself are left aside."""
    ranges: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((p[2:].strip() for p in parameters if p.startswith("q=")), "1")
        liked = float(quality) if _QUALITY.fullmatch(quality) else 1.0
        ranges[name] = max(liked, ranges.get(name, 0.0))
    return ranges


def has_it(scope: Scope, tag: str) -> bool:
    """Whether a client says that it has the representation of an entity tag already."""
    if_none_match = header(scope, b"if-none-match")
    if not if_none_match:
        return False
    given = (part.strip().removeprefix("W/").strip('"') for part in if_none_match.split(","))
    return any(part in (tag, "*") for part in given)
