"""How often somebody may log in, show credentials that are refused, or change something, in a minute.

Counts stand in the database, so that they hold whatever process is asked. A process takes a twentieth of a
limit at a time, and does without the database until it is used up: a limit is never exceeded, and somebody
whose requests are spread over several processes may be refused a little before it. Look-ups, reads and what
comes through gates are counted nowhere.
"""

import hashlib
import ipaddress
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from heltig.api.headers import STATUS
from heltig.api.origins import address_of
from heltig.api.problems import RefusedError, send_problem
from heltig.api.services import Services
from heltig.auth.policy import ROUTES, Refusal
from heltig.auth.principal import ANONYMOUS, LOCAL, Principal
from heltig.errors import HeltigError
from heltig.store import rate_counts
from heltig.store.engine import Store

RULE: Final = "rate"
"""What refusals by these limits are called."""

_PARTS: Final = 20
_NOTHING: Final = -1
"""Left of a limit that is used up: there is no need to ask the database."""

_MOST_KNOWN: Final = 10_000
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HAS_A_STUDY_PULLED: Final = b"pull="
"""The parameter by which a look-up does more than look."""

_LOGIN: Final = frozenset({"GET /login/start", "GET /login/return", "POST /logout/back-channel"})
_FREE_AREAS: Final = frozenset({"gate", "look-up", "public"})
_FREE_ROUTES: Final = frozenset({"PATCH /api/v1/uploads/{id}"})
"""The pieces of an upload: its beginning was counted, and its length is bounded."""


class TooOftenError(HeltigError):
    """Somebody does something too often."""

    status = 429
    problem_type = "/problems/too-many-requests"
    title = "Too many requests"


