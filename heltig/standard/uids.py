"""The UID registry (PS3.6 annex A) and what each transfer syntax means (PS3.5 annex A)."""

from functools import cache
from typing import Literal, TypeAlias

import msgspec

from heltig.standard.edition import read_table

Lossy: TypeAlias = Literal["never", "possible", "always"]

STORAGE_CLASSES_BY_OTHER_NAMES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.12.77",  # retired without a name (2015c)
        "1.2.840.10008.5.1.4.1.1.40",  # retired without a name (2015c)
    }
)
NOT_STORED_IN_ARCHIVES = frozenset({"1.2.840.10008.1.3.10"})
"""Media Storage Directory Storage: the DICOMDIR, which only media have (PS3.4 annex I)."""

IMPLICIT = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.20"})
BIG_ENDIAN = frozenset({"1.2.840.10008.1.2.2"})
DEFLATED = frozenset(
    {
        "1.2.840.10008.1.2.1.99",  # Deflated Explicit VR Little Endian, PS3.5 A.5
        "1.2.840.10008.1.2.4.95",  # JPIP Referenced Deflate, PS3.5 A.7
        "1.2.840.10008.1.2.4.205",  # JPIP HTJ2K Referenced Deflate
    }
)
NOT_ENCAPSULATED = frozenset(
    {
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.20",
        "1.2.840.10008.1.2.4.94",  # JPIP: the pixel data is elsewhere, PS3.5 A.6
        "1.2.840.10008.1.2.4.95",
        "1.2.840.10008.1.2.4.204",
        "1.2.840.10008.1.2.4.205",
        "1.2.840.10008.1.2.6.1",  # MIME and XML: never an encoding of pixel data
        "1.2.840.10008.1.2.6.2",
        "1.2.840.10008.1.2.7.1",  # SMPTE ST 2110: streamed beside the metadata, PS3.22
        "1.2.840.10008.1.2.7.2",
        "1.2.840.10008.1.2.7.3",
    }
)
LOSSY_POSSIBLE = frozenset(
    {
        "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless: lossless when its error bound is 0
        "1.2.840.10008.1.2.4.91",  # JPEG 2000: reversible or irreversible
        "1.2.840.10008.1.2.4.93",
        "1.2.840.10008.1.2.4.94",
        "1.2.840.10008.1.2.4.95",
        "1.2.840.10008.1.2.4.112",  # JPEG XL: either
        "1.2.840.10008.1.2.4.203",  # HTJ2K: either
        "1.2.840.10008.1.2.4.204",
        "1.2.840.10008.1.2.4.205",
    }
)
ALWAYS_LOSSY_NAMES = (
    "JPEG Baseline",
    "JPEG Extended",
    "JPEG Spectral Selection",
    "JPEG Full Progression",
    "JPEG XL JPEG Recompression",  # keeps what lossy JPEG has lost
    "MPEG2",
    "MPEG-4",
    "HEVC",
)


class UidEntry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One row of the UID registry.

    Attributes:
        uid: The UID.
        keyword: PS3.6 keyword; empty for rows without a name.
        name: PS3.6 name, without the words *(Retired)* and *Default Transfer Syntax*.
        kind: PS3.6 type, such as `Transfer Syntax`, `SOP Class`, `Well-known SOP Instance` or
            `Well-known Frame of Reference`.
        retired: Retired from the standard.
    """

    uid: str
    keyword: str
    name: str
    kind: str
    retired: bool


class TransferSyntax(msgspec.Struct, frozen=True, gc=False):
    """What a transfer syntax means for reading (PS3.5 annex A).

    Attributes:
        uid: Its UID.
        name: PS3.6 name.
        implicit: Elements have no VR.
        little_endian: Byte order of the data set.
        deflated: The data set is compressed as a whole.
        encapsulated: Pixel Data is a sequence of fragments.
        lossy: Whether pixel data encoded with it has lost information.
        retired: Retired from the standard.
    """

    uid: str
    name: str
    implicit: bool
    little_endian: bool
    deflated: bool
    encapsulated: bool
    lossy: Lossy
    retired: bool


def lookup(uid: str) -> UidEntry | None:
    """Return the registry's entry for a UID; `None` for UIDs that PS3.6 annex A does not list.

    Context groups (PS3.6 table A-3, `1.2.840.10008.6.1…`) are not in the table.
    """
    return _by_uid().get(uid)


def entries() -> tuple[UidEntry, ...]:
    """Return the whole registry, in the order of the UIDs' components."""
    return tuple(_by_uid().values())


def is_storage_sop_class(uid: str) -> bool:
    """Tell whether a UID is a SOP Class of composite objects that an archive stores, retired ones too."""
    entry = lookup(uid)
    if entry is None or entry.kind != "SOP Class" or uid in NOT_STORED_IN_ARCHIVES:
        return False
    return uid in STORAGE_CLASSES_BY_OTHER_NAMES or _named_storage(entry.name)


@cache
def transfer_syntax(uid: str) -> TransferSyntax | None:
    """Return what a transfer syntax means; `None` for UIDs that are no registered transfer syntax."""
    entry = lookup(uid)
    if entry is None or entry.kind != "Transfer Syntax":
        return None
    return TransferSyntax(
        uid=uid,
        name=entry.name,
        implicit=uid in IMPLICIT,
        little_endian=uid not in BIG_ENDIAN,
        deflated=uid in DEFLATED,
        encapsulated=uid not in NOT_ENCAPSULATED,
        lossy=_lossy(entry),
        retired=entry.retired,
    )


def _lossy(entry: UidEntry) -> Lossy:
    if entry.uid in LOSSY_POSSIBLE:
        return "possible"
    return "always" if entry.name.removeprefix("Fragmentable ").startswith(ALWAYS_LOSSY_NAMES) else "never"


def _named_storage(name: str) -> bool:
    return name.removesuffix(" SOP Class").partition(" - ")[0].endswith("Storage")


@cache
def _by_uid() -> dict[str, UidEntry]:
    return {entry.uid: entry for entry in read_table("uids", list[UidEntry]).rows}
