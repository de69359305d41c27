"""`/api/v1/quarantine`: studies that a gate kept back, and what a person decides about them."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import BodyKwarg, FromPath, FromQuery

from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.consents import ConsentView, Reason, address, consent_view, known
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit, Offset, Page, page
from heltig.auth.principal import Principal
from heltig.errors import NotFoundError
from heltig.pipeline.gate.quarantine import Outcome
from heltig.pipeline.identifiers.sights import Sight
from heltig.store.consents import Act, Consent
from heltig.store.gate_studies import Quarantined
from heltig.store.objects import GateObject, ObjectState
from heltig.verdict import Readiness


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody decides.

    Attributes:
        reason: Why; the audit trail keeps it.
    """

    reason: Reason


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
        asked: What waits for a second person's consent; null where nothing does.
    """

    id: int
    archive: str
    study: str
    since: datetime
    reason: str
    readiness: Readiness | None
    objects: int
    size: int
    asked: ConsentView | None


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
        wants_two: What one person alone may not do with it.
        asked: What waits for a second person's consent; null where nothing does.
        answered: What was asked before, the last first.
    """

    id: int
    archive: str
    study: str
    since: datetime | None
    reason: str
    due: datetime | None
    objects: list[ObjectView]
    wants_two: list[Act]
    asked: ConsentView | None
    answered: list[ConsentView]


class DecidedView(msgspec.Struct, frozen=True):
    """What a decision came to.

    Attributes:
        objects: How many it was about.
        job: The job that forwards them; none where they were thrown away.
        asked: What waits for a second person's consent; nothing is done yet then.
    """

    objects: int
    job: int | None
    asked: ConsentView | None = None


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
    asked = await services.quarantine.asked([one.study for one in found])
    sight = services.sights.of(request.user)
    views = [_view(one, asked.get(one.study.id), sight) for one in found]
    return page(views, limit=limit, offset=offset)


@get("/api/v1/quarantine/{id:int}", responses=responses(400, 401, 403, 404, 503), tags=["Gate"])
async def show_quarantined(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], id: FromPath[int]
) -> QuarantinedStudyView:
    """Show one of them with its objects."""
    found = await services.quarantine.show(known(id))
    study, sight = found.study, services.sights.of(request.user)
    shows(request.scope, [study.study_key])
    return QuarantinedStudyView(
        id=study.id,
        archive=study.location.name,
        study=study.study_key,
        since=study.quarantined,
        reason=study.reason,
        due=study.due,
        objects=[_object(one) for one in found.objects],
        wants_two=sorted(found.wants_two),
        asked=consent_view(found.asked, sight) if found.asked else None,
        answered=[consent_view(one, sight) for one in found.answered],
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
) -> Response[DecidedView]:
    """Forward a study although it was kept back.

    Where the profile wants a second person, this asks for their consent: 202, and `asked`.
    """
    outcome = await services.quarantine.release(
        known(id), reason=data.reason, actor=request.user.name, origin=address(request)
    )
    return _decided(outcome, services.sights.of(request.user))


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
) -> Response[DecidedView]:
    """Throw away what was kept back of a study, for good: nobody else may have it.

    Where the profile wants a second person, this asks for their consent: 202, and `asked`.
    """
    outcome = await services.quarantine.discard(
        known(id), reason=data.reason, actor=request.user.name, origin=address(request)
    )
    return _decided(outcome, services.sights.of(request.user))


def _decided(outcome: Outcome, sight: Sight) -> Response[DecidedView]:
    asked = consent_view(outcome.asked, sight) if outcome.asked else None
    view = DecidedView(outcome.instances, outcome.job, asked)
    return Response(view, status_code=202 if asked else 200)


def _view(found: Quarantined, asked: Consent | None, sight: Sight) -> QuarantineView:
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
        asked=consent_view(asked, sight) if asked else None,
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
