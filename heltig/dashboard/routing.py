"""The routes of the pages."""

from typing import Final

from litestar import HttpMethod, Response, Router, route
from litestar.params import FromPath

from heltig.api.front import segment
from heltig.api.hidden import insist_on_seeing
from heltig.api.looks import shows
from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard import errors
from heltig.dashboard.archive_actions import ACTIONS
from heltig.dashboard.archive_forms import FORMS
from heltig.dashboard.archive_routes import ARCHIVES
from heltig.dashboard.assets import assets_by_file_name
from heltig.dashboard.audit import AUDIT
from heltig.dashboard.contents import CONTENTS
from heltig.dashboard.differences import DIFFERENCES
from heltig.dashboard.filters import AGES_CALLED, NOT_NAMED, Filter, insist_on_names, number
from heltig.dashboard.finding_waivers import FINDING_WAIVERS
from heltig.dashboard.health import HEALTH
from heltig.dashboard.jobs import JOBS, KINDS_IN_WORDS, jobs_of
from heltig.dashboard.keys import KEYS
from heltig.dashboard.login import LOGIN
from heltig.dashboard.overview import OVERVIEW
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, principal_of, who
from heltig.dashboard.pages import HEADERS, page, study_of
from heltig.dashboard.profiles import PROFILES
from heltig.dashboard.quarantine import QUARANTINE
from heltig.dashboard.quarantine_decisions import QUARANTINE_DECISIONS
from heltig.dashboard.refused import ANSWERS
from heltig.dashboard.research_list import LIST
from heltig.dashboard.research_orders import ORDERS, may_analyse
from heltig.dashboard.research_publishing import PUBLISHING
from heltig.dashboard.research_results import RESULTS
from heltig.dashboard.review import REVIEW, review_of
from heltig.dashboard.rules import RULES
from heltig.dashboard.search import SEARCH
from heltig.dashboard.series import SERIES
from heltig.dashboard.study import study_page
from heltig.dashboard.ticked import TICKED, acts_for, acts_on, tick, told, told_of_one
from heltig.dashboard.uploads import UPLOADS
from heltig.dashboard.viewer import viewer_link
from heltig.dashboard.visibility import sight_of
from heltig.dashboard.waivers import WAIVERS, may_revoke
from heltig.dashboard.worklist import worklist
from heltig.errors import NotFoundError
from heltig.store import changes

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_A_YEAR: Final = "public, max-age=31536000, immutable"


def routes() -> Router:
    """All of them, see `heltig.auth.policy.ROUTES`."""
    return Router(
        "/",
        route_handlers=[
            show_worklist,
            news,
            *TICKED,
            *SEARCH,
            show_study,
            *REVIEW,
            *FINDING_WAIVERS,
            *WAIVERS,
            *CONTENTS,
            *SERIES,
            *DIFFERENCES,
            *OVERVIEW,
            *JOBS,
            *QUARANTINE,
            *QUARANTINE_DECISIONS,
            *HEALTH,
            *RULES,
            *PROFILES,
            *UPLOADS,
            *KEYS,
            *AUDIT,
            *ARCHIVES,
            *ACTIONS,
            *FORMS,
            *LIST,
            *RESULTS,
            *PUBLISHING,
            *ORDERS,
            *LOGIN,
            static_file,
        ],
        exception_handlers=errors.HANDLERS,
        include_in_schema=False,
    )


@route("/", http_method=_GET)
async def show_worklist(request: AnyRequest) -> Response[str]:
    """The judged studies, worst first."""
    services = services_of(request.app.state)
    filter = Filter.read(request.query_params)
    now = services.clock()
    sight = sight_of(principal_of(request), services.sights)
    await insist_on_seeing(request, services, sight, filter.query(), route="GET /")
    found = await services.store.read(worklist, filter, now=now, sight=sight, me=who(request)["actor"])
    shows(request.scope, [row.study.study_key for row in found.rows])
    return page(
        request,
        "worklist.html",
        # The address without the empty fields of the form; the page's script puts it into the browser's bar.
        headers={**FORM_HEADERS, "HX-Replace-Url": filter.address(page=filter.page)},
        now=now,
        filter=filter,
        list=found,
        page=min(filter.page, found.pages),
        patients=sight.identifiers,
        ages=AGES_CALLED,
        not_named=NOT_NAMED,
        acts=acts_for(principal_of(request)),
        tick=tick,
        told=told(request.query_params),
        may_add=refusal(principal_of(request), "POST", "/add-archive") is None,
        may_upload=refusal(principal_of(request), "POST", "/uploads") is None,
    )


@route("/news", http_method=_GET)
async def news(request: AnyRequest) -> Response[None]:
    """Whether any study changed since: 200 when one did, 204 when none, without saying which."""
    latest = await services_of(request.app.state).store.read(changes.latest)
    is_news = latest != number(request.query_params, "since")
    return Response(None, status_code=200 if is_news else 204, headers=dict(HEADERS))


@route("/studies/{study:str}", http_method=_GET)
async def show_study(request: AnyRequest, study: FromPath[str]) -> Response[str]:
    """A study's verdict, and why."""
    services = services_of(request.app.state)
    sight = sight_of(principal_of(request), services.sights)
    now = services.clock()
    insist_on_names(request.query_params, "location", "revision", "done", "studies", "left", ANSWERS)
    found = await services.store.read(
        study_page,
        study_of(segment(study)),
        now=now,
        location=request.query_params.get("location", ""),
        revision=number(request.query_params, "revision"),
        sight=sight,
    )
    return page(
        request,
        "study.html",
        headers=FORM_HEADERS,
        now=now,
        shown=found,
        review=await review_of(request, found.study),
        patients=sight.identifiers,
        viewer=viewer_link(services.settings, found.study),
        jobs=await jobs_of(request, found.study.study_key, [one.location for one in found.elsewhere]),
        kinds=KINDS_IN_WORDS,
        acts=acts_on(principal_of(request), found.study),
        tick=tick,
        told=told_of_one(request.query_params),
        may_waive=may_revoke(request) and sight.identifiers,
        may_analyse=may_analyse(request),
        sees_trail=refusal(principal_of(request), "GET", "/audit") is None,
    )


@route("/static/{file_path:str}", http_method=_GET)
async def static_file(request: AnyRequest, file_path: FromPath[str]) -> Response[bytes]:
    """A style sheet, a script or the icon: its address changes with its content."""
    asset = assets_by_file_name().get(file_path)
    if asset is None:
        raise NotFoundError("There is no such file. A page that was open for long may name an older one.")
    headers = {"Cache-Control": _A_YEAR, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            asset.packed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"}
        )
    return Response(asset.body, media_type=asset.media_type, headers=headers)
