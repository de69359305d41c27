"""`/api/v1/studies/{study}/bundle`: a verdict with its evidence, to be checked on another machine."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Annotated, Any, Final

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import ASGIApp

from heltig.api.answers import chosen_or_refused
from heltig.api.front import segment
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.studies import named_location
from heltig.auth.policy import refusal
from heltig.auth.principal import Principal
from heltig.reports.bundle.writing import Parts, write_bundle
from heltig.reports.gathering import study_of
from heltig.reports.verdict_about import plainly_named

MEDIA_TYPE: Final = "application/zip"

_EVIDENCE: Final = "/dicom-web/studies/{study}/metadata"
_AUDIT: Final = "/api/v1/audit"
_CHUNK: Final = 256 * 1024


@get(
    "/api/v1/studies/{study:str}/bundle",
    responses={
        200: ResponseSpec(
            bytes,
            generate_examples=False,
            description="A ZIP that `heltig verify` checks",
            media_type=MEDIA_TYPE,
        ),
        **responses(400, 401, 403, 404, 406, 409, 503),
    },
    tags=["Reports"],
)
async def bundle_study(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    location: FromQuery[str | None] = None,
    redact: Annotated[
        bool, QueryParameter(description="Without what could name a patient, the snapshot among it.")
    ] = False,
) -> ASGIApp:
    """Give the evidence for a study's last verdict: `heltig verify` judges it again on another machine.

    The snapshot is in it for who may have the study's metadata, the audit trail's entries for who may read
    that; the manifest says what was left out. 409 for a study that was never judged.
    """
    chosen_or_refused(request.scope, MEDIA_TYPE)
    sight = services.sights.of(request.user)
    parts = Parts(
        identifiers=sight.identifiers and not redact,
        snapshot=sight.evidence and refusal(request.user, "GET", _EVIDENCE) is None,
        audit=refusal(request.user, "GET", _AUDIT) is None,
    )
    found = await study_of(services.store, segment(study), named_location(location), now=services.clock())
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when it was sent
    try:
        await write_bundle(services.store, found, parts, file)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    name = plainly_named("heltig-bundle", found.study.study_key)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}.zip"',
        "Content-Length": str(size),
        "Vary": "Accept, Authorization",
    }
    return ASGIStreamingResponse(iterator=_sent(file), media_type=MEDIA_TYPE, headers=headers)


async def _sent(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
