"""The pages of archives, and the forms on them by which studies are pulled."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.archive_actions import back, may_change, told
from heltig.dashboard.archives import DAYS_IN_LIST, archive_list, archive_page
from heltig.dashboard.jobs import KINDS_IN_WORDS
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
    who,
)
from heltig.dashboard.pages import page
from heltig.errors import NotFoundError
from heltig.pipeline.backfill import walking as backfill
from heltig.pipeline.pull.asked import ask_for_study
from heltig.store import backfills
from heltig.store.archives import location_of

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_LONGEST_UID: Final = 1024
_TYPED: Final = ("study", "from", "to", "again")


@route("/archives", http_method=_GET)
async def show_archives(request: AnyRequest) -> Response[str]:
    """How every archive stands."""
    services = services_of(request.app.state)
    now = services.clock()
    found = await services.store.read(archive_list, now=now)
    workers = max(len(found.service.workers), int(services.is_working()))
    return page(
        request,
        "archives.html",
        now=now,
        list=found,
        workers=workers,
        row_days=DAYS_IN_LIST,
        may_change=may_change(principal_of(request)),
    )


@route("/archives/{id:str}", http_method=_GET)
async def show_archive(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """How one archive stands, and what can be done about it."""
    return await _archive(request, id)


@route("/archives/{id:str}/pull-study", http_method=_POST)
async def pull_study(request: AnyRequest, id: FromPath[str]) -> Response[Any]:
    """Has a study pulled now."""
    services = insist_on_our_page(request)
    typed = await typed_in(request)
    study = typed.get("study", "")
    if not study or len(study) > _LONGEST_UID or not study.isprintable():
        return await _archive(request, id, typed=typed, wrong={"study": "Give a StudyInstanceUID."})
    await ask_for_study(services.queue, id, study, **who(request))
    return back(id, "asked")


@route("/archives/{id:str}/backfill", http_method=_POST)
async def start_backfill(request: AnyRequest, id: FromPath[str]) -> Response[Any]:
    """Starts a backfill of some days, or of everything."""
    services = insist_on_our_page(request)
    typed = await typed_in(request)
    wrong: dict[str, str] = {}
    first, last = (_day(typed, name, wrong) for name in ("from", "to"))
    if first and last and first > last:
        wrong["to"] = "The last day is before the first."
    if wrong:
        return await _archive(request, id, typed=typed, wrong=wrong)
    _, is_new = await backfill.start(
        services.queue,
        id,
        dates=backfill.range_of(first, last),
        again=bool(typed.get("again")),
        **who(request),
    )
    return back(id, "backfill" if is_new else "going")


@route("/archives/{id:str}/stop-backfill", http_method=_POST)
async def stop_backfill(request: AnyRequest, id: FromPath[str]) -> Response[Any]:
    """Ends a backfill of this archive."""
    services = insist_on_our_page(request)
    number = (await typed_in(request)).get("backfill", "")
    known = None
    if number.isascii() and number.isdecimal() and len(number) < len(str(2**31)):
        known = await services.store.read(backfills.find, int(number))
    if known is None or known.location != location_of(id):
        raise NotFoundError("There is no such backfill of this archive.")
    await backfill.cancel(services.queue, known.id, **who(request))
    return back(id, "stopped")


ARCHIVES: Final = (show_archives, show_archive, pull_study, start_backfill, stop_backfill)
"""The routes of all of them."""


async def _archive(
    request: AnyRequest,
    name: str,
    *,
    typed: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
) -> Response[str]:
    """An archive's page; with what was typed into its forms where something is wrong with it."""
    services = services_of(request.app.state)
    now = services.clock()
    found = await services.store.read(archive_page, name, now=now)
    return page(
        request,
        "archive.html",
        status=400 if wrong else 200,
        headers=FORM_HEADERS,
        now=now,
        shown=found,
        done=told(request.query_params.get("done", "")),
        may_change=may_change(principal_of(request)),
        sees_jobs=refusal(principal_of(request), "GET", "/jobs") is None,
        kinds=KINDS_IN_WORDS,
        typed={field: (typed or {}).get(field, "") for field in _TYPED},
        wrong=wrong or {},
    )


def _day(typed: Mapping[str, str], name: str, wrong: dict[str, str]) -> date | None:
    """The day in a field, None where there is nothing; what is wrong with it is written down."""
    text = typed.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        wrong[name] = "Give a day, such as 2026-03-01."
        return None
