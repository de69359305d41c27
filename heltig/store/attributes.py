"""A study's attributes as columns hold them."""

from collections.abc import Iterable
from typing import Any

import msgspec

from heltig.store.names import folded
from heltig.store.records import Patient, StudyAttributes
from heltig.store.text import TEXT_LENGTH, storable

TEXTS = (
    "study_date",
    "study_time",
    "accession_number",
    "study_description",
    "study_id",
    "referring_physician_name",
)
"""Those that are a column each, under their own name."""


def storable_attributes(attributes: StudyAttributes) -> StudyAttributes:
    """Attributes that come out of the store as they went in; patients that become the same are merged."""
    merged: dict[Patient, int] = {}
    for patient in map(_storable_patient, attributes.patients):
        who = msgspec.structs.replace(patient, instances=0)
        merged[who] = merged.get(who, 0) + patient.instances
    return StudyAttributes(
        **{name: storable(getattr(attributes, name), TEXT_LENGTH) for name in TEXTS},
        modalities_in_study=split(joined(attributes.modalities_in_study)),
        patients=tuple(msgspec.structs.replace(who, instances=n) for who, n in merged.items()),
    )


def columns_of(attributes: StudyAttributes) -> dict[str, Any]:
    """The columns of a study's attributes; patients have a table of their own."""
    columns = {name: getattr(attributes, name) for name in TEXTS}
    return {
        **columns,
        "referring_physician_folded": folded(attributes.referring_physician_name),
        "modalities_in_study": joined(attributes.modalities_in_study),
    }


def joined(values: Iterable[str]) -> str:
    """Values between backslashes, so that each can be found by itself; empty for none."""
    kept = ""
    for value in values:
        more = kept + ("" if kept else "\\") + storable(value).replace("\\", "") + "\\"
        if len(more) > TEXT_LENGTH:
            break
        kept = more
    return kept


def split(text: str) -> tuple[str, ...]:
    """What `joined` was given."""
    return tuple(text.strip("\\").split("\\")) if text else ()


def _storable_patient(patient: Patient) -> Patient:
    return Patient(
        patient_id=storable(patient.patient_id, TEXT_LENGTH),
        issuer_of_patient_id=storable(patient.issuer_of_patient_id, TEXT_LENGTH),
        patient_name=storable(patient.patient_name, TEXT_LENGTH),
        patient_birth_date=storable(patient.patient_birth_date, TEXT_LENGTH),
        patient_sex=storable(patient.patient_sex, TEXT_LENGTH),
        instances=patient.instances,
    )
