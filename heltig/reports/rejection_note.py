"""The rejection note on a BLOCKED study: a key object of IHE Imaging Object Change Management.

Archives that understand it (IHE RAD IOCM, transaction RAD-66) hide or refuse what it names. It is made from
the snapshot that was judged, always the same for the same verdict, UIDs included. Heltig sends it nowhere: to
put it into an archive is a person's act.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import msgspec
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from connectors.dimse.part10 import IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION
from heltig.dicom.study import StudyTable
from heltig.dicom.uid import is_valid
from heltig.errors import ConflictError
from heltig.pipeline.evidence import study_attributes
from heltig.pipeline.publish import standing_rules
from heltig.reports.legal_values import legal, put
from heltig.standard.dictionary import tag_of
from heltig.standard.uids import lookup
from heltig.store.records import Patient, StoredVerdict

KEY_OBJECT_SELECTION: Final = "1.2.840.10008.5.1.4.1.1.88.59"

_REJECTED: Final = ("113001", "DCM", "Rejected for Quality Reasons")  # PS3.16 CID 7010
_DESCRIPTION: Final = ("113012", "DCM", "Key Object Description")  # PS3.16 TID 2010
_PATIENT: Final = {
    "PatientName": "patient_name",
    "PatientID": "patient_id",
    "IssuerOfPatientID": "issuer_of_patient_id",
    "PatientBirthDate": "patient_birth_date",
    "PatientSex": "patient_sex",
}
_STUDY: Final = ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID")
_MOST_RULES: Final = 20


class Rejected(msgspec.Struct, frozen=True):
    """An instance that a note names.

    Attributes:
        series: Its SeriesInstanceUID.
        sop_class: Its SOPClassUID.
        instance: Its SOPInstanceUID.
        kind: What it is to a structured report: IMAGE, WAVEFORM or COMPOSITE (PS3.3 C.17.3).
    """

    series: str
    sop_class: str
    instance: str
    kind: str


def rejection_note(table: StudyTable, verdict: StoredVerdict) -> bytes:
    """The note as a Part 10 file in explicit little endian, text in UTF-8.

    Instances without a legal SOP Class, SOP Instance or Series Instance UID cannot be named, and are left
    out. So are values of the study that are not legal.

    Args:
        table: The study as it was judged.
        verdict: The verdict on it.

    Raises:
        ConflictError: The study or all that is in it cannot be named.
    """
    if table.uid is None or not is_valid(table.uid):
        raise ConflictError(
            "The study has no legal StudyInstanceUID by which a rejection note could name it."
        )
    rejected = _rejected(table)
    if not rejected:
        raise ConflictError("No instance has legal UIDs by which a rejection note could name it.")
    note = _of_the_study(table)
    uid = verdict.verdict.id
    note.SpecificCharacterSet = "ISO_IR 192"
    note.SOPClassUID = KEY_OBJECT_SELECTION
    note.SOPInstanceUID = _uid("rejection note", uid)
    note.SeriesInstanceUID = _uid("series of rejection notes", uid)
    note.StudyInstanceUID = table.uid
    note.Modality = "KO"
    note.SeriesNumber = 9900
    note.InstanceNumber = verdict.revision
    note.SeriesDescription = "Rejected for Quality Reasons"
    note.Manufacturer = "Heltig"
    note.ManufacturerModelName = "readiness gate"
    put(note, "SoftwareVersions", verdict.ruleset.version)
    note.ReferencedPerformedProcedureStepSequence = []
    note.ContentDate = verdict.judged.strftime("%Y%m%d")
    note.ContentTime = verdict.judged.strftime("%H%M%S")
    note.CurrentRequestedProcedureEvidenceSequence = [_evidence(note.StudyInstanceUID, rejected)]
    note.ValueType = "CONTAINER"
    note.ConceptNameCodeSequence = [_code(*_REJECTED)]
    note.ContinuityOfContent = "SEPARATE"
    note.ContentTemplateSequence = [_template()]
    note.ContentSequence = [_description(verdict), *map(_content, rejected)]
    return _as_file(note)


def _rejected(table: StudyTable) -> list[Rejected]:
    columns = (
        [table.at(tag_of(keyword), row).text for row in range(table.rows)]
        for keyword in ("SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
    )
    rows = table.columns.get(tag_of("Rows"))
    codes = [0] * table.rows if rows is None else rows.codes
    found: dict[tuple[str, str, str], bool] = {}
    for series, sop_class, instance, code in zip(*columns, codes, strict=True):
        if all(map(is_valid, (series, sop_class, instance))):
            found[series, sop_class, instance] = bool(code)
    return [Rejected(*uids, _kind(uids[1], is_image=is_image)) for uids, is_image in sorted(found.items())]


def _kind(sop_class: str, *, is_image: bool) -> str:
    entry = lookup(sop_class)
    if is_image:
        return "IMAGE"
    return "WAVEFORM" if entry is not None and "Waveform" in entry.name else "COMPOSITE"


def _of_the_study(table: StudyTable) -> Dataset:
    """Whose study it is: one patient as its instances name them, and the study as that patient's have it.

    Of several patients it is the one that a search shows. Values are never put together from several.
    """
    note = Dataset()
    patients = study_attributes(table).patients
    chosen = patients[0] if patients else Patient()
    patient = {keyword: getattr(chosen, name) for keyword, name in _PATIENT.items()}
    named = tuple(patient.values())
    rows = [row for row in range(table.rows) if _values(table, row, _PATIENT) == named]
    counts = Counter(_values(table, row, _STUDY) for row in rows)
    study = min(
        counts, key=lambda values: (not any(values), -counts[values], values), default=("",) * len(_STUDY)
    )
    for keyword, value in {**patient, **dict(zip(_STUDY, study, strict=True))}.items():
        put(note, keyword, legal(keyword, value) or None)
    if note.IssuerOfPatientID is None:
        del note.IssuerOfPatientID
    return note


def _values(table: StudyTable, row: int, keywords: Iterable[str]) -> tuple[str, ...]:
    return tuple(table.at(tag_of(keyword), row).shown.strip() for keyword in keywords)


def _evidence(study: str, rejected: Iterable[Rejected]) -> Dataset:
    """Hierarchical SOP Instance Reference Macro (PS3.3 C.17.2.1)."""
    by_series: dict[str, list[Dataset]] = {}
    for one in rejected:
        by_series.setdefault(one.series, []).append(_reference(one))
    evidence = Dataset()
    evidence.StudyInstanceUID = study
    evidence.ReferencedSeriesSequence = []
    for series, references in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = series
        item.ReferencedSOPSequence = references
        evidence.ReferencedSeriesSequence.append(item)
    return evidence


def _reference(one: Rejected) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = one.sop_class
    reference.ReferencedSOPInstanceUID = one.instance
    return reference


def _content(one: Rejected) -> Dataset:
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = one.kind
    item.ReferencedSOPSequence = [_reference(one)]
    return item


def _description(verdict: StoredVerdict) -> Dataset:
    """Which rules blocked the study; what they observed is not told."""
    rules = standing_rules(verdict.verdict)
    more = f" and {len(rules) - _MOST_RULES} more" if len(rules) > _MOST_RULES else ""
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "TEXT"
    item.ConceptNameCodeSequence = [_code(*_DESCRIPTION)]
    item.TextValue = f"Not fit to be stored, by the rules {', '.join(rules[:_MOST_RULES])}{more}"
    return item


def _template() -> Dataset:
    template = Dataset()
    template.MappingResource = "DCMR"
    template.TemplateIdentifier = "2010"
    return template


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = scheme
    code.CodeMeaning = meaning
    return code


def _uid(what: str, verdict: str) -> str:
    """A UID for each verdict, of the form that PS3.5 B.2 gives to UUIDs."""
    digest = hashlib.sha256(f"{what} {verdict}".encode()).digest()
    return f"2.25.{UUID(bytes=digest[:16], version=5).int}"


def _as_file(note: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = note.SOPClassUID
    meta.MediaStorageSOPInstanceUID = note.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    note.file_meta = meta
    file = io.BytesIO()
    dcmwrite(file, note, enforce_file_format=True)
    return file.getvalue()
