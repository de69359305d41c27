"""`/api/v1/studies/{study}/proposed-changes`: what could be written to mend a study."""

from typing import Any, Final, Literal

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from heltig.api.answers import TEXT
from heltig.api.front import segment
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.studies import at_locations, named_location
from heltig.auth.principal import Principal
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.publish import MEDIA_TYPE
from heltig.reports import dcmodify
from heltig.reports.modified_attributes import datasets
from heltig.store import verdicts
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction

_PRIVATE: Final = {"Cache-Control": "private, no-cache"}


@get(
    "/api/v1/studies/{study:str}/proposed-changes",
    responses=responses(400, 401, 403, 404, 503),
    tags=["Studies"],
)
async def list_proposed_changes(
    request: Request[Principal, Any, Any],
    services: NamedDependency[Services],
    study: FromPath[str],
    location: FromQuery[str | None] = None,
    format: FromQuery[Literal["dicom-json", "dcmodify"]] = "dicom-json",
) -> Response[bytes]:
    """List the changes that the last verdicts on a study propose.

    `dicom-json`: data sets with the new values, the former ones in Original Attributes Sequence (0400,0561),
    and the series and instances concerned. `dcmodify`: a shell script that makes the changes in copies of the
    files. Heltig itself never changes data. Whoever does not see patients' identifiers gets the changes of
    UIDs, codes and numbers alone.
    """
    sight = services.sights.of(request.user)
    found = await services.store.read(_studies, segment(study), named_location(location), sight)
    if format == "dcmodify":
        return Response(dcmodify.script(found).encode("ascii"), media_type=TEXT, headers=_PRIVATE)
    every = [dataset for one in found for dataset in datasets(one.uid, one.findings)]
    distinct = {msgspec.json.encode(dataset): None for dataset in every}
    body = b"[" + b",".join(distinct) + b"]"
    return Response(body, media_type=MEDIA_TYPE, headers=_PRIVATE)


def _studies(
    transaction: ReadTransaction, key: str, at: Location | None, sight: Sight
) -> list[dcmodify.Study]:
    """What was found about a study at each location."""
    found = []
    for study in at_locations(transaction, key, at):
        verdict = verdicts.current(transaction, study.location, study.study_key)
        if verdict is not None:
            found.append(dcmodify.Study(study.study_uid or "", sight.findings(verdict.verdict.findings)))
    return found
