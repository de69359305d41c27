import io
import struct
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.connectors.upload.made import CENTRAL, END, spoilt, zipped

from connectors.upload.limits import Limits
from connectors.upload.zip_directory import Directory, UnusablePackageError, read_directory

TWO = zipped([("a/1.dcm", b"one" * 100), ("a/2.dcm", b"two" * 100)])


def directory(package: bytes, limits: Limits | None = None) -> Directory:
    return read_directory(io.BytesIO(package), limits or Limits())


def as_zip64(package: bytes) -> bytes:
    """The same ZIP with the ZIP64 end records that a ZIP of many members has (APPNOTE 4.3.14, 4.3.15)."""
    place = package.index(END)
    count, size, start = struct.unpack_from("<HLL", package, place + 10)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, place, 1)
    maxed = struct.pack("<4s4H2LH", END, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return package[:place] + record + locator + maxed


class Unseekable(io.BytesIO):
    """Makes `zipfile` write data descriptors, as a streaming writer must."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def streamed() -> bytes:
    made = Unseekable()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("1.dcm", b"one" * 100)
    return made.getvalue()


def wide() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package, package.open("1.dcm", "w", force_zip64=True) as member:
        member.write(b"one")
    return made.getvalue()


@pytest.mark.parametrize(
    "package",
    [
        TWO,
        zipped([("a.dcm", b"one")], method=zipfile.ZIP_STORED),
        zipped([]),
        streamed(),
        wide(),
        as_zip64(TWO),
        TWO + b"\r\n",
    ],
    ids=["two", "stored", "empty", "streamed", "zip64 member", "zip64 end", "bytes after the end"],
)
def test_entries_are_what_zipfile_reads(package: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(package)) as read:
        expected = [
            (i.orig_filename.encode(), i.header_offset, i.compress_size, i.file_size, i.CRC, i.compress_type)
            for i in read.infolist()
        ]
    assert [
        (e.name, e.offset, e.packed, e.size, e.crc, e.method) for e in directory(package).entries
    ] == expected


def test_a_comment_may_hold_the_magic_of_the_end_record() -> None:
    made = io.BytesIO(TWO)
    with zipfile.ZipFile(made, "a") as package:
        package.comment = b"x" * 50 + END + b"y" * 10
    assert len(directory(made.getvalue()).entries) == 2


def test_sizes_of_four_gibibytes_come_from_the_zip64_field() -> None:
    wide_sizes = struct.pack("<HHQQQ", 1, 24, 1 << 40, 1 << 33, 0)
    place = TWO.index(CENTRAL)
    entry = bytearray(TWO[place : TWO.index(CENTRAL, place + 1)])
    struct.pack_into("<LL", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, len(wide_sizes))
    struct.pack_into("<L", entry, 42, 0xFFFFFFFF)
    added = bytes(entry) + wide_sizes
    package = TWO[:place] + added + struct.pack("<4s4H2LH", END, 0, 0, 1, 1, len(added), place, 0)
    (found,) = directory(package).entries
    assert (found.size, found.packed, found.offset) == (1 << 40, 1 << 33, 0)


@pytest.mark.parametrize(
    ("package", "says"),
    [
        (TWO[: len(TWO) * 2 // 3], "cut off or damaged; copy or send it again"),
        (b"PK\x03\x04", "cut off"),
        (TWO + TWO, f"{len(TWO)} bytes were put into it or in front of it; make a plain ZIP"),
        (TWO[:40] + TWO[60:], "20 bytes are missing; copy or send it again"),
        (spoilt(TWO, END, 4, "<H", 1), "join them"),
        (spoilt(TWO, END, 12, "<L", 0xFFFFFF), "not where"),
        (spoilt(TWO, END, 16, "<L", 3), "not where"),
        (spoilt(TWO, END, 10, "<H", 3), "lists 2 members"),
        (spoilt(TWO, CENTRAL, 28, "<H", 5000, nth=1), "entry 2 of the directory is cut off"),
        (spoilt(TWO, CENTRAL, 28, "<H", 6), "entry 2 of the directory is damaged"),
        (as_zip64(TWO).replace(b"PK\x06\x06", b"PK\x06\x00"), "ZIP64"),
    ],
    ids=[
        "cut",
        "head only",
        "two in one",
        "cut within",
        "disk",
        "size",
        "start",
        "count",
        "cut name",
        "shifted",
        "zip64",
    ],
)
def test_a_directory_that_cannot_be_read_says_why(package: bytes, says: str) -> None:
    with pytest.raises(UnusablePackageError, match=says) as refused:
        directory(package)
    assert refused.value.kind == "damaged-package"


@pytest.mark.parametrize(
    ("package", "limits"),
    [
        (TWO, Limits(members=1)),
        (spoilt(TWO, END, 10, "<H", 1), Limits(members=1)),
        (TWO, Limits(directory_bytes=50)),
    ],
    ids=["declared", "more than declared", "bytes"],
)
def test_a_directory_over_a_limit_is_refused(package: bytes, limits: Limits) -> None:
    with pytest.raises(UnusablePackageError) as refused:
        directory(package, limits)
    assert refused.value.kind == "too-many"


@given(cut=st.integers(0, len(TWO)))
def test_a_cut_zip_is_refused_and_never_crashes(cut: int) -> None:
    if cut < len(TWO):
        with pytest.raises(UnusablePackageError):
            directory(TWO[:cut])


@given(place=st.integers(0, len(TWO) - 1), value=st.integers(0, 255), data=st.data())
def test_a_zip_with_changed_bytes_is_read_or_refused(place: int, value: int, data: st.DataObject) -> None:
    changed = bytearray(as_zip64(TWO) if data.draw(st.booleans()) else TWO)
    changed[place] = value
    with suppress(UnusablePackageError):
        assert len(directory(bytes(changed)).entries) <= 2
