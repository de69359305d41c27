"""What an archive has under a UID, by the bytes that it gives back."""

from pathlib import Path

import pytest
from servers.httpd import httpd
from servers.scripted import answer

from connectors.dimse.part10 import header_of
from connectors.storing import Stored
from heltig import http
from heltig.errors import ArchiveAnswerError, ArchiveError
from heltig.pipeline.gate.compare import MOST_HEADER, Found, compare

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DATA = bytes(range(256)) * 40
HEADER = header_of(CT, "1.2.3", EXPLICIT)
OURS = HEADER + DATA
OTHER_HEADER = HEADER.replace(b"HELTIG", b"OTHERS").replace(bytes(128), b"\x01" * 128)
PLAIN = "application/dicom"


async def found(folder: Path, ours: bytes, theirs: bytes, *, media_type: str = PLAIN) -> Found:
    path = folder / "ours.dcm"
    path.write_bytes(ours)
    given = answer(theirs, headers={"Content-Type": media_type})
    async with httpd(lambda asked: given) as server, http.client(server.root) as client:
        said = await compare(client, "1.2", "1.2.1", Stored("1.2.3", path, len(ours)))
        [asked] = server.requests
        assert asked.path == "/studies/1.2/series/1.2.1/instances/1.2.3"
        assert "transfer-syntax=*" in asked.headers["accept"]
        return said


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (OURS, "same"),
        (OTHER_HEADER + DATA, "same"),
        (HEADER + DATA[:-1], "other"),
        (HEADER + DATA[:-1] + b"\x00", "other"),
        (HEADER + DATA + bytes(2 * MOST_HEADER), "other"),
        (header_of(CT, "1.2.3", BIG_ENDIAN) + DATA, "other"),
        (HEADER, "other"),
    ],
)
async def test_the_data_set_and_its_transfer_syntax_count(tmp_path: Path, theirs: bytes, said: str) -> None:
    assert await found(tmp_path, OURS, theirs) == said
    part = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + theirs + b"\r\n--b--\r\n"
    multipart = 'multipart/related; type="application/dicom"; boundary=b'
    assert await found(tmp_path, OURS, part, media_type=multipart) == said


async def test_a_large_object_is_compared_to_its_end(tmp_path: Path) -> None:
    large = OURS + bytes(3 * MOST_HEADER)
    assert await found(tmp_path, large, large) == "same"
    assert await found(tmp_path, large, large[:-1] + b"\x01") == "other"


async def test_a_header_that_is_not_as_long_as_it_says_counts_with_the_rest(tmp_path: Path) -> None:
    """Else its last element could hide a part of the data set."""
    place = HEADER.index(b"HELTIG") - 2
    damaged = HEADER[:place] + (6 + 100).to_bytes(2, "little") + HEADER[place + 2 :]
    assert await found(tmp_path, damaged + DATA, damaged + DATA) == "same"
    with pytest.raises(ArchiveAnswerError, match="no DICOM object"):
        await found(tmp_path, OURS, damaged + DATA)
    changed = damaged + bytes(50) + DATA[50:]
    assert await found(tmp_path, damaged + DATA, changed) == "other"


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"<html>Who are you?</html>", "text/html"),
        (b"", PLAIN),
        (b"--b\r\n\r\n" + OURS, "multipart/related; boundary=b"),
        (b"--b--", "multipart/related; boundary=b"),
        (2 * (b"--b\r\n\r\n" + OURS + b"\r\n") + b"--b--", "multipart/related; boundary=b"),
        (OURS, "multipart/related"),
    ],
)
async def test_an_answer_that_is_not_one_object_says_nothing(
    tmp_path: Path, body: bytes, media_type: str
) -> None:
    with pytest.raises(ArchiveError):
        await found(tmp_path, OURS, body, media_type=media_type)
