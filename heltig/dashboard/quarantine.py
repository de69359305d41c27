"""The pages of quarantine: what gates keep back, why, and what a person decides about it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from msgspec import structs

from heltig.api.looks import shows
from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.asking import REASON, Question, ask, ask_again, went
from heltig.dashboard.filters import number
from heltig.dashboard.own_forms import AnyRequest, insist_on_our_page, principal_of, typed_in, who
from heltig.dashboard.pages import page
from heltig.dashboard.visibility import sight_of
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.pipeline.gate.asking import NAMES, insist_on_another
from heltig.pipeline.gate.quarantine import MOST_REASON, InQuarantine, Outcome
from heltig.pipeline.identifiers.sights import Sight
from heltig.reports.reasons import more
from heltig.store import studies, verdicts
from heltig.store.consents import Act, Consent
from heltig.store.records import Location, Study
from heltig.store.transaction import ReadTransaction

A_PAGE: Final = 50

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_MOST_ID: Final = 2**31

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
    gate = query.get("gate", "").replace("\0", "")[:128]
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
    found = await _found(request, id)
    return page(
        request,
        "quarantined.html",
        now=services.clock(),
        study=found.study,
        readiness=found.readiness,
        about=(await _about(request, [(found.study.location, found.study.study_key)])).get(
            (found.study.location, found.study.study_key)
        ),
        patients=sight_of(principal_of(request), services.sights).identifiers,
        asked=found.asked,
        answered=found.answered,
        becomes=NAMES,
        is_mine=found.asked is not None and found.asked.asked_by == who(request)["actor"],
        reads=sight_of(principal_of(request), services.sights).searches,
        wants_two=found.wants_two,
        done=_TOLD.get(request.query_params.get("done", ""), ""),
        objects=found.objects[:200],
        left_out=max(0, len(found.objects) - 200),
        waiting=sum(one.state == "quarantined" for one in found.objects),
        size=sum(one.size for one in found.objects if one.state == "quarantined"),
        may_decide=may_decide(request),
    )


@route("/quarantine/{id:int}/release", http_method=_GET)
async def ask_release(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether a study is to go on although it was kept back."""
    found = await _found(request, id)
    return ask(request, _question(found, "release", why=await _why(request, found)))


@route("/quarantine/{id:int}/release", http_method=_POST)
async def release(request: AnyRequest, id: FromPath[int]) -> Response[Any]:
    """Has it forwarded."""
    return await _decide(request, id, "release")


