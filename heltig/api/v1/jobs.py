"""`/api/v1/jobs`: what is queued, running and done, and what becomes of jobs that ended badly."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit
from heltig.auth.principal import Principal
from heltig.errors import NotFoundError
from heltig.jobs.dead_letters import DeadLetters
from heltig.pipeline.identifiers.trials import told_job
from heltig.store import jobs
from heltig.store.jobs import Job, JobState

_FOR_THE_TRAIL: Final = frozenset({"actor", "origin"})
"""Arguments that say who asked, and from where: the audit trail shows them, whose readers are others."""

_NONE: Final = "There is no job of this id. /api/v1/jobs lists them."


class JobView(msgspec.Struct, frozen=True, rename="camel"):
    """A job.

    Attributes:
        arguments: What it works on: ids of ours, and the profile that somebody tries. Who asked for it is in
            the audit trail.
        attempts: How often it was started.
        progress: How far it is.
        result: What it came to. Of a profile that asks for identifiers of patients it is null to whoever does
            not see these, and the profile is `[redacted]`.
        error: Why it did not succeed, last time.
        first_error: Why it did not succeed the first time.
        priority: The lower the sooner.
        group: Groups take turns, such as the archives.
        not_before: It is not started earlier.
    """

    id: int
    kind: str
    group: str
    priority: int
    state: JobState
    arguments: dict[str, Any]
    attempts: int
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: str | None
    first_error: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None
    not_before: datetime | None


class JobPage(msgspec.Struct, frozen=True):
    """Some jobs, the newest first.

    Attributes:
        before: What to ask for the page after this one with; null on the last.
    """

    items: list[JobView]
    limit: int
    before: int | None


@get("/api/v1/jobs", responses=responses(400, 401, 403, 503), tags=["Jobs"])
async def list_jobs(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    wanted_state: Annotated[JobState | None, QueryParameter(name="state")] = None,
    kind: FromQuery[str | None] = None,
    group: FromQuery[str | None] = None,
    before: Annotated[
        int | None, QueryParameter(ge=1, le=2**62, description="Only jobs with a lower id.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> JobPage:
    """List jobs, the newest first. `state=dead` are those that were tried as often as makes sense."""
    found = await services.store.read(
        jobs.newest, state=wanted_state, kind=kind, group=group, before=before, limit=limit + 1
    )
    sight = services.sights.of(request.user)
    views = [job_view(told_job(job, own=services.profile, sight=sight)) for job in found[:limit]]
    return JobPage(views, limit, views[-1].id if len(found) > limit else None)


@get("/api/v1/jobs/{id:int}", responses=responses(400, 401, 403, 404, 503), tags=["Jobs"])
async def show_job(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], id: FromPath[int]
) -> JobView:
    """Show one job."""
    return await _shown(request, services, id)


@post(
    "/api/v1/jobs/{id:int}/retry",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Jobs"],
)
async def retry_job(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], id: FromPath[int]
) -> JobView:
    """Queue a job again that failed, is dead or was cancelled, as if it had never been tried."""
    await DeadLetters(services.queue).retry(_known(id), by=request.user.name, origin=_address(request))
    return await _shown(request, services, id)


@post(
    "/api/v1/jobs/{id:int}/discard",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Jobs"],
)
async def discard_job(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], id: FromPath[int]
) -> JobView:
    """Let a job be that failed or is dead: nobody need look at it. It stays in the list, as cancelled."""
    await DeadLetters(services.queue).discard(_known(id), by=request.user.name, origin=_address(request))
    return await _shown(request, services, id)


async def _shown(request: Request[Principal, Any, Any], services: Services, id: int) -> JobView:
    job = await services.store.read(jobs.find, _known(id))
    if job is None:
        raise NotFoundError(_NONE)
    return job_view(told_job(job, own=services.profile, sight=services.sights.of(request.user)))


def _known(id: int) -> int:
    if not 0 < id < 2**62:
        raise NotFoundError(_NONE)
    return id


def _address(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""


def arguments_of(job: Job) -> dict[str, Any]:
    """What a job works on, as it is shown to those who see jobs."""
    return {name: value for name, value in job.payload.items() if name not in _FOR_THE_TRAIL}


def job_view(job: Job) -> JobView:
    """A job as it is shown."""
    return JobView(
        id=job.id,
        kind=job.kind,
        group=job.group,
        priority=job.priority,
        state=job.state,
        arguments=arguments_of(job),
        attempts=job.attempts,
        progress=job.progress,
        result=job.result,
        error=job.error,
        first_error=job.first_error,
        created=job.created,
        started=job.started,
        finished=job.finished,
        not_before=job.not_before,
    )
