"""The answer to a store request: a Store Instances Response Module (PS3.18 I.1), in JSON or in XML."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import msgspec

from heltig.gate.pass_through_resource import resource_of
from heltig.pipeline.gate import refusal_codes as codes
from heltig.pipeline.publish import CREATOR, CREATOR_TAG, DataSet, element

JSON: Final = "application/dicom+json"
XML: Final = "application/dicom+xml"
MEDIA_TYPES: Final = (JSON, "application/json", XML)
"""What an answer may be, the preferred first."""

RETRIEVE_URL: Final = "00081190"
FAILED: Final = "00081198"
REFERENCED: Final = "00081199"
OTHER_FAILURES: Final = "0008119A"
COMMENT: Final = "00991014"
"""In the private block `HELTIG READINESS 1`: the rules that refuse an object, or a few words."""

_KEYWORDS: Final = {
    RETRIEVE_URL: "RetrieveURL",
    FAILED: "FailedSOPSequence",
    REFERENCED: "ReferencedSOPSequence",
    OTHER_FAILURES: "OtherFailuresSequence",
    "00081150": "ReferencedSOPClassUID",
    "00081155": "ReferencedSOPInstanceUID",
    "00081196": "WarningReason",
    "00081197": "FailureReason",
}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of one part of a request.

    Attributes:
        sop_instance_uid: Empty where the part is none that can be named.
        code: 0 where it is stored, else why it is not.
        warning: Beside a code of 0.
        comment: Ids of rules, or a few words.
    """

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    code: int = 0
    warning: int | None = None
    comment: str = ""


Root: TypeAlias = Callable[[], str]


def status_of(told: Sequence[Told]) -> int:
    """The HTTP status (PS3.18 table 10.5.3-1)."""
    stored = [one for one in told if not one.code]
    if len(stored) == len(told) and told:
        return 202 if any(one.warning for one in told) else 200
    if stored:
        return 202
    reasons = {one.code for one in told}
    if reasons <= {codes.UNREADABLE, codes.NOT_DICOM}:
        return 400
    if reasons == {codes.OUT_OF_RESOURCES} and not any(one.sop_instance_uid for one in told):
        return 413
    return 409


def response_of(told: Sequence[Told], *, root: str) -> DataSet:
    """The data set that says what became of each part.

    Args:
        told: Of each part.
        root: The root of the gate's DICOMweb, for the addresses of what is stored.
    """
    studies = {one.study_uid for one in told if not one.code}
    path = f"studies/{quote(studies.pop(), safe='')}" if len(studies) == 1 else ""
    dataset: DataSet = {RETRIEVE_URL: _address(root, path)}
    failed = [_failed(one) for one in told if one.code and one.sop_instance_uid]
    stored = [_stored(one, root) for one in told if not one.code]
    others = [_failed(one) for one in told if one.code and not one.sop_instance_uid]
    for tag, items in ((FAILED, failed), (REFERENCED, stored), (OTHER_FAILURES, others)):
        if items:
            dataset[tag] = element("SQ", *items)
    return dataset


def as_json(dataset: DataSet) -> bytes:
    """A data set as DICOM JSON (PS3.18 F)."""
    return msgspec.json.encode(dataset)


def as_xml(dataset: DataSet) -> bytes:
    """A data set in the Native DICOM Model (PS3.19 A.1)."""
    body = "".join(_attributes(dataset))
    return f'<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel>{body}</NativeDicomModel>'.encode()


def warning_of(told: Sequence[Told]) -> str | None:
    """A Warning header with the rules that refuse objects; None where none does."""
    comments = sorted({one.comment for one in told if one.code and one.comment})
    if not comments:
        return None
    text = "; ".join(comments[:5]).replace("\\", "").replace('"', "'")
    return f'299 heltig "{text}"'


def _stored(one: Told, root: str) -> DataSet:
    parts = (("studies", one.study_uid), ("series", one.series_uid), ("instances", one.sop_instance_uid))
    path = "/".join(f"{level}/{quote(uid, safe='')}" for level, uid in parts)
    item: DataSet = _named(one)
    item[RETRIEVE_URL] = _address(root, path)
    if one.warning:
        item["00081196"] = element("US", one.warning)
    return item


def _address(root: str, path: str) -> dict[str, Any]:
    """Where something can be retrieved; nothing where no UID in it can stand in an address."""
    is_resource = resource_of(path) is not None
    return element("UR", *([f"{root}/{path}"] if is_resource else []))


def _failed(one: Told) -> DataSet:
    item = _named(one) if one.sop_instance_uid else {}
    item["00081197"] = element("US", one.code)
    if one.comment:
        item[CREATOR_TAG] = element("LO", CREATOR)
        item[COMMENT] = element("LO", one.comment)
    return item


def _named(one: Told) -> DataSet:
    return {
        "00081150": element("UI", *([one.sop_class_uid] if one.sop_class_uid else [])),
        "00081155": element("UI", one.sop_instance_uid),
    }


def _attributes(dataset: Mapping[str, Any]) -> Iterator[str]:
    for tag, given in dataset.items():
        name = f" keyword={quoteattr(_KEYWORDS[tag])}" if tag in _KEYWORDS else ""
        if tag == COMMENT:
            name = f" privateCreator={quoteattr(CREATOR)}"
            tag = f"{tag[:4]}00{tag[6:]}"
        values = "".join(_values(given))
        yield f'<DicomAttribute tag="{tag}" vr="{given["vr"]}"{name}>{values}</DicomAttribute>'


def _values(given: Mapping[str, Any]) -> Iterator[str]:
    for number, value in enumerate(given.get("Value", ()), 1):
        if isinstance(value, Mapping):
            yield f'<Item number="{number}">{"".join(_attributes(value))}</Item>'
        else:
            yield f'<Value number="{number}">{escape(str(value))}</Value>'
