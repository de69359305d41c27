"""A study as a row of a QIDO-RS answer (PS3.18 10.6.3.3): its attributes, and the verdict's private block."""

from collections.abc import Iterator
from typing import Final

import msgspec

from heltig.api.qido import Search
from heltig.api.standing import standing
from heltig.pipeline.publish import FINDINGS_TAG, DataSet, Element, element
from heltig.store.lookups import Lookup
from heltig.store.records import Patient, Study

_ISSUER_OF_PATIENT_ID: Final = "00100021"


def study_row(
    study: Study, lookup: Lookup, search: Search, *, minute: str, further: DataSet | None = None
) -> DataSet:
    """The row of a study at one location, tags ascending.

    Every attribute that is kept of a study is returned; findings only when `includefield` names them.

    Args:
        study: The study.
        lookup: The prepared answer about it.
        search: What was asked.
        minute: The present one.
        further: Attributes beside those that are kept of every study.
    """
    verdict: DataSet = msgspec.json.decode(standing([lookup], minute=minute).dataset)
    if not search.fields.findings:
        verdict.pop(FINDINGS_TAG, None)
    return dict(sorted({**(further or {}), **verdict, **dict(_attributes(study))}.items()))


def _attributes(study: Study) -> Iterator[tuple[str, Element]]:
    attributes = study.attributes
    about = attributes.patients[0] if attributes.patients else Patient()
    yield "00080020", _texts("DA", attributes.study_date)
    yield "00080030", _texts("TM", attributes.study_time)
    yield "00080050", _texts("SH", attributes.accession_number)
    yield "00080061", element("CS", *attributes.modalities_in_study)
    yield "00080090", _names(attributes.referring_physician_name)
    yield "00081030", _texts("LO", attributes.study_description)
    yield "00100010", _names(about.patient_name)
    yield "00100020", _texts("LO", about.patient_id)
    if about.issuer_of_patient_id:
        yield _ISSUER_OF_PATIENT_ID, _texts("LO", about.issuer_of_patient_id)
    yield "00100030", _texts("DA", about.patient_birth_date)
    yield "00100040", _texts("CS", about.patient_sex)
    yield "00200010", _texts("SH", attributes.study_id)
    yield "00201206", element("IS", study.series)
    yield "00201208", element("IS", study.instances)


def _texts(vr: str, text: str) -> Element:
    return element(vr, *text.split("\\")) if text else element(vr)


def _names(text: str) -> Element:
    """A person's name in its component groups (PS3.18 F.2.2)."""
    if not text:
        return element("PN")
    groups = ("Alphabetic", "Ideographic", "Phonetic")
    names = [
        {group: part for group, part in zip(groups, name.split("="), strict=False) if part}
        for name in text.split("\\")
    ]
    return element("PN", *(name or None for name in names))
