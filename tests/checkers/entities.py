"""What dcentvfy says of a study, message by message: compared with ours, or of a kind that is not.

The reasons are in docs/entities.md, by the names in `OUTSIDE`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple


class Said(NamedTuple):
    """An attribute in which dcentvfy says that two instances of an entity differ.

    Attributes:
        entity: Patient, Study, Series, Equipment or FrameOfReference.
        keyword: The attribute.
        files: The two instances.
        items: It says so of the number of items.
    """

    entity: str
    keyword: str
    files: tuple[str, str]
    items: bool


_COMPARED: Final = re.compile(
    r"Error - (?:(?:String attribute|Numeric string attribute|Numeric attribute) has different value"
    r"|Attribute has different value multiplicity - \d+ versus \d+"
    r"|(?P<items>Sequence has different number of items)) - "
    r"Element=<(?P<keyword>\w+)> +IE=<(?P<entity>\w+)> for file <(?P<one>.*?)> versus <(?P<other>[^>]*)>"
)

_OUTSIDE: Final = (
    (
        "only-in-some",
        r"Attribute present in one instance but not the other|Value present in one instance but not the other"
        r"|Attribute is empty \(zero length\) in one instance",
    ),
    ("written-otherwise", r"Numeric string attribute has equal value but different encoding"),
    ("of-two-entities", r"Different information entities for attribute"),
    ("of-two-vrs", r"(?:Different|Sequence has different) value representation"),
    ("unknown-class", r"Unrecognized SOP Class"),
    ("same-instance", r"Duplicate SOPInstanceUID"),
    ("two-parents", r"Different (?:PatientID|StudyInstanceUID|SeriesInstanceUID) for same \w+InstanceUID"),
    ("not-here", r"Missing SOPInstanceUID that was referenced"),
    (
        "not-read",
        r"read failed|Seek failed|giving up|Tags out of order|Illegal zero bytes|Private tag without owner"
        r"|Bad (?:Explicit )?Value Length|Unrecognized (?:or unsupported )?tag|Metaheader present but"
        r"|unsupported by this implementation|Assertion .* failed",
    ),
    ("no-message", r"^\s*$|^(?:[^<>]*> )?versus|^Set "),
)

_FORMS: Final = [(kind, re.compile(pattern)) for kind, pattern in _OUTSIDE]
_BEGINS: Final = re.compile(r"Error|Warning|Abort|\(0x|\S*dcentvfy: |Set ")

OUTSIDE: Final = frozenset({kind for kind, _ in _OUTSIDE} - {"no-message"})
"""Kinds of message that are not compared with ours; docs/entities.md says of each why."""


def dcentvfy_said(text: str) -> tuple[list[Said], Counter[str]]:
    """What dcentvfy says of some files.

    Args:
        text: Its standard error.

    Returns:
        What it says differs; and the other messages, counted by kind, those of no known form as they are.
    """
    compared: list[Said] = []
    outside: Counter[str] = Counter()
    for message in _messages(text):
        found = _COMPARED.search(message)
        if found:
            files = found["one"], found["other"]
            compared.append(Said(found["entity"], found["keyword"], files, found["items"] is not None))
            continue
        kind = next((kind for kind, form in _FORMS if form.search(message)), message)
        if kind != "no-message":
            outside[kind] += 1
    return compared, outside


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
