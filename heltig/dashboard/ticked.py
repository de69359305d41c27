"""What is done with the studies that are ticked in the list: asked once, then done to each that it fits."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

import msgspec
from litestar import HttpMethod, Response, route
from litestar.response import Redirect

from heltig.auth.policy import refusal
from heltig.auth.principal import Principal
from heltig.dashboard.filters import Filter, number
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
    who,
)
from heltig.dashboard.pages import page
from heltig.dashboard.review import owner_choices, owner_typed
from heltig.dashboard.ticked_plans import Plan, plan_owning, plan_pulling, plan_rejudging
from heltig.dashboard.ticked_waivers import REASON, WaiverForm, give, plan_waiving
from heltig.dashboard.visibility import sight_of
from heltig.errors import AuthorisationError, ConflictError, NotFoundError, UsageError
from heltig.pipeline.pull.asked import ask_for_study
from heltig.store.outdated import Selection
from heltig.store.records import Location, Study

MOST: Final = 50
"""Studies at a time: those of a page of the list."""

_POST: Final = [HttpMethod.POST]
_TICK: Final = "tick-"
_SURE: Final = "sure"


class Act(msgspec.Struct, frozen=True):
    """What can be done.

    Attributes:
        path: The last part of its address.
        button: What the button in the list says.
        told: What is said once it is done, of some studies; of one in `told_one`.
    """

    path: str
    button: str
    told: str
    told_one: str


REJUDGE: Final = Act(
    "rejudge", "Judge again…", "{} studies are being judged again", "1 study is being judged again"
)
PULL: Final = Act("pull", "Pull again…", "{} studies are asked for again", "1 study is asked for again")
WAIVE: Final = Act("waive", "Waive…", "Waivers were given for {} studies", "Waivers were given for 1 study")
OWN: Final = Act("own", "Owner…", "The owner of {} studies was changed", "The owner of 1 study was changed")
ACTS: Final = (OWN, REJUDGE, PULL, WAIVE)


def acts_for(principal: Principal | None) -> tuple[Act, ...]:
    """What somebody may do."""
    return tuple(act for act in ACTS if refusal(principal, "POST", f"/ticked/{act.path}") is None)


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


@route("/ticked/rejudge", http_method=_POST)
async def rejudge(request: AnyRequest) -> Response[Any]:
    """Has studies judged again by what is stored of them."""
    services, typed = insist_on_our_page(request), await typed_in(request)
    plan = await services.store.read(plan_rejudging, _ticked(typed))
    if not _is_sure(typed, plan):
        return _ask(request, REJUDGE, plan, typed)
    return await _each(
        plan,
        REJUDGE,
        typed,
        lambda study: services.rescoring.start(
            Selection(location=study.location, study_key=study.study_key),
            dry_run=False,
            sight=sight_of(principal_of(request), services.sights),
            **who(request),
        ),
    )


@route("/ticked/pull", http_method=_POST)
async def pull(request: AnyRequest) -> Response[Any]:
    """Has studies pulled from their archives anew."""
    services, typed = insist_on_our_page(request), await typed_in(request)
    plan = await services.store.read(plan_pulling, _ticked(typed))
    if not _is_sure(typed, plan):
        return _ask(request, PULL, plan, typed)
    return await _each(
        plan,
        PULL,
        typed,
        lambda study: ask_for_study(services.queue, study.location.name, study.study_key, **who(request)),
    )


@route("/ticked/waive", http_method=_POST)
async def waive(request: AnyRequest) -> Response[Any]:
    """Accepts what a rule found in studies, until a day."""
    services, typed = insist_on_our_page(request), await typed_in(request)
    if not sight_of(principal_of(request), services.sights).identifiers:
        raise AuthorisationError(
            "You do not see what was observed (HELTIG_IDENTIFIERS), so you cannot accept it for others."
        )
    now, form = services.clock(), WaiverForm.read(typed)
    plan, rules = await services.store.read(plan_waiving, _ticked(typed), form.rule, now=now)
    wrong = form.wrong(rules, now) if _is_sure(typed, plan) else {}
    if wrong or not _is_sure(typed, plan):
        return _ask(request, WAIVE, plan, typed, wrong=wrong, rules=rules, earliest=now + timedelta(days=1))
    return await _each(plan, WAIVE, typed, lambda study: give(services, study, form, now=now, **who(request)))


@route("/ticked/own", http_method=_POST)
async def own(request: AnyRequest) -> Response[Any]:
    """Says who sees to studies."""
    services, typed = insist_on_our_page(request), await typed_in(request)
    plan = await services.store.read(plan_owning, _ticked(typed))
    owner, wrong = await owner_typed(request, typed) if _is_sure(typed, plan) else ("", "")
    if wrong or not _is_sure(typed, plan):
        names = await services.store.read(owner_choices)
        me = who(request)["actor"]
        return _ask(request, OWN, plan, typed, wrong={"who": wrong} if wrong else {}, me=me, names=names)
    return await _each(
        plan,
        OWN,
        typed,
        lambda study: services.review.own(study.location, study.study_key, owner, **who(request)),
    )


TICKED: Final = (own, rejudge, pull, waive)
"""The routes."""


def _is_sure(typed: Mapping[str, str], plan: Plan) -> bool:
    return bool(typed.get(_SURE) and plan.does)


def _ask(
    request: AnyRequest,
    act: Act,
    plan: Plan,
    typed: Mapping[str, str],
    *,
    wrong: Mapping[str, str] | None = None,
    **more: object,
) -> Response[str]:
    return page(
        request,
        "ticked.html",
        status=400 if wrong else 200,
        headers=FORM_HEADERS,
        act=act,
        plan=plan,
        ticks={name: value for name, value in typed.items() if name.startswith(_TICK)},
        back=_back(typed),
        typed={"rule": "", "expires": "", REASON: "", **typed},
        wrong=wrong or {},
        **more,
    )


async def _each(plan: Plan, act: Act, typed: Mapping[str, str], do: Callable[[Study], Any]) -> Redirect:
    """Does it to each; one to which it cannot be done any more does not keep the others from it."""
    done, left = 0, len(plan.leaves)
    for study in plan.does:
        try:
            await do(study)
            done += 1
        except (NotFoundError, ConflictError, UsageError):
            left += 1
    back = _back(typed)
    separator = "&" if "?" in back else "?"
    return Redirect(
        f"../{back.removeprefix('./')}{separator}done={act.path}&studies={done}&left={left}",
        status_code=303,
        headers=dict(FORM_HEADERS),
    )


def _back(typed: Mapping[str, str]) -> str:
    """The list that somebody comes from, by its filters alone: no address is taken from a form."""
    filter = Filter.read(dict(parse_qsl(typed.get("back", "").removeprefix("?"))))
    return filter.address(page=filter.page)


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
