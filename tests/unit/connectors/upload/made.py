"""DICOM files and ZIPs made for the tests, and the ways to spoil them."""

import io
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

from connectors.upload import InputReport, Limits, Listing, Outcome, account, list_inputs, read_members
from heltig.dicom.cell import DataSet
from heltig.dicom.source import PackageFact

CT = "1.2.840.10008.5.1.4.1.1.2"
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def _element(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    if vr in (b"OB", b"OW"):
        return struct.pack("<HH2sHL", group, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, element, vr, len(value)) + value


EXPLICIT = "1.2.840.10008.1.2.1"


def dicom(
    sop: str = "1.2.3.4", *, media_class: str = CT, pixels: bytes = bytes(512), syntax: str = EXPLICIT
) -> bytes:
    """A small Part 10 file, explicit VR little endian."""
    meta = (
        _element(2, 1, b"OB", b"\0\1")
        + (_element(2, 2, b"UI", media_class.encode()) if media_class else b"")
        + _element(2, 3, b"UI", sop.encode())
        + _element(2, 16, b"UI", syntax.encode())
    )
    data = (
        _element(8, 0x16, b"UI", CT.encode())
        + _element(8, 0x18, b"UI", sop.encode())
        + _element(0x10, 0x20, b"LO", b"P1")
        + _element(0x20, 0xD, b"UI", b"1.2.3")
        + _element(0x20, 0xE, b"UI", b"1.2.3.1")
        + _element(0x7FE0, 0x10, b"OW", pixels)
    )
    return bytes(128) + b"DICM" + _element(2, 0, b"UL", struct.pack("<L", len(meta))) + meta + data


def _records(files: Iterable[str], *, in_use: int) -> bytes:
    items = b""
    for name in files:
        record = _element(4, 0x1410, b"US", struct.pack("<H", in_use)) + _element(4, 0x1430, b"CS", b"IMAGE")
        record += _element(4, 0x1500, b"CS", name.replace("/", "\\").encode()) if name else b""
        items += struct.pack("<HHL", 0xFFFE, 0xE000, len(record)) + record
    return items


def dicomdir(*files: str, inactive: Iterable[str] = (), records: bytes | None = None) -> bytes:
    """A DICOMDIR.

    Args:
        files: What its records name, components joined by `/`; a record without a file for an empty name.
        inactive: What its records that are not in use name.
        records: The bytes of its sequence of records, instead of those.
    """
    if records is None:
        records = _records(files, in_use=0xFFFF) + _records(inactive, in_use=0)
    meta = _element(2, 2, b"UI", DICOMDIR_CLASS.encode()) + _element(2, 16, b"UI", b"1.2.840.10008.1.2.1")
    sequence = struct.pack("<HH2sHL", 4, 0x1220, b"SQ", 0, len(records)) + records
    data = _element(4, 0x1130, b"CS", b"MEDIUM") + _element(4, 0x1200, b"UL", bytes(4)) + sequence
    return bytes(128) + b"DICM" + _element(2, 0, b"UL", struct.pack("<L", len(meta))) + meta + data


def zipped(
    members: Iterable[tuple[str | zipfile.ZipInfo, bytes]], *, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A ZIP as the standard library writes it, the same bytes at any time."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        for name, content in members:
            info = zipfile.ZipInfo(name) if isinstance(name, str) else name
            package.writestr(info, content, compress_type=method)
    return made.getvalue()


def spoilt(package: bytes, magic: bytes, offset: int, fmt: str, value: int, *, nth: int = 0) -> bytes:
    """The same ZIP with one number changed: at `offset` of the `nth` header that starts with `magic`."""
    place = -1
    for _ in range(nth + 1):
        place = package.index(magic, place + 1)
    changed = bytearray(package)
    struct.pack_into(fmt, changed, place + offset, value)
    return bytes(changed)


class Judged:
    """An input, listed and read."""

    def __init__(self, listing: Listing, outcomes: list[Outcome]) -> None:
        self.listing = listing
        self.data_sets = [outcome for outcome in outcomes if isinstance(outcome, DataSet)]
        rest = [outcome for outcome in outcomes if not isinstance(outcome, DataSet)]
        self.report: InputReport = account(listing, rest, instances=len(self.data_sets))

    @property
    def read(self) -> list[str]:
        return [data_set.origin for data_set in self.data_sets]

    @property
    def skipped(self) -> dict[str, str]:
        return {member.origin: member.kind for member in self.report.skipped}

    @property
    def odd(self) -> list[tuple[str, str]]:
        """Facts about members that were read."""
        skipped = {member.fact for member in self.report.skipped}
        return [(fact.origin, fact.kind) for fact in self.report.facts if fact not in skipped]

    @property
    def facts(self) -> tuple[PackageFact, ...]:
        return self.report.facts


def judged(*paths: Path, scratch: Path, limits: Limits | None = None, deep: bool = False) -> list[Judged]:
    listings = list(list_inputs(paths, scratch=scratch, limits=limits))
    return [Judged(listing, list(read_members(listing.refs, deep=deep))) for listing in listings]
