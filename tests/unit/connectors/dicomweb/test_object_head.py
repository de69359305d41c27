"""The header of an instance out of the start of an answer with the instance."""

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from connectors.dicomweb.object_head import header_of
from heltig.dicom.part10 import BytesSource, read_header
from heltig.errors import ArchiveAnswerError
from heltig.http_answer import Head

FILE = bytes(128) + Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()[128:]
PIXELS = FILE.index(b"\xe0\x7f\x10\x00")


def head(kind: str = "application/dicom") -> Head:
    return Head(status=200, headers={"content-type": kind}, place="http://archive/studies/1")


def multipart(*files: bytes, fields: bytes = b"Content-Type: application/dicom\r\n") -> bytes:
    return b"".join(b"\r\n--x\r\n" + fields + b"\r\n" + file for file in files) + b"\r\n--x--\r\n"


@pytest.mark.parametrize("boundary", ["; boundary=x", '; boundary="x"', ""])
@pytest.mark.parametrize("fields", [b"Content-Type: application/dicom\r\nContent-Location: /1\r\n", b""])
def test_the_first_part_is_read(boundary: str, fields: bytes) -> None:
    kind = f'multipart/related; type="application/dicom"{boundary}'
    body = multipart(FILE, b"another", fields=fields)
    found = header_of(head(kind), body, is_whole=True)
    assert found
    assert found.tags == read_header(BytesSource(FILE)).tags
    assert found.faults == ()


@pytest.mark.parametrize("extra", [20, 100, 10_000])
def test_the_start_of_an_object_is_enough_up_to_its_pixels(extra: int) -> None:
    for start, kind in (
        (FILE[: PIXELS + extra], "application/dicom"),
        (multipart(FILE)[: PIXELS + 60 + extra], "multipart/related; boundary=x"),
    ):
        found = header_of(head(kind), start, is_whole=False)
        assert found
        assert found.faults == ()
        assert found.tags[-1] == "7FE00010"


@pytest.mark.parametrize("length", [0, 10, 140, 600, 2000, PIXELS - 5, PIXELS + 4])
def test_more_is_wanted_where_the_start_is_not_enough(length: int) -> None:
    assert header_of(head(), FILE[:length], is_whole=False) is None


def test_an_object_that_ends_there_is_truncated() -> None:
    found = header_of(head(), FILE[:2000], is_whole=True)
    assert found
    assert {fault.kind for fault in found.faults} == {"truncated"}


def test_an_object_without_pixels_is_read_when_it_is_whole() -> None:
    dataset = pydicom.dcmread(io.BytesIO(FILE))
    del dataset.PixelData
    del dataset[0xFFFCFFFC]
    written = io.BytesIO()
    dataset.save_as(written)
    assert header_of(head(), written.getvalue(), is_whole=False) is None
    found = header_of(head("multipart/related; boundary=x"), multipart(written.getvalue()), is_whole=False)
    assert found
    assert found.faults == ()


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"[]"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ArchiveAnswerError):
        header_of(head(), body, is_whole=True)
