"""What people make of a study, on its page: its owner, their comments, what is asked about its quarantine."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.front import segment
from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.auth.principal import LOCAL
from heltig.dashboard.asking import Question, ask, went
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
    who,
)
from heltig.dashboard.pages import page, study_of
from heltig.dashboard.pages import segment as address_of
from heltig.dashboard.refused import Refused, refuse, refused
from heltig.dashboard.study import seen_at
from heltig.dashboard.visibility import sight_of
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.pipeline.gate.quarantine import InQuarantine
from heltig.pipeline.review import MOST_COMMENT, may_withdraw, shown
from heltig.store import comments, owners
from heltig.store.comments import Comment
from heltig.store.owners import Owner
from heltig.store.records import Study
from heltig.store.transaction import ReadTransaction

COMMENT: Final = "comment"
"""The field of a new comment."""

OWNER: Final = "who"
"""The field that says who is to see to a study."""

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_MOST_ID: Final = 2**31

_TOLD: Final[Mapping[str, str]] = {
    "commented": "Your comment stands below.",
    "withdrawn": "The comment was withdrawn: its text is gone.",
    "owned": "The owner was changed.",
    "waived": "Waived. The study is being judged again: load this page again to see its new verdict.",
}


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of a study shows of it.

    Attributes:
        owner: Who sees to it at the location that is shown; None where nobody does.
        comments: Those of all locations, each with whether whoever looks may withdraw it.
        hides: Their texts are hidden from whoever looks.
        quarantine: What a gate keeps back of it there; None where nothing is.
        may: They may comment, and say who sees to it.
        told: What was just done.
        refused: A comment that was refused.
        most: Characters of a comment.
    """

    owner: Owner | None
    comments: tuple[tuple[Comment, bool], ...]
    hides: bool
    quarantine: InQuarantine | None
    may: bool
    told: str
    refused: Refused
    most: int = MOST_COMMENT


async def review_of(request: AnyRequest, study: Study) -> Review:
    """What people make of a study."""
    services, principal = services_of(request.app.state), principal_of(request)
    said = await services.store.read(comments.of_study, study.study_key)
    owned = await services.store.read(owners.of, [study.study_key])
    quarantine = None
    if study.location.kind == "gate":
        quarantine = await services.quarantine.asked_about(study.location, study.study_key)
    sight = sight_of(principal, services.sights)
    may = refusal(principal, "POST", "/studies/{study}/comments") is None
    return Review(
        owner=owned.get((str(study.location), study.study_key)),
        comments=tuple((one, may and may_withdraw(one, principal)) for one in shown(said, sight)),
        hides=not sight.searches,
        quarantine=quarantine,
        may=may,
        told=_TOLD.get(request.query_params.get("done", ""), ""),
        refused=refused(request),
    )


@route("/studies/{study:str}/comments", http_method=_POST)
async def add_comment(request: AnyRequest, study: FromPath[str]) -> Response[Any]:
    """Comments on a study."""
    services = insist_on_our_page(request)
    text = (await typed_in(request)).get(COMMENT, "")
    found = await found_study(request, study)
    try:
        await services.review.comment(found.location, found.study_key, text, **who(request))
    except (UsageError, ConflictError) as wrong:
        said = (
            f"Say something, in up to {MOST_COMMENT:,} characters."
            if isinstance(wrong, UsageError)
            else wrong.detail
        )
        return refuse(request, typed={COMMENT: text}, wrong={COMMENT: said}, to=f"{back_to(found)}#{COMMENT}")
    return went(back_to(found), "commented")


@route("/studies/{study:str}/comments/{id:int}/withdraw", http_method=_GET)
async def ask_withdraw(request: AnyRequest, study: FromPath[str], id: FromPath[int]) -> Response[str]:
    """Asks whether a comment is to be withdrawn."""
    found = await found_study(request, study)
    comment = await services_of(request.app.state).store.read(comments.get, found.study_key, _known(id))
    if comment.withdrawn is not None:
        raise ConflictError("This comment was withdrawn already.")
    return ask(request, _withdraw_question(found, comment))


