"""`/dicom-web/changefeed/stream`: the change feed as server-sent events, as it grows."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import ASGIApp

from heltig.api.answers import chosen_or_refused, header
from heltig.api.changefeed import refuse_what_is_not_there
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.errors import BusyError, UsageError
from heltig.pipeline.telling.change_view import view_of
from heltig.pipeline.telling.stream import ChangeStream
from heltig.store import changes

MEDIA_TYPE: Final = "text/event-stream"

HEARTBEAT: Final = timedelta(seconds=15)
"""Shorter than the idle time after which proxies cut a connection, a minute in most."""

MOST: Final = 1000
"""Streams of one process at a time."""

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would wait until its buffer is full
    "Vary": "Accept, Authorization",
}
_SEQUENCE: Final = re.compile(r"\d{1,16}", re.ASCII)


@get(
    "/dicom-web/changefeed/stream",
    responses={
        200: ResponseSpec(
            str, generate_examples=False, description="Events named `change`", media_type=MEDIA_TYPE
        ),
        **responses(400, 401, 403, 406, 503),
    },
    tags=["DICOMweb"],
)
async def stream_changes(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    since: Annotated[
        int | None,
        QueryParameter(ge=0, le=2**53, description="The last sequence that the client has."),
    ] = None,
) -> ASGIApp:
    """Be told of changes as they are committed, as server-sent events.

    An event's `id` is its sequence, its data what `/dicom-web/changefeed` has of it. A client that comes back
    with `Last-Event-ID`, as browsers do of themselves, misses nothing; without that or `since` it is told of
    what is still to come.
    """
    chosen_or_refused(request.scope, MEDIA_TYPE)
    if services.stream.followers >= MOST:
        raise BusyError(f"{MOST} clients are following already. Read /dicom-web/changefeed instead.")
    last = header(request.scope, b"last-event-id")
    if last and not _SEQUENCE.fullmatch(last):
        raise UsageError("Last-Event-ID: the sequence of a change is wanted.")
    if last:
        since = int(last)
    if since is not None:
        refuse_what_is_not_there(
            since, await services.store.read(changes.first), await services.store.read(changes.latest)
        )
    events = _events(services.stream, since)
    return ASGIStreamingResponse(iterator=events, media_type=MEDIA_TYPE, headers=_HEADERS)


async def _events(stream: ChangeStream, since: int | None) -> AsyncIterator[bytes]:
    yield b"retry: 3000\n\n"
    async with aclosing(stream.follow(since, heartbeat=HEARTBEAT)) as following:
        async for found in following:
            for change in found:
                data = msgspec.json.encode(view_of(change))
                yield b"id: %d\nevent: change\ndata: %s\n\n" % (change.sequence, data)
            if not found:
                yield b": still here\n\n"
