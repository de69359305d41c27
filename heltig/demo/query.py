"""QIDO-RS over instances in memory: rows, matching, returned attributes (PS3.18 10.6, PS3.4 C.2.2.2)."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from heltig.standard.dictionary import tag_of

Instance: TypeAlias = Mapping[str, Any]
"""One instance in the DICOM JSON model (PS3.18 F): tag to element, or to its text (`msgspec.Raw`)."""
Row: TypeAlias = dict[str, Any]
Query: TypeAlias = Sequence[tuple[str, str]]
"""Parameter names (keywords or tags) and values, in the order of the query string."""
Level: TypeAlias = Literal["study", "series", "instance"]

STUDY_UID, SERIES_UID, SOP_UID = "0020000D", "0020000E", "00080018"
PATIENT_ID = "00100020"
MODALITY, SOP_CLASS = "00080060", "00080016"
AVAILABILITY, RETRIEVE_URL = "00080056", "00081190"
MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY = "00080061", "00080062"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"
COUNTS = (STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES)

KEYS: dict[str, Level] = {
    "00080016": "instance",  # SOPClassUID
    "00080018": "instance",  # SOPInstanceUID
    "00080020": "study",  # StudyDate
    "00080030": "study",  # StudyTime
    "00080050": "study",  # AccessionNumber
    "00080056": "study",  # InstanceAvailability
    "00080060": "series",  # Modality
    "00080061": "study",  # ModalitiesInStudy
    "00080062": "study",  # SOPClassesInStudy
    "00080090": "study",  # ReferringPhysicianName
    "00081030": "study",  # StudyDescription
    "0008103E": "series",  # SeriesDescription
    "00100010": "study",  # PatientName
    "00100020": "study",  # PatientID
    "00100021": "study",  # IssuerOfPatientID
    "00100030": "study",  # PatientBirthDate
    "00100040": "study",  # PatientSex
    "0020000D": "study",  # StudyInstanceUID
    "0020000E": "series",  # SeriesInstanceUID
    "00200010": "study",  # StudyID
    "00200011": "series",  # SeriesNumber
    "00200013": "instance",  # InstanceNumber
    "00201206": "study",  # NumberOfStudyRelatedSeries
    "00201208": "study",  # NumberOfStudyRelatedInstances
    "00201209": "series",  # NumberOfSeriesRelatedInstances
    "00280008": "instance",  # NumberOfFrames
    "00280010": "instance",  # Rows
    "00280011": "instance",  # Columns
    "00280100": "instance",  # BitsAllocated
    "00400244": "series",  # PerformedProcedureStepStartDate
    "00400245": "series",  # PerformedProcedureStepStartTime
}
"""The attributes that can be matched and come back unasked, with their level (PS3.18 10.6.3.3)."""

_CONTROLS = frozenset({"limit", "offset", "includefield", "fuzzymatching"})


def first_value(instance: Instance, tag: str) -> str:
    """The first value of an element as text; empty when there is none."""
    element = instance.get(tag)
    values = element.get("Value") if isinstance(element, Mapping) else None
    return str(values[0]) if isinstance(values, list) and values else ""


def study_rows(
    instances: Iterable[Instance], base: str, *, include: Iterable[str] = (), by_patient: bool = False
) -> list[Row]:
    """One row a study, in order of first arrival.

    Args:
        instances: Instances of any number of studies.
        base: Root of the service, for Retrieve URL.
        include: Tags to return beside the level's own, taken from the first instance.
        by_patient: A row for each Patient ID that a study has, as archives do that key studies by patient.
    """
    rows = []
    for group in _groups(instances, (STUDY_UID, PATIENT_ID) if by_patient else (STUDY_UID,)):
        row = _attributes(group[0], ["study"], include)
        row[MODALITIES_IN_STUDY] = {"vr": "CS", "Value": _distinct(group, MODALITY)}
        row[SOP_CLASSES_IN_STUDY] = {"vr": "UI", "Value": _distinct(group, SOP_CLASS)}
        row[STUDY_SERIES] = {"vr": "IS", "Value": [len(_distinct(group, SERIES_UID))]}
        row[STUDY_INSTANCES] = {"vr": "IS", "Value": [len(group)]}
        _locate(row, f"{base}/studies/{first_value(group[0], STUDY_UID)}")
        rows.append(row)
    return rows


def series_rows(instances: Iterable[Instance], base: str, *, include: Iterable[str] = ()) -> list[Row]:
    """One row a series of each study, in order of first arrival."""
    rows = []
    for group in _groups(instances, (STUDY_UID, SERIES_UID)):
        row = _attributes(group[0], ["study", "series"], include)
        row[SERIES_INSTANCES] = {"vr": "IS", "Value": [len(group)]}
        uids = (first_value(group[0], STUDY_UID), first_value(group[0], SERIES_UID))
        _locate(row, "{}/studies/{}/series/{}".format(base, *uids))
        rows.append(row)
    return rows


def instance_rows(instances: Iterable[Instance], base: str, *, include: Iterable[str] = ()) -> list[Row]:
    """One row an instance, in order of arrival."""
    rows = []
    for instance in instances:
        row = _attributes(instance, ["study", "series", "instance"], include)
        uids = (first_value(instance, tag) for tag in (STUDY_UID, SERIES_UID, SOP_UID))
        _locate(row, "{}/studies/{}/series/{}/instances/{}".format(base, *uids))
        rows.append(row)
    return rows


def match_rows(rows: Iterable[Row], query: Query) -> list[Row]:
    """The rows that match every key of a query; keys that are not supported match everything (PS3.18 8.3.4).

    Args:
        rows: Rows as `study_rows`, `series_rows` and `instance_rows` make them.
        query: The parameters; those that control the answer (`limit` and the like) are no keys.
    """
    keys = [(_tag(name), value) for name, value in query if name not in _CONTROLS]
    supported = [(tag, value) for tag, value in keys if tag in KEYS]
    return [row for row in rows if all(_matches(row.get(tag, {}), value) for tag, value in supported)]


def included_tags(query: Query) -> list[str]:
    """The tags that the `includefield` parameters of a query name."""
    names = (name for key, value in query if key == "includefield" for name in value.split(","))
    return [_tag(name) for name in names]


def _tag(name: str) -> str:
    try:
        return tag_of(name)
    except KeyError:
        return name.upper()


def _matches(element: Mapping[str, Any], wanted: str) -> bool:
    if wanted in ("", "*"):
        return True
    vr, texts = element.get("vr", ""), list[str]()
    for value in element.get("Value") or []:
        texts += value.values() if isinstance(value, Mapping) else [str(value)]
    if vr == "UI":
        return any(text in re.split(r"[,\\]", wanted) for text in texts)
    if vr in ("DA", "TM", "DT") and "-" in wanted:
        first, _, last = wanted.partition("-")
        return any(first <= text and (not last or text[: len(last)] <= last) for text in texts)
    pattern = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in wanted)
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL if vr == "PN" else re.DOTALL)
    return any(compiled.fullmatch(text) for text in texts)


def _groups(instances: Iterable[Instance], tags: tuple[str, ...]) -> Iterable[list[Instance]]:
    groups: dict[tuple[str, ...], list[Instance]] = {}
    for instance in instances:
        groups.setdefault(tuple(first_value(instance, tag) for tag in tags), []).append(instance)
    return groups.values()


def _attributes(instance: Instance, levels: list[Level], include: Iterable[str]) -> Row:
    tags = ("00080005", *(tag for tag, own in KEYS.items() if own in levels), *include)
    return {tag: instance[tag] for tag in tags if tag in instance}


def _distinct(group: Iterable[Instance], tag: str) -> list[str]:
    return list(Counter(first_value(instance, tag) for instance in group if tag in instance))


def _locate(row: Row, url: str) -> None:
    row[AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    row[RETRIEVE_URL] = {"vr": "UR", "Value": [url]}
