"""Studies, verdicts and findings as `/api/v1` shows them."""

from datetime import date, datetime

import msgspec

from heltig.api.standing import Status
from heltig.rules.finding import Finding, NotEvaluable, RuleError
from heltig.rules.proposal import ProposedChange
from heltig.rules.rule import Level, Severity
from heltig.store.owners import Owner
from heltig.store.records import Series, StoredVerdict, Study, StudyState
from heltig.verdict import Readiness


class PatientView(msgspec.Struct, frozen=True, rename={"patient_id": "patientID",
    "issuer_of_patient_id": "issuerOfPatientID", "birth_date": "birthDate"}):  # fmt: skip
    """One patient as a study names them, and the number of its instances that do."""

    patient_id: str
    issuer_of_patient_id: str
    name: str
    birth_date: str
    sex: str
    instances: int


class StudyView(msgspec.Struct, frozen=True, kw_only=True, rename={"study_instance_uid": "studyInstanceUID",
    "last_readiness": "lastReadiness", "first_seen": "firstSeen", "study_date": "studyDate",
    "study_time": "studyTime", "accession_number": "accessionNumber", "study_description": "studyDescription",
    "study_id": "studyID", "referring_physician_name": "referringPhysicianName"}):  # fmt: skip
    """A study at one location.

    Attributes:
        study_instance_uid: As its instances have it; null where they have none.
        key: What the study is asked for by.
        location: Where it was seen: `archive:NAME`, `upload:NAME`.
        state: PENDING, JUDGED or WITHDRAWN.
        readiness: Null unless the state is JUDGED.
        last_readiness: Of the last verdict, whatever the state is now.
        revision: Number of its verdicts.
        blocks: Findings of severity `block` that are not waived; `reviews` and `notes` likewise.
        owner: Who sees to it, as the audit trail has them; null where nobody does.
    """

    study_instance_uid: str | None
    key: str
    location: str
    state: StudyState
    readiness: Readiness | None
    last_readiness: Readiness | None
    revision: int
    judged: datetime | None
    blocks: int
    reviews: int
    notes: int
    series: int
    instances: int
    first_seen: datetime
    changed: datetime
    study_date: str
    study_time: str
    accession_number: str
    study_description: str
    study_id: str
    referring_physician_name: str
    modalities: list[str]
    patients: list[PatientView]
    owner: str | None = None


class FindingView(msgspec.Struct, frozen=True):
    """A finding with the location whose verdict it is in; see `heltig check --format json` for its fields."""

    location: str
    rule: str
    severity: Severity
    level: Level
    message: str
    tags: list[str]
    observed: str
    expected: str
    count: int
    instances: list[str]
    reference: str
    remedy: str
    waived: bool
    proposed: list[ProposedChange]
    digest: str


class NamedHash(msgspec.Struct, frozen=True):
    """A ruleset or profile that judged: its name and hash."""

    name: str
    hash: str


class VerdictView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A verdict without its findings.

    Attributes:
        id: SHA-256 of all that it was made of.
        unwaived_readiness: What it would be without waivers.
        valid_until: From then on it does not hold: a waiver it relies on ends. Null without an end.
        waivers: The ids of the waivers that it relies on.
        not_evaluable: Rules that the source did not show enough for.
        errors: Rules that failed to run.
    """

    id: str
    revision: int
    judged: datetime
    readiness: Readiness
    unwaived_readiness: Readiness
    reference_date: date
    valid_until: datetime | None
    waivers: list[int]
    snapshot: str
    ruleset: NamedHash
    profile: NamedHash
    not_evaluable: list[NotEvaluable]
    errors: list[RuleError]


class SeriesView(msgspec.Struct, frozen=True, kw_only=True, rename={"series_number": "seriesNumber",
    "series_instance_uid": "seriesInstanceUID", "series_description": "seriesDescription"}):  # fmt: skip
    """A series of a study's newest snapshot."""

    series_instance_uid: str | None
    key: str
    modality: str
    series_number: str
    series_description: str
    instances: int


class LocationDetail(msgspec.Struct, frozen=True):
    """A study at one location with its last verdict and its series."""

    study: StudyView
    verdict: VerdictView | None
    series: list[SeriesView]


class StudyDetail(msgspec.Struct, frozen=True):
    """A study at every location that has it.

    Attributes:
        key: What the study is asked for by.
        status: The worst of its current verdicts, or its state.
        locations: The first seen first.
    """

    key: str
    status: Status
    locations: list[LocationDetail]


def study_view(study: Study, owner: Owner | None = None) -> StudyView:
    """A study as it is shown in a list, with who sees to it."""
    attributes = study.attributes
    return StudyView(
        study_instance_uid=study.study_uid,
        key=study.study_key,
        location=str(study.location),
        state=study.state,
        readiness=study.readiness if study.state == "JUDGED" else None,
        last_readiness=study.readiness,
        revision=study.revision,
        judged=study.judged,
        blocks=study.blocks,
        reviews=study.reviews,
        notes=study.notes,
        series=study.series,
        instances=study.instances,
        first_seen=study.first_seen,
        changed=study.changed,
        study_date=attributes.study_date,
        study_time=attributes.study_time,
        accession_number=attributes.accession_number,
        study_description=attributes.study_description,
        study_id=attributes.study_id,
        referring_physician_name=attributes.referring_physician_name,
        modalities=list(attributes.modalities_in_study),
        patients=[
            PatientView(
                patient_id=patient.patient_id,
                issuer_of_patient_id=patient.issuer_of_patient_id,
                name=patient.patient_name,
                birth_date=patient.patient_birth_date,
                sex=patient.patient_sex,
                instances=patient.instances,
            )
            for patient in attributes.patients
        ],
        owner=owner.name if owner else None,
    )


def verdict_view(stored: StoredVerdict) -> VerdictView:
    """A verdict without its findings."""
    verdict, inputs = stored.verdict, stored.inputs
    return VerdictView(
        id=verdict.id,
        revision=stored.revision,
        judged=stored.judged,
        readiness=verdict.readiness,
        unwaived_readiness=verdict.unwaived_readiness,
        reference_date=inputs.reference_date,
        valid_until=verdict.valid_until,
        waivers=[int(waiver.id) for waiver in verdict.waivers],
        snapshot=inputs.snapshot,
        ruleset=NamedHash(stored.ruleset.version, stored.ruleset.hash),
        profile=NamedHash(stored.profile.name, stored.profile.hash),
        not_evaluable=list(verdict.not_evaluable),
        errors=list(verdict.errors),
    )


def series_view(series: Series) -> SeriesView:
    """A series as it is shown in a list."""
    return SeriesView(
        series_instance_uid=series.series_uid,
        key=series.series_key,
        modality=series.modality,
        series_number=series.series_number,
        series_description=series.series_description,
        instances=series.instances,
    )


def finding_view(finding: Finding, location: str) -> FindingView:
    """A finding with its location."""
    return FindingView(
        location=location,
        rule=finding.rule,
        severity=finding.severity,
        level=finding.level,
        message=finding.message,
        tags=list(finding.tags),
        observed=finding.observed,
        expected=finding.expected,
        count=finding.count,
        instances=list(finding.instances),
        reference=finding.reference,
        remedy=finding.remedy,
        waived=finding.waived,
        proposed=list(finding.proposed),
        digest=finding.digest,
    )