@route("/quarantine/{id:int}/discard", http_method=_GET)
async def ask_discard(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether what was kept is to be thrown away."""
    found = await _found(request, id)
    return ask(request, _question(found, "discard", why=await _why(request, found)))


@route("/quarantine/{id:int}/discard", http_method=_POST)
async def discard(request: AnyRequest, id: FromPath[int]) -> Response[Any]:
    """Throws it away."""
    return await _decide(request, id, "discard")


@route("/quarantine/{id:int}/consent", http_method=_GET)
async def ask_consent(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks a second person whether that is to be done which another one asked for."""
    found = await _found(request, id)
    asked = _asked(request, found)
    store = services_of(request.app.state).store
    await store.read(insist_on_another, asked, who(request)["actor"])  # no question promises what is refused
    return ask(request, _consent_question(request, found, asked, why=await _why(request, found)))


@route("/quarantine/{id:int}/consent", http_method=_POST)
async def consent(request: AnyRequest, id: FromPath[int]) -> Response[Any]:
    """Does it."""
    services = insist_on_our_page(request)
    reason = (await typed_in(request)).get(REASON, "")
    number_of = number(request.query_params, "request") or 0
    try:
        outcome = await services.quarantine.consent(_known(id), number_of, reason=reason, **who(request))
    except (UsageError, ConflictError) as wrong:
        _asked(request, await _found(request, id))  # no question goes on about what is not asked any more
        return ask_again(request, reason, wrong=_said(wrong, reason))
    return went("../../quarantine", "released" if outcome.job is not None else "discarded")


@route("/quarantine/{id:int}/decline", http_method=_GET)
async def ask_decline(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether what another person asked for is declined, or one's own request is taken back."""
    found = await _found(request, id)
    return ask(request, _decline_question(request, found, _asked(request, found)))


@route("/quarantine/{id:int}/decline", http_method=_POST)
async def decline(request: AnyRequest, id: FromPath[int]) -> Response[Any]:
    """Declines it."""
    services = insist_on_our_page(request)
    reason = (await typed_in(request)).get(REASON, "")
    number_of = number(request.query_params, "request") or 0
    try:
        await services.quarantine.decline(_known(id), number_of, reason=reason, **who(request))
    except (UsageError, ConflictError) as wrong:
        _asked(request, await _found(request, id))
        return ask_again(request, reason, wrong=_said(wrong, reason))
    return went(f"../{id}", "declined")


QUARANTINE: Final = (
    show_quarantine,
    show_quarantined,
    ask_release,
    release,
    ask_discard,
    discard,
    ask_consent,
    consent,
    ask_decline,
    decline,
)
"""The routes."""


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


async def _why(request: AnyRequest, found: InQuarantine) -> str:
    """Why a gate keeps a study back, with its worst finding."""
    place = found.study.location, found.study.study_key
    known = (await _about(request, [place])).get(place)
    return f"{found.study.reason} {known.why}." if known and known.why else found.study.reason


async def _decide(request: AnyRequest, id: int, act: Act) -> Response[Any]:
    services = insist_on_our_page(request)
    reason = (await typed_in(request)).get(REASON, "")
    desk = services.quarantine
    does = desk.release if act == "release" else desk.discard
    try:
        outcome: Outcome = await does(_known(id), reason=reason, **who(request))
    except (UsageError, ConflictError) as wrong:
        await _found(request, id)
        return ask_again(request, reason, wrong=_said(wrong, reason))
    if outcome.asked is not None:
        return went(f"../{id}", "asked")
    return went("../../quarantine", "released" if act == "release" else "discarded")


def _said(wrong: UsageError | ConflictError, reason: str) -> str:
    return "Say why, please." if isinstance(wrong, UsageError) and not reason else wrong.detail


def _asked(request: AnyRequest, found: InQuarantine) -> Consent:
    """What is asked, if it is what the address names.

    Raises:
        ConflictError: It is not asked any more.
    """
    if found.asked is None or found.asked.id != number(request.query_params, "request"):
        raise ConflictError("This is not asked any more: look at the study anew.")
    return found.asked


def _consent_question(request: AnyRequest, found: InQuarantine, asked: Consent, *, why: str) -> Question:
    question = _question(found, asked.act, why=why, alone=True)
    verb = "release this study" if asked.act == "release" else "throw this study away"
    return structs.replace(
        question,
        title=f"Consent, and {verb}?",
        about=f"{question.about} {_who_asks(request, asked)}",
        happens=(*question.happens, "It is done at once: you are the second of the two who agree."),
        button="Consent and release" if asked.act == "release" else "Consent and throw away",
        back=f"../{found.study.id}",
    )


def _decline_question(request: AnyRequest, found: InQuarantine, asked: Consent) -> Question:
    is_mine = asked.asked_by == who(request)["actor"]
    return Question(
        here="quarantine",
        title="Take your request back?" if is_mine else "Decline this request?",
        about=f"{found.study.study_key}. {_who_asks(request, asked)}",
        happens=("The study stays in quarantine. Somebody may ask anew.",),
        button="Take it back" if is_mine else "Decline",
        back=f"../{found.study.id}",
        wants_reason=True,
        most_reason=MOST_REASON,
    )


def _who_asks(request: AnyRequest, asked: Consent) -> str:
    sight = sight_of(principal_of(request), services_of(request.app.state).sights)
    why = f": {asked.reason}" if sight.searches else "."
    return f"{asked.asked_by} asks that it be {NAMES[asked.act]}{why}"


def _question(found: InQuarantine, decided: Act, *, why: str, alone: bool = False) -> Question:
    study = found.study
    waiting = sum(one.state == "quarantined" for one in found.objects)
    objects = "1 object" if waiting == 1 else f"{waiting:,} objects"
    is_blocked = found.readiness == "BLOCKED"
    about = f"{study.study_key}, kept back by gate {study.location.name}: {why}"
    if not alone and decided in found.wants_two:
        return _asks_first(_question(found, decided, why=why, alone=True))
    if decided == "release":
        return Question(
            here="quarantine",
            title="Release this study, which is BLOCKED?" if is_blocked else "Release this study?",
            about=about,
            happens=(
                f"Its {objects} are forwarded to archive `{study.location.name}`, as they came.",
                "Its verdict stays as it is: a release is your decision, not a better verdict.",
            ),
            button="Release although it is BLOCKED" if is_blocked else "Release",
            is_final=is_blocked,
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


def _asks_first(question: Question) -> Question:
    """The same where a second person has to consent: nothing happens yet."""
    then = tuple(f"Then: {sentence}" for sentence in question.happens)
    return structs.replace(
        question,
        title=f"{question.title.removesuffix('?')}, with a second person?",
        happens=(
            "Nothing is done yet: the profile wants that a second person consents. They have three days.",
            "Where more of the study comes meanwhile, it has to be asked anew.",
            *then,
        ),
        button="Ask for consent",
        is_final=False,
    )


async def _found(request: AnyRequest, id: int) -> InQuarantine:
    return await services_of(request.app.state).quarantine.show(_known(id))


def _known(id: int) -> int:
    if not 0 < id < _MOST_ID:
        raise NotFoundError("No study of this id is in quarantine.")
    return id
