"""The pages of quarantine: what gates keep back, and why."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.looks import shows
from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.filters import insist_on_names, number, text
from heltig.dashboard.own_forms import AnyRequest, principal_of, who
from heltig.dashboard.pages import page
from heltig.dashboard.visibility import sight_of
from heltig.errors import NotFoundError
from heltig.pipeline.gate.asking import NAMES
from heltig.pipeline.gate.quarantine import InQuarantine
from heltig.pipeline.identifiers.sights import Sight
from heltig.reports.reasons import more
from heltig.store import studies, verdicts
from heltig.store.records import Location, Study
from heltig.store.transaction import ReadTransaction

A_PAGE: Final = 50

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_MOST_ID: Final = 2**31
_OBJECTS: Final = 200  # of a study, on its page

_TOLD: Final[Mapping[str, str]] = {
    "released": "Released. It is being forwarded to its archive; a job does it.",
    "discarded": "Thrown away, for good.",
    "asked": "Asked. Nothing is done before a second person consents.",
    "declined": "Nothing is done: what was asked is not asked any more.",
}


def may_decide(request: AnyRequest) -> bool:
    """Whether whoever asks may decide about what is kept back."""
    return refusal(principal_of(request), "POST", "/quarantine/{id}/release") is None


@route("/quarantine", http_method=_GET)
async def show_quarantine(request: AnyRequest) -> Response[str]:
    """The studies that wait for a person, those that wait longest first."""
    services = services_of(request.app.state)
    query = request.query_params
    insist_on_names(query, "gate", "page", "done")
    gate = text(query, "gate")
    place = max(number(query, "page") or 1, 1)
    found = await services.quarantine.waiting(
        gate=gate or None, limit=A_PAGE + 1, offset=(place - 1) * A_PAGE
    )
    asked = await services.quarantine.asked([one.study for one in found[:A_PAGE]])
    of_gate = {"gate": gate} if gate else {}
    return page(
        request,
        "quarantine.html",
        now=services.clock(),
        found=found[:A_PAGE],
        about=await _about(request, [(one.study.location, one.study.study_key) for one in found[:A_PAGE]]),
        patients=sight_of(principal_of(request), services.sights).identifiers,
        me=who(request)["actor"],
        asked=asked,
        gate=gate,
        newer="quarantine" + (f"?{urlencode(of_gate)}" if gate else "") if place > 1 else "",
        older=f"?{urlencode({**of_gate, 'page': place + 1})}" if len(found) > A_PAGE else "",
        may_decide=may_decide(request),
        done=_TOLD.get(query.get("done", ""), ""),
    )


@route("/quarantine/{id:int}", http_method=_GET)
async def show_quarantined(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """One of them with its objects."""
    services = services_of(request.app.state)
    sight = sight_of(principal_of(request), services.sights)
    found = await found_in_quarantine(request, id)
    place = found.study.location, found.study.study_key
    return page(
        request,
        "quarantined.html",
        now=services.clock(),
        study=found.study,
        readiness=found.readiness,
        about=(await _about(request, [place])).get(place),
        patients=sight.identifiers,
        asked=found.asked,
        answered=found.answered,
        becomes=NAMES,
        is_mine=found.asked is not None and found.asked.asked_by == who(request)["actor"],
        reads=sight.searches,
        wants_two=found.wants_two,
        done=_TOLD.get(request.query_params.get("done", ""), ""),
        objects=found.objects[:_OBJECTS],
        left_out=max(0, len(found.objects) - _OBJECTS),
        waiting=sum(one.state == "quarantined" for one in found.objects),
        size=sum(one.size for one in found.objects if one.state == "quarantined"),
        may_decide=may_decide(request),
    )


QUARANTINE: Final = (show_quarantine, show_quarantined)
"""The routes of the pages; what is decided has its own."""


class Known(msgspec.Struct, frozen=True):
    """What is known of a study that is kept back.

    Attributes:
        study: The study.
        why: Its worst finding, with the number of others; empty without any.
        rule: The rule behind it.
    """

    study: Study
    why: str = ""
    rule: str = ""


async def _about(
    request: AnyRequest, kept: Sequence[tuple[Location, str]]
) -> dict[tuple[Location, str], Known]:
    """What is known of studies that are kept back, as whoever asks may see it."""
    services = services_of(request.app.state)
    sight = sight_of(principal_of(request), services.sights)
    known = await services.store.read(_known_of, kept, sight)
    shows(request.scope, [one.study.study_key for one in known])
    return {(one.study.location, one.study.study_key): one for one in known}


def _known_of(
    transaction: ReadTransaction, kept: Sequence[tuple[Location, str]], sight: Sight
) -> list[Known]:
    worst = verdicts.worst_findings(transaction, [study_key for _, study_key in kept])
    known = []
    for place in kept:
        study = studies.find(transaction, *place)
        if study is None:
            continue
        finding = worst.get(place)
        if finding is None:
            known.append(Known(sight.study(study)))
            continue
        others = study.blocks + study.reviews + study.notes - 1
        why = more(sight.finding(finding).message, others)
        known.append(Known(sight.study(study), why, finding.rule))
    return known


async def why_kept(request: AnyRequest, found: InQuarantine) -> str:
    """Why a gate keeps a study back, with its worst finding."""
    place = found.study.location, found.study.study_key
    known = (await _about(request, [place])).get(place)
    return (
        f"{found.study.reason} {known.why.removesuffix('.')}." if known and known.why else found.study.reason
    )


async def found_in_quarantine(request: AnyRequest, id: int) -> InQuarantine:
    """A study in quarantine.

    Raises:
        NotFoundError: No study of this id is.
    """
    return await services_of(request.app.state).quarantine.show(known_id(id))


def known_id(id: int) -> int:
    """An id as the store can have it.

    Raises:
        NotFoundError: It is none.
    """
    if not 0 < id < _MOST_ID:
        raise NotFoundError("No study of this id is in quarantine.")
    return id
