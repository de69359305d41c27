"""`POST /api/v1/archives/{id}/pulls`: have a study or the studies of some days pulled."""

from datetime import date
from typing import Annotated, Any, TypedDict

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath
from litestar.response import Response

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.auth.principal import Principal
from heltig.errors import UsageError
from heltig.pipeline.backfill import walking as backfill
from heltig.pipeline.backfill.report import Progress, progress_of
from heltig.pipeline.backfill.walking import range_of
from heltig.pipeline.pull.asked import ask_for_study

Caller = Request[Principal, Any, Any]


class RangeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which studies to pull; without dates all of them, those without a StudyDate too.

    Attributes:
        first: Studies of this day and later ones.
        last: Studies of this day and earlier ones.
        again: Those that did not change since they were judged, too.
    """

    first: date | None = msgspec.field(default=None, name="from")
    last: date | None = msgspec.field(default=None, name="to")
    again: bool = False

    @property
    def dates(self) -> str:
        """The range as DICOM writes it.

        Raises:
            UsageError: It is none.
        """
        if self.first and self.last and self.first > self.last:
            raise UsageError("from is after to.")
        return range_of(self.first, self.last)


class PullRequest(RangeRequest, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What to pull: one study, or a range.

    Attributes:
        study: A StudyInstanceUID; it need not be known, and is pulled whether it changed or not.
    """

    study: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] | None = None


class PullView(msgspec.Struct, frozen=True):
    """A pull that was asked for.

    Attributes:
        job: The job that pulls a study, at `/api/v1/jobs/{id}`; null for a range.
        backfill: The backfill that pulls a range, at `/api/v1/backfills/{id}`; null for a study.
    """

    job: int | None
    backfill: int | None


@post(
    "/api/v1/archives/{id:str}/pulls",
    status_code=202,
    responses={
        202: ResponseSpec(PullView, generate_examples=False, description="Location says what to watch"),
        **responses(400, 401, 403, 404, 503),
    },
    tags=["Archives"],
)
async def pull_studies(
    request: Caller,
    services: NamedDependency[Services],
    id: FromPath[str],
    data: Annotated[PullRequest, BodyKwarg(description="What to pull.")],
) -> Response[PullView]:
    """Have a study pulled now, or the studies of some days by and by.

    The same request again, while the first is under way, answers with the first. A study that was never
    listed is read twice before it is judged, some minutes apart: it may be arriving.
    """
    if data.study is None and not (data.first or data.last):
        raise UsageError("Give study, or from or to. All of an archive: POST to its /backfills.")
    if data.study is None:
        started = await started_backfill(request, services, id, data)
        view, place = PullView(None, started.id), place_of(started)
    elif data.first or data.last or data.again or not data.study.strip():
        raise UsageError("Give study, a StudyInstanceUID, or from, to and again.")
    else:
        job = await ask_for_study(services.queue, id, data.study.strip(), **who(request))
        view, place = PullView(job.id, None), f"/api/v1/jobs/{job.id}"
    return Response(view, status_code=202, headers={"Location": place})


async def started_backfill(
    request: Caller, services: Services, archive: str, asked: RangeRequest
) -> Progress:
    """The backfill of what is asked for: one that is under way, or a new one."""
    known, _ = await backfill.start(
        services.queue, archive, dates=asked.dates, again=asked.again, **who(request)
    )
    return await services.store.read(progress_of, known.id, now=services.clock())


def place_of(known: Progress) -> str:
    """Where a backfill is watched."""
    return f"/api/v1/backfills/{known.id}"


class Who(TypedDict):
    """Who asks, and from where, for the audit trail."""

    actor: str
    origin: str


def who(request: Caller) -> Who:
    """Who asks, and from where, for the audit trail."""
    return {"actor": request.user.name, "origin": request.client.host if request.client else ""}
