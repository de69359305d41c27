"""`/dicom-web/studies/{study}/readiness`: whether studies are fit to be stored, one or many at a time."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import HttpMethod, Request, post, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath, FromQuery, QueryParameter
from litestar.types import ASGIApp

from heltig.api.answers import JSON, PlainAnswer, TaggedAnswer, chosen_or_refused
from heltig.api.body_limits import LONGEST_LIST
from heltig.api.front import segment
from heltig.api.problems import RefusedError, responses
from heltig.api.services import Services
from heltig.api.standing import at, dataset_of, location_named, standing
from heltig.auth.policy import refusal
from heltig.errors import AuthorisationError, NotFoundError, UsageError
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
from heltig.pipeline.pull.on_demand import MOST_SECONDS, Pulling, verdict_awaited
from heltig.store import lookups
from heltig.store.lookups import Lookup

REPRESENTATIONS: Final = (MEDIA_TYPE, JSON)
"""PS3.18 8.7.3: `application/dicom+json`; plain JSON for clients that know no other."""

Wait: TypeAlias = Annotated[
    int, QueryParameter(ge=0, le=MOST_SECONDS, description="Seconds to wait for a verdict.")
]
Pull: TypeAlias = Annotated[
    Annotated[str, msgspec.Meta(min_length=1)] | None,
    QueryParameter(description="The archive to pull the study from."),
]

MOST_AT_ONCE: Final = 10_000

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
    wait: Wait = 0,
    pull: Pull = None,
) -> ASGIApp:
    """Say whether one study is fit to be stored.

    `archive` asks for the verdict at one location; without it the worst current verdict is given, with the
    number of locations. A study that was never seen is 404, and so is one that is pulled and not there.

    With `wait` the answer comes when the study is judged, or when that time is over; with `pull` the study is
    pulled from that archive first, unless it is judged there already, and the answer is about that location.
    Whoever asks has to be allowed to have studies pulled; all who wait for a study share one pull.
    """
    media_type = chosen_or_refused(request.scope, *REPRESENTATIONS)
    if wait or pull:
        found = await _awaited(request, services, segment(study), archive, wait, pull)
    else:
        found = at(await services.lookups.find(segment(study)), archive)
    if not found:
        where = f" at {archive}" if archive else ""
        raise NotFoundError(f"Nothing is known of this study{where}. It was never pulled or uploaded.")
    return readiness_answer(found, services, media_type=media_type)


async def _awaited(
    request: Request[Any, Any, Any],
    services: Services,
    study: str,
    archive: str | None,
    seconds: int,
    pull: str | None,
) -> Sequence[Lookup]:
    if pull is None:
        return await verdict_awaited(
            partial(_find, services, study, archive), seconds=seconds, again=_nothing
        )
    refused = refusal(request.user, "POST", "/api/v1/archives/{id}/pulls")
    if refused is not None:
        raise RefusedError(AuthorisationError(refused.detail), refused.rule)
    if archive not in (None, pull):
        raise UsageError("archive and pull name different archives: one answer is about one of them.")
    origin = request.client.host if request.client else ""
    pulling = Pulling(services.queue, pull, study, actor=request.user.name, origin=origin)
    find = partial(_find, services, study, str(pulling.location))
    if not any(one.state == "JUDGED" for one in await find()):
        await pulling.ask()
    found = await verdict_awaited(find, seconds=seconds, again=pulling.ask)
    found = [one for one in found if one.state != "WITHDRAWN" or one.revision]  # others were never judged
    if not found:
        raise pulling.not_there()
    return found


async def _find(services: Services, study: str, archive: str | None) -> Sequence[Lookup]:
    return at(await services.lookups.find(study), archive)


async def _nothing() -> None:
    """Nobody is asked for what is waited for."""


@post(
    "/dicom-web/studies/readiness",
    status_code=200,
    request_max_body_size=LONGEST_LIST,
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
    if archive is not None:
        location_named(archive)
        found = {study: [*at(known, archive)] for study, known in found.items()}
    rows = [
        dataset_of(known, minute=minute) if (known := found.get(study)) else _unknown(study) for study in data
    ]
    rows[0] = b"[" + rows[0]
    rows[-1] += b"]"  # not around the whole: a megabyte is copied each time
    return PlainAnswer(b",".join(rows), media_type=media_type)


def readiness_answer(found: Sequence[Lookup], services: Services, *, media_type: str) -> TaggedAnswer:
    """The answer about a study that is known.

    Args:
        found: The prepared answers about it, at least one.
        services: The running service.
        media_type: One of `REPRESENTATIONS`; the bytes are the same.
    """
    answer = standing(found, minute=services.minute_for(found))
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
