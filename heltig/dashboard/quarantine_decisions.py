"""What people decide about what gates keep back: each asked once, and done by one person or by two."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import structs

from heltig.api.services import services_of
from heltig.dashboard.asking import REASON, Question, ask, ask_again, went
from heltig.dashboard.filters import number
from heltig.dashboard.own_forms import AnyRequest, insist_on_our_page, principal_of, typed_in, who
from heltig.dashboard.quarantine import found_in_quarantine, known_id, why_kept
from heltig.dashboard.visibility import sight_of
from heltig.errors import ConflictError, UsageError
from heltig.pipeline.gate.asking import NAMES, insist_on_another
from heltig.pipeline.gate.quarantine import MOST_REASON, InQuarantine, Outcome
from heltig.store.consents import Act, Consent

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_ASKED: Final = "request"
"""The parameter that names what another person asked for."""


@route("/quarantine/{id:int}/release", http_method=_GET)
async def ask_release(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether a study is to go on although it was kept back."""
    found = await found_in_quarantine(request, id)
    return ask(request, _question(found, "release", why=await why_kept(request, found)))


@route("/quarantine/{id:int}/release", http_method=_POST)
async def release(request: AnyRequest, id: FromPath[int]) -> Redirect:
    """Has it forwarded."""
    services = insist_on_our_page(request)
    return await _decide(request, id, services.quarantine.release, done="released")


@route("/quarantine/{id:int}/discard", http_method=_GET)
async def ask_discard(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether what was kept is to be thrown away."""
    found = await found_in_quarantine(request, id)
    return ask(request, _question(found, "discard", why=await why_kept(request, found)))


@route("/quarantine/{id:int}/discard", http_method=_POST)
async def discard(request: AnyRequest, id: FromPath[int]) -> Redirect:
    """Throws it away."""
    services = insist_on_our_page(request)
    return await _decide(request, id, services.quarantine.discard, done="discarded")


@route("/quarantine/{id:int}/consent", http_method=_GET)
async def ask_consent(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks a second person whether that is to be done which another one asked for."""
    found = await found_in_quarantine(request, id)
    asked = _asked(request, found)
    store = services_of(request.app.state).store
    await store.read(insist_on_another, asked, who(request)["actor"])  # no question promises what is refused
    return ask(request, _consent_question(request, found, asked, why=await why_kept(request, found)))


@route("/quarantine/{id:int}/consent", http_method=_POST)
async def consent(request: AnyRequest, id: FromPath[int]) -> Redirect:
    """Does it."""
    services = insist_on_our_page(request)

    async def agree(reason: str) -> Redirect:
        asked = number(request.query_params, _ASKED) or 0
        outcome = await services.quarantine.consent(known_id(id), asked, reason=reason, **who(request))
        return went("../../quarantine", "released" if outcome.job is not None else "discarded")

    return await _for_a_reason(request, id, agree, still=partial(_asked, request))


@route("/quarantine/{id:int}/decline", http_method=_GET)
async def ask_decline(request: AnyRequest, id: FromPath[int]) -> Response[str]:
    """Asks whether what another person asked for is declined, or one's own request is taken back."""
    found = await found_in_quarantine(request, id)
    return ask(request, _decline_question(request, found, _asked(request, found)))


@route("/quarantine/{id:int}/decline", http_method=_POST)
async def decline(request: AnyRequest, id: FromPath[int]) -> Redirect:
    """Declines it."""
    services = insist_on_our_page(request)

    async def decline_it(reason: str) -> Redirect:
        asked = number(request.query_params, _ASKED) or 0
        await services.quarantine.decline(known_id(id), asked, reason=reason, **who(request))
        return went(f"../{id}", "declined")

    return await _for_a_reason(request, id, decline_it, still=partial(_asked, request))


QUARANTINE_DECISIONS: Final = (
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


async def _decide(
    request: AnyRequest, id: int, decide: Callable[..., Awaitable[Outcome]], *, done: str
) -> Redirect:
    """Does what one person decided, or asks for a second person's consent to it."""

    async def do(reason: str) -> Redirect:
        outcome = await decide(known_id(id), reason=reason, **who(request))
        return went(f"../{id}", "asked") if outcome.asked is not None else went("../../quarantine", done)

    return await _for_a_reason(request, id, do)


async def _for_a_reason(
    request: AnyRequest,
    id: int,
    do: Callable[[str], Awaitable[Redirect]],
    *,
    still: Callable[[InQuarantine], object] = lambda found: None,
) -> Redirect:
    """Does it for the reason that was typed; where that is refused, the question is asked again.

    Args:
        request: The form.
        id: The study.
        do: Does it.
        still: Raises where there is nothing to decide any more: no question goes on about that.
    """
    reason = (await typed_in(request)).get(REASON, "")
    try:
        return await do(reason)
    except (UsageError, ConflictError) as wrong:
        still(await found_in_quarantine(request, id))
        return ask_again(request, reason, wrong=_said(wrong, reason))


def _said(wrong: UsageError | ConflictError, reason: str) -> str:
    return "Say why, please." if isinstance(wrong, UsageError) and not reason else wrong.detail


def _asked(request: AnyRequest, found: InQuarantine) -> Consent:
    """What is asked, if it is what the address names.

    Raises:
        ConflictError: It is not asked any more.
    """
    if found.asked is None or found.asked.id != number(request.query_params, _ASKED):
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
