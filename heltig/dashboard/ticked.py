"""What is done with the studies that are ticked in the list: asked once, then done to each that it fits."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

import msgspec
from litestar import HttpMethod, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from heltig.api.looks import shows
from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.auth.principal import Principal
from heltig.dashboard.asking import went_to
from heltig.dashboard.filters import Filter, number
from heltig.dashboard.kept import Form, keep_form, kept_form
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
    who,
)
from heltig.dashboard.pages import page, segment
from heltig.dashboard.review import owner_choices, owner_typed
from heltig.dashboard.ticked_plans import Plan, plan_owning, plan_pulling, plan_rejudging
from heltig.dashboard.ticked_waivers import (
    REASON,
    WaiverForm,
    give,
    insist_on_seeing_findings,
    plan_waiving,
)
from heltig.dashboard.visibility import sight_of
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.pipeline.pull.asked import ask_for_study
from heltig.store.outdated import Selection
from heltig.store.records import Location, Study

MOST: Final = 50
"""Studies at a time: those of a page of the list."""

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_TICK: Final = "tick-"
_SURE: Final = "sure"
_OF_ONE: Final = "one"
"""A field of the forms on a study's own page."""


class Asked(msgspec.Struct, frozen=True):
    """What an act would do to what is ticked.

    Attributes:
        plan: To which studies.
        do: Does it to one.
        wrong: What is wrong with what was typed, by field.
        more: What else its question shows.
    """

    plan: Plan
    do: Callable[[Study], Awaitable[Any]]
    wrong: dict[str, str] = {}
    more: dict[str, Any] = {}


class Act(msgspec.Struct, frozen=True):
    """What can be done.

    Attributes:
        path: The last part of its address.
        button: What the button in the list says.
        told: What is said once it is done, of some studies; of one in `told_one`.
        asks: Finds out what it would do.
    """

    path: str
    button: str
    told: str
    told_one: str
    asks: Callable[[AnyRequest, Form], Awaitable[Asked]]


async def _rejudging(request: AnyRequest, form: Form) -> Asked:
    """Has studies judged again by what is stored of them."""
    services = services_of(request.app.state)
    plan = await services.store.read(plan_rejudging, _ticked(form))
    return Asked(
        plan,
        lambda study: services.rescoring.start(
            Selection(location=study.location, study_key=study.study_key),
            dry_run=False,
            sight=sight_of(principal_of(request), services.sights),
            **who(request),
        ),
    )


async def _pulling(request: AnyRequest, form: Form) -> Asked:
    """Has studies pulled from their archives anew."""
    services = services_of(request.app.state)
    plan = await services.store.read(plan_pulling, _ticked(form))
    return Asked(
        plan,
        lambda study: ask_for_study(services.queue, study.location.name, study.study_key, **who(request)),
    )


async def _waiving(request: AnyRequest, form: Form) -> Asked:
    """Accepts what a rule found in studies, until a day."""
    services = services_of(request.app.state)
    insist_on_seeing_findings(request)
    now, typed = services.clock(), WaiverForm.read(form)
    plan, rules = await services.store.read(plan_waiving, _ticked(form), typed.rule, now=now)
    return Asked(
        plan,
        lambda study: give(services, study, typed, now=now, **who(request)),
        typed.wrong(rules, now) if _is_sure(form) else {},
        {"rules": rules, "earliest": now + timedelta(days=1)},
    )


async def _owning(request: AnyRequest, form: Form) -> Asked:
    """Says who sees to studies."""
    services = services_of(request.app.state)
    plan = await services.store.read(plan_owning, _ticked(form))
    owner, wrong = await owner_typed(request, form) if _is_sure(form) else ("", "")
    return Asked(
        plan,
        lambda study: services.review.own(study.location, study.study_key, owner, **who(request)),
        {"who": wrong} if wrong else {},
        {"me": who(request)["actor"], "names": await services.store.read(owner_choices)},
    )


REJUDGE: Final = Act(
    "rejudge",
    "Judge again…",
    "{} studies are being judged again",
    "1 study is being judged again",
    _rejudging,
)
PULL: Final = Act(
    "pull", "Pull again…", "{} studies are asked for again", "1 study is asked for again", _pulling
)
WAIVE: Final = Act(
    "waive", "Waive…", "Waivers were given for {} studies", "Waivers were given for 1 study", _waiving
)
OWN: Final = Act(
    "own", "Owner…", "The owner of {} studies was changed", "The owner of 1 study was changed", _owning
)
ACTS: Final = (OWN, REJUDGE, PULL, WAIVE)


_TOLD_OF_ONE: Final[Mapping[str, str]] = {
    REJUDGE.path: "It is being judged again. Load this page again to see its new verdict.",
    PULL.path: "Its archive is asked for it again. It is judged once it is there and quiet.",
}


def acts_for(principal: Principal | None) -> tuple[Act, ...]:
    """What somebody may do."""
    return tuple(act for act in ACTS if refusal(principal, "POST", f"/ticked/{act.path}") is None)


