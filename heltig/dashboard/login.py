"""The pages by which people log in and out. They lead to the provider and to our own pages, nowhere else."""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final
from urllib.parse import quote

from litestar import HttpMethod, Response, route
from litestar.response import Redirect

from heltig.api.access import identified
from heltig.api.cookies import cookie, no_cookie, shown_cookie
from heltig.api.problems import RefusedError
from heltig.api.services import Services, services_of
from heltig.auth.openid import Logins, new_secret
from heltig.auth.policy import Refusal
from heltig.auth.principal import ANONYMOUS, ROLES, Principal
from heltig.auth.sessions import ACTOR, Sessions
from heltig.auth.signed import UnprovenError
from heltig.dashboard.navigation import home_of
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, typed_in
from heltig.dashboard.pages import HEADERS, page
from heltig.errors import AuthenticationError, AuthorisationError, NotFoundError, UsageError

_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A path of ours, with its query: printable ASCII without a backslash, and no other host's name first."""

_LONGEST_PATH: Final = 2000
_TOLD: Final = {
    "out": "You are logged out here.",
    "everywhere": "You are logged out in all browsers.",
}


@route("/login", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_login(request: AnyRequest) -> Response[str]:
    """Who somebody is here, with ways to log out; or the way to log in."""
    services, logins, _ = _login_of(request)
    try:
        principal, _ = await identified(request.scope, services, "GET")
    except UnprovenError:
        principal = None
    request.scope["user"] = principal
    done = request.query_params.get("done", "")
    return page(
        request,
        "login.html",
        headers=FORM_HEADERS,
        principal=principal,
        roles={role: ROLES[role] for role in sorted(principal.roles)} if principal else {},
        to=own_path(request.query_params.get("to", "")),
        told=_TOLD.get(done, ""),
        detail="",
        rule="",
        elsewhere=await logins.logout_address() if done in _TOLD else "",
    )


@route("/login/start", http_method=[HttpMethod.GET])
async def start_login(request: AnyRequest) -> Redirect:
    """Sends a browser to the provider. A page from elsewhere cannot have it sent there unasked."""
    services, logins, _ = _login_of(request)
    to = own_path(request.query_params.get("to", ""))
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return Redirect(f"../login?to={quote(to, safe='')}", status_code=303, headers=_headers())
    secret = new_secret()
    address = await logins.address(secret)
    kept = f"{secret}.{urlsafe_b64encode(to.encode()).rstrip(b'=').decode()}"
    return Redirect(
        address,
        status_code=303,
        headers=_headers(),
        cookies=[cookie("login", kept, services.settings)],
    )


@route("/login/return", http_method=[HttpMethod.GET])
async def end_login(request: AnyRequest) -> Redirect | Response[str]:
    """Finds out who comes back from the provider, and begins a session."""
    services, logins, sessions = _login_of(request)
    origin = request.client.host if request.client else ""
    secret, to = _unpacked(shown_cookie(request.scope, "login", services.settings))
    actor = ANONYMOUS
    try:
        person = await logins.person(secret, dict(request.query_params))
        actor = f"{ACTOR}{person.name}"
        principal = sessions.principal_of(person)
        _insist_on_a_role(principal)
        shown = await sessions.begin(
            person,
            login=secret,
            replaces=shown_cookie(request.scope, "session", services.settings),
            origin=origin,
        )
    except (UnprovenError, RefusedError) as error:
        await services.refusals.note(
            Refusal(error.rule, error.detail),
            actor=actor,
            origin=origin,
            route="GET /login/return",
            at=services.clock(),
            action="session.refuse",
        )
        if isinstance(error, RefusedError):
            return await _without_a_role(request, logins, error)
        raise RefusedError(AuthenticationError(error.detail), error.rule) from error
    if to == "/":
        to += home_of(principal)
    return Redirect(
        f"../{to[1:]}",  # relative: below any path of a proxy, and to no other host
        status_code=303,
        headers=_headers(),
        cookies=[cookie("session", shown, services.settings), no_cookie("login", services.settings)],
    )


@route("/logout", http_method=[HttpMethod.POST])
async def log_out(request: AnyRequest) -> Redirect:
    """Ends the session of this browser, or all of the person's."""
    services, _, sessions = _login_of(request)
    everywhere = bool((await typed_in(request)).get("everywhere"))
    session = await sessions.find(shown_cookie(request.scope, "session", services.settings))
    if session is None:
        raise UsageError("Who comes with a key or a token has no session to end.")
    origin = request.client.host if request.client else ""
    await sessions.end(session, everywhere=everywhere, origin=origin)
    return Redirect(
        f"login?done={'everywhere' if everywhere else 'out'}",
        status_code=303,
        headers={**_headers(), "Clear-Site-Data": '"cache"'},
        cookies=[no_cookie("session", services.settings)],
    )


@route("/logout/back-channel", http_method=[HttpMethod.POST])
async def log_out_at_provider(request: AnyRequest) -> Response[Any]:
    """Ends what the provider says is over (OpenID Connect Back-Channel Logout 1.0)."""
    services, logins, sessions = _login_of(request)
    origin = request.client.host if request.client else ""
    try:
        told = await logins.logged_out((await typed_in(request)).get("logout_token", ""))
        await sessions.end_at_provider(told, origin=origin)
    except (UnprovenError, UsageError) as error:
        refused = Refusal(getattr(error, "rule", "token-form"), error.detail)
        await services.refusals.note(
            refused,
            actor=ANONYMOUS,
            origin=origin,
            route="POST /logout/back-channel",
            at=services.clock(),
        )
        return Response(
            {"error": "invalid_request", "error_description": f"{refused.rule}: {refused.detail}"},
            status_code=400,
            headers={"Cache-Control": "no-store"},
        )
    return Response(None, status_code=200, headers={"Cache-Control": "no-store"})


LOGIN: Final = (show_login, start_login, end_login, log_out, log_out_at_provider)
"""The routes of all of them."""


def own_path(text: str) -> str:
    r"""A path of ours to go to after a login; the first page for whatever is none.

    >>> own_path("/studies/1.2?location=gate%3Amain")
    '/studies/1.2?location=gate%3Amain'
    >>> {own_path(text) for text in ("", "https://a.example", "//a.example", r"/\a.example", "/a b")}
    {'/'}
    """
    return text if len(text) <= _LONGEST_PATH and _PATH.fullmatch(text) else "/"


def _insist_on_a_role(principal: Principal) -> None:
    if not principal.roles:
        name = principal.name.removeprefix(ACTOR)
        raise RefusedError(
            AuthorisationError(
                f"You are {name} at the provider, and have no role here. Whoever runs Heltig says by "
                "HELTIG_OIDC_ROLES which values of the role claim give one."
            ),
            "role",
        )


async def _without_a_role(request: AnyRequest, logins: Logins, refused: RefusedError) -> Response[str]:
    """Says so, with the ways to come in as somebody else: the provider may not ask who is there."""
    return page(
        request,
        "login.html",
        status=refused.error.status,
        headers=_headers(),
        principal=None,
        to="/",
        told=refused.error.title,
        detail=refused.error.detail,
        rule=refused.rule,
        elsewhere=await logins.logout_address(),
    )


def _login_of(request: AnyRequest) -> tuple[Services, Logins, Sessions]:
    """What logins need.

    Raises:
        NotFoundError: Nobody can log in here.
    """
    services = services_of(request.app.state)
    logins, sessions = services.identity.logins, services.identity.sessions
    if logins is None or sessions is None:
        raise NotFoundError("Nobody logs in here: HELTIG_AUTH_MODE says how to come in.")
    return services, logins, sessions


def _unpacked(kept: str) -> tuple[str, str]:
    """The secret and the path in the cookie of a login; no secret where it is none of ours."""
    secret, dot, packed = kept.partition(".")
    try:
        to = urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode("ascii") if dot else ""
    except (binascii.Error, ValueError):
        to = ""
    return (secret if dot else ""), own_path(to)


def _headers() -> dict[str, str]:
    return {"Cache-Control": HEADERS["Cache-Control"], "Referrer-Policy": HEADERS["Referrer-Policy"]}
