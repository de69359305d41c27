"""`/dicom-web/studies`: QIDO-RS over judged studies (PS3.18 10.6)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import HttpMethod, Request, route
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIType, Operation, Parameter, Schema
from litestar.types import ASGIApp
from msgspec.structs import replace

from heltig.api.answers import PlainAnswer, chosen_or_refused
from heltig.api.hidden import insist_on_seeing
from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.qido import MORE, Search, parse_search
from heltig.api.readiness import REPRESENTATIONS
from heltig.api.services import Services
from heltig.api.study_fields import further_attributes
from heltig.api.study_row import study_row
from heltig.pipeline.publish import MEDIA_TYPE, DataSet
from heltig.store import lookups
from heltig.store.lookups import Lookup, minute
from heltig.store.records import Study
from heltig.store.search import search
from heltig.store.transaction import ReadTransaction

_PARAMETERS: Final = {
    "StudyDate": "A day as YYYYMMDD, or a range of two joined by a hyphen.",
    "StudyTime": "A time as HHMMSS, or a range; with a range of StudyDate one range of moments.",
    "AccessionNumber": "`*` and `?` stand for any characters and any one.",
    "ModalitiesInStudy": "One modality, or a list: the study has any of them.",
    "ReferringPhysicianName": "As PatientName.",
    "StudyDescription": "`*` and `?` as above.",
    "PatientName": "In any group, without regard to case and accents; `*` and `?` as above.",
    "PatientID": "Any of the study's patients has it; `*` and `?` as above.",
    "IssuerOfPatientID": "Likewise.",
    "PatientBirthDate": "A day as YYYYMMDD, or a range.",
    "PatientSex": "M, F or O.",
    "StudyInstanceUID": "One, or a list.",
    "StudyID": "`*` and `?` as above.",
    "readiness": "READY, NEEDS_REVIEW or BLOCKED, or a list; the same as `00991001`.",
    "archive": "Studies at this location only: an archive's name, or `upload:NAME`.",
    "includefield": "`all`, or keywords and tags of further attributes of the patient or the study, private "
    "ones with their creator, such as `00091001` and `00090010=CREATOR`; `00991010` adds the findings.",
    "limit": "The most rows: 100 unless it is given, never more than 1000.",
    "offset": "Rows to pass over.",
    "emptyvaluematching": "`true`: a value of two quotation marks matches attributes that are empty.",
    "fuzzymatching": "Not supported: `true` is answered with a Warning.",
    "multiplevaluematching": "Likewise.",
}

_TEXT: Final = Schema(type=OpenAPIType.STRING)
_NUMBER: Final = Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=999_999_999)
_SCHEMAS: Final = {
    "StudyDate": Schema(type=OpenAPIType.STRING, pattern=r"^([0-9]{8}(-([0-9]{8})?)?|-[0-9]{8})?$"),
    "StudyTime": Schema(type=OpenAPIType.STRING, pattern=r"^([0-9]{6}(-([0-9]{6})?)?|-[0-9]{6})?$"),
    "PatientBirthDate": Schema(type=OpenAPIType.STRING, pattern=r"^([0-9]{8}(-([0-9]{8})?)?|-[0-9]{8})?$"),
    "emptyvaluematching": Schema(type=OpenAPIType.STRING, enum=["true", "false"]),
    "fuzzymatching": Schema(type=OpenAPIType.STRING, enum=["true", "false"]),
    "multiplevaluematching": Schema(type=OpenAPIType.STRING, enum=["true", "false"]),
    "readiness": Schema(type=OpenAPIType.STRING, enum=["READY", "NEEDS_REVIEW", "BLOCKED"]),
    "archive": Schema(type=OpenAPIType.STRING, pattern=r"^[A-Za-z0-9_-]+$"),
    "limit": _NUMBER,
    "offset": _NUMBER,
}


@dataclass
class _SearchOperation(Operation):
    """The search's parameters, for OpenAPI: they are read from the query string as QIDO-RS has them."""

    def __post_init__(self) -> None:
        self.parameters = [
            Parameter(name, "query", schema=_SCHEMAS.get(name, _TEXT), description=description)
            for name, description in _PARAMETERS.items()
        ]


@route(
    "/dicom-web/studies",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    operation_class=_SearchOperation,
    responses={
        200: ResponseSpec(
            list[dict[str, Any]],
            generate_examples=False,
            description="Data sets in DICOM JSON; an empty list when nothing matches",
            media_type=MEDIA_TYPE,
        ),
        **responses(400, 401, 403, 406, 503),
    },
    tags=["DICOMweb"],
)
async def search_studies(request: Request[Any, Any, Any], services: NamedDependency[Services]) -> ASGIApp:
    """Search judged studies by their attributes.

    A row for each location that has the study, the first seen first. Nothing found is 200 with an empty list
    (PS3.18 2026a), not 204.
    """
    media_type = chosen_or_refused(request.scope, *REPRESENTATIONS)
    sight = services.sights.of(request.user)
    wanted = parse_search(request.scope["query_string"])
    wanted = replace(
        wanted,
        query=await insist_on_seeing(request, services, sight, wanted.query, route="GET /dicom-web/studies"),
    )
    now = services.clock()
    found = await services.store.read(_find, wanted, now)
    shown = found[: wanted.limit]
    shows(request.scope, [study.study_key for study, _ in shown])
    rows = []
    for study, lookup in shown:
        further: DataSet = {}
        if wanted.fields.further:
            further = sight.dataset(await services.store.read(further_attributes, study, wanted.fields))
        rows.append(sight.row(study_row(study, lookup, wanted, minute=minute(now), further=further)))
    warnings = [*wanted.warnings, *([MORE] if len(found) > wanted.limit else [])]
    headers = [(b"warning", f'299 heltig "{text}"'.encode("ascii", "replace")) for text in warnings]
    return PlainAnswer(msgspec.json.encode(rows), media_type=media_type, headers=headers)


def _find(transaction: ReadTransaction, wanted: Search, now: datetime) -> list[tuple[Study, Lookup]]:
    """The studies of a page with the prepared answers about them, and one more where there is one."""
    studies = search(transaction, wanted.query, now=now, limit=wanted.limit + 1, offset=wanted.offset)
    prepared = lookups.find_many(transaction, {study.study_key for study in studies})
    found = {(key, lookup.location): lookup for key, known in prepared.items() for lookup in known}
    return [(study, found[study.study_key, str(study.location)]) for study in studies]
