"""A multipart body says the same however it is cut, and whatever is in its parts."""

import contextlib
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.stow.multipart import (
    MOST_PREAMBLE,
    Event,
    MultipartError,
    MultipartReader,
    PartEnd,
    PartStart,
    TooManyPartsError,
)

BOUNDARY = "bound-ary"


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


def read(
    body: bytes, *, places: Sequence[int] = (), most_parts: int = 1000
) -> list[tuple[dict[str, str], bytes]]:
    """The parts of a body that comes in pieces: header and content of each."""
    reader = MultipartReader(BOUNDARY, most_parts=most_parts)
    events: list[Event] = [event for piece in cut(body, places) for event in reader.feed(piece)]
    reader.close()
    parts: list[tuple[dict[str, str], bytes]] = []
    is_open = False
    for event in events:
        if isinstance(event, PartStart):
            assert not is_open
            parts.append((dict(event.headers), b""))
            is_open = True
        elif isinstance(event, PartEnd):
            assert is_open
            is_open = False
        else:
            assert is_open
            assert event
            parts[-1] = (parts[-1][0], parts[-1][1] + event)
    assert not is_open
    return parts


def written(contents: Sequence[bytes], *, preamble: bytes = b"", epilogue: bytes = b"") -> bytes:
    body = preamble
    for content in contents:
        body += b"--bound-ary\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n"
    return body + b"--bound-ary--" + epilogue


# What looks like a boundary, and is none, is what a reader gets wrong.
pieces = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"-", b"--", b"bound", b"-ary", b"\r\n--bound-aryX", b"\0", b"DICM"]
    )
    | st.binary(max_size=20),
    max_size=12,
).map(b"".join)


def is_free(data: bytes) -> bool:
    """No line of it is a boundary."""
    return not any(
        line.startswith(b"--bound-ary--") or line[11:].strip(b" \t") == b""
        for line in data.split(b"\r\n")
        if line.startswith(b"--bound-ary")
    )


@given(st.lists(pieces.filter(is_free), max_size=4), st.lists(st.integers(0, 2000), max_size=30))
def test_parts_come_out_as_they_went_in_however_the_body_is_cut(
    parts: list[bytes], places: list[int]
) -> None:
    body = written(parts, preamble=b"before\r\n", epilogue=b"\r\nafter \r\n--bound-ary\r\n")
    found = read(body, places=places)
    assert [content for _, content in found] == parts
    assert all(header == {"content-type": "application/dicom"} for header, _ in found)


@given(st.lists(pieces.filter(is_free), min_size=1, max_size=3))
def test_byte_for_byte_is_no_other(parts: list[bytes]) -> None:
    body = written(parts)
    assert read(body, places=range(len(body))) == read(body)


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=8))
def test_whatever_comes_is_read_or_refused(body: bytes, places: list[int]) -> None:
    with contextlib.suppress(MultipartError):
        read(b"--bound-ary\r\n" + body, places=places)


def test_the_end_of_a_body_is_missed() -> None:
    whole = written([b"one", b"two"])
    for end in range(len(whole) - 1):
        with pytest.raises(MultipartError):
            read(whole[:end])
    assert len(read(whole)) == 2


def test_padding_after_a_boundary_and_parts_without_header() -> None:
    body = b"--bound-ary \t \r\n\r\nplain\r\n--bound-ary\r\nX-Long: a\r\n  b\r\n\r\nlong\r\n--bound-ary--"
    assert read(body) == [({}, b"plain"), ({"x-long": "a b"}, b"long")]


@pytest.mark.parametrize(
    "body",
    [
        b"--other\r\n\r\nx\r\n--other--",
        b"--bound-ary\r\nno field\r\n\r\nx\r\n--bound-ary--",
        b"--bound-ary\r\n: empty\r\n\r\nx\r\n--bound-ary--",
        b"--bound-ary\r\nX: " + b"x" * 20_000 + b"\r\n\r\nx\r\n--bound-ary--",
        b"x" * (MOST_PREAMBLE + 100) + b"\r\n--bound-ary--",
        b"",
    ],
    ids=["another boundary", "no field", "no name", "long header", "long preamble", "nothing"],
)
def test_what_is_broken_is_refused(body: bytes) -> None:
    with pytest.raises(MultipartError):
        read(body)


@pytest.mark.parametrize("boundary", ["", "x" * 201, "a\r\nb", "ends with space ", "ümlaut", 'quo"te'])
def test_a_boundary_that_is_none(boundary: str) -> None:
    with pytest.raises(MultipartError):
        MultipartReader(boundary, most_parts=1)


def test_too_many_parts() -> None:
    assert len(read(written([b""] * 5), most_parts=5)) == 5
    with pytest.raises(TooManyPartsError):
        read(written([b""] * 6), most_parts=5)


def test_no_more_is_kept_than_a_boundary_is_long() -> None:
    reader = MultipartReader(BOUNDARY, most_parts=1)
    reader.feed(b"--bound-ary\r\n\r\n")
    given_out = sum(len(event) for event in reader.feed(b"x" * 1_000_000) if isinstance(event, bytes))
    assert given_out > 999_900
