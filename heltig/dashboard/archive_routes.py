"""The pages of archives, and the forms on them by which studies are pulled."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from msgspec import structs

from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.archive_actions import back, found, may_change, question, told
from heltig.dashboard.archives import DAYS_IN_LIST, archive_list, archive_page
from heltig.dashboard.asking import ask, went_to
from heltig.dashboard.filters import number
from heltig.dashboard.jobs import KINDS_IN_WORDS
from heltig.dashboard.kept import keep_form, kept_form
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
    who,
)
from heltig.dashboard.pages import page, segment
from heltig.dashboard.refused import refuse, refused
from heltig.dashboard.wording import days
from heltig.errors import NotFoundError
from heltig.pipeline.backfill import walking as backfill
from heltig.pipeline.pull.asked import ask_for_study
from heltig.store import backfills
from heltig.store.archives import Archive, location_of
from heltig.store.backfills import Backfill

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_LONGEST_UID: Final = 1024
_TYPED: Final = ("study", "from", "to", "again", "all")
_MOST_ID: Final = 2**31


class Wanted(msgspec.Struct, frozen=True):
    """Which studies a backfill is to pull.

    Attributes:
        dates: Their StudyDates as a range; empty for all studies.
        again: Those that did not change, too.
    """

    dates: str
    again: bool


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
    before = refused(request)
    return await _archive(request, id, typed=before.typed, wrong=before.wrong)


@route("/archives/{id:str}/pull-study", http_method=_POST)
async def begin_pull(request: AnyRequest, id: FromPath[str]) -> Response[Any]:
    """Keeps which study is to be pulled, and leads to the question."""
    insist_on_our_page(request)
    typed = await typed_in(request)
    study = typed.get("study", "")
    await found(request, id)
    if not study or len(study) > _LONGEST_UID or not study.isprintable():
        wrong = {"study": "Give a StudyInstanceUID."}
        return refuse(request, typed=typed, wrong=wrong, to=f"../{segment(id)}")
    return went_to(f"pull-study/{keep_form(request, {'study': study})}")


@route("/archives/{id:str}/pull-study/{asked:str}", http_method=_GET)
async def ask_pull(request: AnyRequest, id: FromPath[str], asked: FromPath[str]) -> Response[str]:
    """Asks whether a study is to be pulled now."""
    entry = await found(request, id)
    made = question(
        entry,
        title="Pull one study from {}?",
        happens=(
            "It is asked for as soon as may be, before what is new, and judged once it is there and quiet.",
            *_paused(entry),
        ),
        button="Pull the study",
        up="../..",
    )
    return ask(request, structs.replace(made, about=kept_form(request, asked)["study"]))


@route("/archives/{id:str}/pull-study/{asked:str}", http_method=_POST)
async def pull_study(request: AnyRequest, id: FromPath[str], asked: FromPath[str]) -> Response[Any]:
    """Has it pulled."""
    services = insist_on_our_page(request)
    await ask_for_study(services.queue, id, kept_form(request, asked)["study"], **who(request))
    return back(id, "asked", up="../..")


@route("/archives/{id:str}/backfill", http_method=_GET)
async def ask_backfill(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """Asks whether the studies of some days, or all of them, are to be pulled."""
    typed = {name: request.query_params.get(name, "") for name in _TYPED}
    wanted, wrong = _backfill_of(typed)
    if wanted is None:
        return await _archive(request, id, typed=typed, wrong=wrong, status=400)
    entry = await found(request, id)
    known = (
        "Studies that did not change are pulled and judged again, too."
        if wanted.again
        else "Studies that did not change since they were pulled are left as they are."
    )
    made = question(
        entry,
        title="Pull studies from {}?" if wanted.dates else "Pull everything that {} has?",
        happens=(
            "It is asked for its list of studies, and each is pulled and judged. That can take hours or "
            "days; new studies go first, always."
            if wanted.dates
            else "It is asked for the list of all its studies, of all days, and each is pulled and judged. "
            "That can take days or weeks; new studies go first, always.",
            known,
            "It goes on by itself, whatever is restarted, and can be stopped on the archive's page.",
            *_paused(entry),
        ),
        button="Pull them" if wanted.dates else "Pull everything",
    )
    about = f"Studies by their StudyDate: {days(wanted.dates)}."
    return ask(request, structs.replace(made, about=about, is_final=not wanted.dates))


@route("/archives/{id:str}/backfill", http_method=_POST)
async def start_backfill(request: AnyRequest, id: FromPath[str]) -> Response[Any]:
    """Starts a backfill of some days, or of everything."""
    services = insist_on_our_page(request)
    typed = {name: request.query_params.get(name, "") for name in _TYPED}
    wanted, wrong = _backfill_of(typed)
    if wanted is None:
        return await _archive(request, id, typed=typed, wrong=wrong, status=400)
    entry = await found(request, id)
    _, is_new = await backfill.start(
        services.queue, id, dates=wanted.dates, again=wanted.again, **who(request)
    )
    return back(id, "going" if not is_new else "waiting" if entry.paused else "backfill")


@route("/archives/{id:str}/stop-backfill", http_method=_GET)
async def ask_stop(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """Asks whether a backfill is to end."""
    known = await _known_backfill(request, id)
    made = question(
        await found(request, id),
        title="Stop a backfill of {}?",
        happens=(
            "What was pulled is kept and judged. What was not is not pulled by it.",
            "Started again, it asks only for what is left.",
        ),
        button="Stop",
    )
    return ask(request, structs.replace(made, about=f"Studies by their StudyDate: {days(known.dates)}."))


@route("/archives/{id:str}/stop-backfill", http_method=_POST)
async def stop_backfill(request: AnyRequest, id: FromPath[str]) -> Response[Any]:
    """Ends a backfill of this archive."""
    services = insist_on_our_page(request)
    known = await _known_backfill(request, id)
    await backfill.cancel(services.queue, known.id, **who(request))
    return back(id, "stopped")


ARCHIVES: Final = (
    show_archives,
    show_archive,
    begin_pull,
    ask_pull,
    pull_study,
    ask_backfill,
    start_backfill,
    ask_stop,
    stop_backfill,
)
"""The routes of all of them."""


async def _archive(
    request: AnyRequest,
    name: str,
    *,
    typed: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response[str]:
    """An archive's page; with what was typed into its forms where something is wrong with it."""
    services = services_of(request.app.state)
    now = services.clock()
    found = await services.store.read(archive_page, name, now=now)
    return page(
        request,
        "archive.html",
        status=status,
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


def _backfill_of(typed: Mapping[str, str]) -> tuple[Wanted | None, dict[str, str]]:
    """Which studies are wanted, or what is wrong with what was typed; all of them only where that is said."""
    wrong: dict[str, str] = {}
    first, last = (_day(typed, name, wrong) for name in ("from", "to"))
    is_all = bool(typed.get("all"))
    if first and last and first > last:
        wrong["to"] = "The last day is before the first."
    elif is_all and (first or last):
        wrong["from"] = "Leave the days empty to pull everything, or pull these days."
    elif not (is_all or first or last or wrong):
        wrong["from"] = "Give the first day, the last, or both."
    return (None if wrong else Wanted(backfill.range_of(first, last), bool(typed.get("again")))), wrong


async def _known_backfill(request: AnyRequest, name: str) -> Backfill:
    """The backfill that an address names.

    Raises:
        NotFoundError: This archive has none of that number.
    """
    id = number(request.query_params, "backfill") or 0
    known = None
    if 0 < id < _MOST_ID:
        known = await services_of(request.app.state).store.read(backfills.find, id)
    if known is None or known.location != location_of(name):
        raise NotFoundError("There is no such backfill of this archive.")
    return known


def _paused(entry: Archive) -> tuple[str, ...]:
    return ("The archive is paused: it begins once that is resumed.",) if entry.paused else ()


def _day(typed: Mapping[str, str], name: str, wrong: dict[str, str]) -> date | None:
    """The day in a field, None where there is nothing; what is wrong with it is written down."""
    text = typed.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        wrong[name] = "Give a day, such as 2026-03-01."
        return None
