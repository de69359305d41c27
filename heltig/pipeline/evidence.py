"""An arranged study made ready for the store: its evidence packed, what a search shows of it picked out.

Costs hashing, compressing and counting, so it is done in the process that reads the study.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from heltig.dicom.digest import SeriesDigest
from heltig.dicom.normal import texts
from heltig.dicom.snapshot import SeriesEvidence, source_facts
from heltig.dicom.study import SOP_INSTANCE_UID, SeriesRows, StudyTable
from heltig.standard.dictionary import tag_of
from heltig.store.packing import pack_series
from heltig.store.records import Device, Location, NewSnapshot, Patient, SeriesBlob, StudyAttributes

_STUDY: Final = {
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "accession_number": "AccessionNumber",
    "study_description": "StudyDescription",
    "study_id": "StudyID",
    "referring_physician_name": "ReferringPhysicianName",
}
_PATIENT: Final = {
    "patient_id": "PatientID",
    "issuer_of_patient_id": "IssuerOfPatientID",
    "patient_name": "PatientName",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
}
_SERIES: Final = {
    "modality": "Modality",
    "series_number": "SeriesNumber",
    "series_description": "SeriesDescription",
    "frame_of_reference_uid": "FrameOfReferenceUID",
}

DEVICE_TAGS: Final = tuple(map(tag_of, ("Manufacturer", "ManufacturerModelName", "StationName")))
"""What names a device, in the order of `Device`."""


def new_snapshot(
    table: StudyTable,
    evidence: Sequence[SeriesEvidence],
    digests: Sequence[SeriesDigest],
    *,
    id: str,
    content_digest: str,
    location: Location,
    received: datetime,
    reference_date: date,
) -> NewSnapshot:
    """What the store keeps of a study.

    Args:
        table: The study, arranged.
        evidence: Of each of its series, in their order.
        digests: Likewise.
        id: The id of the evidence.
        content_digest: What tells whether the study changed.
        location: Where it was seen.
        received: When the source was read.
        reference_date: "Today" to the rules.
    """
    instances = table.columns.get(SOP_INSTANCE_UID)
    uids = [""] * table.rows
    if instances is not None:
        uids = list(map(texts(table, instances).__getitem__, instances.codes))
    return NewSnapshot(
        location=location,
        study_key=table.key,
        study_uid=table.uid,
        snapshot=id,
        content_digest=content_digest,
        received=received,
        reference_date=reference_date,
        facts=source_facts(table.source),
        attributes=study_attributes(table),
        series=tuple(
            _packed(table, series, uids, content=kept.content, digest=digest.digest)
            for series, kept, digest in zip(table.series, evidence, digests, strict=True)
        ),
        devices=devices_of(table),
    )


def study_attributes(table: StudyTable) -> StudyAttributes:
    """What a search shows of a study: of several values the one that most instances have."""
    rows = range(table.rows)
    return StudyAttributes(
        **{name: _commonest(table, keyword, rows) for name, keyword in _STUDY.items()},
        modalities_in_study=tuple(sorted(set(_values(table, "Modality", rows)) - {""})),
        patients=_patients(table),
    )


def devices_of(table: StudyTable) -> tuple[Device, ...]:
    """The devices that a study's instances name, sorted."""
    return tuple(sorted(Device(*map(device_text, each)) for each in _combinations(table, DEVICE_TAGS)))


def device_text(text: str) -> str:
    """What names a device, as it is kept: spaces that nobody sees do not make another device of it."""
    return " ".join(text.split())


def _packed(
    table: StudyTable, series: SeriesRows, uids: Sequence[str], *, content: bytes, digest: str
) -> SeriesBlob:
    """A series packed.

    Args:
        table: The study.
        series: The series.
        uids: Of each row of the study its SOPInstanceUID; empty without one.
        content: The series' evidence.
        digest: Its content digest.
    """
    return pack_series(
        content,
        series_key=series.key,
        series_uid=series.uid,
        digest=digest,
        instances=len(series.rows),
        sop_instance_uids=set(uids[series.rows.start : series.rows.stop]) - {""},
        **{name: _commonest(table, keyword, series.rows) for name, keyword in _SERIES.items()},
    )


def _patients(table: StudyTable) -> tuple[Patient, ...]:
    counts = _combinations(table, tuple(map(tag_of, _PATIENT.values())))
    commonest = sorted(counts.items(), key=lambda patient: (-patient[1], patient[0]))
    return tuple(
        Patient(**dict(zip(_PATIENT, values, strict=True)), instances=instances)
        for values, instances in commonest
        if any(values)
    )


def _combinations(table: StudyTable, tags: Sequence[str]) -> Counter[tuple[str, ...]]:
    """How many rows have the same values of some attributes; the empty text stands for none."""
    columns = [table.columns.get(tag) for tag in tags]
    everywhere = bytes(table.rows)
    codes = [everywhere if column is None else column.codes for column in columns]
    combinations: Mapping[tuple[int, ...], int]
    if table.rows and all(column is None or column.constant for column in columns):
        combinations = {tuple(each[0] for each in codes): table.rows}
    else:
        combinations = Counter(zip(*codes, strict=True))
    counts: Counter[tuple[str, ...]] = Counter()
    for combination, instances in combinations.items():
        cells = zip(columns, combination, strict=True)
        counts[tuple("" if c is None else table.cell(c, code).shown.strip() for c, code in cells)] += (
            instances
        )
    return counts


def _commonest(table: StudyTable, keyword: str, rows: range) -> str:
    counts = _values(table, keyword, rows)
    return min((value for value in counts if value), key=lambda value: (-counts[value], value), default="")


def _values(table: StudyTable, keyword: str, rows: range) -> Counter[str]:
    """How many rows have each value; the empty text stands for none."""
    column = table.columns.get(tag_of(keyword))
    if column is None:
        return Counter({"": len(rows)})
    if column.constant:
        return Counter({table.cell(column, 1).shown.strip(): len(rows)})
    counts: Counter[str] = Counter()
    for code, count in Counter(column.codes[rows.start : rows.stop]).items():
        counts[table.cell(column, code).shown.strip()] += count
    return counts
