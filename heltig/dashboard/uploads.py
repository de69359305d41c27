"""The page of uploads: a ZIP is sent, and what became of those that were."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from litestar import HttpMethod, Response, route

from heltig.api.services import services_of
from heltig.api.v1.upload_body import zip_chunks
from heltig.dashboard.asking import went
from heltig.dashboard.filters import number
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, insist_on_our_page, who
from heltig.dashboard.pages import page
from heltig.errors import HeltigError, InputError, NotFoundError, UsageError
from heltig.pipeline.upload.uploads import Sender
from heltig.store import archives
from heltig.store.uploads_listed import newest

A_PAGE: Final = 50
TARGET: Final = "target"
"""The field of the form that names an archive."""

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_TOLD: Final[Mapping[str, str]] = {
    "taken": "Taken. It is judged now, and stands in the list below.",
    "repeat": "The same bytes were sent before: that upload stands below.",
}


@route("/uploads", http_method=_GET)
async def show_uploads(request: AnyRequest) -> Response[str]:
    """The form, and the list."""
    return await _uploads(request)


@route("/uploads", http_method=[HttpMethod.POST], request_max_body_size=None)
async def take_upload(request: AnyRequest) -> Response[Any]:
    """Takes a ZIP out of the page's form. What is wrong with it is said on the page."""
    services = insist_on_our_page(request)
    asked = who(request)
    fields: dict[str, str] = {}
    try:
        zip = zip_chunks(request, limit=services.settings.upload_max_size, fields=fields)
        first = await anext(zip, b"")  # the archive stands before the file
        accepted = await services.uploads.take(
            _again(first, zip),
            target=fields.get(TARGET, ""),
            sender=Sender(asked["actor"], asked["origin"]),
        )
    except (InputError, UsageError, NotFoundError) as wrong:
        return await _uploads(request, wrong=wrong)
    return went("uploads", "repeat" if accepted.is_repeat else "taken")


UPLOADS: Final = (show_uploads, take_upload)
"""The routes."""


async def _again(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Chunks of which the first was taken already."""
    yield first
    async for chunk in rest:
        yield chunk


async def _uploads(request: AnyRequest, *, wrong: HeltigError | None = None) -> Response[str]:
    services = services_of(request.app.state)
    query = request.query_params
    before = number(query, "before")
    found = await services.store.read(newest, before=before, limit=A_PAGE + 1)
    return page(
        request,
        "uploads.html",
        status=wrong.status if wrong else 200,
        headers=FORM_HEADERS,
        now=services.clock(),
        found=found[:A_PAGE],
        newer="uploads" if before else "",
        older=f"?before={found[A_PAGE - 1].row}" if len(found) > A_PAGE else "",
        archives=await services.store.read(archives.every),
        most=services.settings.upload_max_size,
        wrong=wrong.detail if wrong else "",
        done=_TOLD.get(query.get("done", ""), ""),
    )
