"""Forms that our pages send: taken from them alone, by whoever may, read as plain text."""

from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from litestar import Request
from litestar.datastructures import State

from heltig.api.services import Services, services_of
from heltig.api.v1.pulls import Who
from heltig.auth.principal import LOCAL, Principal
from heltig.errors import AuthorisationError, UsageError

FORM_HEADERS: Final = {"Referrer-Policy": "same-origin"}
"""Of pages with forms: under `no-referrer` browsers do not say that a form is from our own page."""

LONGEST: Final = 64 * 1024
"""Bytes of a form."""

_MOST_FIELDS: Final = 200
_URLENCODED: Final = "application/x-www-form-urlencoded"

AnyRequest = Request[Any, Any, State]


def insist_on_our_page(request: AnyRequest) -> Services:
    """Takes a form only from a page of ours.

    A browser says of every form where it comes from. Behind a proxy that knows who is asking, a page from
    elsewhere could have the browsers of those people send one.

    Raises:
        AuthorisationError: It comes from elsewhere, or from nobody knows where.
    """
    services = services_of(request.app.state)
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    ours = {request.headers.get("host", ""), urlsplit(services.settings.public_url or "").netloc} - {""}
    is_ours = site == "same-origin" if site else bool(origin) and urlsplit(origin or "").netloc in ours
    if not is_ours:
        raise AuthorisationError("A page from elsewhere may not change anything here.")
    return services


async def typed_in(request: AnyRequest) -> dict[str, str]:
    """What was typed into a form, by field, without white space around it; lines end with a line feed.

    Raises:
        UsageError: It is no form, or a larger one than ours are.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _URLENCODED:
        raise UsageError("This address takes the form of its page.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST:
            raise UsageError(f"A form has {LONGEST // 1024} KiB at most.")
    try:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as wrong:
        raise UsageError("A form has fewer fields.") from wrong
    return {name: value.replace("\r\n", "\n").strip() for name, value in pairs}


def who(request: AnyRequest) -> Who:
    """Who sends it, and from where, for the audit trail."""
    user, client = request.scope.get("user"), request.client
    return {
        "actor": user.name if isinstance(user, Principal) else LOCAL.name,
        "origin": client.host if client else "",
    }


def principal_of(request: AnyRequest) -> Principal | None:
    """Who asks; None where nobody says who they are."""
    found = request.scope.get("user")
    return found if isinstance(found, Principal) else None
