"""`/api/v1/reports` and `/api/v1/studies/{study}/report`: stored verdicts, for people and programs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from litestar import HttpMethod, Request, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import ASGIApp

from heltig.api.answers import chosen_or_refused
from heltig.api.front import segment
from heltig.api.headers import sealed
from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.studies import named_location
from heltig.reports.gathering import lines_of, pictures_of, refuse_what_is_not_there, study_of
from heltig.reports.verdict_about import About, about_scope, moment
from heltig.reports.verdict_line import VerdictLine, line_of
from heltig.reports.verdict_report import MEDIA_TYPES, Format, written
from heltig.store.judged_studies import Scope

_DEFAULT: Final[tuple[Format, ...]] = ("json", "html", "csv", "ndjson")
"""The preferred first, for a client that takes anything."""

_RESPONSES: Final = {
    200: ResponseSpec(
        dict[str, Any],
        generate_examples=False,
        description="The report as " + ", ".join(MEDIA_TYPES[form] for form in _DEFAULT),
    ),
    **responses(400, 401, 403, 404, 406, 503),
}


@dataclass
class _ReportOperation(Operation):
    """All forms of the answer, for OpenAPI."""

    def __post_init__(self) -> None:
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse) and answer.content:
            text = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
            answer.content |= {MEDIA_TYPES[form]: text for form in _DEFAULT if form != "json"}


_OPERATION: Final[dict[str, Any]] = {
    "http_method": [HttpMethod.GET, HttpMethod.HEAD],
    "operation_class": _ReportOperation,
    "responses": _RESPONSES,
    "tags": ["Reports"],
}

_Caller = Request[Any, Any, Any]
_Form: TypeAlias = Annotated[
    Format | None, QueryParameter(name="format", description="In place of the Accept header.")
]
_Redact: TypeAlias = Annotated[
    bool, QueryParameter(description="Without text, names, dates and times that could name a patient.")
]


@route("/api/v1/studies/{study:str}/report", **_OPERATION)
async def report_study(
    request: _Caller,
    services: NamedDependency[Services],
    study: FromPath[str],
    location: FromQuery[str | None] = None,
    form: _Form = None,
    redact: _Redact = False,
) -> ASGIApp:
    """Report a study's verdict and why, as JSON, HTML, CSV or NDJSON, by Accept or `format`.

    Of several locations the one with the worst last verdict, unless `location` names one. The HTML is one
    file, without scripts, that prints well; all times in it are in UTC.
    """
    chosen = _chosen(request, form)
    sight = services.sights.of(request.user)
    redact = redact or not sight.identifiers
    now = services.clock()
    found = await study_of(services.store, segment(study), named_location(location), now=now)
    pictures = await pictures_of(services.store, found) if chosen == "html" else None
    if pictures and not sight.evidence:
        pictures = pictures.redacted()
    line = line_of(found, redact=redact)
    about = About(kind="study", title=f"Study {line.key}", redacted=redact, written=now)
    return await _answer(written(_one(line), chosen, about, pictures=pictures), chosen, about)


@route("/api/v1/reports", **_OPERATION)
async def report_studies(
    request: _Caller,
    services: NamedDependency[Services],
    location: FromQuery[str | None] = None,
    backfill: Annotated[int | None, QueryParameter(ge=1, le=2**31, description="Its id.")] = None,
    since: Annotated[
        str | None,
        QueryParameter(
            max_length=40, description="Verdicts given on this day (UTC), or at this time, or later."
        ),
    ] = None,
    until: Annotated[
        str | None,
        QueryParameter(
            max_length=40, description="Verdicts given on this day or earlier, or before this time."
        ),
    ] = None,
    form: _Form = None,
    redact: _Redact = False,
) -> ASGIApp:
    """Report the last verdicts of an archive, an upload, a backfill or a period, streamed.

    `location` is an archive's name, or `upload:NAME`. CSV has a row a finding, NDJSON a verdict a line, JSON
    all of it with counts at its end, HTML counts, charts and the worst studies. HEAD reads no study.
    """
    chosen = _chosen(request, form)
    scope = Scope(
        location=named_location(location),
        backfill=backfill,
        since=moment(since) if since else None,
        until=moment(until, ends=True) if until else None,
    )
    redact = redact or not services.sights.of(request.user).identifiers
    about = about_scope(scope, redact=redact, written=services.clock())
    await services.store.read(refuse_what_is_not_there, scope)
    is_asked = request.method == HttpMethod.GET
    found = lines_of(services.store, scope, redact=redact, clock=services.clock) if is_asked else _none()
    lines = _named(request, found)
    return await _answer(written(lines, chosen, about), chosen, about)


def _chosen(request: _Caller, form: Format | None) -> Format:
    if form is not None:
        return form
    media_type = chosen_or_refused(request.scope, *(MEDIA_TYPES[form] for form in _DEFAULT))
    return next(form for form in _DEFAULT if MEDIA_TYPES[form] == media_type)


async def _one(line: VerdictLine) -> AsyncIterator[VerdictLine]:
    yield line


async def _none() -> AsyncIterator[VerdictLine]:
    return
    yield


async def _named(request: _Caller, lines: AsyncIterator[VerdictLine]) -> AsyncIterator[VerdictLine]:
    """The same lines; the audit trail is told whose they are."""
    async for line in lines:
        shows(request.scope, (line.key,))
        yield line


async def _answer(pieces: AsyncIterator[str], form: Format, about: About) -> ASGIApp:
    first = await anext(pieces, "")
    headers = {
        "Vary": "Accept, Authorization",
        "Cache-Control": "no-store",
        "Content-Disposition": f'inline; filename="{about.file_name}.{form}"',
    }
    if form == "html":
        headers["Content-Security-Policy"] = sealed(first)  # it has texts of an archive
    return ASGIStreamingResponse(
        iterator=_encoded(first, pieces), media_type=MEDIA_TYPES[form], headers=headers
    )


async def _encoded(first: str, pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    yield first.encode()
    async for piece in pieces:
        yield piece.encode()