@route("/studies/{study:str}/comments/{id:int}/withdraw", http_method=_POST)
async def withdraw(request: AnyRequest, study: FromPath[str], id: FromPath[int]) -> Response[Any]:
    """Withdraws it."""
    services = insist_on_our_page(request)
    found = await found_study(request, study)
    by = principal_of(request) or LOCAL
    await services.review.withdraw(found.study_key, _known(id), by=by, origin=who(request)["origin"])
    return went(f"../../{back_to(found)}", "withdrawn")


@route("/studies/{study:str}/owner", http_method=_GET)
async def ask_owner(request: AnyRequest, study: FromPath[str]) -> Response[str]:
    """Asks who is to see to a study."""
    return await _owner_page(request, await found_study(request, study))


@route("/studies/{study:str}/owner", http_method=_POST)
async def own(request: AnyRequest, study: FromPath[str]) -> Response[Any]:
    """Says who sees to it."""
    services = insist_on_our_page(request)
    typed, found = await typed_in(request), await found_study(request, study)
    owner, wrong = await owner_typed(request, typed)
    if wrong:
        return refuse(request, typed=typed, wrong={OWNER: wrong})
    await services.review.own(found.location, found.study_key, owner, **who(request))
    return went(back_to(found), "owned")


REVIEW: Final = (add_comment, ask_withdraw, withdraw, ask_owner, own)
"""The routes."""


async def owner_typed(request: AnyRequest, typed: Mapping[str, str]) -> tuple[str, str]:
    """Who is to see to studies by the form; and what is wrong with it."""
    chosen = typed.get(OWNER, "")
    if chosen == "me":
        return who(request)["actor"], ""
    if chosen == "nobody":
        return "", ""
    name = typed.get("name", "")
    if chosen != "other" or not name:
        return "", "Say who: you, nobody, or a name."
    try:
        review = services_of(request.app.state).review
        await review.see_that_it_is_somebody(name, actor=who(request)["actor"])
    except UsageError as wrong:
        return "", wrong.detail
    return name, ""


def owner_choices(transaction: ReadTransaction) -> tuple[str, ...]:
    """Names that somebody may be called by."""
    return tuple(owners.names(transaction))


async def _owner_page(request: AnyRequest, study: Study) -> Response[str]:
    before = refused(request)
    store, me = services_of(request.app.state).store, who(request)["actor"]
    owned = (await store.read(owners.of, [study.study_key])).get((str(study.location), study.study_key))
    return page(
        request,
        "owner.html",
        headers=FORM_HEADERS,
        study=study,
        owner=owned,
        me=me,
        names=await store.read(owner_choices),
        back=back_to(study),
        wrong=before.wrong.get(OWNER, ""),
        typed=before.typed or {OWNER: "nobody" if owned and owned.name == me else "me"},
    )


def _withdraw_question(study: Study, comment: Comment) -> Question:
    return Question(
        here="worklist",
        title="Withdraw this comment?",
        about=f"{study.study_key}, written by {comment.author}",
        happens=("Its text is gone for good. That it was there, who wrote it and who withdrew it stays.",),
        button="Withdraw",
        back=f"../../{back_to(study)}",
        is_final=True,
    )


async def found_study(request: AnyRequest, study: str) -> Study:
    """The study that the address names, at the location that it names."""
    services = services_of(request.app.state)
    found, _ = await services.store.read(
        seen_at,
        study_of(segment(study)),
        now=services.clock(),
        location=request.query_params.get("location", ""),
    )
    return found


def back_to(study: Study) -> str:
    """The study's page, seen from an address below it."""
    return f"../{address_of(study.study_key)}?{urlencode({'location': str(study.location)})}"


def _known(id: int) -> int:
    if not 0 < id < _MOST_ID:
        raise NotFoundError("There is no such comment on this study.")
    return id
