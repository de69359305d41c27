"""One study's verdict with all that explains it: what every report of stored verdicts is made of."""

from datetime import date, datetime

import msgspec

from heltig import __version__
from heltig.auth.principal import may_log_in
from heltig.pipeline.identifiers.redaction import redacted_finding, told_tags, told_uid
from heltig.pipeline.identifiers.vocabulary import REDACTED
from heltig.pipeline.judging import RulesetName
from heltig.pipeline.report import ProfileName
from heltig.reports import reasons
from heltig.rules.finding import Finding, NotEvaluable, RuleError
from heltig.store.judged_studies import JudgedStudy
from heltig.store.records import Device, Patient, StudyState
from heltig.store.well_formed import is_code
from heltig.verdict import Readiness, Waiver


class NamedPatient(msgspec.Struct, frozen=True, rename={"patient_id": "patientID"}):
    """A patient as a study names them."""

    patient_id: str
    name: str
    birth_date: str = msgspec.field(name="birthDate")


class VerdictLine(msgspec.Struct, frozen=True, kw_only=True, rename={"study_instance_uid": "studyInstanceUID",
    "unwaived_readiness": "unwaivedReadiness", "valid_until": "validUntil", "reference_date": "referenceDate",
    "study_date": "studyDate", "accession_number": "accessionNumber", "first_seen": "firstSeen",
    "study_description": "studyDescription", "not_evaluable": "notEvaluable"}):  # fmt: skip
    """A study's last verdict.

    Attributes:
        heltig: The version of the software that wrote the report.
        study_instance_uid: As its instances have it; null where they have none.
        key: What the study is asked for by.
        location: Where it was seen: `archive:NAME`, `gate:NAME`, `upload:NAME`.
        state: PENDING where the verdict does not stand any more, or is still to come.
        readiness: Of the last verdict; null before the first.
        unwaived_readiness: What it would be without waivers.
        why: In plain words.
        headline: The worst reason, with the number of others.
        judged: When, in UTC.
        verdict: Its id; `snapshot` that of the evidence.
        waivers: Those that it relies on.
        owner: Who sees to the study; empty where nobody does.
        ruleset: What judged, with the edition of the standard; `profile` likewise.
    """

    heltig: str = __version__
    study_instance_uid: str | None
    key: str
    location: str
    state: StudyState
    readiness: Readiness | None
    unwaived_readiness: Readiness | None
    why: str
    headline: str
    revision: int
    judged: datetime | None
    valid_until: datetime | None
    verdict: str | None
    snapshot: str | None
    reference_date: date | None
    ruleset: RulesetName | None
    profile: ProfileName | None
    series: int
    instances: int
    modalities: tuple[str, ...]
    devices: tuple[Device, ...]
    first_seen: datetime
    study_date: str
    study_description: str
    accession_number: str
    patients: tuple[NamedPatient, ...]
    findings: tuple[Finding, ...]
    not_evaluable: tuple[NotEvaluable, ...]
    errors: tuple[RuleError, ...]
    waivers: tuple[Waiver, ...]
    owner: str = ""

    @property
    def standing(self) -> Readiness | None:
        """The readiness that stands now."""
        return self.readiness if self.state == "JUDGED" else None


def line_of(found: JudgedStudy, *, redact: bool) -> VerdictLine:
    """A study as reports have it.

    Args:
        found: The study and its verdict.
        redact: Without text, names, dates and times that could name a patient.
    """
    study, stored = found.study, found.verdict
    given = stored.verdict if stored else None
    findings = given.findings if given else ()
    told = map(redacted_finding, findings) if redact else findings
    about = study.attributes
    line = VerdictLine(
        study_instance_uid=study.study_uid,
        key=study.study_key,
        location=str(study.location),
        state=study.state,
        readiness=given.readiness if given else None,
        unwaived_readiness=given.unwaived_readiness if given else None,
        why=_why(found),
        headline=reasons.headline(tuple(told), not_evaluable=given.not_evaluable, errors=given.errors)
        if given
        else "",
        revision=stored.revision if stored else 0,
        judged=stored.judged if stored else None,
        valid_until=given.valid_until if given else None,
        verdict=given.id if given else None,
        snapshot=stored.inputs.snapshot if stored else None,
        reference_date=stored.inputs.reference_date if stored else None,
        ruleset=RulesetName(stored.ruleset.version, stored.ruleset.hash, stored.ruleset.standard)
        if stored
        else None,
        profile=ProfileName(stored.profile.name, stored.profile.hash) if stored else None,
        series=study.series,
        instances=study.instances,
        modalities=about.modalities_in_study,
        devices=found.devices,
        first_seen=study.first_seen,
        study_date=about.study_date,
        study_description=about.study_description,
        accession_number=about.accession_number,
        patients=tuple(map(_patient, about.patients)),
        findings=findings,
        not_evaluable=given.not_evaluable if given else (),
        errors=given.errors if given else (),
        waivers=given.waivers if given else (),
        owner=found.owner,
    )
    return redacted_line(line) if redact else line


def redacted_line(line: VerdictLine) -> VerdictLine:
    """The same without what could name a patient."""
    return msgspec.structs.replace(
        line,
        study_instance_uid=line.study_instance_uid and told_uid(line.study_instance_uid),
        key=told_uid(line.key),
        modalities=tuple(sorted({one if is_code(one) else REDACTED for one in line.modalities})),
        study_date=line.study_date and REDACTED,
        study_description=line.study_description and REDACTED,
        accession_number=line.accession_number and REDACTED,
        patients=(),
        devices=tuple(sorted(set(map(redacted_device, line.devices)))),
        findings=tuple(map(redacted_finding, line.findings)),
        waivers=tuple(
            msgspec.structs.replace(waiver, tags=told_tags(waiver.tags), observed=REDACTED, digest="")
            for waiver in line.waivers
        ),
        owner=line.owner if not line.owner or may_log_in(line.owner) else REDACTED,  # once it was any text
    )


def redacted_device(device: Device) -> Device:
    """The same without its station's name, which may name a person."""
    return msgspec.structs.replace(device, station=device.station and REDACTED)


def _why(found: JudgedStudy) -> str:
    if found.verdict is None:
        return "It has not been judged yet."
    given = found.verdict.verdict
    said = reasons.why(
        given.readiness, given.findings, not_evaluable=given.not_evaluable, errors=given.errors
    )
    if found.study.state == "PENDING":
        return f"It waits to be judged again; this is what the last verdict said. {said}"
    return said


def _patient(patient: Patient) -> NamedPatient:
    return NamedPatient(patient.patient_id, patient.patient_name, patient.patient_birth_date)