class Quotas:
    """What this process may still let through in the present minute."""

    def __init__(self) -> None:
        self._minute = 0
        self._left: dict[tuple[str, str], int] = {}

    async def take(self, rule: str, who: str, most: int, *, store: Store, at: datetime) -> int:
        """Takes one of what somebody may do; gives 0, or the seconds until they may again.

        Args:
            rule: What is limited.
            who: Whom, in any form.
            most: How often in a minute.
            store: Where it is counted.
            at: The time.

        Raises:
            StorageError: It could not be counted.
        """
        minute, second = divmod(int(at.timestamp()), 60)
        if minute != self._minute or len(self._left) >= _MOST_KNOWN:
            self._minute = minute
            self._left.clear()
        key = (rule, who)
        left = self._left.get(key)
        if left is None or left == 0:
            part = max(1, most // _PARTS)
            digest = hashlib.sha256(who.encode()).hexdigest()
            came_to = await store.write(rate_counts.add, rule=rule, who=digest, minute=minute, count=part)
            granted = min(part, most - (came_to - part))
            if self._minute != minute:  # it ended meanwhile: nothing of this part is good any more
                return 0 if granted > 0 else 1
            left = max(granted, 0) + max(self._left.get(key, 0), 0)  # others may have taken a part meanwhile
            left = self._left[key] = left or _NOTHING
        if left == _NOTHING:
            return 60 - second
        self._left[key] -= 1
        return 0


class RateLimits(ASGIMiddleware):
    """Stands behind `Access`: limits logins by address, and changes by who makes them."""

    scopes = (ScopeType.HTTP, ScopeType.ASGI)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Lets a request through, or refuses it.

        Raises:
            RefusedError: It is one too many.
        """
        method, template = str(scope.get("method")), scope["path_template"]
        route = f"{method} {template}"
        state = scope["litestar_app"].state
        services: Services = state["services"]
        if route in _LOGIN:
            who, rule = place_of(scope), "logins"
            most, name = services.settings.limit_logins, "HELTIG_LIMIT_LOGINS"
        elif not _is_change(scope, method, route):
            await next_app(scope, receive, send)
            return
        else:
            user = scope["user"]
            who, rule = place_of(scope) if user == LOCAL else user.name, "changes"
            most, name = services.settings.limit_changes, "HELTIG_LIMIT_CHANGES"
        if most:
            quotas: Quotas = state["quotas"]
            seconds = await quotas.take(rule, who, most, store=services.store, at=services.clock())
            if seconds:
                await _refuse(scope, services, route, most=most, name=name, seconds=seconds)
        await next_app(scope, receive, send)


class CredentialLimit:
    """An ASGI application around the routes: who shows too many bad credentials is not listened to any more.

    It goes by address. A credential that was good at the same address meanwhile goes on being looked at, so
    that a misconfigured program does not shut out its neighbours behind the same proxy.
    """

    def __init__(self, app: ASGIApp, quotas: Quotas, *, most: int) -> None:
        """Makes it.

        Args:
            app: The routes.
            quotas: Counts.
            most: Refused credentials of an address in a minute; 0 for any number.
        """
        self._app = app
        self._quotas = quotas
        self._most = most
        self._key = secrets.token_bytes(32)
        self._good: dict[str, set[bytes]] = {}
        self._shut: dict[str, datetime] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Has a request answered, or refuses it."""
        if scope["type"] != ScopeType.HTTP or not self._most:
            await self._app(scope, receive, send)
            return
        if self._shut and (seconds := self._is_shut(scope)):
            detail = _detail("credentials that are refused", self._most, "HELTIG_LIMIT_REFUSED")
            await send_problem(
                send, 429, TooOftenError.problem_type, TooOftenError.title,
                detail=detail, rule=RULE, retry_after=seconds,
            )  # fmt: skip
            return
        await self._app(scope, receive, send)
        status = scope["state"][STATUS]
        if status == 401:
            await self._note(scope)
        elif self._good and status < 400:
            self._remember(scope)

    def _is_shut(self, scope: HTTPScope) -> int:
        """Seconds for which what a request shows is not looked at; 0 where it is."""
        shown, place = credential_of(scope), place_of(scope)
        until = self._shut.get(place)
        if not shown or until is None or self._digest(shown) in self._good.get(place, ()):
            return 0
        seconds = (until - _clock(scope)()).total_seconds()
        if seconds > 0:
            return max(1, round(seconds))
        del self._shut[place]
        self._good.pop(place, None)
        return 0

    async def _note(self, scope: HTTPScope) -> None:
        if not credential_of(scope):
            return
        place = place_of(scope)
        services: Services = scope["litestar_app"].state["services"]
        if len(self._good) >= _MOST_KNOWN:
            self._good.clear()
        self._good.setdefault(place, set())
        at = services.clock()
        seconds = await self._quotas.take("refused", place, self._most, store=services.store, at=at)
        if seconds:
            if len(self._shut) >= _MOST_KNOWN:
                self._shut.clear()
            self._shut[place] = at + timedelta(seconds=seconds)
            detail = _detail("credentials that are refused", self._most, "HELTIG_LIMIT_REFUSED")
            await services.refusals.note(
                Refusal(RULE, detail), actor=ANONYMOUS, origin=_origin(scope), route="credentials", at=at
            )

    def _remember(self, scope: HTTPScope) -> None:
        good, shown = self._good.get(place_of(scope)), credential_of(scope)
        if good is not None and shown and len(good) < _MOST_KNOWN:
            good.add(self._digest(shown))

    def _digest(self, shown: bytes) -> bytes:
        return hashlib.blake2b(shown, digest_size=16, key=self._key).digest()


def _is_change(scope: Scope, method: str, route: str) -> bool:
    if method in _SAFE:
        return _HAS_A_STUDY_PULLED in scope["query_string"] and ROUTES.get(route) == "look-up"
    return route not in _FREE_ROUTES and ROUTES.get(route, "public") not in _FREE_AREAS


def place_of(scope: Scope) -> str:
    """Where a request is from: an address; of IPv6 the network that a host has addresses of at will."""
    address = address_of(_origin(scope))
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address or "")


def credential_of(scope: Scope) -> bytes:
    """The key or token of a request; empty where it shows none.

    A session's cookie does not count: one that is over is shown again by every page that is still open.
    """
    return next((value for name, value in scope["headers"] if name == b"authorization"), b"")


def _origin(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _clock(scope: HTTPScope) -> Callable[[], datetime]:
    services: Services = scope["litestar_app"].state["services"]
    return services.clock


def _detail(what: str, most: int, name: str) -> str:
    return f"More than {most} {what} in a minute ({name}). Retry-After says when it goes on."


async def _refuse(
    scope: Scope, services: Services, route: str, *, most: int, name: str, seconds: int
) -> None:
    user = scope.get("user")
    what = "logins from one address" if route in _LOGIN else "changes by one principal"
    detail = _detail(what, most, name)
    await services.refusals.note(
        Refusal(RULE, detail),
        actor=user.name if isinstance(user, Principal) else ANONYMOUS,
        origin=_origin(scope),
        route=route,
        at=services.clock(),
    )
    raise RefusedError(TooOftenError(detail, retry_after=seconds), RULE)
