"""Lets nobody past who may not: who is asking, by which rule of the policy they may."""

from typing import Final
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from heltig.api.cookies import shown_cookie
from heltig.api.problems import RefusedError
from heltig.api.services import Services
from heltig.auth.policy import ROUTES, Refusal, refusal
from heltig.auth.principal import ANONYMOUS, LOCAL, Principal
from heltig.auth.signed import UnprovenError
from heltig.errors import AuthenticationError, AuthorisationError
from heltig.setting_types import is_loopback
from heltig.settings import Settings

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HAS_A_STUDY_PULLED: Final = b"pull="
"""The parameter by which a look-up does more than look."""
_BEARER: Final = b"bearer "
_POLL: Final = b"heltig-poll"
"""The header of what our pages ask by themselves: it does not show that somebody is there."""


class Access(ASGIMiddleware):
    """Stands before every route. What it lets through has a `Principal` as its user."""

    scopes = (ScopeType.HTTP, ScopeType.ASGI)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Finds out who is asking and asks the policy."""
        method, template = str(scope.get("method")), scope["path_template"]
        own = ROUTES.get(f"{method} {template}", ROUTES.get(f"GET {template}"))
        if method == "OPTIONS" or own == "public":
            await next_app(scope, receive, send)
            return
        services: Services = scope["litestar_app"].state["services"]
        principal, refused = await admit(scope, services, method, template)
        if refused is None and principal is not None:
            refused = services.sights.refusal(principal, method, template)
        if refused is None:
            scope["user"] = principal
            await next_app(scope, receive, send)
            return
        client = scope.get("client")
        await services.refusals.note(
            refused,
            actor=principal.name if principal else ANONYMOUS,
            origin=client[0] if client else "",
            route=f"{method} {template}",
            at=services.clock(),
        )
        scope.setdefault("state", {})["refused"] = principal  # for the page that says so
        kind = AuthorisationError if principal else AuthenticationError
        raise RefusedError(kind(refused.detail), refused.rule)


async def admit(
    scope: Scope, services: Services, method: str, template: str
) -> tuple[Principal | None, Refusal | None]:
    """Who is asking, and why they may not, if so.

    Args:
        scope: The request.
        services: The running service.
        method: The HTTP method.
        template: The route's path with its parameters' names.

    Raises:
        StorageError: The database could not be asked who holds a key.
    """
    principal: Principal | None = scope.get("user")  # whoever came in by the consult listener has one
    refused: Refusal | None = None
    if principal is None and services.settings.auth_mode == "off":
        principal = LOCAL
        refused = _foreign(scope, services.settings)
    elif principal is None:
        try:
            principal, refused = await identified(scope, services, method)
        except UnprovenError as error:
            refused = Refusal(error.rule, error.detail)
    return principal, refused or refusal(principal, method, template)


async def identified(
    scope: Scope, services: Services, method: str
) -> tuple[Principal | None, Refusal | None]:
    """Who is asking, by what the request shows; None where it shows nothing.

    Whoever sends a credential of their own is asked for nothing else. A session's cookie goes along with
    whatever a browser sends: what changes something has to come from a page of ours.

    Raises:
        UnprovenError: What it shows is not good.
        ProviderError: It cannot be checked now.
        StorageError: The database could not be asked.
    """
    if bearer := _bearer(scope):
        return await services.identity.bearer(bearer), None
    shown = shown_cookie(scope, "session", services.settings) if services.identity.sessions else ""
    if not shown:
        return None, None
    is_poll = any(name == _POLL for name, _ in scope["headers"])
    principal = await services.identity.session(shown, is_there=not is_poll)
    changes = method not in _SAFE or _HAS_A_STUDY_PULLED in scope["query_string"]
    if not changes or is_from_our_page(scope, services.settings):
        return principal, None
    return principal, Refusal("origin", "A page from elsewhere may not change anything here.")


def is_from_our_page(scope: Scope, settings: Settings) -> bool:
    """Whether a browser says that a request is from a page of ours (Fetch Metadata; RFC 6454 7)."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    ours = urlsplit(settings.public_url or "")
    return headers.get(b"origin", "") == f"{ours.scheme}://{ours.netloc}"


def _bearer(scope: Scope) -> str:
    """The API key or access token of a request, empty where it has none."""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == _BEARER:
            return value[7:].strip().decode("latin-1")
    return ""


def _foreign(scope: Scope, settings: Settings) -> Refusal | None:
    """Why a request may come from elsewhere, where being on this machine is all that is asked.

    A browser on this machine is led by others: a page from elsewhere can have it send requests here, and can
    read the answers if it gives us a name of its own (DNS rebinding).
    """
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "")
    if host and not _is_ours(host, settings):
        return Refusal(
            "origin",
            "Without authentication only this machine's own names are answered: use http://127.0.0.1 or "
            "http://localhost, or set HELTIG_AUTH_MODE=api-key.",
        )
    origin = headers.get(b"origin", "")
    elsewhere = bool(origin) and urlsplit(origin).netloc != host
    crossing = headers.get(b"sec-fetch-site", "none") not in ("none", "same-origin")
    is_let_in = origin in settings.cors_origins
    if str(scope.get("method")) not in _SAFE and (elsewhere or crossing) and not is_let_in:
        return Refusal("origin", "A page from elsewhere may not change anything here.")
    return None


def _is_ours(host: str, settings: Settings) -> bool:
    name = _hostname(f"//{host}")
    return bool(name) and (is_loopback(name) or name == _hostname(settings.public_url or ""))


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
