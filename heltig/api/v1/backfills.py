"""`/api/v1/backfills`: whole archives, or some days of them, pulled by and by."""

import io
from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath, FromQuery, QueryParameter
from litestar.response import Response

from heltig.api.headers import sealed
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit
from heltig.api.v1.pulls import Caller, RangeRequest, place_of, started_backfill, who
from heltig.pipeline.backfill import walking as backfill
from heltig.pipeline.backfill.report import Progress, newest_progress, progress_of, report_of
from heltig.reports.backfill import Format, write
from heltig.store.archives import location_of

_MEDIA_TYPES: Final = {
    "json": "application/json",
    "csv": "text/csv",
    "html": "text/html",
}


class BackfillPage(msgspec.Struct, frozen=True):
    """Some backfills, the newest first.

    Attributes:
        before: What to ask for the page after this one with; null on the last.
    """

    items: list[Progress]
    limit: int
    before: int | None


@get("/api/v1/backfills", responses=responses(400, 401, 403, 503), tags=["Archives"])
async def list_backfills(
    services: NamedDependency[Services],
    archive: FromQuery[str | None] = None,
    before: Annotated[
        int | None, QueryParameter(ge=1, le=2**31, description="Only backfills with a lower id.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> BackfillPage:
    """List backfills, the newest first, with how far each is."""
    found = await services.store.read(
        newest_progress,
        location=None if archive is None else location_of(archive),
        before=before,
        limit=limit + 1,
        now=services.clock(),
    )
    items = found[:limit]
    return BackfillPage(items, limit, items[-1].id if len(found) > limit else None)


@get("/api/v1/backfills/{id:int}", responses=responses(400, 401, 403, 404, 503), tags=["Archives"])
async def show_backfill(services: NamedDependency[Services], id: FromPath[int]) -> Progress:
    """Show how far a backfill is, at what rate, and what became of its studies."""
    return await services.store.read(progress_of, id, now=services.clock())


@get(
    "/api/v1/backfills/{id:int}/report",
    responses={
        200: ResponseSpec(str, generate_examples=False, description="The report"),
        **responses(400, 401, 403, 404, 503),
    },
    tags=["Archives"],
)
async def show_backfill_report(
    request: Caller,
    services: NamedDependency[Services],
    id: FromPath[int],
    form: Annotated[Format, QueryParameter(name="format")] = "json",
) -> Response[str]:
    """Count the studies of a backfill by verdict, rule, modality, manufacturer and year.

    Also while it is under way; `format` is `json`, `csv` or `html`. There is no patient data in it.
    """
    sight = services.sights.of(request.user)
    report = await services.store.read(report_of, id, sight, now=services.clock())
    file = io.StringIO()
    write(report, form, file)
    text = file.getvalue()
    headers = {
        "Content-Security-Policy": sealed(text),  # it has texts of an archive, and a browser shows it as ours
        "Content-Disposition": f'inline; filename="backfill-{id}.{form}"',
    }
    return Response(text, media_type=_MEDIA_TYPES[form], headers=headers)


@post(
    "/api/v1/archives/{id:str}/backfills",
    status_code=202,
    responses={
        202: ResponseSpec(Progress, generate_examples=False, description="Location says what to watch"),
        **responses(400, 401, 403, 404, 503),
    },
    tags=["Archives"],
)
async def start_backfill(
    request: Caller,
    services: NamedDependency[Services],
    id: FromPath[str],
    data: Annotated[RangeRequest, BodyKwarg(description="Which studies; `{}` for all.")],
) -> Response[Progress]:
    """Have all of an archive pulled by and by, or the studies of some days.

    While one of the same studies is under way that one is the answer.
    """
    known = await started_backfill(request, services, id, data)
    return Response(known, status_code=202, headers={"Location": place_of(known)})


@post(
    "/api/v1/backfills/{id:int}/cancel",
    status_code=200,
    responses=responses(400, 401, 403, 404, 503),
    tags=["Archives"],
)
async def cancel_backfill(
    request: Caller, services: NamedDependency[Services], id: FromPath[int]
) -> Progress:
    """End a backfill. Nothing more is listed; studies that are new or changed are pulled all the same."""
    await backfill.cancel(services.queue, id, **who(request))
    return await services.store.read(progress_of, id, now=services.clock())
