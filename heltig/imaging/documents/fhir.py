"""Measurements as FHIR R4: a bundle of Observations with the ImagingStudy that they are derived from.

All of them are preliminary: nobody has verified them. Identifiers of the patient stand in them only where
identified data is allowed.
"""

import re
from typing import Any, Final, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from heltig import __version__
from heltig.dicom.dates import parse_da
from heltig.imaging.analysis import Analysis
from heltig.imaging.labels import ANATOMICAL_STRUCTURE, STRUCTURES, TISSUE
from heltig.imaging.metrics.measurement import REASONS, WARNINGS, Measurement, Status
from heltig.imaging.statements import GATE_USE, RESEARCH_USE

Resource: TypeAlias = dict[str, Any]

_SNOMED: Final = "http://snomed.info/sct"
_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_UCUM: Final = "http://unitsofmeasure.org"
_MEASUREMENTS: Final = "urn:heltig:measurement"
_CATEGORIES: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_ABSENT: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_IDENTIFIER_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"

_VOLUME: Final = {"system": _SNOMED, "code": "118565006", "display": "Volume"}
_AREA: Final = {"system": _SNOMED, "code": "42798000", "display": "Area"}
_ATTENUATION: Final = {"system": _DICOM, "code": "112031", "display": "Attenuation Coefficient"}
_CODES: Final = {
    **dict.fromkeys(("volume", "hemorrhage_volume"), _VOLUME),
    **dict.fromkeys(("SMA", "SAT", "VAT", "TAT", "IMAT"), _AREA),
    **dict.fromkeys(("attenuation_mean", "SMD", "hemorrhage_attenuation_mean"), _ATTENUATION),
}
"""Codes of the standard, where they say the same; all names are codes of a system of our own."""

_ABSENT_REASONS: Final[dict[Status, str]] = {
    "absent": "not-applicable",
    "not_evaluated": "not-performed",
    "suppressed": "not-applicable",
    "truncated": "unknown",
}

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_OID: Final = re.compile(r"[0-2](\.(0|[1-9]\d*))+", re.ASCII)
_NO_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def observations(analysis: Analysis) -> Resource:
    """The bundle: the study, and an Observation for each measurement, also where there is no value."""
    study = imaging_study(analysis)
    url = _url(analysis, "study")
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": analysis.started.isoformat(),
        "entry": [
            {"fullUrl": url, "resource": study},
            *(
                {
                    "fullUrl": _url(analysis, f"{one.region} {one.name}"),
                    "resource": _observation(analysis, one, study, url),
                }
                for one in analysis.results.measurements
            ),
        ],
    }


def imaging_study(analysis: Analysis) -> Resource:
    """The study with the series that was measured. Instances whose UIDs are no FHIR ids are not listed."""
    volume = analysis.volume
    instances = list({one.sop_instance_uid: one.sop_class_uid for one in volume.slices}.items())
    series: Resource = {
        "uid": volume.series_instance_uid,
        "modality": {"system": _DICOM, "code": volume.technique.modality},
        "numberOfInstances": len(instances),
    }
    listed = [
        {"uid": uid, "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{sop_class}"}}
        for uid, sop_class in instances
        if _ID.fullmatch(uid) and _OID.fullmatch(sop_class)
    ]
    if listed:
        series["instance"] = listed
    study: Resource = {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": "urn:dicom:uid", "value": _urn(volume.study_instance_uid)}],
        "status": "available",
        "subject": _subject(analysis),
    }
    started = parse_da(_said(analysis, "StudyDate")) if analysis.order.allow_identified else None
    if started:
        study["started"] = started.isoformat()
    if _ID.fullmatch(volume.series_instance_uid):
        study["series"] = [series]
    return {**study, "note": _statements()}


def _observation(analysis: Analysis, one: Measurement, study: Resource, url: str) -> Resource:
    coding = [{"system": _MEASUREMENTS, "code": one.name}]
    if one.name in _CODES:
        coding.append(_CODES[one.name])
    found: Resource = {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [{"coding": [{"system": _CATEGORIES, "code": "imaging", "display": "Imaging"}]}],
        "code": {"coding": coding, "text": one.name.replace("_", " ")},
        "subject": study["subject"],
        "issued": analysis.started.isoformat(),
        "bodySite": _site(analysis, one.region),
        "method": {"text": f"{_text(one.method)} ({one.version})"},
        "device": {"display": f"Heltig {__version__}"},
        "derivedFrom": [{"type": "ImagingStudy", "reference": url, "identifier": study["identifier"][0]}],
        "note": [*_statements(), *_notes(one)],
    }
    if one.value is None:
        reason = {"system": _ABSENT, "code": _ABSENT_REASONS.get(one.status, "unknown")}
        found["dataAbsentReason"] = {"coding": [reason], "text": REASONS.get(one.reason, one.status)}
    else:
        shown = "HU" if one.unit == "[hnsf'U]" else one.unit
        found["valueQuantity"] = {"value": one.value, "unit": shown, "system": _UCUM, "code": one.unit}
    return found


def _notes(one: Measurement) -> list[Resource]:
    """What to keep in mind about a value."""
    said = [WARNINGS[warning] for warning in one.warnings if warning in WARNINGS]
    if one.value is not None and one.reason:
        said.append(REASONS.get(one.reason, one.reason))
    if one.place and one.place.sop_instance_uid:
        said.append(f"Measured on the image {one.place.sop_instance_uid}.")
    return [{"text": text} for text in said]


def _site(analysis: Analysis, region: str) -> Resource:
    """Where it was measured: coded only where the code is that of a part of the body."""
    found = analysis.results.inventory.found.get(region)
    structure = found.structure if found else STRUCTURES.get(region)
    if structure is None:
        return {"text": _text(region).replace("_", " ") or "unnamed"}
    site: Resource = {"text": _text(structure.name) or "unnamed"}
    if structure.category in (ANATOMICAL_STRUCTURE, TISSUE) and structure.type.scheme == "SCT":
        code = {"system": _SNOMED, "code": structure.type.value, "display": structure.type.meaning}
        site["coding"] = [code]
    return site


def _subject(analysis: Analysis) -> Resource:
    known = _said(analysis, "PatientID") if analysis.order.allow_identified else ""
    if not known:
        return {"type": "Patient", "display": "unknown"}
    kind = {"coding": [{"system": _IDENTIFIER_TYPES, "code": "MR"}]}
    return {"type": "Patient", "identifier": {"type": kind, "value": known}}


def _said(analysis: Analysis, keyword: str) -> str:
    """What the first slice says."""
    return _text(analysis.stack.planes.texts(keyword)[analysis.stack.order[0]])


def _statements() -> list[Resource]:
    return [{"text": RESEARCH_USE}, {"text": GATE_USE}]


def _url(analysis: Analysis, role: str) -> str:
    """The same for the same measurement of the same analysis."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'urn:heltig:{analysis.fingerprint}:{role!r}')}"


def _urn(uid: str) -> str:
    return f"urn:oid:{uid}" if _OID.fullmatch(uid) else _text(uid) or "unknown"


def _text(text: str) -> str:
    """A text without characters that FHIR's string has no place for."""
    return _NO_TEXT.sub("", text).strip()
