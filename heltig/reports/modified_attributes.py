"""Proposed changes as data sets in DICOM JSON, like those of Original Attributes Sequence (PS3.3 C.12.1).

A data set says of some instances of a study what they would be like after a change: it has the new values,
and in Original Attributes Sequence (0400,0561) the former ones, as a system records it that made the change.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from heltig import __version__
from heltig.rules.finding import Finding
from heltig.rules.proposal import ProposedChange

DataSet: TypeAlias = dict[str, dict[str, Any]]

_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")


def datasets(study: str, findings: Iterable[Finding]) -> list[DataSet]:
    """One data set for each change to a set of instances.

    Each has Study Instance UID (0020,000D), in Referenced Series Sequence (0008,1115) the series concerned as
    a whole, and in Referenced Instance Sequence (0008,114A) single instances of others. What is to be removed
    stands in Modified Attributes Sequence (0400,0550) only.

    Args:
        study: The StudyInstanceUID; empty where the instances have none.
        findings: What was found about it.
    """
    return [_dataset(study, change) for finding in findings for change in finding.proposed]


def _dataset(study: str, change: ProposedChange) -> DataSet:
    modified = _element(change.vr, change.was or ())
    original = {
        "04000550": {"vr": "SQ", "Value": [{change.tag: modified}]},
        "04000563": _element("LO", (f"Heltig {__version__} (proposed)",)),
        "04000564": {"vr": "LO"},
        "04000565": _element("CS", ("CORRECT",)),
    }
    dataset: DataSet = {
        "0020000D": _element("UI", (study,) if study else ()),
        "04000561": {"vr": "SQ", "Value": [original]},
    }
    if change.series:
        items = [{"0020000E": _element("UI", (uid,))} for uid in change.series]
        dataset["00081115"] = {"vr": "SQ", "Value": items}
    if change.instances:
        items = [{"00081155": _element("UI", (uid,))} for uid in change.instances]
        dataset["0008114A"] = {"vr": "SQ", "Value": items}
    if change.operation != "remove":
        dataset[change.tag] = _element(change.vr, change.becomes)
    return dict(sorted(dataset.items()))


def _element(vr: str, values: tuple[str, ...]) -> dict[str, Any]:
    """An element in DICOM JSON (PS3.18 F.2); an empty value among others is null."""
    if not any(values):
        return {"vr": vr}
    if vr == "PN":
        names = [_name(value) if value else None for value in values]
        return {"vr": vr, "Value": names}
    return {"vr": vr, "Value": [value or None for value in values]}


def _name(value: str) -> dict[str, str]:
    groups = zip(_GROUPS, value.split("="), strict=False)
    return {name: text for name, text in groups if text}
