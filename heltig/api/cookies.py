"""The two cookies that browsers get: that of a session, and that of a login which is going on.

Where people come by https their names begin with `__Host-`: a browser takes such a cookie only from this very
host, over TLS, for all paths, so that no neighbouring host can plant one. On plain http, which is for this
machine alone, browsers refuse such names, and the cookies have theirs without it.
"""

from typing import Final, Literal, TypeAlias

from litestar.datastructures import Cookie
from litestar.types import Scope

from heltig.settings import Settings

Purpose: TypeAlias = Literal["session", "login"]

LOGIN_SECONDS: Final = 600
"""How long a login may take."""


def cookie_name(purpose: Purpose, settings: Settings) -> str:
    """The name of a cookie."""
    return f"{'__Host-' if _is_tls(settings) else ''}heltig-{purpose}"


def shown_cookie(scope: Scope, purpose: Purpose, settings: Settings) -> str:
    """What a request shows; empty where it has no such cookie, or two of it, of which one was planted."""
    name = cookie_name(purpose, settings)
    found = [
        value.strip()
        for header, line in scope["headers"]
        if header == b"cookie"
        for key, sign, value in (part.partition("=") for part in line.decode("latin-1").split(";"))
        if sign and key.strip() == name
    ]
    return found[0] if len(found) == 1 else ""


def cookie(purpose: Purpose, value: str, settings: Settings) -> Cookie:
    """A cookie to be set. That of a session ends with the browser; the server knows when the session does."""
    return Cookie(
        key=cookie_name(purpose, settings),
        value=value,
        path="/",
        max_age=LOGIN_SECONDS if purpose == "login" else None,
        secure=_is_tls(settings),
        httponly=True,
        samesite="lax",  # `strict` would not be sent to the page that a login or a link leads to
    )


def no_cookie(purpose: Purpose, settings: Settings) -> Cookie:
    """Takes a cookie away."""
    return Cookie(
        key=cookie_name(purpose, settings),
        value="",
        path="/",
        max_age=0,
        secure=_is_tls(settings),
        httponly=True,
        samesite="lax",
    )


def _is_tls(settings: Settings) -> bool:
    return (settings.public_url or "").startswith("https://")
