"""What dciodvfy and dicom-validator say, message by message: compared with ours, or of a kind that is not.

The reasons are in docs/conformance.md, by the names in `OUTSIDE`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from heltig.standard.dictionary import entries, keyword_of

COMPARED: Final = frozenset({"missing", "empty", "forbidden", "enum", "extended"})
"""Kinds of objection that are held against ours."""

VALIDATOR_CODES: Final = {
    **{"TagMissing": "missing", "TagEmpty": "empty", "TagUnexpected": "extended"},
    **{"TagNotAllowed": "forbidden", "EnumValueNotAllowed": "enum"},
    **{"InvalidValue": "value-of-vr", "InvalidSequence": "reading"},
}
"""The error codes of dicom-validator by kind."""

KEYWORDS: Final = {entry.name: entry.keyword for entry in entries()}


class Said(NamedTuple):
    """One objection of dciodvfy; it names no place in sequences.

    Attributes:
        kind: One of `COMPARED`.
        keyword: The attribute.
        detail: The type, or the value.
        module: The module.
    """

    kind: str
    keyword: str
    detail: str = ""
    module: str = ""


_ELEMENT: Final = r"Element=<(?P<keyword>\w+)> Module=<(?P<module>\w+)>"
_COMPARED: Final = (
    ("missing", rf"Missing attribute Type (?P<detail>\w+) (?:Required|Conditional) {_ELEMENT}"),
    ("empty", rf"Empty attribute \(no value\) Type (?P<detail>\w+) .*{_ELEMENT}"),
    (
        "empty",
        rf"Attribute present but empty \(no value\) even though condition not satisfied Type (?P<detail>\w+) "
        rf".*{_ELEMENT}",
    ),
    ("empty", rf"Bad Sequence number of Items (?P<detail>0) .*{_ELEMENT}"),
    ("forbidden", rf"Attribute present when condition unsatisfied.*Type (?P<detail>\w+) .*{_ELEMENT}"),
    ("forbidden", r"(?P<detail>Shall not be present) .* - attribute <(?P<keyword>\w+)>"),
    (
        "extended",
        r"Attribute is not present in standard DICOM IOD - \(0x(?P<group>\w+),0x(?P<element>\w+)\)",
    ),
    (
        "enum",
        r"Unrecognized enumerated value <(?P<detail>.*?)> for value \d+ of attribute <(?P<keyword>.*?)>",
    ),
)
_OUTSIDE: Final = (
    ("summary", r"^[A-Z]\w+$|Dicom dataset contains (?:attributes not|retired|invalid)|^\s*$"),
    ("retired", r"Retired attribute"),
    ("private", r"Unrecognized tag|Private tag without owner|Bad private owner value"),
    ("defined-term", r"Unrecognized defined term"),
    ("person-name", r"Retired Person Name form"),
    ("empty-though-known", r"is only permitted to be empty when actually unknown"),
    ("no-unit-vector", r"Orientation vector is not unit vector|vectors? (?:are|is) not orthogonal"),
    ("coding-scheme", r"CodingSchemeDesignator"),
    ("directory-keys", r"needed to build DICOMDIR"),
    (
        "value-of-vr",
        r"Value (?:invalid|dubious) for this VR|doesn't match data dictionary|"
        r"Invalid Value Representation (?:\w\w \(|Type )",
    ),
    (
        "pixel-vr",
        r"Value Representation for encapsulated compressed PixelData|"
        r"Invalid Value Representation - Pixel Data",
    ),
    ("pixel-length", r"PixelData has incorrect value length|LookupTableData has wrong length"),
    ("pixel-stream", r"Encapsulated pixel data fragment|Length of BasicOffsetTable"),
    (
        "identifier",
        r"has same value as|Illegal root for UID|Invalid use of NEMA organization root|"
        r"MediaStorageSOP\w+ (?:different|but missing)",
    ),
    ("image-type", r"A value is required for value \d+ in (?:CT|MR) Images"),
    ("zero", r"Value is zero for value|Not permitted to be negative"),
    ("modality-lut", r"Non-identity Modality LUT|If RescaleType is present"),
    ("dimension", r"DimensionIndexPointer Attribute not present|used as Dimension Index"),
    ("frames", r"Number of items in PerFrameFunctional|Functional Group Sequence already used"),
    ("number-of-items", r"Bad Sequence number of Items [1-9]"),
    ("report-content", r"EvidenceSequence|Content Item has missing or incorrect"),
    (
        "reading",
        r"read failed|Seek failed|Tags out of order|Illegal zero bytes|Bad (?:Explicit )?Value Length|"
        r"Bad group length|Unrecognized or unsupported tag|unsupported by this implementation|"
        r"Metaheader present but|Bad FileMetaInformationVersion|giving up",
    ),
    ("stopped-early", r"Information Object Not found|Assertion .* failed"),
)

_FORMS: Final = [(kind, re.compile(pattern)) for forms in (_COMPARED, _OUTSIDE) for kind, pattern in forms]
OUTSIDE: Final = frozenset({kind for kind, _ in _OUTSIDE} - {"stopped-early"})
"""Kinds of message that are not compared with ours; docs/conformance.md says of each why."""


def dciodvfy_said(text: str) -> tuple[dict[tuple[str, str], tuple[str, str]], Counter[str]]:
    """What dciodvfy says of a file.

    Args:
        text: Its standard error.

    Returns:
        The objections that are compared, type or value and module by kind and keyword; and the other
        messages, counted by kind, those of no known form as they are.
    """
    compared: dict[tuple[str, str], tuple[str, str]] = {}
    outside: Counter[str] = Counter()
    for said in _parsed(text):
        if isinstance(said, Said):
            compared[said.kind, said.keyword] = said.detail, said.module
        else:
            outside[said] += 1
    return compared, outside


def _parsed(text: str) -> Iterator[Said | str]:
    for line in _messages(text):
        kind, found = next(
            ((kind, found) for kind, form in _FORMS if (found := form.search(line))), (line, None)
        )
        yield _said(kind, found) if found and kind in COMPARED else kind


def _messages(text: str) -> Iterator[str]:
    """The messages: one a line, but a value that is shown may go on over several."""
    message = ""
    for line in text.split("\n"):
        if _BEGINS.match(line):
            yield message
            message = line
        else:
            message += line
    yield message


_BEGINS: Final = re.compile(r"Error|Warning|\(0x|[A-Z]\w+$|\S*dciodvfy: ")


def _said(kind: str, found: re.Match[str]) -> Said:
    groups = found.groupdict("")
    if kind == "extended":
        tag = groups["group"].upper().zfill(4) + groups["element"].upper().zfill(4)
        return Said(kind, keyword_of(tag) or tag)
    keyword = groups["keyword"]
    return Said(kind, KEYWORDS.get(keyword, keyword), groups["detail"], groups.get("module", ""))
