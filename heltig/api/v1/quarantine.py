"""`/api/v1/quarantine`: studies that a gate kept back, and what a person decides about them."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import BodyKwarg, FromPath, FromQuery

from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit, Offset, Page, page
from heltig.auth.principal import Principal
from heltig.errors import NotFoundError
from heltig.pipeline.gate.quarantine import MOST_REASON
from heltig.store.gate_studies import Quarantined
from heltig.store.objects import GateObject, ObjectState
from heltig.verdict import Readiness

_MOST = 2**31


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody decides.

    Attributes:
        reason: Why; the audit trail keeps it.
    """

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_REASON)]


class QuarantineView(msgspec.Struct, frozen=True, rename="camel"):
    """A study that a gate keeps back.

    Attributes:
        archive: Where it was to go.
        study: Its StudyInstanceUID.
        since: Since when.
        reason: Why.
        readiness: Of its last verdict; none where it could not be judged.
        objects: How many wait.
        size: All their bytes.
    """

    id: int
    archive: str
    study: str
    since: datetime
    reason: str
    readiness: Readiness | None
    objects: int
    size: int


class ObjectView(msgspec.Struct, frozen=True, rename="camel"):
    """An object that came through a gate."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    sha256: str
    size: int
    state: ObjectState
    sender: str
    request: str
    received: datetime


class QuarantinedStudyView(msgspec.Struct, frozen=True, rename="camel"):
    """A study that a gate keeps back, with all its objects, those too that were forwarded before.

    Attributes:
        due: When it is to be judged again, since more of it came; none where nothing did.
    """

    id: int
    archive: str
    study: str
    since: datetime | None
    reason: str
    due: datetime | None
    objects: list[ObjectView]


class DecidedView(msgspec.Struct, frozen=True):
    """What a decision came to.

    Attributes:
        objects: How many it was about.
        job: The job that forwards them; none where they were thrown away.
    """

    objects: int
    job: int | None


@get("/api/v1/quarantine", responses=responses(400, 401, 403, 503), tags=["Gate"])
async def list_quarantine(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    archive: FromQuery[str | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[QuarantineView]:
    """List the studies that wait for a person, those that wait longest first."""
    found = await services.quarantine.waiting(gate=archive, limit=limit + 1, offset=offset)
    shows(request.scope, [one.study.study_key for one in found[:limit]])
    return page([_view(one) for one in found], limit=limit, offset=offset)


@get("/api/v1/quarantine/{id:int}", responses=responses(400, 401, 403, 404, 503), tags=["Gate"])
async def show_quarantined(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], id: FromPath[int]
) -> QuarantinedStudyView:
    """Show one of them with its objects."""
    found = await services.quarantine.show(_known(id))
    study = found.study
    shows(request.scope, [study.study_key])
    return QuarantinedStudyView(
        id=study.id,
        archive=study.location.name,
        study=study.study_key,
        since=study.quarantined,
        reason=study.reason,
        due=study.due,
        objects=[_object(one) for one in found.objects],
    )


@post(
    "/api/v1/quarantine/{id:int}/release",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Gate"],
)
async def release_quarantined(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    id: FromPath[int],
    data: Annotated[Decision, BodyKwarg(description="Why.")],
) -> DecidedView:
    """Forward a study although it was kept back."""
    outcome = await services.quarantine.release(
        _known(id), reason=data.reason, actor=request.user.name, origin=_address(request)
    )
    return DecidedView(outcome.instances, outcome.job)


@post(
    "/api/v1/quarantine/{id:int}/discard",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Gate"],
)
async def discard_quarantined(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    id: FromPath[int],
    data: Annotated[Decision, BodyKwarg(description="Why.")],
) -> DecidedView:
    """Throw away what was kept back of a study, for good: nobody else may have it."""
    outcome = await services.quarantine.discard(
        _known(id), reason=data.reason, actor=request.user.name, origin=_address(request)
    )
    return DecidedView(outcome.instances, None)


def _view(found: Quarantined) -> QuarantineView:
    study = found.study
    if study.quarantined is None:
        raise NotFoundError("No study of this id is in quarantine.")
    return QuarantineView(
        id=study.id,
        archive=study.location.name,
        study=study.study_key,
        since=study.quarantined,
        reason=study.reason,
        readiness=found.readiness,
        objects=found.objects,
        size=found.size,
    )


def _object(one: GateObject) -> ObjectView:
    return ObjectView(
        sop_instance_uid=one.sop_instance_uid,
        sop_class_uid=one.sop_class_uid,
        transfer_syntax_uid=one.transfer_syntax_uid,
        sha256=one.digest,
        size=one.size,
        state=one.state,
        sender=one.sender,
        request=one.request,
        received=one.received,
    )


def _known(id: int) -> int:
    if not 0 < id < _MOST:
        raise NotFoundError("No study of this id is in quarantine. /api/v1/quarantine lists them.")
    return id


def _address(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""
