"""Instances with a mark in every text of theirs, as the worst that somebody may have typed anywhere."""

from collections.abc import Collection, Mapping
from typing import Any

DataSet = dict[str, Any]

IDENTITY = frozenset({"00080005", "00080016", "00080018", "0020000D", "0020000E"})
"""What an instance is known by: character set, SOP Class, and the UIDs that studies are made of."""

_TEXTS = frozenset(
    {
        *("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"),
    }
)


def planted(dataset: Mapping[str, Any], mark: str, *, keep: Collection[str] = IDENTITY) -> DataSet:
    """The instance with the mark in each value that is text, in items too; a private block with it beside.

    Args:
        dataset: In DICOM JSON.
        mark: What is planted.
        keep: Tags that stay as they are.
    """
    found = {tag: element if tag in keep else _marked(element, mark) for tag, element in dataset.items()}
    private = {
        "00290010": {"vr": "LO", "Value": [mark]},
        "00291001": {"vr": "LO", "Value": [mark]},
        "00291002": {"vr": "CS", "Value": [mark]},
        "00291003": {"vr": "DS", "Value": [mark]},
    }
    return dict(sorted({**found, **private}.items()))


def _marked(element: Any, mark: str) -> Any:
    vr, values = element.get("vr"), element.get("Value") or []
    if vr == "SQ":
        return {"vr": vr, "Value": [{tag: _marked(inner, mark) for tag, inner in v.items()} for v in values]}
    if vr == "PN":
        return {"vr": vr, "Value": [{"Alphabetic": f"{mark}^{mark}"}]}
    return {"vr": vr, "Value": [mark] * max(len(values), 1)} if vr in _TEXTS else element
