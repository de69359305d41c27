"""DICOM JSON without what could name a patient: what `redaction` takes out of findings, out of attributes.

A value that is masked says `[redacted]` where its VR is one of text, and is left out where nothing but a
date or a number may stand. An attribute that is there and has a value is told from one that is empty only
then: elsewhere the VR stands alone for both.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from heltig.pipeline.identifiers.harmless_text import is_known_code
from heltig.pipeline.identifiers.redaction import is_harmless
from heltig.pipeline.identifiers.vocabulary import REDACTED
from heltig.standard.dictionary import tag_of
from heltig.store.keyed import Keyed
from heltig.store.well_formed import is_code, is_date, is_time

Element: TypeAlias = dict[str, Any]
DataSet: TypeAlias = dict[str, Element]

FIELDS: Final[Mapping[str, str]] = {
    tag_of("AccessionNumber"): "accession_number",
    tag_of("ReferringPhysicianName"): "referring_physician_name",
    tag_of("PatientName"): "patient_name",
    tag_of("PatientID"): "patient_id",
    tag_of("IssuerOfPatientID"): "issuer_of_patient_id",
    tag_of("PatientBirthDate"): "patient_birth_date",
    tag_of("PatientSex"): "patient_sex",
    tag_of("StudyID"): "study_id",
}
"""The identifiers that are known of every study, and their fields."""

SHOWN: Final = frozenset(map(tag_of, ("StudyDate", "StudyTime", "StudyDescription", "SeriesDescription")))
"""What nobody finds a study without: worklists and searches show it to all."""

_FORMED: Final[Mapping[str, Callable[[str], bool]]] = {
    tag_of("StudyDate"): is_date,
    tag_of("StudyTime"): is_time,
    tag_of("ModalitiesInStudy"): is_code,
}
"""Those that are told as far as they are what they should be."""

_TEXTS: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_NUMBER: Final = re.compile(r"[-+0-9.eE ]{1,40}|NaN|-?inf", re.ASCII)
_FORMS: Final = {
    "AT": re.compile(r"[0-9A-F]{8}", re.ASCII),
    "CS": re.compile(r"[A-Z0-9_ ]{0,16}", re.ASCII),
    "UI": re.compile(r"[0-9.]{1,128}", re.ASCII),
}
_VR: Final = re.compile(r"[A-Z]{2}", re.ASCII)

Hide: TypeAlias = Callable[[str, Element], Element]
"""Makes of an attribute with a value what is told of it."""


def masked(tag: str, element: Element) -> Element:
    """An attribute without its value."""
    vr = element["vr"]
    if vr == "PN":
        return {"vr": "PN", "Value": [{"Alphabetic": REDACTED}]}
    return {"vr": vr, "Value": [REDACTED]} if vr in _TEXTS else {"vr": vr}


def tokens(keyed: Keyed) -> Hide:
    """The same, but identifiers that studies are matched by become what stands for them in the database."""

    def hide(tag: str, element: Element) -> Element:
        field = FIELDS.get(tag)
        values = element.get("Value")
        if field is None or not isinstance(values, list):
            return masked(tag, element)
        token = keyed.token(field, "\\".join(map(_text, values)))
        vr = element["vr"]
        if vr == "PN":
            return {"vr": vr, "Value": [{"Alphabetic": token}]}
        return {"vr": vr, "Value": [token]} if vr in _TEXTS else {"vr": vr}

    return hide


def without_identifiers(dataset: Any, hide: Hide) -> DataSet:
    """A data set, and all in its sequences, without what could name a patient.

    Left are UIDs, codes and numbers, and what `SHOWN` names. Bulk data has its address no more.
    """
    if not isinstance(dataset, dict):
        return {}
    return {tag: _told(tag, element, hide) for tag, element in dataset.items() if isinstance(element, dict)}


def without_fields(dataset: DataSet) -> DataSet:
    """The row of a study without the identifiers that are known of every study."""
    return {
        tag: masked(tag, element) if tag in FIELDS and element.get("Value") else element
        for tag, element in dataset.items()
    }


def without_ill_formed(dataset: DataSet) -> DataSet:
    """The row of a study without what is no date, no time and no modality."""
    return {
        tag: {**element, "Value": [value for value in element["Value"] if _is_shown(tag, value)]}
        if tag in _FORMED and element.get("Value")
        else element
        for tag, element in dataset.items()
    }


def _is_shown(tag: str, value: object) -> bool:
    """Whether a value is shown to all: where a date should be, anything may stand."""
    is_formed = _FORMED.get(tag)
    return value is None or is_formed is None or (isinstance(value, str) and is_formed(value))


def _told(tag: str, element: Element, hide: Hide) -> Element:
    written = element.get("vr")
    vr = written if isinstance(written, str) and _VR.fullmatch(written) else "UN"
    values = element.get("Value")
    if vr == "SQ":
        items = values if isinstance(values, list) else []
        return (
            {"vr": vr, "Value": [without_identifiers(item, hide) for item in items]} if items else {"vr": vr}
        )
    if isinstance(values, list) and (tag in SHOWN or is_harmless(tag)):
        kept = [
            value if (_is_shown(tag, value) if tag in SHOWN else _is_harmless(vr, value)) else None
            for value in values
        ]
        return {"vr": vr, "Value": kept} if kept else {"vr": vr}
    return hide(tag, {**element, "vr": vr}) if element.keys() - {"vr"} else {"vr": vr}


def _is_harmless(vr: str, value: object) -> bool:
    """Whether a value is what its VR holds: where a number should be, anything may stand."""
    if not isinstance(value, str):
        return isinstance(value, int | float)
    return bool(_FORMS.get(vr, _NUMBER).fullmatch(value)) and (vr != "CS" or is_known_code(value))


def _text(value: object) -> str:
    """A value as the columns of the database have it."""
    if isinstance(value, dict):
        groups = (str(value.get(group) or "") for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    return "" if value is None else str(value)
