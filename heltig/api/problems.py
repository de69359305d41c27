"""Errors as problem details (RFC 9457): one form for every way in which a request can fail."""

import logging
import re
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, ParameterKwarg
from litestar.types import Send

from heltig.errors import AuthenticationError, HeltigError, UsageError

MEDIA_TYPE: Final = "application/problem+json"

_NOT_TAKEN: Final = "Parameters or fields are not what this route takes; `errors` names them."
_ELEMENT: Final = re.compile(r"`\$\.data((\[\d+\])+)")

logger = logging.getLogger(__name__)


class WrongField(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one parameter or field of a request.

    Attributes:
        name: The parameter or field.
        detail: What is wrong with it.
        place: `query`, `path`, `header` or `body`, where that is known.
    """

    name: str
    detail: str
    place: str = ""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A problem document.

    Attributes:
        type: The kind of problem; docs/api.md lists them.
        title: The same in a few words.
        status: The HTTP status.
        detail: What happened and what to do.
        errors: What is wrong with single parameters or fields.
        rule: The rule that refused, such as `role` or `token-expired`; docs/identity.md lists them.
        request_id: Names the request in the log, where that may help.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[WrongField, ...] = ()
    rule: str = ""
    request_id: str = ""


class RefusedError(HeltigError):
    """What `heltig.auth` refused: an authentication or authorisation error and the rule behind it."""

    def __init__(self, error: HeltigError, rule: str) -> None:
        super().__init__(error.detail)
        self.error = error
        self.rule = rule


class WrongParametersError(HTTPException):
    """Parameters that a route does not take."""

    status_code = HTTPStatus.BAD_REQUEST

    def __init__(self, wrong: tuple[WrongField, ...]) -> None:
        super().__init__(_NOT_TAKEN)
        self.wrong = wrong


def responses(*statuses: int) -> dict[int, ResponseSpec]:
    """The problem documents of a route, for its description in OpenAPI.

    Every route refuses a body that is too long, and whoever asks too often.
    """
    return {
        status: ResponseSpec(
            Problem,
            generate_examples=False,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
        )
        for status in sorted({*statuses, 413, 429})
    }


def from_heltig(request: Request[Any, Any, Any], error: HeltigError) -> Response[Problem]:
    """Answers with an error of ours."""
    rule = ""
    if isinstance(error, RefusedError):
        rule, error = error.rule, error.error
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, AuthenticationError):
        reason = ', error="invalid_token"' if rule.startswith("token-") else ""  # RFC 6750 3.1
        headers["WWW-Authenticate"] = f'Bearer realm="heltig"{reason}'
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s: %s", type(error).__name__, error)
    problem = Problem(error.problem_type, error.title, error.status, error.detail, rule=rule)
    return _answer(problem, headers)


def from_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Answers with an error that the framework raised: no such route, no such method, a wrong parameter."""
    status = HTTPStatus(error.status_code)
    kind, title, detail = _KINDS.get(status, ("about:blank", status.phrase, ""))
    errors: tuple[WrongField, ...] = ()
    if isinstance(error, ValidationException):  # its own text has the URL's query
        errors = tuple(_wrong_fields(request, error.extra, element=_element(error)))
        detail = _NOT_TAKEN
    elif isinstance(error, WrongParametersError):
        errors = error.wrong
    detail = detail or ("" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else error.detail) or status.phrase
    problem = Problem(kind, title, status.value, detail, errors=errors)
    return _answer(problem, dict(error.headers or {}))


def from_fault(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answers with a fault of our own: the log has it, without its text, which may hold patient data."""
    request_id: str = request.scope.get("state", {}).get("request_id", "")
    logger.error("A request failed by a fault of our own (request %s).", request_id, exc_info=error)
    return _answer(
        Problem(
            HeltigError.problem_type,
            HeltigError.title,
            HeltigError.status,
            "A fault of Heltig's own. The log has it under this request's id.",
            request_id=request_id,
        )
    )


def from_nesting(request: Request[Any, Any, Any], error: RecursionError) -> Response[Problem]:
    """Answers where a body is nested deeper than anything that we read."""
    return from_heltig(request, UsageError("The body is nested too deeply."))


async def send_problem(
    send: Send, status: int, kind: str, title: str, *, detail: str, rule: str = "", retry_after: int = 0
) -> None:
    """Answers before a route is found.

    Args:
        send: Of the request.
        status: The HTTP status.
        kind: The kind of problem.
        title: The same in a few words.
        detail: What happened and what to do.
        rule: The rule that refused, if one did.
        retry_after: Seconds after which asking again makes sense; 0 where that is not known.
    """
    body = msgspec.json.encode(Problem(kind, title, status, detail, rule=rule))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    if retry_after:
        headers.append((b"retry-after", b"%d" % retry_after))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    HeltigError: from_heltig,
    RecursionError: from_nesting,
    HTTPException: from_http,
    Exception: from_fault,
}

_KINDS: Final = {
    HTTPStatus.BAD_REQUEST: ("/problems/bad-request", "Request not understood", ""),
    HTTPStatus.NOT_FOUND: (
        "/problems/not-found",
        "Not found",
        "There is nothing at this path. /schema lists what there is.",
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "/problems/method-not-allowed",
        "Method not allowed",
        "This path does not know the method; the Allow header has those that it knows.",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("/problems/input-too-large", "Input too large", ""),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("/problems/media-type", "Media type not supported", ""),
}


def _wrong_fields(request: Request[Any, Any, Any], extra: object, *, element: str) -> list[WrongField]:
    entries = extra if isinstance(extra, list) else []
    return [_wrong_field(request, entry, element) for entry in entries if isinstance(entry, Mapping)]


def _element(error: ValidationException) -> str:
    """Which element of a body that is an array is wrong, such as `[0]`: only the cause has it."""
    found = _ELEMENT.search(str(error.__cause__ or ""))
    return found[1] if found else ""


def _wrong_field(request: Request[Any, Any, Any], entry: Mapping[str, Any], element: str) -> WrongField:
    """What is wrong with what the client sent, by the name it has there and not in our functions."""
    key, detail = str(entry.get("key", "")), str(entry.get("message", ""))
    parameter = request.route_handler.parsed_fn_signature.parameters.get(key)
    definition = parameter.kwarg_definition if parameter else None
    if isinstance(definition, BodyKwarg):
        return WrongField(f"body{element}", "It is missing" if detail == repr(key) else detail, "body")
    sent_as = definition.name if isinstance(definition, ParameterKwarg) else None
    return WrongField(sent_as or key, detail, _place(entry.get("source")))


def _place(source: object) -> str:
    return str(source.value) if isinstance(source, Enum) else str(source or "")


def _answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[Problem]:
    return Response(
        problem,
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
