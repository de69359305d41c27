"""Search from any page: by UID, accession number, patient or station.

What is typed never becomes part of an address. A search is kept in memory for a while, under an id that says
nothing, for whoever typed it.
"""

import re
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath
from litestar.response import Redirect

from heltig.api.looks import shows
from heltig.api.problems import RefusedError
from heltig.api.services import services_of
from heltig.auth.policy import Refusal, refusal
from heltig.dashboard.jobs import KINDS_IN_WORDS, given_up_lately, tried_for
from heltig.dashboard.kept import Kept, LostError
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
    who,
)
from heltig.dashboard.pages import page
from heltig.dashboard.visibility import sight_of
from heltig.pipeline.archives import watching
from heltig.pipeline.identifiers.sights import RULE, HiddenError, Sight
from heltig.store import studies
from heltig.store.records import Study
from heltig.store.search import search
from heltig.store.study_query import StudyQuery
from heltig.store.transaction import ReadTransaction

LONGEST: Final = 128
MOST_FOUND: Final = 50
"""Studies of each way to look for them."""

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)
_SEARCHES: Final = Kept[str]("searches", called="search")
_TROUBLED: Final = frozenset({"stopped", "failing", "behind"})


class Found(msgspec.Struct, frozen=True):
    """What one way to look for studies found.

    Attributes:
        by: By what.
        studies: At most `MOST_FOUND`.
        is_cut: There are more.
    """

    by: str
    studies: tuple[Study, ...]
    is_cut: bool


@route("/search", http_method=_GET)
async def ask_search(request: AnyRequest) -> Response[str]:
    """The form on a page of its own."""
    return _empty(request)


@route("/search", http_method=_POST)
async def start_search(request: AnyRequest) -> Response[Any]:
    """Keeps what was typed, and leads to what is found."""
    insist_on_our_page(request)
    text = (await typed_in(request)).get("text", "").replace("\0", "")[:LONGEST].strip()
    if not text:
        return _empty(request)
    await _queries_of(request, text)  # who may not look for it is told so now
    id = _SEARCHES.put(request, text)
    return Redirect(f"search/{id}", status_code=303, headers=dict(FORM_HEADERS))


@route("/search/{id:str}", http_method=_GET)
async def show_search(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """What a search finds now."""
    services = services_of(request.app.state)
    now = services.clock()
    try:
        text = _SEARCHES.get(request, id)
    except LostError as lost:
        return _empty(request, lost=lost)
    sight = sight_of(principal_of(request), services.sights)
    found = await services.store.read(_find, text, await _queries_of(request, text), sight, now=now)
    shows(request.scope, {study.study_key for one in found for study in one.studies})
    return page(
        request,
        "search.html",
        headers=FORM_HEADERS,
        found=found,
        lost="",
        text=text,
        patients=sight.identifiers,
        **({} if found and _is_uid(text) else await _known_of(request, text, now)),
    )


SEARCH: Final = (ask_search, start_search, show_search)
"""The routes."""


def _empty(request: AnyRequest, *, lost: LostError | None = None) -> Response[str]:
    return page(
        request,
        "search.html",
        status=lost.status if lost else 200,
        headers=FORM_HEADERS,
        found=None,
        text="",
        patients=False,
        lost=lost.title if lost else "",
    )


async def _known_of(request: AnyRequest, text: str, now: datetime) -> dict[str, Any]:
    """What is known of studies that were never seen: what was tried, and which archives may yet show them.

    Jobs name studies by UID alone: of anything else those stand there that were given up last.
    """
    is_uid = _is_uid(text)
    status = await services_of(request.app.state).store.read(watching.service_status, now=now, windows={})
    return {
        "is_uid": is_uid,
        "now": now,
        "jobs": await tried_for(request, text) if is_uid else await given_up_lately(request),
        "sees_jobs": refusal(principal_of(request), "GET", "/jobs") is None,
        "kinds": KINDS_IN_WORDS,
        "archives": sorted(status.archives, key=lambda one: (one.state not in _TROUBLED, one.name)),
        "sees_trail": refusal(principal_of(request), "GET", "/audit") is None,
    }


def _is_uid(text: str) -> bool:
    return _UID.fullmatch(text) is not None


async def _queries_of(request: AnyRequest, text: str) -> dict[str, StudyQuery]:
    """The ways that somebody may look for studies; a refusal goes into the audit trail."""
    services = services_of(request.app.state)
    try:
        return _queries(text, sight_of(principal_of(request), services.sights))
    except HiddenError as hidden:
        asked = who(request)
        await services.refusals.note(
            Refusal(RULE, hidden.detail), **asked, route="POST /search", at=services.clock()
        )
        raise RefusedError(hidden, RULE) from hidden


def _queries(text: str, sight: Sight) -> dict[str, StudyQuery]:
    """The ways to look for studies by a text, by what they are called. What is a UID is nothing else.

    Raises:
        HiddenError: It may be a patient's identifier, and somebody does not see those.
        UsageError: It looks for a part of what is hashed.
    """
    if _is_uid(text):
        return {}
    name = text.replace(", ", "^")
    whole = sight.keyed is not None or "*" in name
    ways = {
        "accession number": StudyQuery(accession_number=text),
        "PatientID": StudyQuery(patient_id=text),
        "name of the patient": StudyQuery(patient_name=name if whole else f"{name}*"),
        "station": StudyQuery(station=text),
    }
    return {by: sight.query(query) for by, query in ways.items()}


def _find(
    transaction: ReadTransaction, text: str, queries: dict[str, StudyQuery], sight: Sight, *, now: datetime
) -> tuple[Found, ...]:
    everywhere = [study.at(now) for study in studies.find_everywhere(transaction, text)]
    found = [
        Found(
            "StudyInstanceUID", tuple(map(sight.study, everywhere[:MOST_FOUND])), len(everywhere) > MOST_FOUND
        )
    ]
    for by, query in queries.items():
        known = msgspec.structs.replace(query, states=("JUDGED", "PENDING", "WITHDRAWN"))
        some = search(transaction, known, now=now, limit=MOST_FOUND + 1, order="newest")
        found.append(Found(by, tuple(map(sight.study, some[:MOST_FOUND])), len(some) > MOST_FOUND))
    return tuple(one for one in found if one.studies)
