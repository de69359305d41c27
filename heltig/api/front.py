"""What stands before the routes: paths, the consult listener, and the access log."""

import ipaddress
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, ReceiveMessage, Scope, Send

from heltig.api.headers import STATUS
from heltig.api.problems import send_problem
from heltig.api.request_counts import NO_ROUTE, RequestCounts, known_method
from heltig.auth.principal import CONSULT, Principal
from heltig.setting_types import Address

_UNLOGGED: Final = frozenset(
    {
        "/dicom-web/studies/{study}/readiness",
        "/consult/studies/{study}",
        "/health",
        "/health/ready",
        "/static/{file_path}",
    }
)
"""Routes that are asked thousands of times: only what they refuse or fail at is worth a line."""

BROKEN_OFF: Final = 499
"""The status in the log, as nginx has it, of a request whose client went away before it was answered."""

ShortWay: TypeAlias = Callable[[HTTPScope, Receive, Send], Awaitable[bool]]

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.access")


class Front:
    """An ASGI application around that of the routes.

    - A percent-encoded slash in a path stays encoded while the route is found, so that a study whose UID has
      one can be asked for. `segment` decodes what is left.
    - What comes in at the consult listener gets nothing but `/consult`, from the addresses that may ask.
    - Each request is logged: method, route, status, time, who. Never its path or query as sent.

    Attributes:
        requests: What was answered so far.
    """

    def __init__(
        self,
        routes: ASGIApp,
        short_way: ShortWay,
        *,
        consult: Address | None = None,
        consult_allow: tuple[str, ...] = (),
    ) -> None:
        """Makes it.

        Args:
            routes: The application with the routes.
            short_way: Answers some requests without it, or says that it did not.
            consult: Where the consult listener listens, None without one.
            consult_allow: Addresses and networks that may ask there; empty for all that can reach it.
        """
        self.requests = RequestCounts()
        self._routes = routes
        self._short_way = short_way
        self._consult = consult
        self._allowed = [ipaddress.ip_network(network) for network in consult_allow]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != ScopeType.HTTP:
            await self._routes(scope, receive, send)
            return
        at_consult = self._consult is not None and _is_at(scope, self._consult)
        if b"%" in (scope.get("raw_path") or b""):
            _keep_encoded_slashes(scope)
        started = time.perf_counter()
        state = scope["state"]
        if not at_consult and await self._short_way(scope, receive, send):
            self._count(scope, state[STATUS], started)
            return
        is_broken_off = False

        async def listening() -> ReceiveMessage:
            nonlocal is_broken_off
            message = await receive()
            if message["type"] == "http.disconnect" and not state[STATUS]:
                is_broken_off = True
            return message

        state["request_id"] = secrets.token_hex(8)
        try:
            if at_consult:
                await self._answer_consult(scope, listening, send)
            else:
                await self._routes(scope, listening, send)
        finally:
            status = BROKEN_OFF if is_broken_off else state[STATUS]
            _write(scope, status, self._count(scope, status, started))

    def _count(self, scope: HTTPScope, status: int, started: float) -> float:
        """Counts a request that is over; returns the seconds that it took."""
        seconds = time.perf_counter() - started
        self.requests.count(scope["method"], scope.get("path_template", ""), status, seconds)
        return seconds

    async def _answer_consult(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        if not self._may_consult(scope):
            await _refuse(send, 403, "This address is not in HELTIG_CONSULT_ALLOW.")
        elif not scope["path"].startswith("/consult/"):
            await _refuse(send, 404, "This listener has /consult/studies/{study} only.")
        else:
            scope["user"] = CONSULT
            if not await self._short_way(scope, receive, send):
                await self._routes(scope, receive, send)

    def _may_consult(self, scope: HTTPScope) -> bool:
        client = scope.get("client")
        if not self._allowed:
            return True
        if client is None:
            return False
        address = ipaddress.ip_address(client[0].partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._allowed)


def segment(text: str) -> str:
    """A path parameter as it was meant, see `Front`."""
    return unquote_to_bytes(text).decode("utf-8", "replace") if "%" in text else text


def _keep_encoded_slashes(scope: HTTPScope) -> None:
    raw = scope["raw_path"]
    if b"%2F" in raw or b"%2f" in raw or b"%25" in raw:
        kept = raw.replace(b"%25", b"%2525").replace(b"%2F", b"%252F").replace(b"%2f", b"%252F")
        scope["path"] = unquote_to_bytes(kept).decode("utf-8", "replace")


def _is_at(scope: HTTPScope, listener: Address) -> bool:
    server = scope.get("server")
    return server is not None and server[1] == listener.port


async def _refuse(send: Send, status: int, detail: str) -> None:
    kind, title = {
        403: ("/problems/forbidden", "Not allowed"),
        404: ("/problems/not-found", "Not found"),
    }[status]
    await send_problem(send, status, kind, title, detail=detail)


def _write(scope: HTTPScope, status: int, seconds: float) -> None:
    route: str = scope.get("path_template", "")
    if route in _UNLOGGED and 200 <= status < 400:
        return
    user: Any = scope.get("user")
    log.info(
        "request",
        request=scope["state"]["request_id"],
        method=known_method(scope["method"]),
        route=route or NO_ROUTE,
        status=status,
        ms=round(seconds * 1000, 1),
        who=user.name if isinstance(user, Principal) else "",
    )
