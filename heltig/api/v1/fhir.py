"""`/api/v1/studies/{study}/fhir/...`: a study and its findings as FHIR resources."""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp

from heltig.api.answers import JSON, NotAcceptableError, PlainAnswer, chosen_or_refused, header
from heltig.api.front import segment
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.standing import at, worst
from heltig.dicom.snapshot import read_snapshot
from heltig.dicom.source import FILES
from heltig.errors import NotFoundError
from heltig.reports.fhir import Resource, SeriesInstance, Version, imaging_study, operation_outcome
from heltig.standard.dictionary import tag_of
from heltig.store import studies, verdicts
from heltig.store.lookups import Lookup
from heltig.store.records import Location, Series, StoredVerdict, Study
from heltig.store.series_contents import content_at, series_of_newest
from heltig.store.transaction import ReadTransaction

MEDIA_TYPE: Final = "application/fhir+json"

_VERSION: Final = re.compile(r"fhirversion\s*=\s*\"?([0-9.]+)", re.ASCII)
_VERSIONS: Final[dict[str, Version]] = {"4.3": "4.3", "4.3.0": "4.3", "5.0": "5.0", "5.0.0": "5.0"}

_RESPONSES: Final = {
    200: ResponseSpec(
        dict[str, Any], generate_examples=False, description="A FHIR resource", media_type=MEDIA_TYPE
    ),
    **responses(400, 401, 403, 404, 406, 503),
}

_Caller = Request[Any, Any, Any]


@get("/api/v1/studies/{study:str}/fhir/ImagingStudy", responses=_RESPONSES, tags=["FHIR"])
async def fhir_imaging_study(
    request: _Caller,
    services: NamedDependency[Services],
    study: FromPath[str],
    location: FromQuery[str | None] = None,
) -> ASGIApp:
    """Show a study as an ImagingStudy, R4B, or R5 with `Accept: application/fhir+json; fhirVersion=5.0`.

    Of several locations the one with the worst current verdict, unless `location` names one. It has no
    verdict: FHIR's status says that a study is available, not that it is fit.
    """
    media_type, version = _media_type(request)
    found = await _lookup(services, study, location)
    shown, series = await services.store.read(_described, found, services.clock())
    sight = services.sights.of(request.user)
    shown, series = sight.study(shown, mask=""), list(map(sight.series, series))
    instances = {}
    for part in await services.store.read(series_of_newest, shown.location, found.study_key):
        content = await services.store.read(content_at, part.address)
        instances[part.series_key] = await asyncio.to_thread(_instances, part.series_key, content)
    return _answer(imaging_study(shown, series, instances, version=version), media_type)


@get("/api/v1/studies/{study:str}/fhir/OperationOutcome", responses=_RESPONSES, tags=["FHIR"])
async def fhir_operation_outcome(
    request: _Caller,
    services: NamedDependency[Services],
    study: FromPath[str],
    location: FromQuery[str | None] = None,
) -> ASGIApp:
    """Show how a study stands, and its findings, as an OperationOutcome; the first issue is the verdict."""
    media_type, _ = _media_type(request)
    found = await _lookup(services, study, location)
    shown, stored = await services.store.read(_judged, found, services.clock())
    seen = services.sights.of(request.user).findings(stored.verdict.findings if stored else ())
    outcome = operation_outcome(shown, stored, seen)
    return _answer(outcome, media_type)


def _media_type(request: _Caller) -> tuple[str, Version]:
    """What to answer with: the whole media type, and the version of FHIR."""
    media_type = chosen_or_refused(request.scope, MEDIA_TYPE, JSON)
    version = _version(request)
    return (media_type if media_type == JSON else f"{media_type}; fhirVersion={version}"), version


def _version(request: _Caller) -> Version:
    asked = _VERSION.search(header(request.scope, b"accept").lower())
    if asked is None:
        return "4.3"
    if asked[1] not in _VERSIONS:
        raise NotAcceptableError("FHIR is spoken in the versions 4.3 (R4B) and 5.0 (R5).")
    return _VERSIONS[asked[1]]


async def _lookup(services: Services, study: str, location: str | None) -> Lookup:
    found = at(await services.lookups.find(segment(study)), location)
    if not found:
        raise NotFoundError("Nothing is known of this study there. It was never pulled or uploaded.")
    return worst(found, minute=services.minute())


def _described(transaction: ReadTransaction, found: Lookup, now: datetime) -> tuple[Study, Sequence[Series]]:
    return _study(transaction, found, now), studies.series_of(
        transaction, Location.parse(found.location), found.study_key
    )


def _judged(transaction: ReadTransaction, found: Lookup, now: datetime) -> tuple[Study, StoredVerdict | None]:
    location = Location.parse(found.location)
    return _study(transaction, found, now), verdicts.current(transaction, location, found.study_key)


def _study(transaction: ReadTransaction, found: Lookup, now: datetime) -> Study:
    study = studies.find(transaction, Location.parse(found.location), found.study_key)
    if study is None:
        raise NotFoundError("Nothing is known of this study there any more.")
    return study.at(now)


def _instances(series_key: str, content: bytes) -> list[SeriesInstance]:
    table = read_snapshot(series_key, None, FILES, [content])
    tags = [tag_of(keyword) for keyword in ("SOPInstanceUID", "SOPClassUID", "InstanceNumber")]
    cells = ([table.at(tag, row) for tag in tags] for row in range(table.rows))
    return [
        SeriesInstance(
            uid.text,
            sop_class.text,
            int(found) if (found := next(iter(number.numbers), None)) is not None else None,
        )
        for uid, sop_class, number in cells
    ]


def _answer(resource: Resource, media_type: str) -> PlainAnswer:
    return PlainAnswer(msgspec.json.encode(resource), media_type=media_type)