def acts_on(principal: Principal | None, study: Study) -> tuple[Act, ...]:
    """What somebody may do with one study, from its page."""
    possible = {"rejudge"} | ({"pull"} if study.location.kind == "archive" and study.study_uid else set())
    is_there = study.readiness is not None and study.state != "WITHDRAWN"
    return tuple(act for act in acts_for(principal) if is_there and act.path in possible)


def tick(study: Study) -> str:
    """A study as the value of its tick."""
    return f"{quote(str(study.location), safe=':')}/{quote(study.study_key, safe='')}"


def told(query: Mapping[str, str]) -> str:
    """What the list says of what was done; empty where nothing was."""
    act = next((act for act in ACTS if act.path == query.get("done")), None)
    done, left = number(query, "studies"), number(query, "left")
    if act is None or done is None:
        return ""
    said = act.told_one if done == 1 else act.told.format(f"{done:,}")
    rest = f"; {left:,} of those that were ticked stay as they are" if left else ""
    return f"{said}{rest}. The list follows as it happens."


def told_of_one(query: Mapping[str, str]) -> str:
    """What the page of one study says of what was done with it."""
    if query.get("done") not in _TOLD_OF_ONE:
        return ""
    return (
        _TOLD_OF_ONE[query["done"]] if number(query, "studies") else "Nothing was done: it changed meanwhile."
    )


def _routes(act: Act) -> tuple[HTTPRouteHandler, ...]:
    """The routes of an act: what is ticked is kept, the question asked, the act done."""

    @route(f"/ticked/{act.path}", http_method=_POST)
    async def begin(request: AnyRequest) -> Redirect:
        insist_on_our_page(request)
        form = await typed_in(request)
        _ticked(form)  # what is no list of ours is refused now
        return went_to(f"{act.path}/{keep_form(request, form)}")

    @route(f"/ticked/{act.path}/{{id:str}}", http_method=_GET)
    async def ask(request: AnyRequest, id: FromPath[str]) -> Response[str]:
        form = kept_form(request, id)
        asked = await act.asks(request, form)
        shows(request.scope, [study.study_key for study in asked.plan.does])
        return page(
            request,
            "ticked.html",
            headers=FORM_HEADERS,
            act=act,
            plan=asked.plan,
            back=_back(form),
            is_of_one=_is_of_one(form),
            typed={"rule": "", "expires": "", REASON: "", **form},
            wrong=asked.wrong,
            **asked.more,
        )

    @route(f"/ticked/{act.path}/{{id:str}}", http_method=_POST)
    async def do(request: AnyRequest, id: FromPath[str]) -> Redirect:
        insist_on_our_page(request)
        form = {**kept_form(request, id), **await typed_in(request)}
        asked = await act.asks(request, form)
        if asked.wrong or not asked.plan.does or not _is_sure(form):
            return went_to(keep_form(request, form))
        return await _each(asked, act, form)

    return begin, ask, do


TICKED: Final = tuple(handler for act in ACTS for handler in _routes(act))
"""The routes."""


def _is_sure(form: Form) -> bool:
    return bool(form.get(_SURE))


def _is_of_one(form: Form) -> bool:
    return _OF_ONE in form and len(_ticked(form)) == 1


async def _each(asked: Asked, act: Act, form: Form) -> Redirect:
    """Does it to each; one to which it cannot be done any more does not keep the others from it."""
    done, left = 0, len(asked.plan.leaves)
    for study in asked.plan.does:
        try:
            await asked.do(study)
            done += 1
        except (NotFoundError, ConflictError, UsageError):
            left += 1
    back = _back(form)
    separator = "&" if "?" in back else "?"
    return went_to(f"{back}{separator}done={act.path}&studies={done}&left={left}")


def _back(form: Form) -> str:
    """The list that somebody comes from, by its filters alone, or the page of the one study.

    No address is taken from a form. It is seen from that of the question.
    """
    if _is_of_one(form):
        ((location, study_key),) = _ticked(form)
        return f"../../studies/{segment(study_key)}?{urlencode({'location': str(location)})}"
    filter = Filter.read(dict(parse_qsl(form.get("back", "").removeprefix("?"))))
    return f"../../{filter.address(page=filter.page).removeprefix('./')}"


def _ticked(typed: Mapping[str, str]) -> tuple[tuple[Location, str], ...]:
    """The studies that are ticked, each once.

    Raises:
        UsageError: That is no list of ours.
    """
    found = dict.fromkeys(value for name, value in typed.items() if name.startswith(_TICK))
    if len(found) > MOST:
        raise UsageError(f"{MOST} studies at a time are the most.")
    try:
        parts = [value.partition("/") for value in found]
        return tuple((Location.parse(unquote(at)), unquote(key)) for at, _, key in parts)
    except msgspec.ValidationError as wrong:
        raise UsageError("What is ticked is no study of the list.") from wrong
