"""The page of waivers: which are in force, which are past, why and by whom; and how one is revoked."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.looks import shows
from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.asking import Question, ask, went
from heltig.dashboard.filters import insist_on_names, number, one_of, text
from heltig.dashboard.own_forms import AnyRequest, insist_on_our_page, principal_of, who
from heltig.dashboard.pages import page
from heltig.dashboard.visibility import sight_of
from heltig.errors import ConflictError, NotFoundError
from heltig.store import waivers
from heltig.store.waivers import GivenWaiver, WaiverState

A_PAGE: Final = 50

STATES: Final[Mapping[WaiverState, str]] = {
    "in-force": "In force",
    "expired": "Expired",
    "revoked": "Revoked",
}

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_MOST_ID: Final = 2**31
_TOLD: Final = {"revoked": "Revoked. The studies that rely on it are being judged again."}


@route("/waivers", http_method=_GET)
async def show_waivers(request: AnyRequest) -> Response[str]:
    """The waivers of a state, the newest first."""
    services, query = services_of(request.app.state), request.query_params
    now, sight = services.clock(), sight_of(principal_of(request), services.sights)
    insist_on_names(query, "state", "rule", "study", "page", "done")
    state = one_of(query, "state", STATES, otherwise="in-force")
    wanted = {name: text(query, name) for name in ("rule", "study")}
    place = max(number(query, "page") or 1, 1)
    found = await services.store.read(
        waivers.newest,
        now=now,
        state=state,
        rule=wanted["rule"].upper() or None,
        study_key=wanted["study"] or None,
        limit=A_PAGE + 1,
        offset=(place - 1) * A_PAGE,
    )
    shows(request.scope, [one.study_key for one in found[:A_PAGE] if one.study_key])

    def address(**changes: object) -> str:
        given = {"state": state, **wanted, **changes}
        kept = {
            name: value for name, value in given.items() if value and (name, value) != ("state", "in-force")
        }
        return f"?{urlencode(kept)}" if kept else "waivers"

    return page(
        request,
        "waivers.html",
        now=now,
        waivers=[sight.waiver(one) for one in found[:A_PAGE]],
        state=state,
        states=STATES,
        wanted=wanted,
        address=address,
        newer=address() if place > 1 else "",
        older=address(page=place + 1) if len(found) > A_PAGE else "",
        may_revoke=may_revoke(request),
        done=_TOLD.get(query.get("done", ""), ""),
    )


@route("/waivers/{id:int}/revoke", http_method=_GET)
async def ask_revoke(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether a waiver is to end."""
    services = services_of(request.app.state)
    waiver = await services.store.read(waivers.get, _known(id))
    shows(request.scope, [waiver.study_key] if waiver.study_key else [])
    if waiver.state(services.clock()) != "in-force":
        raise ConflictError("This waiver is not in force any more, so there is nothing to revoke.")
    return ask(request, _question(sight_of(principal_of(request), services.sights).waiver(waiver)))


@route("/waivers/{id:int}/revoke", http_method=_POST)
async def revoke(request: AnyRequest, id: FromPath[int]) -> Response[Any]:
    """Ends it."""
    services, by = insist_on_our_page(request), who(request)
    await services.waivers.revoke(_known(id), by=by["actor"], origin=by["origin"])
    return went("../../waivers", "revoked")


WAIVERS: Final = (show_waivers, ask_revoke, revoke)
"""The routes."""


def may_revoke(request: AnyRequest) -> bool:
    """Whether whoever asks may give and revoke waivers."""
    return refusal(principal_of(request), "POST", "/waivers/{id}/revoke") is None


def covers(waiver: GivenWaiver) -> str:
    """What a waiver covers, in words."""
    at = "" if waiver.location is None else f" at {waiver.location}"
    if waiver.study_key is None:
        return f"every study{at}"
    of = f"series {waiver.series_key} of " if waiver.series_key else ""
    return f"{of}study {waiver.study_key}{at or ', wherever it is'}"


def _question(waiver: GivenWaiver) -> Question:
    return Question(
        here="waivers",
        title=f"Revoke the waiver of {waiver.rule}?",
        about=f"For {covers(waiver)}, given by {waiver.author}: {waiver.reason}",
        happens=(
            "It covers nothing from now on. The studies that rely on it are PENDING until they are judged "
            "again, and may be worse then.",
            "It stays in the list of revoked waivers, with your name. To have it back, give another one.",
        ),
        button="Revoke",
        back="../../waivers",
        is_final=True,
    )


def _known(id: int) -> int:
    if not 0 < id < _MOST_ID:
        raise NotFoundError("There is no waiver of this id.")
    return id
