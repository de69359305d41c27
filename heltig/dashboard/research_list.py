"""The list of analyses, and the search for the studies that were, or can be, analysed."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.looks import shows
from heltig.api.services import services_of
from heltig.dashboard.filters import insist_on_names, number, one_of
from heltig.dashboard.kept import Kept
from heltig.dashboard.own_forms import (
    FORM_HEADERS,
    AnyRequest,
    insist_on_our_page,
    principal_of,
    typed_in,
)
from heltig.dashboard.pages import page
from heltig.dashboard.research_parts import STATES_IN_WORDS, shared
from heltig.dashboard.visibility import sight_of
from heltig.pipeline.identifiers.sights import Sight
from heltig.store import analyses, studies
from heltig.store.analyses import Analysis
from heltig.store.records import Study
from heltig.store.search import search
from heltig.store.study_query import StudyQuery
from heltig.store.transaction import ReadTransaction

A_PAGE: Final = 50
LONGEST: Final = 128
MOST_FOUND: Final = 20
"""Studies that a search shows, and analyses of each of them."""

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_POST: Final = [HttpMethod.POST]
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)
_SEARCHES: Final = Kept[str]("research_searches", called="search")

Show: TypeAlias = Literal["all", "under-way", "done", "refused", "failed"]
SHOWS: Final[tuple[Show, ...]] = ("all", "under-way", "done", "refused", "failed")


class AnalysisList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list.

    Attributes:
        analyses: The newest first.
        has_more: Older ones follow.
        counts: How many there are, by way to look.
    """

    analyses: tuple[Analysis, ...]
    has_more: bool
    counts: Mapping[Show, int]


class FoundStudy(msgspec.Struct, frozen=True):
    """A study that a search found, at one location.

    Attributes:
        study: As somebody may see it.
        analyses: Its newest analyses.
    """

    study: Study
    analyses: tuple[Analysis, ...]


@route("/research", http_method=_GET)
async def show_analyses(request: AnyRequest) -> Response[str]:
    """The analyses, the newest first."""
    services = services_of(request.app.state)
    query = request.query_params
    insist_on_names(query, "state", "offset")
    show: Show = one_of(query, "state", SHOWS, otherwise="all")
    offset = number(query, "offset") or 0
    found = await services.store.read(analysis_list, show=show, offset=offset)
    shows(request.scope, {one.study_key for one in found.analyses})
    way = "" if show == "all" else f"state={show}&"
    return page(
        request,
        "research.html",
        headers=FORM_HEADERS,
        list=found,
        show=show,
        newer="research" + (f"?state={show}" if way else "") if offset else "",
        older=f"?{way}offset={offset + A_PAGE}" if found.has_more else "",
        patients=_sight(request).searches,
        states=STATES_IN_WORDS,
        **shared(request),
    )


@route("/research/search", http_method=_POST)
async def start_search(request: AnyRequest) -> Response[Any]:
    """Keeps what was typed, and leads to what is found."""
    insist_on_our_page(request)
    text = (await typed_in(request)).get("text", "").replace("\0", "")[:LONGEST].strip()
    id = _SEARCHES.put(request, text)
    return Response(None, status_code=303, headers={**FORM_HEADERS, "Location": f"search/{id}"})


@route("/research/search/{id:str}", http_method=_GET)
async def show_search(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """The studies that a search finds now, with their analyses."""
    services = services_of(request.app.state)
    now, sight = services.clock(), _sight(request)
    text = _SEARCHES.get(request, id)
    is_uid = _UID.fullmatch(text) is not None
    may_look = is_uid or sight.searches
    found = await services.store.read(find_studies, text, now=now, sight=sight) if may_look else ()
    shows(request.scope, {one.study.study_key for one in found})
    return page(
        request,
        "research_search.html",
        headers=FORM_HEADERS,
        found=found,
        text=text,
        may_look=may_look,
        patients=sight.identifiers,
        may_search_patients=sight.searches,
        states=STATES_IN_WORDS,
        **shared(request),
    )


LIST: Final = (show_analyses, start_search, show_search)
"""The routes."""


def analysis_list(transaction: ReadTransaction, *, show: Show, offset: int) -> AnalysisList:
    """Collects a page of the list."""
    counts: dict[Show, int] = dict.fromkeys(SHOWS, 0)
    for (state, _), many in analyses.counts(transaction).items():
        way: Show = next((one for one in SHOWS if one == state), "under-way")
        counts[way] += many
        counts["all"] += many
    if show == "under-way":
        found = analyses.under_way(transaction)[::-1][offset : offset + A_PAGE + 1]
    else:
        only = None if show == "all" else show
        found = analyses.newest(
            transaction, state=only, sets_publishing_apart=False, offset=offset, limit=A_PAGE + 1
        )
    return AnalysisList(analyses=tuple(found[:A_PAGE]), has_more=len(found) > A_PAGE, counts=counts)


def find_studies(
    transaction: ReadTransaction, text: str, *, now: datetime, sight: Sight
) -> tuple[FoundStudy, ...]:
    """The studies of a UID; of a patient, for who may look for those."""
    found = {(str(one.location), one.study_key): one for one in studies.find_everywhere(transaction, text)}
    if not _UID.fullmatch(text) and text:
        name = text.replace(", ", "^")
        whole = sight.keyed is not None or "*" in name
        for query in (
            StudyQuery(accession_number=text),
            StudyQuery(patient_id=text),
            StudyQuery(patient_name=name if whole else f"{name}*"),
        ):
            for one in search(transaction, sight.query(query), now=now, limit=MOST_FOUND, order="newest"):
                found.setdefault((str(one.location), one.study_key), one)
    return tuple(
        FoundStudy(
            sight.study(one.at(now)),
            tuple(
                analyses.newest(transaction, study_key=one.study_key, location=one.location, limit=MOST_FOUND)
            ),
        )
        for one in list(found.values())[:MOST_FOUND]
    )


def _sight(request: AnyRequest) -> Sight:
    return sight_of(principal_of(request), services_of(request.app.state).sights)
