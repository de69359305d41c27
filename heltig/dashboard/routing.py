"""The routes of the pages."""

from typing import Any, Final

from litestar import HttpMethod, Request, Response, Router, route
from litestar.datastructures import State
from litestar.params import FromPath

from heltig.api.front import segment
from heltig.api.services import services_of
from heltig.auth.principal import Principal
from heltig.dashboard import errors
from heltig.dashboard.archive_actions import ACTIONS, FORM_HEADERS, may_change, told
from heltig.dashboard.archives import DAYS_IN_LIST, archive_list, archive_page
from heltig.dashboard.assets import assets_by_file_name
from heltig.dashboard.filters import Filter, number
from heltig.dashboard.pages import page, study_of
from heltig.dashboard.study import study_page
from heltig.dashboard.visibility import sees_patients
from heltig.dashboard.worklist import worklist
from heltig.errors import NotFoundError

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_A_YEAR: Final = "public, max-age=31536000, immutable"

AnyRequest = Request[Any, Any, State]


def routes() -> Router:
    """All of them, see `heltig.auth.policy.ROUTES`."""
    return Router(
        "/",
        route_handlers=[show_worklist, show_study, show_archives, show_archive, *ACTIONS, static_file],
        exception_handlers=errors.HANDLERS,
        include_in_schema=False,
    )


@route("/", http_method=_GET)
async def show_worklist(request: AnyRequest) -> Response[str]:
    """The judged studies, worst first."""
    services = services_of(request.app.state)
    filter = Filter.read(request.query_params)
    now = services.clock()
    found = await services.store.read(worklist, filter, now=now)
    return page(
        request,
        "worklist.html",
        # The address without the empty fields of the form; the page's script puts it into the browser's bar.
        headers={"HX-Replace-Url": filter.address(page=filter.page)},
        now=now,
        filter=filter,
        list=found,
        page=min(filter.page, found.pages),
        patients=sees_patients(_principal(request)),
    )


@route("/studies/{study:str}", http_method=_GET)
async def show_study(request: AnyRequest, study: FromPath[str]) -> Response[str]:
    """A study's verdict, and why."""
    services = services_of(request.app.state)
    patients = sees_patients(_principal(request))
    now = services.clock()
    found = await services.store.read(
        study_page,
        study_of(segment(study)),
        now=now,
        location=request.query_params.get("location", ""),
        revision=number(request.query_params, "revision"),
        patients=patients,
    )
    return page(request, "study.html", now=now, shown=found, patients=patients)


@route("/archives", http_method=_GET)
async def show_archives(request: AnyRequest) -> Response[str]:
    """How every archive stands."""
    services = services_of(request.app.state)
    now = services.clock()
    found = await services.store.read(archive_list, now=now)
    workers = max(len(found.service.workers), int(services.is_working()))
    return page(request, "archives.html", now=now, list=found, workers=workers, row_days=DAYS_IN_LIST)


@route("/archives/{id:str}", http_method=_GET)
async def show_archive(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """How one archive stands, and what can be done about it."""
    services = services_of(request.app.state)
    now = services.clock()
    found = await services.store.read(archive_page, id, now=now)
    return page(
        request,
        "archive.html",
        headers=FORM_HEADERS,
        now=now,
        shown=found,
        done=told(request.query_params.get("done", "")),
        may_change=may_change(_principal(request)),
    )


@route("/static/{file_path:str}", http_method=_GET)
async def static_file(request: AnyRequest, file_path: FromPath[str]) -> Response[bytes]:
    """A style sheet, a script or the icon: its address changes with its content."""
    asset = assets_by_file_name().get(file_path)
    if asset is None:
        raise NotFoundError("There is no such file. A page that was open for long may name an older one.")
    headers = {"Cache-Control": _A_YEAR, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            asset.packed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"}
        )
    return Response(asset.body, media_type=asset.media_type, headers=headers)


def _principal(request: AnyRequest) -> Principal | None:
    found = request.scope.get("user")
    return found if isinstance(found, Principal) else None
