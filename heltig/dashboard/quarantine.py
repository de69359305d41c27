"""The pages of quarantine: what gates keep back, why, and what a person decides about it."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.asking import REASON, Question, ask, went
from heltig.dashboard.filters import number
from heltig.dashboard.own_forms import AnyRequest, insist_on_our_page, principal_of, typed_in, who
from heltig.dashboard.pages import page
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.pipeline.gate.quarantine import MOST_REASON, Decided, InQuarantine

A_PAGE: Final = 50

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_MOST_ID: Final = 2**31

_TOLD: Final[Mapping[str, str]] = {
    "released": "Released. It is being forwarded to its archive; a job does it.",
    "discarded": "Thrown away, for good.",
}


def may_decide(request: AnyRequest) -> bool:
    """Whether whoever asks may decide about what is kept back."""
    return refusal(principal_of(request), "POST", "/quarantine/{id}/release") is None


@route("/quarantine", http_method=_GET)
async def show_quarantine(request: AnyRequest) -> Response[str]:
    """The studies that wait for a person, those that wait longest first."""
    services = services_of(request.app.state)
    query = request.query_params
    gate = query.get("gate", "").replace("\0", "")[:128]
    place = max(number(query, "page") or 1, 1)
    found = await services.quarantine.waiting(
        gate=gate or None, limit=A_PAGE + 1, offset=(place - 1) * A_PAGE
    )
    of_gate = {"gate": gate} if gate else {}
    return page(
        request,
        "quarantine.html",
        now=services.clock(),
        found=found[:A_PAGE],
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
    found = await _found(request, id)
    return page(
        request,
        "quarantined.html",
        now=services.clock(),
        study=found.study,
        objects=found.objects[:200],
        left_out=max(0, len(found.objects) - 200),
        waiting=sum(one.state == "quarantined" for one in found.objects),
        size=sum(one.size for one in found.objects if one.state == "quarantined"),
        may_decide=may_decide(request),
    )


@route("/quarantine/{id:int}/release", http_method=_GET)
async def ask_release(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether a study is to go on although it was kept back."""
    return ask(request, _question(await _found(request, id), "release"))


@route("/quarantine/{id:int}/release", http_method=_POST)
async def release(request: AnyRequest, id: FromPath[int]) -> Response[Any]:
    """Has it forwarded."""
    return await _decide(request, id, "release")


@route("/quarantine/{id:int}/discard", http_method=_GET)
async def ask_discard(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether what was kept is to be thrown away."""
    return ask(request, _question(await _found(request, id), "discard"))


@route("/quarantine/{id:int}/discard", http_method=_POST)
async def discard(request: AnyRequest, id: FromPath[int]) -> Response[Any]:
    """Throws it away."""
    return await _decide(request, id, "discard")


QUARANTINE: Final = (show_quarantine, show_quarantined, ask_release, release, ask_discard, discard)
"""The routes."""


async def _decide(request: AnyRequest, id: int, decided: Decided) -> Response[Any]:
    services = insist_on_our_page(request)
    reason = (await typed_in(request)).get(REASON, "")
    desk = services.quarantine
    act = desk.release if decided == "release" else desk.discard
    try:
        await act(_known(id), reason=reason, **who(request))
    except (UsageError, ConflictError) as wrong:
        question = _question(await _found(request, id), decided)
        said = "Say why, please." if isinstance(wrong, UsageError) and not reason else wrong.detail
        return ask(request, question, wrong=said, typed=reason)
    return went("../../quarantine", "released" if decided == "release" else "discarded")


def _question(found: InQuarantine, decided: Decided) -> Question:
    study = found.study
    waiting = sum(one.state == "quarantined" for one in found.objects)
    objects = "1 object" if waiting == 1 else f"{waiting:,} objects"
    about = f"{study.study_key}, kept back by gate {study.location.name}: {study.reason}"
    if decided == "release":
        return Question(
            here="quarantine",
            title="Release this study?",
            about=about,
            happens=(
                f"Its {objects} are forwarded to archive `{study.location.name}`, as they came.",
                "Its verdict stays as it is: a release is your decision, not a better verdict.",
            ),
            button="Release",
            back=f"../{study.id}",
            wants_reason=True,
            most_reason=MOST_REASON,
        )
    return Question(
        here="quarantine",
        title="Throw this study away?",
        about=about,
        happens=(
            f"Its {objects} are removed from the spool. The sender believes that they are stored, and nobody "
            "else may have them.",
            "That cannot be undone.",
        ),
        button="Throw away for good",
        back=f"../{study.id}",
        is_final=True,
        wants_reason=True,
        most_reason=MOST_REASON,
    )


async def _found(request: AnyRequest, id: int) -> InQuarantine:
    return await services_of(request.app.state).quarantine.show(_known(id))


def _known(id: int) -> int:
    if not 0 < id < _MOST_ID:
        raise NotFoundError("No study of this id is in quarantine.")
    return id
