"""`/api/v1/jobs`: what is queued, running and done."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit
from heltig.errors import NotFoundError
from heltig.store import jobs
from heltig.store.jobs import Job, JobState


class JobView(msgspec.Struct, frozen=True, rename="camel"):
    """A job.

    Attributes:
        arguments: What it works on: ids of ours.
        attempts: How often it was started.
        progress: How far it is.
        result: What it came to.
        error: Why it did not succeed, last time.
        not_before: It is not started earlier.
    """

    id: int
    kind: str
    state: JobState
    arguments: dict[str, Any]
    attempts: int
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: str | None
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
    services: NamedDependency[Services],
    wanted_state: Annotated[JobState | None, QueryParameter(name="state")] = None,
    kind: FromQuery[str | None] = None,
    before: Annotated[
        int | None, QueryParameter(ge=1, le=2**62, description="Only jobs with a lower id.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> JobPage:
    """List jobs, the newest first."""
    found = await services.store.read(
        jobs.newest, state=wanted_state, kind=kind, before=before, limit=limit + 1
    )
    views = [job_view(job) for job in found[:limit]]
    return JobPage(views, limit, views[-1].id if len(found) > limit else None)


@get("/api/v1/jobs/{id:int}", responses=responses(400, 401, 403, 404, 503), tags=["Jobs"])
async def show_job(services: NamedDependency[Services], id: FromPath[int]) -> JobView:
    """Show one job."""
    job = await services.store.read(jobs.find, id) if 0 < id < 2**62 else None
    if job is None:
        raise NotFoundError("There is no job of this id. /api/v1/jobs lists them.")
    return job_view(job)


def job_view(job: Job) -> JobView:
    """A job as it is shown."""
    return JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        arguments=job.payload,
        attempts=job.attempts,
        progress=job.progress,
        result=job.result,
        error=job.error,
        created=job.created,
        started=job.started,
        finished=job.finished,
        not_before=job.not_before,
    )
