"""Errors as pages, for those who look at pages."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request, Response
from litestar.exceptions import HTTPException

from heltig.api import problems
from heltig.api.services import services_of
from heltig.dashboard.login import own_path
from heltig.dashboard.pages import page
from heltig.errors import AuthenticationError, HeltigError

logger = logging.getLogger(__name__)

_KNOWN: Final = {
    HTTPStatus.NOT_FOUND: ("Not found", "There is no page at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "No page of its own",
        "This address only takes what another page sends to it: go to that page, and send it from there.",
    ),
}

_CHALLENGE: Final = 'Bearer realm="heltig"'
_WITHOUT_KEY: Final = (
    "These pages are for people who say who they are. Where keys are needed, reach them through a proxy "
    "that knows you and sends an API key along (Authorization: Bearer)."
)


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Whoever asks is a browser that shows a page, and not a program."""
    return "text/html" in request.headers.get("accept", "")


def from_heltig(request: Request[Any, Any, Any], error: HeltigError) -> Response[str]:
    """Answers with an error of ours."""
    rule: str = getattr(error, "rule", "")
    error = getattr(error, "error", error)  # what the access policy refused carries the error itself
    if isinstance(error, AuthenticationError):
        if services_of(request.app.state).identity.logins is not None:
            return _login(request, error, rule)
        return _page(
            request, error.status, "Who are you?", _WITHOUT_KEY, headers={"WWW-Authenticate": _CHALLENGE}
        )
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s: %s", type(error).__name__, error)
    headers = {} if error.retry_after is None else {"Retry-After": str(max(1, round(error.retry_after)))}
    return _page(request, error.status, error.title, error.detail, rule=rule, headers=headers)


def lost(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Answers where no route is: with a page to whoever shows pages, else as the API does."""
    return from_http(request, error) if wants_page(request) else problems.from_http(request, error)


def from_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
    """Answers with an error that the framework raised."""
    status = HTTPStatus(error.status_code)
    title, detail = _KNOWN.get(status, (status.phrase, status.description))
    return _page(request, status, title, detail)


def from_fault(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """Answers with a fault of our own; its text may hold patient data and stays out of page and log."""
    request_id: str = request.scope.get("state", {}).get("request_id", "")
    logger.error("A page failed by a fault of our own (request %s).", request_id, exc_info=error)
    return _page(
        request,
        HeltigError.status,
        "Something went wrong here",
        "A fault of Heltig's own, not of your data. The log has it"
        + (f" as request {request_id}." if request_id else "."),
    )


def _login(request: Request[Any, Any, Any], error: AuthenticationError, rule: str) -> Response[str]:
    """The way to log in, in place of a page; it leads back there."""
    raw: bytes = request.scope.get("raw_path", b"")
    query = request.scope.get("query_string", b"")
    is_page = request.method == "GET" and not raw.startswith((b"/login", b"/logout"))
    headers = {"WWW-Authenticate": _CHALLENGE}
    if request.headers.get("hx-request"):
        headers["HX-Refresh"] = "true"  # a part of a page was asked for: all of it has to go
    lost = " What you sent was not taken." if request.method == "POST" else ""
    to = (raw.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")
    return page(
        request,
        "login.html",
        status=error.status,
        headers=headers,
        principal=None,
        to=own_path(to if is_page else _sent_from(request)),
        told="",
        elsewhere="",
        detail=("" if rule == "identity" else error.detail) + lost,
        rule=rule,
    )


def _sent_from(request: Request[Any, Any, Any]) -> str:
    """The page of ours from which a form was sent; `/` where that is not known."""
    came = urlsplit(request.headers.get("referer", ""))
    ours = urlsplit(services_of(request.app.state).settings.public_url or "")
    if not came.netloc or came.netloc not in (request.headers.get("host", ""), ours.netloc):
        return "/"
    path = came.path.removeprefix(ours.path.rstrip("/")) or "/"
    return f"{path}?{came.query}" if came.query else path


def _page(
    request: Request[Any, Any, Any],
    status: int,
    title: str,
    detail: str,
    *,
    rule: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    is_of_address = status == HTTPStatus.BAD_REQUEST and request.method == "GET" and request.query_params
    shown = {
        "code": int(status),
        "title": title,
        "detail": detail,
        "rule": rule,
        "without": bool(is_of_address),
    }
    return page(request, "error.html", status=status, headers=headers, **shown)


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    HeltigError: from_heltig,
    HTTPException: from_http,
    Exception: from_fault,
}
