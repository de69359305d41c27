"""`/api/v1/research`: analyses of READY studies, research use only."""

from typing import Annotated, Any, Final

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath, FromQuery, QueryParameter
from litestar.response import Response

from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.consents import address
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit, Offset, Page, page
from heltig.api.v1.research_views import (
    AnalysisDetail,
    AnalysisOrder,
    AnalysisOverride,
    AnalysisView,
    ResearchStatus,
    analysis_detail,
    analysis_view,
)
from heltig.api.v1.studies import named_location
from heltig.auth.principal import Principal
from heltig.imaging.order import State
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.research.ordering import Ordering
from heltig.store import analyses
from heltig.store.analyses import Output

TAGS: Final = ["Research"]

_ORDERED: Final = {
    202: ResponseSpec(AnalysisView, generate_examples=False, description="The analysis, which is queued"),
    **responses(400, 401, 403, 404, 409, 503),
}


@get("/api/v1/research", responses=responses(400, 401, 403, 503), tags=TAGS)
async def research_status(
    services: NamedDependency[Services], research: NamedDependency[ResearchDesk]
) -> ResearchStatus:
    """Say whether analyses can be ordered here, and with what."""
    settings = services.settings
    return ResearchStatus(
        is_enabled=research.is_open,
        is_installed=research.is_installed,
        segmenters=list(research.plan.segmenters),
        allow_identified=settings.analysis_allow_identified,
        max_parallel_cases=settings.max_parallel_cases,
        publish_to=list(settings.analysis_publish_to),
    )


@post("/api/v1/research/analyses", status_code=202, responses=_ORDERED, tags=TAGS)
async def order_analysis(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    research: NamedDependency[ResearchDesk],
    data: Annotated[AnalysisOrder, BodyKwarg(description="What is to be analysed, and how.")],
) -> Response[AnalysisView]:
    """Order an analysis of a READY study.

    The same that is under way already is not made twice: it is answered. 409 for a study that is not READY,
    or PENDING, and where analyses are off.
    """
    return await _ordered(request, services, research, data, reason="")


@post("/api/v1/research/overrides", status_code=202, responses=_ORDERED, tags=TAGS)
async def override_readiness(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    research: NamedDependency[ResearchDesk],
    data: Annotated[AnalysisOverride, BodyKwarg(description="What, how, and why.")],
) -> Response[AnalysisView]:
    """Order an analysis of a study that is not READY, with a reason. A PENDING study is refused here, too."""
    return await _ordered(request, services, research, data, reason=data.reason)


@get("/api/v1/research/analyses", responses=responses(400, 401, 403, 404, 503), tags=TAGS)
async def list_analyses(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    study: Annotated[str | None, QueryParameter(description="Of this study.", max_length=1024)] = None,
    location: FromQuery[str | None] = None,
    wanted_state: Annotated[State | None, QueryParameter(name="state")] = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[AnalysisView]:
    """List analyses, the newest first."""
    found = await services.store.read(
        analyses.newest,
        study_key=study,
        location=named_location(location),
        state=wanted_state,
        offset=offset,
        limit=limit + 1,
    )
    shows(request.scope, (one.study_key for one in found[:limit]))
    sight = services.sights.of(request.user)
    return page([analysis_view(one, sight) for one in found], limit=limit, offset=offset)


@get("/api/v1/research/analyses/{id:str}", responses=responses(400, 401, 403, 404, 503), tags=TAGS)
async def show_analysis(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    research: NamedDependency[ResearchDesk],
    id: FromPath[str],
) -> AnalysisDetail:
    """Show an analysis: its state and stages, what was measured, its files."""
    found = await research.files.find(id)
    shows(request.scope, [found.study_key])
    return analysis_detail(
        found,
        services.sights.of(request.user),
        measurements=await research.files.results_of(found),
        outputs=await research.files.outputs_of(found),
        published=await research.publishing.of(found),
    )


@get("/api/v1/research/analyses/{id:str}/outputs", responses=responses(400, 401, 403, 404, 503), tags=TAGS)
async def list_outputs(
    request: Request[Principal, Any, Any], research: NamedDependency[ResearchDesk], id: FromPath[str]
) -> list[Output]:
    """List the files of an analysis, each with its media type, size and SHA-256."""
    found = await research.files.find(id)
    shows(request.scope, [found.study_key])
    return await research.files.outputs_of(found)


@post(
    "/api/v1/research/analyses/{id:str}/cancel",
    status_code=200,
    responses=responses(400, 401, 403, 404, 409, 503),
    tags=TAGS,
)
async def cancel_analysis(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    research: NamedDependency[ResearchDesk],
    id: FromPath[str],
) -> AnalysisView:
    """Cancel an analysis that has not ended. What makes it is stopped within seconds."""
    ended = await research.cancel(id, actor=request.user.name, origin=address(request))
    return analysis_view(ended, services.sights.of(request.user))


async def _ordered(
    request: Request[Principal, Any, Any],
    services: Services,
    research: ResearchDesk,
    data: AnalysisOrder,
    *,
    reason: str,
) -> Response[AnalysisView]:
    ordered = await research.order(
        Ordering(
            study_key=data.study,
            location=named_location(data.location),
            asked=data.asked,
            identified=data.allow_identified,
            override=reason,
            actor=request.user.name,
            origin=address(request),
        )
    )
    view = analysis_view(ordered.analysis, services.sights.of(request.user))
    return Response(view, status_code=202, headers={"Location": f"/api/v1/research/analyses/{view.id}"})
