"""Numbers read without decoding are those that decoding gives."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.dicom.cell import Encoding
from heltig.dicom.json_cell import decode_json_element
from heltig.dicom.points import plain_numbers
from heltig.dicom.values import decode_element

TAG = "00200032"
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def explicit(text):
    return b"DS" + struct.pack("<H", len(text)) + text


def implicit(text):
    return struct.pack("<I", len(text)) + text


def json(text):
    return b'{"vr":"DS","Value":[' + text + b"]}"


@given(st.lists(st.tuples(FINITE, FINITE, FINITE), max_size=5))
def test_plain_positions_are_read(positions):
    assert plain_numbers([json(b"%r,%r,%r" % p) for p in positions]) == positions
    for write in (explicit, implicit):
        assert plain_numbers([write(b"%r\\%r\\%r " % p) for p in positions]) == positions


def test_a_long_contour_is_read_without_decoding():
    numbers = tuple(map(float, range(-500, 1000)))
    text = b"\\".join(b"%d" % number for number in numbers)
    assert plain_numbers([explicit(text), implicit(text)]) == [numbers, numbers]


TEXTS = st.text('0123456789.+-eE \\,[]"x\x00_', max_size=12).map(str.encode)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.sampled_from(["json", "explicit", "implicit"]))
def test_what_is_read_is_what_decoding_gives(texts, syntax):
    if syntax == "json":
        cells = [json(text) for text in texts]
        decoded = [decode_json_element(TAG, cell) for cell in cells]
    else:
        cells = [(explicit if syntax == "explicit" else implicit)(text) for text in texts]
        decoded = [decode_element(TAG, cell, Encoding(syntax)) for cell in cells]
    for read, cell in zip(plain_numbers(cells), decoded, strict=True):
        assert read is None or read == cell.numbers


@pytest.mark.parametrize(
    "cell",
    [
        b'{"vr":"DS"}',
        b'{"vr":"LO","Value":[1]}',
        b'{"vr":"DS","Value":[1e999]}',
        explicit(b"1,2"),
        explicit(b"1\\x"),
    ],
)
def test_one_odd_cell_leaves_the_others_readable(cell):
    plain = json(b"1,2") if cell.startswith(b"{") else explicit(b"1\\2 ")
    assert plain_numbers([plain, cell, plain]) == [(1.0, 2.0), None, (1.0, 2.0)]
