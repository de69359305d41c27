"""Attributes by keyword, and their encoding as DICOM JSON (PS3.18 F.2)."""

import base64
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeAlias

from heltig.standard.dictionary import lookup, tag_of

Attributes: TypeAlias = dict[str, Any]
"""Keyword (or eight hex digits) to a value, several in a list, items of a sequence in a list of attributes.

An empty string, an empty list or `None` is an empty element. `bytes` go inline. A tag of eight hex digits
needs its VR: give a complete DICOM JSON element.
"""

BULK: Mapping[str, str] = {"BulkDataURI": ""}
"""Pixel Data, which the archive keeps elsewhere and the writer of files makes up."""


def dicom_json(attributes: Attributes) -> dict[str, Any]:
    """Encode a data set in the DICOM JSON model, tags ascending.

    Raises:
        KeyError: A keyword is not in the data dictionary.
    """
    signed = attributes.get("PixelRepresentation") == 1
    wide = attributes.get("BitsAllocated", 16) > 8
    return _encode(attributes, {"US or SS": "SS" if signed else "US", "OB or OW": "OW" if wide else "OB"})


def _encode(attributes: Attributes, ambiguous: Mapping[str, str]) -> dict[str, Any]:
    encoded = {}
    for keyword, value in attributes.items():
        tag, vr = _identify(keyword)
        encoded[tag] = _element(ambiguous.get(vr, vr), value, ambiguous) if vr else value
    return dict(sorted(encoded.items()))


@cache
def _identify(keyword: str) -> tuple[str, str]:
    if len(keyword) == 8 and not keyword.strip("0123456789ABCDEF"):
        return keyword, ""
    tag = tag_of(keyword)
    entry = lookup(tag)
    return tag, entry.vr if entry else ""


def _element(vr: str, value: Any, ambiguous: Mapping[str, str]) -> dict[str, Any]:
    if value is BULK:
        return {"vr": vr, **BULK}
    if isinstance(value, bytes):
        return {"vr": vr, "InlineBinary": base64.b64encode(value).decode()}
    values = value if isinstance(value, list | tuple) else [value]
    if vr == "SQ":
        values = [_encode(item, ambiguous) for item in values]
    elif vr == "PN":
        values = [_name(text) for text in values if text]
    else:
        values = [None if part == "" else part for part in values]
    return {"vr": vr} if all(part is None for part in values) else {"vr": vr, "Value": values}


def _name(text: str) -> dict[str, str]:
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
    return {group: part for group, part in groups if part}


def code(value: str, scheme: str, meaning: str) -> list[Attributes]:
    """A code sequence of one item (PS3.3 8.8)."""
    return [{"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}]


def references(instances: Iterable[Attributes]) -> list[Attributes]:
    """Items that refer to instances by class and UID (PS3.3 10.8)."""
    return [
        {"ReferencedSOPClassUID": i["SOPClassUID"], "ReferencedSOPInstanceUID": i["SOPInstanceUID"]}
        for i in instances
    ]
