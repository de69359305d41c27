"""What one person asks a second one's consent to, as `/api/v1/quarantine` shows and takes it."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import BodyKwarg, FromPath

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.auth.principal import Principal
from heltig.errors import NotFoundError
from heltig.pipeline.gate.quarantine import MOST_REASON
from heltig.pipeline.identifiers.sights import Sight
from heltig.store.consents import Act, Consent, State

_MOST = 2**31

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_REASON)]


class ConsentView(msgspec.Struct, frozen=True, rename="camel"):
    """What somebody asks a second person's consent to.

    Attributes:
        act: `release` or `discard`.
        expires: Until when it can be answered.
        state: `open`; `given`, `declined`, `withdrawn`; `lapsed` where more of the study came, or nobody
            answered in time.
        decided_by: Who answered; empty where nobody did.
        reason: Of whoever asked; `answer` of whoever decided. Both are for those who see identifiers.
    """

    id: int
    act: Act
    asked_by: str
    asked: datetime
    expires: datetime
    state: State
    decided_by: str
    decided: datetime | None
    reason: str
    answer: str


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody answers.

    Attributes:
        request: The id of what was asked.
        reason: Why.
    """

    request: Annotated[int, msgspec.Meta(ge=1, lt=_MOST)]
    reason: Reason


class ConsentedView(msgspec.Struct, frozen=True):
    """What a consent came to.

    Attributes:
        objects: How many it was about.
        job: The job that forwards them; none where they were thrown away.
    """

    objects: int
    job: int | None


@post(
    "/api/v1/quarantine/{id:int}/consent",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Gate"],
)
async def consent_quarantined(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    id: FromPath[int],
    data: Annotated[Answer, BodyKwarg(description="To what, and why.")],
) -> ConsentedView:
    """Consent, as a second person, to what another one asked for: it is done at once."""
    outcome = await services.quarantine.consent(
        known(id), data.request, reason=data.reason, actor=request.user.name, origin=address(request)
    )
    return ConsentedView(outcome.instances, outcome.job)


@post(
    "/api/v1/quarantine/{id:int}/decline",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Gate"],
)
async def decline_quarantined(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    id: FromPath[int],
    data: Annotated[Answer, BodyKwarg(description="What, and why.")],
) -> ConsentView:
    """Decline what another person asked for, or take back what one asked for oneself."""
    ended = await services.quarantine.decline(
        known(id), data.request, reason=data.reason, actor=request.user.name, origin=address(request)
    )
    return consent_view(ended, services.sights.of(request.user))


def consent_view(consent: Consent, sight: Sight) -> ConsentView:
    """What is asked, as somebody may see it."""
    return ConsentView(
        id=consent.id,
        act=consent.act,
        asked_by=consent.asked_by,
        asked=consent.asked,
        expires=consent.expires,
        state=consent.state,
        decided_by=consent.decided_by,
        decided=consent.decided,
        reason=sight.typed(consent.reason),
        answer=sight.typed(consent.answer),
    )


def known(id: int) -> int:
    """The id of a study that may be in quarantine.

    Raises:
        NotFoundError: None has such an id.
    """
    if not 0 < id < _MOST:
        raise NotFoundError("No study of this id is in quarantine: its list has those that are.")
    return id


def address(request: Request[Any, Any, Any]) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""
