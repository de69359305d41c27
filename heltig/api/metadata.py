"""`/dicom-web/studies/{study}/metadata`: what a study was judged by, as DICOM JSON (PS3.18 10.4).

It is what the archive sent, or the files had, when the study was read; not what the archive has now.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from litestar import HttpMethod, Request, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import ASGIApp

from heltig.api.answers import TaggedAnswer, chosen_or_refused, has_it, tagged
from heltig.api.front import segment
from heltig.api.problems import responses
from heltig.api.readiness import REPRESENTATIONS
from heltig.api.services import Services
from heltig.api.standing import at, worst
from heltig.dicom.json_writing import instances_as_json
from heltig.dicom.snapshot import read_snapshot
from heltig.dicom.source import FILES
from heltig.errors import NotFoundError
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.publish import MEDIA_TYPE
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.series_contents import StoredSeries, content_at, series_of_newest

_AT_ONCE: Final = 100
"""Instances that are written before they are sent: some hundred kilobytes."""

_ANSWER: Final = ResponseSpec(
    list[dict[str, Any]],
    generate_examples=False,
    description="A data set an instance, in DICOM JSON",
    media_type=MEDIA_TYPE,
)
_OPERATION: Final[dict[str, Any]] = {
    "http_method": [HttpMethod.GET, HttpMethod.HEAD],
    "responses": {200: _ANSWER, 304: ResponseSpec(None), **responses(400, 401, 403, 404, 406, 503)},
    "tags": ["DICOMweb"],
}

_Caller = Request[Any, Any, Any]


@route("/dicom-web/studies/{study:str}/metadata", **_OPERATION)
async def study_metadata(
    request: _Caller,
    services: NamedDependency[Services],
    study: FromPath[str],
    archive: FromQuery[str | None] = None,
) -> ASGIApp:
    """Retrieve the metadata that a study was judged by.

    `archive` asks for what one location has; without it, it is that behind the worst current verdict. Bulk
    data is where the archive says; values of files that were not kept are left out.
    """
    return await _metadata(request, services, study, archive)


@route("/dicom-web/studies/{study:str}/series/{series:str}/metadata", **_OPERATION)
async def series_metadata(
    request: _Caller,
    services: NamedDependency[Services],
    study: FromPath[str],
    series: FromPath[str],
    archive: FromQuery[str | None] = None,
) -> ASGIApp:
    """Retrieve the same of one series."""
    return await _metadata(request, services, study, archive, series=segment(series))


@route("/dicom-web/studies/{study:str}/series/{series:str}/instances/{instance:str}/metadata", **_OPERATION)
async def instance_metadata(
    request: _Caller,
    services: NamedDependency[Services],
    study: FromPath[str],
    series: FromPath[str],
    instance: FromPath[str],
    archive: FromQuery[str | None] = None,
) -> ASGIApp:
    """Retrieve the same of one instance."""
    return await _metadata(
        request, services, study, archive, series=segment(series), instance=segment(instance)
    )


async def _metadata(
    request: _Caller,
    services: Services,
    study: str,
    archive: str | None,
    *,
    series: str | None = None,
    instance: str | None = None,
) -> ASGIApp:
    media_type = chosen_or_refused(request.scope, *REPRESENTATIONS)
    known = at(await services.lookups.find(segment(study)), archive)
    stored: Sequence[StoredSeries] = ()
    if known:
        lookup = worst(known, minute=services.minute())
        location = Location.parse(lookup.location)
        stored = await services.store.read(series_of_newest, location, lookup.study_key)
    wanted = [part for part in stored if series in (None, part.series_key)]
    sight = services.sights.of(request.user)
    form = "dicom" if media_type == MEDIA_TYPE else "json"
    tag = f"{wanted[0].snapshot[:32]}-{form}{sight.mark}" if wanted else ""
    if tag and has_it(request.scope, tag):
        return TaggedAnswer(b"", media_type=media_type, tag=tag)
    chunks = _written(services.store, wanted, instance, sight)
    first = await anext(chunks, b"")
    if not first:
        raise NotFoundError("Nothing is stored of this, or it was never seen.")
    headers = {name.decode(): value.decode() for name, value in tagged(tag)}
    if request.method == "HEAD":  # of which the framework leaves out the type, since there is no body
        return ASGIStreamingResponse(
            iterator=chunks, headers={"content-type": media_type, **headers}, is_head_response=True
        )
    return ASGIStreamingResponse(iterator=_array(first, chunks), media_type=media_type, headers=headers)


async def _written(
    store: Store, wanted: Sequence[StoredSeries], instance: str | None, sight: Sight
) -> AsyncIterator[bytes]:
    """The instances of some series, some at a time, joined by commas."""
    for part in wanted:
        content = await store.read(content_at, part.address)
        instances = await asyncio.to_thread(_instances, part.series_key, content, instance)
        if not sight.evidence:
            instances = map(sight.instance, instances)
        while chunk := await asyncio.to_thread(_joined, instances):
            yield chunk


def _instances(series_key: str, content: bytes, instance: str | None) -> Iterator[bytes]:
    table = read_snapshot(series_key, None, FILES, [content])
    rows = range(table.rows)
    if instance is None:
        return instances_as_json(table, rows)
    return instances_as_json(table, [row for row in rows if table.instance_key(row) == instance])


def _joined(instances: Iterator[bytes]) -> bytes:
    return b",".join(islice(instances, _AT_ONCE))


async def _array(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield b"[" + first
    async for chunk in chunks:
        yield b"," + chunk
    yield b"]"
