"""Text cut out of raw cells must be what decoding says."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.dicom.cell import Encoding
from heltig.dicom.json_cell import decode_json_element
from heltig.dicom.plain import plain_texts
from heltig.dicom.values import decode_element

TAGS = {"UI": "00080018", "IS": "00200013", "LO": "00100020", "CS": "00080060", "DA": "00080020"}
VRS = st.sampled_from([*TAGS, "PN", "UN", "US"])
ASCII = st.text(st.characters(max_codepoint=127), max_size=12)
VALUES = st.one_of(ASCII, st.from_regex(r" ?[0-9.]{1,20} ?", fullmatch=True), st.text(max_size=6))


@given(VRS, st.one_of(VALUES, st.integers(), st.floats(), st.none()), st.booleans(), st.booleans())
def test_json_text_is_the_decoded_text(vr, value, spaced, twice):
    element = {"vr": vr, "Value": [value] * (1 + twice)}
    raw = json.dumps(element, separators=(", ", ": ") if spaced else (",", ":")).encode()
    (text,) = plain_texts([raw])
    assert text is None or text == decode_json_element(TAGS.get(vr, "00100010"), raw).text


@given(VRS, VALUES, st.sampled_from(["", " ", "\0", " \0", "\0\0"]))
def test_part_10_text_is_the_decoded_text(vr, value, padding):
    data = (value + padding).encode()
    tag = TAGS.get(vr, "00080018")
    explicit = vr.encode() + struct.pack("<H", len(data)) + data
    implicit = struct.pack("<I", len(data)) + data
    for raw, syntax in ((explicit, "explicit"), (implicit, "implicit")):
        (text,) = plain_texts([raw])
        assert text is None or text == decode_element(tag, raw, Encoding(syntax)).text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"vr":"UI","Value":["1.2.3"]}', "1.2.3"),
        (b'{"vr": "UI", "Value": ["1.2.3"]}', "1.2.3"),
        (b'{"vr":"IS","Value":[12]}', "12"),
        (b'{"vr":"IS","Value":["12"]}', "12"),
        (b"UI\x06\x001.2.3\0", "1.2.3"),
        (b"\x06\0\0\x001.2.3\0", "1.2.3"),
        (b"IS\x02\x0012", "12"),
        (b"IS\0\0", ""),
        (b"", None),
        (b'{"vr":"UI"}', None),
        (b'{"vr":"LO","Value":["a\\u00e9"]}', None),
        (b"LO\x04\x00a\\b ", None),
    ],
)
def test_plainly_written_cells_are_recognised(raw, text):
    assert plain_texts([raw]) == [text]


@given(st.lists(st.tuples(VRS, st.one_of(VALUES, st.integers(), st.none()), st.booleans()), max_size=4))
def test_cells_together_have_the_texts_that_they_have_alone(cells):
    raws = [
        json.dumps({"vr": vr, "Value": [value]}, separators=(", ", ": ") if spaced else (",", ":")).encode()
        for vr, value, spaced in cells
    ]
    assert list(plain_texts(raws)) == [text for raw in raws for text in plain_texts([raw])]


def test_what_stands_between_cells_makes_no_two_of_one():
    twice = b'{"vr":"UI","Value":["1.2"]}\n{"vr":"UI","Value":["1.3"]}'
    assert plain_texts([twice, b'{"vr":"UI","Value":["1.4"]}']) == [None, "1.4"]
