"""A study and its findings as FHIR resources, for integrators that speak it: R4B (4.3) and R5 (5.0).

FHIR has no place for a verdict: ImagingStudy.status says whether a study exists, not whether it is fit. So an
ImagingStudy describes the study, and an OperationOutcome what was found; its first issue is the verdict.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec

from heltig.dicom.dates import parse_da
from heltig.rules.catalogue import catalogue, family_of
from heltig.rules.finding import Finding
from heltig.rules.rule import Severity
from heltig.standard.uids import lookup
from heltig.store.records import Patient, Series, StoredVerdict, Study

Version: TypeAlias = Literal["4.3", "5.0"]
Resource: TypeAlias = dict[str, Any]

_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_IDENTIFIER_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
_RULES: Final = "urn:heltig:rule"
_STUDIES: Final = "urn:heltig:study"

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_OID: Final = re.compile(r"[0-2](\.(0|[1-9]\d*))+", re.ASCII)

_CODE: Final = re.compile(r"[A-Z0-9_]+( [A-Z0-9_]+)*", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_NO_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

_SEVERITIES: Final[Mapping[Severity, str]] = {"block": "error", "review": "warning", "note": "information"}
_ISSUE_TYPES: Final = {
    "Source and transport": "incomplete",
    "UID": "value",
    "Character set": "value",
    "Values, VR and VM": "value",
    "IOD conformance": "structure",
    "De-identification leakage": "security",
}
"""Codes of FHIR's IssueType by family of rules; `business-rule` for all others."""


class SeriesInstance(msgspec.Struct, frozen=True):
    """An instance of a series, by its UIDs. `number` is its InstanceNumber, None where it has none."""

    uid: str
    sop_class: str
    number: int | None


def imaging_study(
    study: Study,
    series: Sequence[Series],
    instances: Mapping[str, Sequence[SeriesInstance]],
    *,
    version: Version,
) -> Resource:
    """A study as ImagingStudy.

    Series and instances whose UIDs are no FHIR ids are counted, and not listed.

    Args:
        study: The study at one location.
        series: Its series.
        instances: Those of each series, by its key.
        version: Of FHIR.
    """
    about = study.attributes
    resource: Resource = {
        "resourceType": "ImagingStudy",
        "identifier": [_identifier(study)],
        "status": "unknown" if study.state == "WITHDRAWN" else "available",
        "subject": _subject(about.patients),
        "numberOfSeries": study.series,
        "numberOfInstances": study.instances,
    }
    if _text(about.accession_number):
        kind = {"coding": [{"system": _IDENTIFIER_TYPES, "code": "ACSN"}]}
        resource["identifier"].append({"type": kind, "value": about.accession_number})
    resource["modality"] = [
        _modality(code, version) for code in about.modalities_in_study if _CODE.fullmatch(code)
    ]
    if day := parse_da(about.study_date):
        resource["started"] = day.isoformat()  # a time would need an offset, which few studies have
    resource["description"] = about.study_description
    resource["referrer"] = {"display": _name(about.referring_physician_name)}
    resource["series"] = [
        _series(one.series_uid, one, instances.get(one.series_key, ()), version)
        for one in series
        if one.series_uid and _ID.fullmatch(one.series_uid)
    ]
    return _whole(resource)


def operation_outcome(
    study: Study, verdict: StoredVerdict | None, findings: Sequence[Finding] | None = None
) -> Resource:
    """How a study stands and what was found, as OperationOutcome; the same in R4B and R5.

    Args:
        study: The study.
        verdict: Its last verdict.
        findings: Those of the verdict as they may be shown; as they are where none are given.
    """
    standing = study.readiness if study.state == "JUDGED" and study.readiness else study.state
    counts = f"{study.blocks} to block it, {study.reviews} to review, {study.notes} notes"
    severity = {"BLOCKED": "error", "NEEDS_REVIEW": "warning"}.get(standing, "information")
    first = {
        "severity": severity,
        "code": "informational",
        "details": {"text": f"{standing}, revision {study.revision}: {counts}"},
    }
    if findings is None:
        findings = verdict.verdict.findings if verdict else ()
    errors = verdict.verdict.errors if verdict else ()
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            first,
            *map(_issue, findings),
            *(
                {
                    "severity": "error",
                    "code": "exception",
                    "details": {"coding": [_rule(error.rule)], "text": "The rule failed to run."},
                }
                for error in errors
            ),
        ],
    }
    return _whole(outcome)


