"""Pages of other origins that may read answers: Cross-Origin Resource Sharing (Fetch Standard, 3.2).

A browser lets a page read what another origin answers only where that origin names the page's. A viewer that
asks for verdicts from its own page needs this; archives and scripts do not. Origins are compared whole: there
is no wildcard. Nothing of a browser's own (cookies, certificates) is let through, so that a page has to have
an API key to send, and preflights, which never have one, say nothing but what may be asked.
"""

from collections.abc import Iterable
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

_FOR_PROGRAMS: Final = ("/dicom-web/", "/api/v1/", "/consult/", "/gate/", "/health", "/schema")
"""What is opened: the interfaces. Pages are for whoever looks at them here."""

_METHODS: Final = b"GET, HEAD, POST, PATCH, DELETE"
_REQUEST_HEADERS: Final = (
    b"Authorization, Accept, Content-Type, If-Match, If-None-Match, Last-Event-ID, "
    b"Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset"
)
_READABLE: Final = (
    b"ETag, Heltig-Readiness, Warning, Location, Retry-After, Content-Location, "
    b"Tus-Resumable, Upload-Expires, Upload-Length, Upload-Offset"
)
_SECONDS: Final = b"600"


class Cors:
    """An ASGI application around the whole service, refusals and short answers too."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        """Makes it.

        Args:
            app: The service.
            origins: Those whose pages may read answers, such as `https://viewer.example`.
        """
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a preflight of a known origin, and marks other answers."""
        if scope["type"] != ScopeType.HTTP or not scope["path"].startswith(_FOR_PROGRAMS):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        known = origin in self._origins
        if known and _is_preflight(scope, headers):
            await _allow(origin, send)
            return
        added = [(b"vary", b"Origin")]
        if known:
            added += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _READABLE),
            ]

        async def marking(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, marking)


def _is_preflight(scope: HTTPScope, headers: dict[bytes, bytes]) -> bool:
    return scope["method"] == "OPTIONS" and b"access-control-request-method" in headers


async def _allow(origin: bytes, send: Send) -> None:
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", _REQUEST_HEADERS),
        (b"access-control-max-age", _SECONDS),
        (b"vary", b"Origin"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
