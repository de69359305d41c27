"""`/dicom-web/studies/{study}/rejection-note`: the key object by which an archive rejects a BLOCKED study."""

import asyncio
from datetime import datetime
from typing import Any, Final

from litestar import HttpMethod, Request, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp

from heltig.api.answers import TaggedAnswer, chosen_or_refused
from heltig.api.front import segment
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.standing import at, worst
from heltig.dicom.snapshot import read_snapshot, read_source
from heltig.errors import ConflictError, NotFoundError
from heltig.store import snapshots, studies, verdicts
from heltig.store.records import Location, Snapshot, StoredVerdict
from heltig.store.transaction import ReadTransaction

MEDIA_TYPE: Final = "application/dicom"


@route(
    "/dicom-web/studies/{study:str}/rejection-note",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    responses={
        200: ResponseSpec(
            bytes, generate_examples=False, description="A Part 10 file", media_type=MEDIA_TYPE
        ),
        304: ResponseSpec(None),
        **responses(400, 401, 403, 404, 406, 409, 503),
    },
    tags=["DICOMweb"],
)
async def study_rejection_note(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    archive: FromQuery[str | None] = None,
) -> ASGIApp:
    """Retrieve a rejection note on a BLOCKED study, 113001 Rejected for Quality Reasons (IHE RAD IOCM).

    It names every instance that was judged, and the rules that block them. `archive` asks for what one
    location has; without it, it is that behind the worst current verdict. The same verdict gives the same
    note. Heltig sends it nowhere: that is for a person to decide.
    """
    chosen_or_refused(request.scope, MEDIA_TYPE)
    known = at(await services.lookups.find(segment(study)), archive)
    if not known:
        raise NotFoundError("Nothing is known of this study. It was never pulled or uploaded.")
    lookup = worst(known, minute=services.minute())
    location = Location.parse(lookup.location)
    snapshot, verdict = await services.store.read(_blocked, location, lookup.study_key, services.clock())
    body = await asyncio.to_thread(_note, snapshot, verdict)
    name = f'attachment; filename="rejection-note-{verdict.verdict.id[:12]}.dcm"'
    headers = [(b"content-disposition", name.encode())]
    return TaggedAnswer(body, media_type=MEDIA_TYPE, tag=verdict.verdict.id[:32], headers=headers)


def _blocked(
    transaction: ReadTransaction, location: Location, study_key: str, now: datetime
) -> tuple[Snapshot, StoredVerdict]:
    study = studies.find(transaction, location, study_key)
    verdict = verdicts.current(transaction, location, study_key)
    if study is None or verdict is None or study.at(now).state != "JUDGED" or study.readiness != "BLOCKED":
        raise ConflictError("Only a study that is BLOCKED has a rejection note, and this one is not.")
    snapshot = snapshots.get(transaction, location, study_key, snapshot=verdict.inputs.snapshot)
    if snapshot is None:
        raise ConflictError("What this study was judged by is not stored any more. Have it pulled again.")
    return snapshot, verdict


def _note(snapshot: Snapshot, verdict: StoredVerdict) -> bytes:
    # Here: it brings pydicom, numpy and requests, a quarter of a second.
    from heltig.reports.rejection_note import rejection_note

    contents = [series.content for series in snapshot.series]
    table = read_snapshot(snapshot.study_key, snapshot.study_uid, read_source(snapshot.facts), contents)
    return rejection_note(table, verdict)
