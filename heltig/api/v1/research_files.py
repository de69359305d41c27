"""The files of analyses: `/api/v1/research/analyses/{id}/outputs/{name}`, `…/zip`, `…/selection`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import ASGIApp

from heltig.api.answers import has_it, tagged
from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.consents import address
from heltig.api.v1.research import TAGS
from heltig.auth.principal import Principal
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.research.handing_out import SELECTION, zipped
from heltig.store.analyses import Output

ZIP: Final = "application/zip"

_PIECE: Final = 1024 * 1024  # bytes


def _file(media_type: str, description: str) -> dict[int, ResponseSpec]:
    return {
        200: ResponseSpec(bytes, generate_examples=False, description=description, media_type=media_type),
        **responses(400, 401, 403, 404, 503),
    }


@get(
    "/api/v1/research/analyses/{id:str}/outputs/{name:path}",
    responses=_file("application/octet-stream", "The file, with its own media type"),
    tags=TAGS,
)
async def download_output(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    research: NamedDependency[ResearchDesk],
    id: FromPath[str],
    name: FromPath[Path],
) -> ASGIApp:
    """Give one file of an analysis, by its name as `outputs` has it. Its entity tag is its SHA-256.

    403 where the analysis holds identified data, and identifiers are hidden from who asks.
    """
    return await _one(request, services, research, id, name.as_posix().lstrip("/"))


@get(
    "/api/v1/research/analyses/{id:str}/selection",
    responses=_file("application/json", "The audit of the selection"),
    tags=TAGS,
)
async def show_selection(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    research: NamedDependency[ResearchDesk],
    id: FromPath[str],
) -> ASGIApp:
    """Give the audit of the selection: every series with its rank, or with why it was rejected."""
    return await _one(request, services, research, id, SELECTION)


@get("/api/v1/research/analyses/{id:str}/zip", responses=_file(ZIP, "All files"), tags=TAGS)
async def download_zip(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    research: NamedDependency[ResearchDesk],
    id: FromPath[str],
) -> ASGIApp:
    """Give all files of an analysis as a ZIP; the names in it are those that `outputs` has."""
    found = await research.files.find(id)
    files = await research.files.files(found, sight=services.sights.of(request.user))
    shows(request.scope, [found.study_key])
    await research.files.record(found, "zip", actor=request.user.name, origin=address(request))
    return sent_zip(files, f"heltig-{found.analysis_id}.zip")


def sent_zip(files: list[tuple[Output, Path]], name: str) -> ASGIApp:
    """Files as a ZIP of some name."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Vary": "Accept, Authorization",
    }
    return ASGIStreamingResponse(iterator=_sent(zipped(files)), media_type=ZIP, headers=headers)


async def _one(
    request: Request[Principal, Any, Any],
    services: Services,
    research: ResearchDesk,
    id: str,
    name: str,
) -> ASGIApp:
    found = await research.files.find(id)
    output, path = await research.files.file(found, name, sight=services.sights.of(request.user))
    shows(request.scope, [found.study_key])
    headers = [(key.decode(), value.decode()) for key, value in tagged(output.sha256)]
    if has_it(request.scope, output.sha256):
        return ASGIStreamingResponse(iterator=_sent(iter(())), status_code=304, headers=dict(headers))
    await research.files.record(found, name, actor=request.user.name, origin=address(request))
    return ASGIStreamingResponse(
        iterator=_sent(_pieces(path)),
        media_type=output.media_type,
        headers={**dict(headers), **_of_file(output)},
    )


def _of_file(output: Output) -> dict[str, str]:
    name = output.name.rpartition("/")[2].replace('"', "")
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(output.size),
    }


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece


async def _sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
