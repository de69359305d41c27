"""`/consult/studies/{study}`: for archives that can only GET a URL and match text.

    verdict=READY code=0000 rev=17 comment=

dcm4chee-arc's Store Permission Service finds a pattern in it, and takes the code as a DICOM status (PS3.7
Annex C) for the sender; a script in Orthanc does likewise. An unknown study is PENDING, not an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar import HttpMethod, Request, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp, Scope

from heltig.api.answers import JSON, TEXT, TaggedAnswer, chosen, header
from heltig.api.front import segment
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.standing import Standing, Status, at, standing
from heltig.store.lookups import Lookup

CODES: Final[Mapping[str, str]] = {
    "READY": "0000",
    "NEEDS_REVIEW": "C002",
    "BLOCKED": "C001",
    "PENDING": "A700",
}
"""Success; failures of the class *cannot understand*; *out of resources*: a sender may try again later."""

_NEVER_SEEN: Final = Standing("UNKNOWN", 0, "", 0, b"", "unknown")


class Consultation(msgspec.Struct, frozen=True):
    """The same as JSON.

    Attributes:
        verdict: READY, NEEDS_REVIEW, BLOCKED or PENDING.
        code: Four hex digits.
        rev: Revision of the verdict.
        comment: The ids of the rules behind it, at most 64 characters; why a study is PENDING:
            `not judged yet`, `never seen`, or `gone from where it was`.
    """

    verdict: str
    code: str
    rev: int
    comment: str


@dataclass
class _ConsultOperation(Operation):
    """Both forms of the answer, for OpenAPI."""

    def __post_init__(self) -> None:
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse) and answer.content:
            answer.content[TEXT] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@route(
    "/consult/studies/{study:str}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    operation_class=_ConsultOperation,
    responses={
        200: ResponseSpec(
            Consultation, generate_examples=False, description="A line of text, or JSON", media_type=JSON
        ),
        304: ResponseSpec(None),
        **responses(400, 401, 403, 503),
    },
    tags=["Consult"],
)
async def consult(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    archive: FromQuery[str | None] = None,
) -> ASGIApp:
    """Say in one line whether a study is fit to be stored."""
    found = at(await services.lookups.find(segment(study)), archive)
    return consult_answer(request.scope, found, services)


def consult_answer(scope: Scope, found: Sequence[Lookup], services: Services) -> TaggedAnswer:
    """The answer about a study, known or not.

    Args:
        scope: The request.
        found: The prepared answers about the study.
        services: The running service.
    """
    said = standing(found, minute=services.minute_for(found)) if found else _NEVER_SEEN
    answer = consultation(said)
    # Archives send whatever Accept their HTTP library makes up: what fits nothing gets the text.
    if chosen(header(scope, b"accept"), TEXT, JSON) == JSON:
        return TaggedAnswer(
            msgspec.json.encode(answer), media_type=JSON, tag=f"{said.tag}-json", headers=_headers(said)
        )
    text = f"verdict={answer.verdict} code={answer.code} rev={answer.rev} comment={answer.comment}\n"
    return TaggedAnswer(text.encode(), media_type=TEXT, tag=f"{said.tag}-text", headers=_headers(said))


def consultation(said: Standing) -> Consultation:
    """What an archive is told of how a study stands."""
    verdict: Status = said.status if said.status in CODES else "PENDING"
    reason = said.comment if verdict in ("NEEDS_REVIEW", "BLOCKED") else _WHY_PENDING.get(said.status, "")
    return Consultation(verdict, CODES[verdict], said.revision, reason)


_WHY_PENDING: Final[Mapping[str, str]] = {
    "PENDING": "not judged yet",
    "UNKNOWN": "never seen",
    "WITHDRAWN": "gone from where it was",
}


def _headers(said: Standing) -> list[tuple[bytes, bytes]]:
    return [(b"heltig-readiness", said.status.encode())]
