"""What counts as an answer in DICOM JSON, and what is refused."""

import json

import pytest

from connectors.base import read_row
from connectors.dicomweb.answer import checked, rows_of
from heltig.dicom.study import STUDY_INSTANCE_UID, element
from heltig.errors import ArchiveAnswerError
from heltig.http_answer import Head

ONE = b'{"0020000D": {"vr": "UI", "Value": ["1.2"]}}'
TWO = b'{"0020000D": {"vr": "UI", "Value": ["1.3"]}, "00201208": {"vr": "IS", "Value": [NaN]}}'


def head(media_type: str = "application/dicom+json", *, status: int = 200) -> Head:
    headers = {"content-type": media_type} if media_type else {}
    return Head(status=status, headers=headers, place="http://archive.example/dicom-web/studies")


def uids(rows: list[bytes]) -> list[str]:
    return [element(read_row(row), STUDY_INSTANCE_UID).text for row in rows]


@pytest.mark.parametrize("body", [b"", b"[]", b" [ ]\n", b"null"])
def test_nothing_found_is_no_rows(body: bytes) -> None:
    assert rows_of(head(status=200 if body else 204), body) == []


@pytest.mark.parametrize("media_type", ["application/dicom+json; charset=utf-8", "application/json", ""])
def test_rows_keep_their_text(media_type: str) -> None:
    assert rows_of(head(media_type), b"[" + ONE + b", " + ONE + b"]") == [ONE, ONE]


def test_one_object_stands_for_an_array_of_one() -> None:
    assert uids(rows_of(head(), ONE)) == ["1.2"]


def test_a_damaged_row_does_not_hide_the_others() -> None:
    rows = rows_of(head(), b"[" + ONE + b"," + TWO + b"," + ONE + b"]")
    assert uids(rows) == ["1.2", "1.3", "1.2"]
    assert b"NaN" in rows[1]


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert uids(rows_of(head(), b"\xef\xbb\xbf[" + ONE + b"]")) == ["1.2"]


@pytest.mark.parametrize(
    ("media_type", "body", "says"),
    [
        ("text/html", b"<!doctype html><title>Sign in</title>", "web page"),
        ("text/html; charset=utf-8", b"", "web page"),
        ("", b"\n <html>", "web page"),
        ("application/dicom+json", b"<html>", "web page"),
        ("application/dicom+xml", b"<NativeDicomModel/>", "dicom.xml"),
        ('multipart/related; type="application/dicom+xml"', b"--x", "multipart/related"),
        ("application/json", b'{"error": "no"}', "error message"),
        ("application/json", b'["error"]', "no object"),
        ("text/plain", b"service is down", "no JSON array"),
        ("application/json", b"[" * 100_000, "archive.example"),
    ],
)
def test_what_is_no_dicom_json_is_refused(media_type: str, body: bytes, says: str) -> None:
    with pytest.raises(ArchiveAnswerError, match=says) as refused:
        rows_of(head(media_type), body)
    assert "archive.example" in refused.value.detail


@pytest.mark.parametrize("chunks", [[b"<html>"], [b"\r\n", b"\n ", b"<ht"]])
async def test_a_page_for_people_is_no_metadata(chunks: list[bytes]) -> None:
    async def body() -> object:
        for chunk in chunks:
            yield chunk

    with pytest.raises(ArchiveAnswerError, match="log in"):
        [chunk async for chunk in checked(head(""), body())]


async def test_metadata_is_passed_on_as_it_is() -> None:
    async def body() -> object:
        for chunk in (b" ", b"[", json.dumps({"a": "<"}).encode(), b"<]"):
            yield chunk

    assert b"".join([chunk async for chunk in checked(head(), body())]) == b' [{"a": "<"}<]'
