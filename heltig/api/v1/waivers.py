"""`/api/v1/waivers`: exceptions that reviewers accept, for a while."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import BodyKwarg, FromPath, FromQuery, QueryParameter

from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.standing import location_named
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit, Offset, Page, page
from heltig.auth.principal import Principal
from heltig.errors import NotFoundError, UsageError
from heltig.store import waivers
from heltig.store.waivers import GivenWaiver, NewWaiver, Scope, WaiverState

_MOST = 2**31

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class WaiverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A waiver to be given, for one finding: its rule, attributes and observed value, exactly as it has them.

    Attributes:
        rule: The rule's id.
        tags: The attributes.
        observed: The observed value.
        digest: The finding's digest; needed where several findings have this text for different data.
        reason: Why the finding is accepted.
        expires: When it ends, with its offset from UTC; seconds are dropped.
        location: An archive's name, or `upload:NAME`: only findings there are covered.
        study: The study's UID or key; without it every study at `location` is covered.
        series: The SeriesInstanceUID or key of a series of that study: only findings whose instances are all
            in it are covered.
    """

    rule: Key
    tags: Annotated[tuple[Key, ...], msgspec.Meta(max_length=10_000)]
    observed: Annotated[str, msgspec.Meta(max_length=10_000)]
    reason: Text
    expires: datetime
    digest: Annotated[str, msgspec.Meta(max_length=64)] = ""
    location: Key | None = None
    study: Key | None = None
    series: Key | None = None


class WaiverView(msgspec.Struct, frozen=True, rename="camel"):
    """A waiver.

    Attributes:
        tags: The attributes of the finding.
        observed: The text of the finding, which may show a part of what was observed.
        digest: That of the finding, over all that was observed; a waiver of an older version has none, and
            covers nothing.
        scope: `study`, `series` of a study, or `archive`: every study at a location.
        location: Null for every location that has the study.
        state: `in-force`, `expired` or `revoked`.
        author: Who gave it.
        revoked_by: Who revoked it, null unless somebody did.
    """

    id: int
    rule: str
    tags: tuple[str, ...]
    observed: str
    digest: str
    scope: Scope
    location: str | None
    study: str | None
    series: str | None
    reason: str
    author: str
    created: datetime
    expires: datetime
    state: WaiverState
    revoked: datetime | None
    revoked_by: str | None


class GivenView(msgspec.Struct, frozen=True):
    """A waiver that was given.

    Attributes:
        concerns: Studies whose last verdict has a finding that it may cover.
        job: The job that judges them again.
    """

    waiver: WaiverView
    concerns: int
    job: int


@post("/api/v1/waivers", responses=responses(400, 401, 403, 404, 409, 503), tags=["Waivers"])
async def give_waiver(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    data: Annotated[WaiverRequest, BodyKwarg(description="The waiver.")],
) -> GivenView:
    """Accept a finding, there and wherever else in the scope the same was observed, until a time.

    Whatever else was or will be observed is not covered. The studies concerned are judged again now, and when
    the waiver ends.
    """
    if data.expires.tzinfo is None:
        raise UsageError("expires: give the offset from UTC, too, such as 2026-03-01T12:00:00Z.")
    now = services.clock()
    new = NewWaiver(
        rule=data.rule,
        tags=data.tags,
        observed=data.observed,
        digest=data.digest,
        location=None if data.location is None else location_named(data.location),
        study_key=data.study,
        series_key=data.series,
        reason=data.reason,
        author=request.user.name,
        created=now,
        expires=_minute(data.expires),
    )
    given = await services.waivers.give(new, origin=_address(request))
    waiver = services.sights.of(request.user).waiver(given.waiver)
    return GivenView(waiver_view(waiver, now), given.concerns, given.job)


@get("/api/v1/waivers", responses=responses(400, 401, 403, 503), tags=["Waivers"])
async def list_waivers(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    wanted_state: Annotated[WaiverState | None, QueryParameter(name="state")] = None,
    rule: FromQuery[str | None] = None,
    location: FromQuery[str | None] = None,
    study: FromQuery[str | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[WaiverView]:
    """List waivers, the newest first, expired and revoked ones too."""
    now = services.clock()
    found = await services.store.read(
        waivers.newest,
        now=now,
        state=wanted_state,
        rule=rule,
        location=None if location is None else location_named(location),
        study_key=study,
        limit=limit + 1,
        offset=offset,
    )
    shows(request.scope, [waiver.study_key for waiver in found[:limit] if waiver.study_key])
    sight = services.sights.of(request.user)
    return page([waiver_view(sight.waiver(waiver), now) for waiver in found], limit=limit, offset=offset)


@get("/api/v1/waivers/{id:int}", responses=responses(400, 401, 403, 404, 503), tags=["Waivers"])
async def show_waiver(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], id: FromPath[int]
) -> WaiverView:
    """Show one waiver."""
    waiver = await services.store.read(waivers.get, _known(id))
    shows(request.scope, [waiver.study_key] if waiver.study_key else [])
    return waiver_view(services.sights.of(request.user).waiver(waiver), services.clock())


@delete(
    "/api/v1/waivers/{id:int}",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=["Waivers"],
)
async def revoke_waiver(
    request: Request[Principal, Any, Any], services: NamedDependency[Services], id: FromPath[int]
) -> WaiverView:
    """Revoke a waiver: it covers nothing from now on, and stays in the list.

    The studies that rely on it are PENDING until they are judged again.
    """
    revoked = await services.waivers.revoke(_known(id), by=request.user.name, origin=_address(request))
    return waiver_view(services.sights.of(request.user).waiver(revoked), services.clock())


def waiver_view(waiver: GivenWaiver, now: datetime) -> WaiverView:
    """A waiver as it is shown."""
    return WaiverView(
        id=waiver.id,
        rule=waiver.rule,
        tags=waiver.tags,
        observed=waiver.observed,
        digest=waiver.digest,
        scope=waiver.scope,
        location=None if waiver.location is None else str(waiver.location),
        study=waiver.study_key,
        series=waiver.series_key,
        reason=waiver.reason,
        author=waiver.author,
        created=waiver.created,
        expires=waiver.expires,
        state=waiver.state(now),
        revoked=waiver.revoked,
        revoked_by=waiver.revoked_by,
    )


def _minute(time: datetime) -> datetime:
    """The minute of a time in UTC.

    Raises:
        UsageError: It is at an end of the calendar.
    """
    try:
        return time.astimezone(UTC).replace(second=0, microsecond=0)
    except OverflowError as error:
        raise UsageError("expires: this time is not in the calendar.") from error


def _known(id: int) -> int:
    if not 0 < id < _MOST:
        raise NotFoundError("There is no waiver of this id. /api/v1/waivers lists them.")
    return id


def _address(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""
