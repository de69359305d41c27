"""`/api/v1/studies`: studies, their verdicts and findings, with what was observed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from heltig.api.front import segment
from heltig.api.hidden import insist_on_seeing
from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.standing import Status, location_named, standing
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit, Offset, Page, page
from heltig.api.v1.study_views import (
    FindingView,
    LocationDetail,
    StudyDetail,
    StudyView,
    finding_view,
    series_view,
    study_view,
    verdict_view,
)
from heltig.auth.principal import Principal
from heltig.errors import NotFoundError
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.review import owner_wanted
from heltig.rules.rule import Level, Severity
from heltig.store import lookups, owners, studies, verdicts
from heltig.store.lookups import minute
from heltig.store.records import Location, Study, StudyState
from heltig.store.search import Order, search
from heltig.store.study_query import AGES, Age, StudyQuery
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Readiness


@get("/api/v1/studies", responses=responses(400, 401, 403, 503), tags=["Studies"])
async def list_studies(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    readiness: FromQuery[list[Readiness] | None] = None,
    states: Annotated[list[StudyState] | None, QueryParameter(name="state")] = None,
    location: FromQuery[list[str] | None] = None,
    rule: Annotated[
        list[str] | None, QueryParameter(description="Studies with an unwaived finding of any of these.")
    ] = None,
    modality: FromQuery[list[str] | None] = None,
    manufacturer: Annotated[
        str | None,
        QueryParameter(
            description="Of one of a study's devices, with `*` and `?`, without regard to case; empty for "
            "devices that name none. `model` and `station` are of the same device."
        ),
    ] = None,
    model: FromQuery[str | None] = None,
    station: FromQuery[str | None] = None,
    text: Annotated[
        str | None, QueryParameter(description="Somewhere in the StudyInstanceUID or the StudyDescription.")
    ] = None,
    age: Annotated[Age | None, QueryParameter(description="How long ago the last verdict was given.")] = None,
    owner: Annotated[
        str | None,
        QueryParameter(
            description="Who sees to the study, as the audit trail has them; `mine`, or `nobody`.",
            max_length=256,
        ),
    ] = None,
    order: FromQuery[Order] = "worst",
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[StudyView]:
    """List studies, the worst first.

    Without `state` those that were never judged, or are gone from where they were, are left out; with
    `readiness` those too that wait to be judged again.
    """
    judged: tuple[StudyState, ...] = ("JUDGED",) if readiness else ()
    query = StudyQuery(
        readiness=tuple(readiness or ()),
        states=tuple(states or judged),
        locations=tuple(map(location_named, location or ())),
        rules=tuple(rule or ()),
        modalities_in_study=tuple(modality or ()),
        manufacturer=manufacturer,
        model=model,
        station=station,
        text=text or None,
        age=AGES[age] if age else (None, None),
        owner=owner_wanted(owner, request.user.name) if owner else None,
    )
    sight = services.sights.of(request.user)
    query = await insist_on_seeing(request, services, sight, query, route="GET /api/v1/studies")
    found = await services.store.read(
        search, query, now=services.clock(), limit=limit + 1, offset=offset, order=order
    )
    shows(request.scope, [study.study_key for study in found[:limit]])
    owned = await services.store.read(owners.of, [study.study_key for study in found])
    views = [
        study_view(sight.study(study), owned.get((str(study.location), study.study_key))) for study in found
    ]
    return page(views, limit=limit, offset=offset)


@get("/api/v1/studies/{study:str}", responses=responses(400, 401, 403, 404, 503), tags=["Studies"])
async def show_study(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    location: FromQuery[str | None] = None,
) -> StudyDetail:
    """Show one study at every location that has it, or at one."""
    return await services.store.read(
        _detail,
        segment(study),
        named_location(location),
        services.clock(),
        services.sights.of(request.user),
    )


@get("/api/v1/studies/{study:str}/findings", responses=responses(400, 401, 403, 404, 503), tags=["Studies"])
async def list_findings(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    location: FromQuery[str | None] = None,
    severity: FromQuery[list[Severity] | None] = None,
    level: FromQuery[list[Level] | None] = None,
    rule: FromQuery[list[str] | None] = None,
    waived: FromQuery[bool | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[FindingView]:
    """List the findings of a study's last verdicts, a location after the other, the worst first."""
    sight = services.sights.of(request.user)
    every = await services.store.read(_findings, segment(study), named_location(location), sight)
    matching = [
        finding
        for finding in every
        if (not severity or finding.severity in severity)
        and (not level or finding.level in level)
        and (not rule or finding.rule in rule)
        and waived in (None, finding.waived)
    ]
    return page(matching[offset : offset + limit + 1], limit=limit, offset=offset)


def named_location(location: str | None) -> Location | None:
    """The location that a caller named; None for every one."""
    return None if location is None else location_named(location)


def at_locations(transaction: ReadTransaction, key: str, at: Location | None) -> Sequence[Study]:
    """A study at one location, or at every one that has it.

    Raises:
        NotFoundError: Nothing is known of it there.
    """
    found = [study for study in studies.find_everywhere(transaction, key) if at in (None, study.location)]
    if not found:
        raise NotFoundError("Nothing is known of this study there. It was never pulled or uploaded.")
    return found


def _detail(
    transaction: ReadTransaction, key: str, at: Location | None, now: datetime, sight: Sight
) -> StudyDetail:
    found = at_locations(transaction, key, at)
    wanted = {str(study.location) for study in found}
    prepared = [one for one in lookups.find_many(transaction, [key])[key] if one.location in wanted]
    status: Status = standing(prepared, minute=minute(now)).status
    owned = owners.of(transaction, [key])
    details = []
    for study in found:
        verdict = verdicts.current(transaction, study.location, study.study_key)
        details.append(
            LocationDetail(
                study_view(sight.study(study.at(now)), owned.get((str(study.location), study.study_key))),
                verdict_view(verdict) if verdict else None,
                [
                    series_view(sight.series(s))
                    for s in studies.series_of(transaction, study.location, study.study_key)
                ],
            )
        )
    return StudyDetail(found[0].study_key, status, details)


def _findings(transaction: ReadTransaction, key: str, at: Location | None, sight: Sight) -> list[FindingView]:
    views = []
    for study in at_locations(transaction, key, at):
        verdict = verdicts.current(transaction, study.location, study.study_key)
        if verdict is not None:
            seen = sight.findings(verdict.verdict.findings)
            views += [finding_view(finding, str(study.location)) for finding in seen]
    return views
