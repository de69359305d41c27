"""The page of uploads: a ZIP is sent, and what became of those that were."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from litestar import HttpMethod, Response, route

from heltig.api.services import services_of
from heltig.api.v1.upload_body import zip_chunks
from heltig.dashboard.asking import went
from heltig.dashboard.filters import insist_on_names, number
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, insist_on_our_page, who
from heltig.dashboard.pages import page
from heltig.dashboard.refused import ANSWERS, refuse, refused
from heltig.errors import InputError, NotFoundError, UsageError
from heltig.pipeline.upload.uploads import Sender
from heltig.store import archives
from heltig.store.uploads_listed import newest

A_PAGE: Final = 50
TARGET: Final = "target"
"""The field of the form that names an archive."""
FILE: Final = "file"

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_TOLD: Final[Mapping[str, str]] = {
    "taken": "Taken. It is judged now, and stands in the list below.",
    "repeat": "The same bytes were sent before: that upload stands below.",
}


@route("/uploads", http_method=_GET)
async def show_uploads(request: AnyRequest) -> Response[str]:
    """The form, and the list."""
    services = services_of(request.app.state)
    query = request.query_params
    insist_on_names(query, "before", "done", ANSWERS)
    before = number(query, "before")
    found = await services.store.read(newest, before=before, limit=A_PAGE + 1)
    sent = refused(request)
    return page(
        request,
        "uploads.html",
        headers=FORM_HEADERS,
        now=services.clock(),
        found=found[:A_PAGE],
        newer="uploads" if before else "",
        older=f"?before={found[A_PAGE - 1].row}" if len(found) > A_PAGE else "",
        archives=await services.store.read(archives.every),
        most=services.settings.upload_max_size,
        target=sent.typed.get(TARGET, ""),
        wrong=sent.wrong.get(FILE, ""),
        done=_TOLD.get(query.get("done", ""), ""),
    )


@route("/uploads", http_method=[HttpMethod.POST], request_max_body_size=None)
async def take_upload(request: AnyRequest) -> Response[Any]:
    """Takes a ZIP out of the page's form, or leads back to it to say what is wrong."""
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
        typed = {TARGET: fields.get(TARGET, "")}
        return refuse(request, typed=typed, wrong={FILE: wrong.detail})
    return went("uploads", "repeat" if accepted.is_repeat else "taken")


UPLOADS: Final = (show_uploads, take_upload)
"""The routes."""


async def _again(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Chunks of which the first was taken already."""
    yield first
    async for chunk in rest:
        yield chunk
