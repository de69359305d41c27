"""What every answer tells browsers and caches: a page, a problem, a file, an archive's object.

These headers are the last thing that is done to an answer, so that no route can forget them, and nothing that
an archive sent through a gate can weaken them.
"""

import hashlib
import logging
import re
from base64 import b64encode
from collections.abc import Iterable
from operator import itemgetter
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from heltig.api.problems import send_problem
from heltig.errors import HeltigError

Headers = list[tuple[bytes, bytes]]

ALWAYS: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
"""Of every answer; what a route or an archive says instead is left out."""

UNLESS_SAID: Final[Headers] = [
    (
        b"content-security-policy",
        b"default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
"""Of every answer whose route does not say it: pages load style sheets, some answers may be kept."""

RESEARCH: Final = re.compile(r"(/api/v1)?/research(/|\Z)|/studies/[^/]+/analyse(/|\Z)")
"""Paths that begin so are about analyses, and say what they are for."""

RESEARCH_USE: Final = (b"x-heltig-use", b"research-only")

STATUS: Final = "status"
"""In the state of a request: the status that it was answered with, 0 until then. So nobody further in has to
listen to what is sent."""

HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
"""Where people come by https (RFC 6797). Other hosts of the domain are not ours: no includeSubDomains."""

_STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_DECIDED_HERE: Final = frozenset(name for name, _ in [*ALWAYS, HSTS])
_name: Final = itemgetter(0)
_MOST_KNOWN: Final = 200
_FAULT: Final = "A fault of Heltig's own. The log has it."

logger = logging.getLogger(__name__)


def sealed(page: str) -> str:
    """The content security policy of a page that stands alone: nothing in force but its own style sheets.

    A sheet is known by its hash, so that nothing which a text of the page brings in is one (CSP 3, 2.3.1).
    """
    digests = (hashlib.sha256(sheet.encode()).digest() for sheet in _STYLE.findall(page))
    sheets = " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests) or "'none'"
    return f"sandbox; default-src 'none'; style-src {sheets}; frame-ancestors 'none'; base-uri 'none'"


class SafeHeaders:
    """An ASGI application around the whole service. A fault that nobody caught is answered here, too."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """Makes it.

        Args:
            app: The service.
            https: Whether people reach it by https.
        """
        self._app = app
        self._always = [*ALWAYS, HSTS] if https else ALWAYS
        self._known: dict[tuple[bytes, ...], tuple[bool, Headers]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state[STATUS] = 0
        is_research = RESEARCH.match(scope["path"]) is not None

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                state[STATUS] = message["status"]
                headers = self._safe(message["headers"])
                message["headers"] = [*headers, RESEARCH_USE] if is_research else headers
            await send(message)

        try:
            await self._app(scope, receive, safely)
        except Exception:
            if state[STATUS]:
                raise
            logger.exception("A request failed by a fault of our own, before it came to a route.")
            await send_problem(
                safely, HeltigError.status, HeltigError.problem_type, HeltigError.title, detail=_FAULT
            )

    def _safe(self, headers: Iterable[tuple[bytes, bytes]]) -> Headers:
        kept = list(headers)
        names = tuple(map(_name, kept))
        is_kept, added = self._known.get(names) or self._decide(names)
        if not is_kept:
            kept = [pair for pair in kept if pair[0].lower() not in _DECIDED_HERE]
        return kept + added

    def _decide(self, names: tuple[bytes, ...]) -> tuple[bool, Headers]:
        """Whether an answer's headers, by their names, may all be kept, and what is added to them."""
        said = {name.lower() for name in names}
        added = [*self._always, *(pair for pair in UNLESS_SAID if pair[0] not in said)]
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        found = self._known[names] = said.isdisjoint(_DECIDED_HERE), added
        return found
