"""`/dicom-web/studies/{study}/readiness`: whether studies are fit to be stored, one or many at a time."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import HttpMethod, Request, post, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath, FromQuery
from litestar.types import ASGIApp

from heltig.api.answers import JSON, PlainAnswer, TaggedAnswer, chosen_or_refused
from heltig.api.front import segment
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.standing import at, standing
from heltig.errors import NotFoundError
from heltig.pipeline.publish import (
    CREATOR,
    CREATOR_TAG,
    MEDIA_TYPE,
    READINESS_TAG,
    STATE_TAG,
    STUDY_INSTANCE_UID_TAG,
    DataSet,
    element,
)
from heltig.store import lookups
from heltig.store.lookups import Lookup

REPRESENTATIONS: Final = (MEDIA_TYPE, JSON)
"""PS3.18 8.7.3: `application/dicom+json`; plain JSON for clients that know no other."""

MOST_AT_ONCE: Final = 10_000
_BODY_LIMIT: Final = 8 * 1024 * 1024

_DATA_SET: Final = ResponseSpec(
    dict[str, Any], generate_examples=False, description="A data set in DICOM JSON", media_type=MEDIA_TYPE
)


@route(
    "/dicom-web/studies/{study:str}/readiness",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    responses={200: _DATA_SET, 304: ResponseSpec(None), **responses(400, 401, 403, 404, 406, 503)},
    tags=["DICOMweb"],
)
async def study_readiness(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    archive: FromQuery[str | None] = None,
) -> ASGIApp:
    """Say whether one study is fit to be stored.

    `archive` asks for the verdict at one location; without it the worst current verdict is given, with the
    number of locations. A study that was never seen is 404.
    """
    media_type = chosen_or_refused(request.scope, *REPRESENTATIONS)
    found = at(await services.lookups.find(segment(study)), archive)
    if not found:
        where = f" at {archive}" if archive else ""
        raise NotFoundError(f"Nothing is known of this study{where}. It was never pulled or uploaded.")
    return readiness_answer(found, services, media_type=media_type)


@post(
    "/dicom-web/studies/readiness",
    status_code=200,
    request_max_body_size=_BODY_LIMIT,
    responses={
        200: ResponseSpec(
            list[dict[str, Any]],
            generate_examples=False,
            description="Data sets in DICOM JSON",
            media_type=MEDIA_TYPE,
        ),
        **responses(400, 401, 403, 406, 413, 503),
    },
    tags=["DICOMweb"],
)
async def studies_readiness(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    data: Annotated[
        list[str],
        BodyKwarg(max_items=MOST_AT_ONCE, min_items=1, description="Study Instance UIDs"),
    ],
    archive: FromQuery[str | None] = None,
) -> ASGIApp:
    """Say the same of many studies.

    A data set for each, in the order asked; UNKNOWN is the state of those that were never seen.
    """
    media_type = chosen_or_refused(request.scope, *REPRESENTATIONS)
    found = await services.store.read(lookups.find_many, data)
    minute = services.minute()
    rows = []
    for study in data:
        known = at(found.get(study, ()), archive)
        rows.append(standing(known, minute=minute).dataset if known else _unknown(study))
    return PlainAnswer(b"[" + b",".join(rows) + b"]", media_type=media_type)


def readiness_answer(found: Sequence[Lookup], services: Services, *, media_type: str) -> TaggedAnswer:
    """The answer about a study that is known.

    Args:
        found: The prepared answers about it, at least one.
        services: The running service.
        media_type: One of `REPRESENTATIONS`; the bytes are the same.
    """
    answer = standing(found, minute=services.minute())
    headers = [(b"heltig-readiness", answer.status.encode())]
    tag = answer.tag if media_type == MEDIA_TYPE else f"{answer.tag}-json"
    return TaggedAnswer(answer.dataset, media_type=media_type, tag=tag, headers=headers)


def _unknown(study: str) -> bytes:
    dataset: DataSet = {
        STUDY_INSTANCE_UID_TAG: element("UI", study),
        CREATOR_TAG: element("LO", CREATOR),
        READINESS_TAG: element("CS"),
        STATE_TAG: element("CS", "UNKNOWN"),
    }
    return msgspec.json.encode(dataset)
