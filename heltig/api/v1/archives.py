"""`/api/v1/archives`: the archives of a site, configured, tested, paused."""

import asyncio
import os
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import BodyKwarg, FromPath

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.auth.principal import Principal
from heltig.errors import ArchiveError, PreconditionRequiredError
from heltig.pipeline.archives import administration as pipeline
from heltig.pipeline.archives.capabilities import described
from heltig.pipeline.archives.connecting import connect
from heltig.pipeline.archives.form import entry_of, read_form
from heltig.pipeline.archives.probing import probe_archive
from heltig.pipeline.archives.view import ArchiveView, archive_view, archive_views

Caller = Request[Principal, Any, Any]

Configured = Annotated[
    dict[str, Any],
    BodyKwarg(
        description="The archive: `name`, `qidoUrl`, and what else differs from the defaults. A secret is "
        "`env:HELTIG_SECRET_…`, or `file:` and the path of a file in the folder `secrets` of `HELTIG_HOME`, "
        "where keys and certificates lie, too. A profile is a shipped one, or a file in `profiles` there."
    ),
]
Changes = Annotated[
    dict[str, Any],
    BodyKwarg(
        description="What is to be another (JSON Merge Patch, RFC 7396); null gives a field its default."
    ),
]


class TestView(msgspec.Struct, frozen=True):
    """What a test of an archive found.

    Attributes:
        capabilities: How it behaves.
        described: The same in sentences.
    """

    capabilities: dict[str, Any]
    described: tuple[str, ...]


@get("/api/v1/archives", responses=responses(400, 401, 403, 503), tags=["Archives"])
async def list_archives(services: NamedDependency[Services]) -> list[ArchiveView]:
    """List the archives by name."""
    return await services.store.read(archive_views)


@get("/api/v1/archives/{id:str}", responses=responses(400, 401, 403, 404, 503), tags=["Archives"])
async def show_archive(services: NamedDependency[Services], id: FromPath[str]) -> Response[ArchiveView]:
    """Show one archive; the ETag is for changing it."""
    return await _shown(services, id)


@post("/api/v1/archives", responses=responses(400, 401, 403, 409, 503), tags=["Archives"])
async def add_archive(
    request: Caller, services: NamedDependency[Services], data: Configured
) -> Response[ArchiveView]:
    """Add an archive. Nothing is asked of it before it is tested, or its turn comes to be watched."""
    entry = await asyncio.to_thread(entry_of, read_form(data), services.settings, from_afar=True)
    await pipeline.add_archive(services.store, entry, **_who(request, services))
    return await _shown(services, entry.name, status=201)


@patch(
    "/api/v1/archives/{id:str}",
    responses=responses(400, 401, 403, 404, 412, 428, 503),
    tags=["Archives"],
)
async def change_archive(
    request: Caller, services: NamedDependency[Services], id: FromPath[str], data: Changes
) -> Response[ArchiveView]:
    """Change an archive; it is tried anew at once. `If-Match` has to have its ETag."""
    if_match = request.headers.get("if-match")
    if if_match is None:
        raise PreconditionRequiredError(
            "Send If-Match with the ETag of the archive as you have read it, so that nobody's change is lost."
        )
    await pipeline.change_archive(
        services.store,
        services.settings,
        id,
        data,
        if_match=if_match,
        from_afar=True,
        **_who(request, services),
    )
    return await _shown(services, id)


@delete(
    "/api/v1/archives/{id:str}",
    responses=responses(400, 401, 403, 404, 503),
    tags=["Archives"],
)
async def remove_archive(request: Caller, services: NamedDependency[Services], id: FromPath[str]) -> None:
    """Remove an archive. The verdicts on its studies stay."""
    await pipeline.remove_archive(services.store, id, **_who(request, services))


@post(
    "/api/v1/archives/{id:str}/test",
    status_code=200,
    responses=responses(400, 401, 403, 404, 500, 502, 503),
    tags=["Archives"],
)
async def test_archive(request: Caller, services: NamedDependency[Services], id: FromPath[str]) -> TestView:
    """Ask an archive how it behaves, with some twenty small requests; where it answers it is tried anew.

    Where it does not answer, or not as DICOMweb says, the problem says why.
    """
    who = _who(request, services)
    entry = await pipeline.find_archive(services.store, id)
    try:
        async with connect(entry, services.settings, environ=os.environ) as connected:
            found = await probe_archive(services.store, entry, connected.once, clock=services.clock)
    except ArchiveError:
        await pipeline.record_test(services.store, id, outcome="failure", **who)
        raise
    await pipeline.record_test(services.store, id, outcome="success", **who)
    return TestView(msgspec.to_builtins(found), tuple(described(found)))


@post(
    "/api/v1/archives/{id:str}/pause",
    status_code=200,
    responses=responses(400, 401, 403, 404, 503),
    tags=["Archives"],
)
async def pause_archive(
    request: Caller, services: NamedDependency[Services], id: FromPath[str]
) -> Response[ArchiveView]:
    """Ask an archive for nothing until it is resumed. What is known of its studies stays."""
    await pipeline.pause_archive(services.store, id, paused=True, **_who(request, services))
    return await _shown(services, id)


@post(
    "/api/v1/archives/{id:str}/resume",
    status_code=200,
    responses=responses(400, 401, 403, 404, 503),
    tags=["Archives"],
)
async def resume_archive(
    request: Caller, services: NamedDependency[Services], id: FromPath[str]
) -> Response[ArchiveView]:
    """Go on with an archive, at once, whatever failed before."""
    await pipeline.pause_archive(services.store, id, paused=False, **_who(request, services))
    return await _shown(services, id)


async def _shown(services: Services, name: str, *, status: int = 200) -> Response[ArchiveView]:
    view = await services.store.read(archive_view, name)
    return Response(view, status_code=status, headers={"ETag": view.etag})


def _who(request: Caller, services: Services) -> dict[str, Any]:
    """Who does something, from where and when, for the audit trail."""
    address = request.client.host if request.client else ""
    return {"at": services.clock(), "actor": request.user.name, "origin": address}
