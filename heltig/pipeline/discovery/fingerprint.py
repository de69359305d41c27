"""What tells whether a study changed, without reading it: a few attributes of its rows, and its mark.

A fingerprint has two halves, since one study is seen in two ways: listed with its rows, and named by a change
feed. A half that a way of looking cannot see is zero, and says nothing.

A feed says that a study changed, and not what its rows are now: these are seen when it is pulled, so that the
next listing is compared with what was pulled.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

import msgspec

from connectors.base import read_row
from heltig.dicom.cell import DataSet
from heltig.dicom.study import element
from heltig.pipeline.pull.listing import ListedStudy
from heltig.store.keyed import Keyed

LENGTH: Final = 16
"""Bytes of a fingerprint."""

_HALF: Final = LENGTH // 2
_UNSEEN: Final = bytes(_HALF)
_TAGS: Final = (
    "00080020",  # StudyDate
    "00080030",  # StudyTime
    "0008041F",  # StudyUpdateDateTime
    "00080050",  # AccessionNumber
    "00080061",  # ModalitiesInStudy
    "00081030",  # StudyDescription
    "00100010",  # PatientName
    "00100020",  # PatientID
    "00100021",  # IssuerOfPatientID
    "00100030",  # PatientBirthDate
    "00100040",  # PatientSex
    "00201206",  # NumberOfStudyRelatedSeries
    "00201208",  # NumberOfStudyRelatedInstances
)
"""Counts and times show what came or went; the others what an administrator corrected. Left out is what
changes by itself, such as where a study is kept and when it was last looked at."""


class _Element(msgspec.Struct, frozen=True, gc=False):
    Value: list[Any] = []


_Row = msgspec.defstruct(
    "_Row", [(f"tag_{tag}", _Element | None, None) for tag in _TAGS], rename=lambda field: field[4:], gc=False
)
_decode_row = msgspec.json.Decoder(_Row).decode


def fingerprint(study: ListedStudy, *, keyed: Keyed | None = None) -> bytes:
    """The fingerprint of a study as it was seen now: 8 bytes of its rows, 8 bytes of its mark.

    It does not depend on the order of the rows, nor of the values in them.

    Args:
        study: The study.
        keyed: Where identifiers are kept as hashes: nobody without the key can try out whose study it is.
    """
    rows = sorted({_facts(row) for row in study.rows})
    seen = (_digest("\x1e".join(rows)) if rows else _UNSEEN) + (
        _digest(study.mark) if study.mark else _UNSEEN
    )
    return keyed.fingerprint(seen) if keyed else seen


def differs(known: bytes, seen: bytes) -> bool:
    """Whether a study is seen otherwise than is known, or seen in a way in which nothing is known of it."""
    return merged(known, seen) != known


def merged(known: bytes, seen: bytes) -> bytes:
    """What is known after a study was seen again: each half as it was last seen."""
    rows, mark = seen[:_HALF], seen[_HALF:]
    return (known[:_HALF] if rows == _UNSEEN else rows) + (known[_HALF:] if mark == _UNSEEN else mark)


def changed_to(known: bytes, seen: bytes) -> bytes:
    """What is known of a study that changed: as `merged`, less the rows from before what a feed tells.

    Args:
        known: Before; empty where nothing was.
        seen: Now.
    """
    known = known or bytes(LENGTH)
    if seen[:_HALF] == _UNSEEN and seen[_HALF:] not in (_UNSEEN, known[_HALF:]):
        known = _UNSEEN + known[_HALF:]
    return merged(known, seen)


def pulled_as(known: bytes, rows: Iterable[DataSet], *, keyed: Keyed | None = None) -> bytes:
    """What is known of a study that was pulled: with its rows of then, if it was not listed since its change.

    Rows that a listing showed stay: an archive may show others to who asks for one study, and each listing
    would be a change.

    Args:
        known: Before the pull; empty where nothing was.
        rows: The study's rows as the pull found them, perhaps none.
        keyed: See `fingerprint`.
    """
    texts = tuple(map(_written, rows))
    if not texts:
        return known
    return merged(fingerprint(ListedStudy("", texts), keyed=keyed), known or bytes(LENGTH))


def _written(row: DataSet) -> bytes:
    """A row of a search as it was before it was taken apart, but for spaces."""
    elements = (b'"%b":%b' % (tag.encode(), bytes(raw)) for tag, raw in zip(row.tags, row.raws, strict=True))
    return b"{" + b",".join(elements) + b"}"


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HALF).digest()


def _facts(row: bytes) -> str:
    """The attributes of a row that count, as one text."""
    try:
        found = [one.Value if one else () for one in msgspec.structs.astuple(_decode_row(row))]
    except msgspec.DecodeError:  # damaged: read more slowly, with tolerance
        elements = read_row(row)
        found = [element(elements, tag).values for tag in _TAGS]
    return "\x1d".join("\x1c".join(sorted(map(_text, values))) for values in found)


def _text(value: object) -> str:
    """A value as text; numbers may be written as numbers or as text (PS3.18 F.2.3)."""
    if isinstance(value, dict):
        groups = (str(value.get(group) or "") for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    return str(value)
