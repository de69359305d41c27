"""How long the body of a request may be, by route. What says that it is longer is not read."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send

from heltig.api.services import Services
from heltig.errors import InputTooLargeError, UsageError
from heltig.setting_types import Size
from heltig.settings import Settings

USUAL: Final = Size(1024**2)
"""For every route that takes nothing but a little JSON or a form, and for those that take no body at all."""

LONGEST_LIST: Final = Size(8 * 1024**2)
"""Of studies that are looked up in one request."""

AROUND: Final = 64 * 1024
"""Bytes that the parts of a form may have around the file in it."""

Limit: TypeAlias = Callable[[Settings], tuple[int, str]]
"""Bytes, and where that is set."""


def _upload(settings: Settings) -> tuple[int, str]:
    return settings.upload_max_size, "HELTIG_UPLOAD_MAX_SIZE"


def _gate(settings: Settings) -> tuple[int, str]:
    return settings.gate_max_size, "HELTIG_GATE_MAX_SIZE"


def _list(settings: Settings) -> tuple[int, str]:
    return LONGEST_LIST, ""


LIMITS: Final[Mapping[str, Limit]] = {
    "POST /api/v1/jobs/upload": _upload,
    "POST /api/v1/jobs/upload/async": _upload,
    "PATCH /api/v1/uploads/{id}": _upload,
    "POST /uploads": _upload,
    "POST /dicom-web/studies/readiness": _list,
    "POST /gate/{archive}/studies": _gate,
    "POST /gate/{archive}/studies/{study}": _gate,
}
"""The routes that take more."""


class BodyLimits(ASGIMiddleware):
    """Stands before `Access`: nobody has to be known to be told that something is too long."""

    scopes = (ScopeType.HTTP, ScopeType.ASGI)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Refuses a body that is too long: by its length, or once so much of it came.

        Raises:
            InputTooLargeError: It is.
        """
        services: Services = scope["litestar_app"].state["services"]
        most, name = _limit(f"{scope.get('method')} {scope['path_template']}", services.settings)
        length, is_chunked = _announced(scope)
        if length > most:
            raise _too_large(most, name)
        if not is_chunked:
            await next_app(scope, receive, send)
            return
        came = 0

        async def counting() -> ReceiveMessage:
            nonlocal came
            message = await receive()
            if message["type"] == "http.request":
                came += len(message["body"])
                if came > most:
                    raise _too_large(most, name)
            return message

        await next_app(scope, counting, send)


def _limit(route: str, settings: Settings) -> tuple[int, str]:
    if limit := LIMITS.get(route):
        most, name = limit(settings)
        return (most + AROUND if name else most), name
    return USUAL, ""


def _announced(scope: Scope) -> tuple[int, bool]:
    """The length that a request says that its body has, and whether it says none but has one.

    Raises:
        UsageError: It is no number.
    """
    length, is_chunked = 0, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit() or len(value) > 18:
                raise UsageError("Content-Length is a number of bytes.")
            length = int(value)
        elif name == b"transfer-encoding":
            is_chunked = True
    return length, is_chunked


def _too_large(most: int, name: str) -> InputTooLargeError:
    return InputTooLargeError(
        f"The body is larger than {Size(most - AROUND)} ({name}). Send less at a time."
        if name
        else f"The body is larger than {Size(most)}, the most that this address takes."
    )
