"""`/api/v1/ops`: what those who run the service have done."""

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg
from litestar.response import Response

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.jobs import JobView, job_view
from heltig.auth.principal import Principal


class PurgeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What to do.

    Attributes:
        dry_run: Remove nothing, and say what would be removed.
    """

    dry_run: bool = True


@post(
    "/api/v1/ops/purge",
    status_code=202,
    responses={
        202: ResponseSpec(JobView, generate_examples=False, description="The job; its result is the report"),
        **responses(400, 401, 403, 503),
    },
    tags=["Operations"],
)
async def start_purge(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    data: Annotated[PurgeRequest, BodyKwarg(description="Whether it is done, or only looked at.")],
) -> Response[JobView]:
    """Remove what is older than it is kept (`HELTIG_KEEP_…`), or see what would be removed.

    It is a dry run unless `dryRun` is `false`. The job's result, at `/api/v1/jobs/{id}`, says how many of
    each kind, and about how many bytes. The service does it of itself once a day.
    """
    job = await services.purging.start(
        dry_run=data.dry_run,
        actor=request.user.name,
        origin=request.client.host if request.client else "",
    )
    found = await services.uploads.ended(job, within=0)
    return Response(job_view(found), status_code=202, headers={"Location": f"/api/v1/jobs/{job}"})
