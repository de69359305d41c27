"""Answers out of prepared bytes, with entity tags (RFC 9110 8.8.3)."""

import re
from collections.abc import Iterable
from typing import Final

from litestar.types import Receive, Scope, Send

from heltig.errors import HeltigError

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"

_CACHING: Final = ((b"vary", b"Accept, Authorization"), (b"cache-control", b"private, no-cache"))
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
            tag: The strong entity tag, without quotes.
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
        if _has_it(header(scope, b"if-none-match"), self._tag):
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
            (b"cache-control", b"no-store"),
            *headers,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        body = b"" if scope.get("method") == "HEAD" else self._body
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def header(scope: Scope, name: bytes) -> str:
    """A header of a request, empty where it has none."""
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return ""


def is_accepted(accept: str, *media_types: str) -> bool:
    """Whether a client takes one of some media types, by its Accept header; without one it takes all.

    A type with a quality of 0 is refused (RFC 9110 12.4.2).
    """
    if not accept:
        return True
    for part in accept.lower().split(","):
        name, _, parameters = part.partition(";")
        name = name.strip()
        fits = (
            name == "*/*"
            or name in media_types
            or any(name == f"{known.partition('/')[0]}/*" for known in media_types)
        )
        if fits and not _is_refused(parameters):
            return True
    return False


def require_accepted(scope: Scope, *media_types: str) -> None:
    """Sees that a client takes one of some media types.

    Raises:
        NotAcceptableError: It takes none of them.
    """
    if not is_accepted(header(scope, b"accept"), *media_types):
        raise NotAcceptableError(f"This route answers with {' or '.join(media_types)}.")


def _is_refused(parameters: str) -> bool:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            return re.fullmatch(r"0(\.0*)?", value) is not None
    return False


def _has_it(if_none_match: str, tag: str) -> bool:
    if not if_none_match:
        return False
    given = (part.strip().removeprefix("W/").strip('"') for part in if_none_match.split(","))
    return any(part in (tag, "*") for part in given)