def _subject(patients: Sequence[Patient]) -> Resource:
    """The patient whom most instances name; a study may have several, which is a finding."""
    about = patients[0] if patients else Patient()
    subject: Resource = {"type": "Patient"}
    if _text(about.patient_id):
        kind = {"coding": [{"system": _IDENTIFIER_TYPES, "code": "MR"}]}
        identifier: Resource = {"type": kind, "value": about.patient_id}
        identifier["assigner"] = {"display": about.issuer_of_patient_id}
        subject["identifier"] = identifier
    subject["display"] = _text(_name(about.patient_name)) or "unknown"
    return subject


def _series(uid: str, series: Series, instances: Sequence[SeriesInstance], version: Version) -> Resource:
    resource: Resource = {
        "uid": uid,
        "modality": _modality(series.modality if _CODE.fullmatch(series.modality) else "OT", version),
        "numberOfInstances": series.instances,
    }
    if _NUMBER.fullmatch(series.series_number) and int(series.series_number) < 2**31:
        resource["number"] = int(series.series_number)
    resource["description"] = series.series_description
    resource["instance"] = [
        _instance(one) for one in instances if _ID.fullmatch(one.uid) and _OID.fullmatch(one.sop_class)
    ]
    return resource


def _instance(one: SeriesInstance) -> Resource:
    coding = {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{one.sop_class}"}
    if (entry := lookup(one.sop_class)) is not None:
        coding["display"] = entry.name
    resource: Resource = {"uid": one.uid, "sopClass": coding}
    if one.number is not None and 0 <= one.number < 2**31:
        resource["number"] = one.number
    return resource


def _modality(code: str, version: Version) -> Resource:
    coding = {"system": _DICOM, "code": code}
    return coding if version == "4.3" else {"coding": [coding]}


def _issue(finding: Finding) -> Resource:
    told = [f"{', '.join(finding.tags)}" if finding.tags else "", _said("observed", finding.observed)]
    told += [_said("expected", finding.expected), finding.remedy, finding.reference]
    waived = " (waived)" if finding.waived else ""
    return {
        "severity": "information" if finding.waived else _SEVERITIES[finding.severity],
        "code": _issue_type(finding.rule),
        "details": {"coding": [_rule(finding.rule)], "text": f"{finding.message}{waived}"},
        "diagnostics": "; ".join(part for part in told if part) or finding.level,
    }


def _issue_type(rule: str) -> str:
    known = catalogue().get(rule)
    return _ISSUE_TYPES.get(family_of(known), "business-rule") if known else "business-rule"


def _rule(id: str) -> Resource:
    return {"system": _RULES, "code": id}


def _said(what: str, text: str) -> str:
    return f"{what}: {text}" if text else ""


def _identifier(study: Study) -> Resource:
    if study.study_uid and _text(study.study_uid):
        return {"system": "urn:dicom:uid", "value": _urn(study.study_uid)}
    return {"system": _STUDIES, "value": study.study_key}


def _urn(uid: str) -> str:
    return f"urn:oid:{uid}" if _OID.fullmatch(uid) else uid


def _name(name: str) -> str:
    """A person's name as it is read, family name last: the first of its groups that says something."""
    for group in name.partition("\\")[0].split("="):
        family, *rest = [part.strip() for part in group.split("^")]
        told = " ".join(part for part in (*rest[:2], family) if part)
        if told:
            return told
    return ""


def _text(text: str) -> str:
    """A text without characters that FHIR's string has no place for; empty where nothing is left."""
    return _NO_TEXT.sub("", text).strip()


def _whole(resource: Resource) -> Resource:
    """A resource without what is empty: FHIR has neither empty texts nor empty lists and elements."""
    parts = {key: _without_empty(part) for key, part in resource.items()}
    return {key: part for key, part in parts.items() if part not in ("", [], {})}


def _without_empty(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return _whole(value)
    if isinstance(value, list):
        return [part for part in map(_without_empty, value) if part not in ("", [], {})]
    return value
