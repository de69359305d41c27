"""`/gate/{archive}`: QIDO-RS and WADO-RS of an archive, through the gate before it (PS3.18 10.4 and 10.6)."""

from pathlib import Path
from typing import Any, Final

from litestar import HttpMethod, Request, Response, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.types import ASGIApp

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.gate.passage import Passage
from heltig.pipeline.publish import MEDIA_TYPE

_REFUSALS: Final = (400, 401, 403, 404, 406, 502, 503, 504)

_SEARCHES: Final = [
    "/gate/{archive:str}/studies",
    "/gate/{archive:str}/series",
    "/gate/{archive:str}/instances",
]
_RETRIEVALS: Final = [
    "/gate/{archive:str}/studies/{study:str}",
    "/gate/{archive:str}/studies/{study:str}/{resource:path}",
]
_STORED_TO: Final = frozenset({"/gate/{archive}/studies", "/gate/{archive}/studies/{study}"})

_Caller = Request[Any, Any, Any]


@route([*_SEARCHES, *_RETRIEVALS], http_method=HttpMethod.OPTIONS, status_code=204, include_in_schema=False)
async def methods_at_gate(request: _Caller) -> Response[None]:
    """Say what can be done with a resource behind a gate."""
    store = ", POST" if request.scope["path_template"] in _STORED_TO else ""
    return Response(None, status_code=204, headers={"Allow": f"GET, HEAD, OPTIONS{store}"})


@route(
    _SEARCHES,
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    responses={
        200: ResponseSpec(
            list[dict[str, Any]],
            generate_examples=False,
            description="The archive's rows; of studies with the verdict's private block",
            media_type=MEDIA_TYPE,
        ),
        **responses(*_REFUSALS),
    },
    tags=["Gate"],
)
async def search_through_gate(
    request: _Caller, services: NamedDependency[Services], archive: FromPath[str]
) -> ASGIApp:
    """Search an archive through its gate.

    The query is passed on as it is. Rows of studies come with the verdict, findings too where `includefield`
    names 00991010 or `all`; addresses in them lead through the gate.
    """
    return Passage(request, services, archive)


@route(
    _RETRIEVALS,
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    responses={
        200: ResponseSpec(
            bytes,
            generate_examples=False,
            description="What the archive answers",
            media_type='multipart/related; type="application/dicom"',
        ),
        206: ResponseSpec(None, generate_examples=False, description="A range of it, or a part"),
        304: ResponseSpec(None),
        **responses(*_REFUSALS, 416),
    },
    tags=["Gate"],
)
async def retrieve_through_gate(
    request: _Caller,
    services: NamedDependency[Services],
    archive: FromPath[str],
    study: FromPath[str],
    resource: FromPath[Path | None] = None,
) -> ASGIApp:
    """Retrieve from an archive through its gate, or search within a study.

    A study, series or instance, its `metadata`, `frames`, `bulkdata`, `rendered` or `thumbnail`, and the
    series and instances of it. Objects come byte for byte; addresses in metadata lead through the gate.
    `Heltig-Readiness` tells how the study stands; 403 where the gate refuses studies that are BLOCKED.
    """
    return Passage(request, services, archive)
