"""Elements as archives write them, decoded into cells."""

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from unit.dicom.json.json_bodies import COMPACT, kinds

from heltig.dicom.cell import Cell, Encoding
from heltig.dicom.json_cell import decode_json_element
from heltig.dicom.values import TEXT_VRS

PATIENT_ID, PATIENT_NAME, ROWS, SPACING = "00100020", "00100010", "00280010", "00280030"
STUDY_UID, POINTER, SEQUENCE, LUT, PRIVATE = "0020000D", "00209165", "00081140", "00281201", "00091001"


def cell(tag: str, element: Any) -> Cell:
    """Decode an element; neither spaces nor the order of its members must make a difference."""
    compact = decode_json_element(tag, json.dumps(element, separators=COMPACT).encode())
    assert decode_json_element(tag, json.dumps(element, indent=1).encode()) == compact
    assert decode_json_element(tag, json.dumps(element, ensure_ascii=False).encode()) == compact
    if isinstance(element, dict):
        turned = dict(reversed(element.items()))
        for separators in (COMPACT, (" , ", " : ")):
            found = decode_json_element(tag, json.dumps(turned, separators=separators).encode())
            in_order = structs.replace(found, faults=compact.faults)
            assert (in_order, sorted(found.faults)) == (compact, sorted(compact.faults))
    return compact


@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        (PATIENT_ID, "LO", ["A"], ("A",)),
        (PATIENT_ID, "LO", ["山田 ", "B\0", " C"], ("山田", "B", " C")),
        (PATIENT_ID, "LO", ["A", None, "", "  ", "B"], ("A", None, None, None, "B")),
        (PATIENT_ID, "LO", [], ()),
        (PATIENT_ID, "LO", [None], ()),
        (PATIENT_ID, "LO", [""], ()),
        (STUDY_UID, "UI", ["1.2.3\0"], ("1.2.3",)),
        (SPACING, "DS", [0.5, "0.50", " 1e1 ", 2], (0.5, "0.50", " 1e1", 2)),
        ("00200013", "IS", [7, "007"], (7, "007")),
        (ROWS, "US", [512, 0, 65535], (512, 0, 65535)),
        (ROWS, "US", [512.0], (512,)),
        ("00186020", "SL", [-5], (-5,)),
        ("0008040C", "UV", ["18446744073709551615", 1], (2**64 - 1, 1)),
        (PRIVATE, "SV", [-(2**63)], (-(2**63),)),
        ("00189073", "FD", [1, 0.25], (1.0, 0.25)),
        ("00189073", "FD", ["Infinity", "-inf"], (math.inf, -math.inf)),
        (POINTER, "AT", ["00180010"], ("00180010",)),
        (PATIENT_NAME, "PN", [{"Alphabetic": "A^B", "Phonetic": "c"}, {}, None], ("A^B==c", None, None)),
        (PATIENT_NAME, "PN", [{"Alphabetic": "A ", "Ideographic": None}], ("A",)),
        (PATIENT_NAME, "PN", [{"Ideographic": "山田^太郎"}], ("=山田^太郎",)),
    ],
)
def test_values_as_the_model_has_them(tag: str, vr: str, value: list[Any], expected: tuple[Any, ...]) -> None:
    found = cell(tag, {"vr": vr, "Value": value})

    assert found.vr == vr
    assert found.values == expected
    assert [type(value) for value in found.values] == [type(value) for value in expected]
    assert set(kinds(found.faults)) <= {"padding"}


@pytest.mark.parametrize(
    ("tag", "element", "vr", "values"),
    [
        (PATIENT_ID, {"vr": "LO", "Value": "A"}, "LO", ("A",)),
        (PATIENT_ID, {"vr": "LO", "Value": None}, "LO", ()),
        (PATIENT_ID, "A", "LO", ("A",)),
        (PATIENT_ID, ["A", "B"], "LO", ("A", "B")),
        (PATIENT_ID, None, "LO", ()),
        (PATIENT_ID, {}, "LO", ()),
        (PATIENT_ID, {"Value": ["A"]}, "LO", ("A",)),
        (PATIENT_ID, {"vr": "lo", "Value": ["A"]}, "LO", ("A",)),
        (PATIENT_ID, {"VR": "LO", "value": ["A"]}, "LO", ("A",)),
        (PATIENT_ID, {"vr": "LO", "Value": ["A"], "keyword": "PatientID"}, "LO", ("A",)),
        (PATIENT_ID, {"vr": "LO", "Value": [5, 1.5]}, "LO", ("5", "1.5")),
        (PATIENT_ID, {"vr": "LO", "Value": [True, {"a": [1]}, ["x"]]}, "LO", ("true", '{"a":[1]}', '["x"]')),
        (PATIENT_ID, {"vr": "LO", "Value": ["A\\B"]}, "LO", ("A", "B")),
        (PATIENT_ID, {"vr": "LO", "Value": ["A"], "InlineBinary": "QQ=="}, "LO", ("A",)),
        (PATIENT_ID, {"vr": "LO", "Value": ["A"], "BulkDataURI": "http://x"}, "LO", ("A",)),
        (PATIENT_NAME, {"vr": "PN", "Value": ["A^B"]}, "PN", ("A^B",)),
        (PATIENT_NAME, {"vr": "PN", "Value": {"Alphabetic": "A^B"}}, "PN", ("A^B",)),
        (PATIENT_NAME, {"vr": "PN", "Value": [{"Alphabetic": "A", "Familiar": "B"}]}, "PN", ("A",)),
        (PATIENT_NAME, {"vr": "PN", "Value": [{"Alphabetic": 5}]}, "PN", ("5",)),
        (PATIENT_NAME, "A^B", "PN", ("A^B",)),
        (ROWS, {"vr": "US", "Value": ["512"]}, "US", (512,)),
        (ROWS, {"Value": [512]}, "US", (512,)),
        ("00281101", {"Value": [1, -2, 16]}, "SS", (1, -2, 16)),
        (LUT, {"InlineBinary": "AAE="}, "OW", (b"\0\1",)),
        (LUT, {"vr": "OW", "Value": [1, 2]}, "OW", (1, 2)),
        (LUT, {"vr": "OW", "InlineBinary": "AAE"}, "OW", ()),
        (LUT, {"vr": "OW", "InlineBinary": "not base64!"}, "OW", ()),
        (LUT, {"vr": "OW", "InlineBinary": ["AAE="]}, "OW", ()),
        (ROWS, {"vr": "US", "InlineBinary": "AAE="}, "US", (b"\0\1",)),
        (SPACING, {"vr": "DS", "Value": [True]}, "DS", ("true",)),
        ("00189073", {"vr": "FD", "Value": ["1.5"]}, "FD", (1.5,)),
        (POINTER, {"vr": "AT", "Value": ["(0018,001a)", "0x00180010", "0018001a"]}, "AT", None),
        (POINTER, {"vr": "AT", "Value": [0x0018001A]}, "AT", ("0018001A",)),
        (POINTER, {"vr": "AT", "Value": ["PatientID"]}, "AT", ("PatientID",)),
        (PRIVATE, {"Value": ["A", 1]}, "", ("A", 1)),
    ],
)
def test_what_archives_write_instead(tag: str, element: Any, vr: str, values: tuple[Any, ...] | None) -> None:
    found = cell(tag, element)

    assert found.vr == vr
    assert found.values == (("0018001A", "00180010", "0018001A") if values is None else values)
    assert "json-model" in kinds(found.faults)


@pytest.mark.parametrize(
    ("vr", "value", "values"),
    [
        ("US", [70000], (70000,)),
        ("US", [-1], (-1,)),
        ("SS", [32768], (32768,)),
        ("US", [1.5], (1.5,)),
        ("UL", ["many"], ("many",)),
        ("FD", ["wide"], ("wide",)),
        ("FL", [10**400], (str(10**400),)),
    ],
)
def test_numbers_that_their_vr_cannot_hold(vr: str, value: list[Any], values: tuple[Any, ...]) -> None:
    found = cell(PRIVATE, {"vr": vr, "Value": value})

    assert found.values == values
    assert "number" in kinds(found.faults)


@pytest.mark.parametrize(("vr", "shown"), [("ZZ", "ZZ"), ("Muster^Max", "LO"), (5, "LO"), (None, "LO")])
def test_unknown_vrs(vr: Any, shown: str) -> None:
    found = cell(PATIENT_ID, {"vr": vr, "Value": ["A"]})

    assert found.vr == shown
    assert found.values == ("A",)
    assert kinds(found.faults) == ["vr-unknown"]
    assert "Muster" not in str(found.faults)


def test_bulk_data_is_elsewhere() -> None:
    assert cell("7FE00010", {"vr": "OW", "BulkDataURI": "http://x"}) == Cell("OW", bulk=True)
    assert kinds(cell("7FE00010", {"vr": "OW", "BulkDataURI": 5}).faults) == ["json-model"]


def test_inline_binary_is_kept_up_to_64_kib() -> None:
    data = bytes(range(256)) * 256
    for kept in (data, data + b"\0"):
        text = base64.b64encode(kept).decode()
        found = cell(LUT, {"vr": "OW", "InlineBinary": text})

        assert found.length == len(kept)
        assert (found.values, found.bulk) == (((kept,), False) if kept is data else ((), True))
    assert cell(LUT, {"vr": "OW", "InlineBinary": ""}) == Cell("OW", (), (), 0)


def test_items() -> None:
    inner = b'{"vr":"UI","Value":["1.2"]}'
    raw = b'{"vr":"SQ","Value":[{"00081150":%b,"0008115a":"x"},{},null,"x",{"00081155":%b,"00081155":1}]}'
    found = decode_json_element(SEQUENCE, raw % (inner, inner))

    assert [(item.tags, item.raws, kinds(item.faults)) for item in found.items] == [
        (("00081150", "0008115A"), (inner, b'"x"'), []),
        ((), (), []),
        ((), (), []),
        ((), (), []),
        (("00081155", "00081155"), (inner, b"1"), ["json-duplicate-key"]),
    ]
    assert {item.encoding for item in found.items} == {Encoding("json")}
    assert {type(raw) for item in found.items for raw in item.raws} == {bytes}
    assert [fault.detail for fault in found.faults] == [
        "item 3 is null, not an object",
        "item 4 is a string, not an object",
    ]


def test_an_item_that_is_not_in_an_array() -> None:
    found = decode_json_element(SEQUENCE, b'{"vr":"SQ","Value":{"00081155":{"vr":"UI"}}}')

    assert [item.tags for item in found.items] == [("00081155",)]
    assert kinds(found.faults) == ["json-model"]


def test_a_sequence_with_a_defect_inside() -> None:
    raw = b'{"vr":"SQ","Value":[{"00081160":{"vr":"IS","Value":[1]}},{"00081160":{"vr":"IS","Value":[NaN]}}]}'
    found = decode_json_element(SEQUENCE, raw)

    assert [item.raws[0] for item in found.items] == [
        b'{"vr":"IS","Value":[1]}',
        b'{"vr":"IS","Value":[NaN]}',
    ]
    assert [kinds(item.faults) for item in found.items] == [[], ["json-nan"]]
    assert kinds(found.faults) == ["json-nan"]


@pytest.mark.parametrize("value", [b"", b'"00101030":{"vr":"DS","Value":[NaN]},'])
@pytest.mark.parametrize("levels", [1000, 20_000])
def test_items_of_a_sequence_that_is_nested_too_deep_are_not_read(levels: int, value: bytes) -> None:
    level = b'{"vr":"SQ","Value":[{' + value + b'"00081140":'
    raw = level * levels + b'{"vr":"SQ"}' + b"}]}" * levels

    found = decode_json_element("00081140", raw)

    assert found.items == ()
    assert "nesting" in kinds(found.faults)


def test_items_of_a_damaged_sequence_are_read_as_far_down_as_objects_go() -> None:
    level = b'{"vr":"SQ","Value":[{"00101030":{"vr":"DS","Value":[NaN]},"00081140":'
    cell = decode_json_element("00081140", level * 20 + b'{"vr":"SQ"}' + b"}]}" * 20)

    depth = 0
    while cell.items:
        depth += 1
        cell = decode_json_element("00081140", cell.items[0].raws[1])

    assert depth == 20


@pytest.mark.parametrize(
    ("value", "values", "kind"),
    [
        (b"[NaN,1.,.5,+1,007,-Infinity]", ("NaN", 1.0, 0.5, 1, 7, "-Infinity"), "json-nan"),
        (b"[1,]", (1,), "json-syntax"),
        (b"[1e999]", ("1e999",), "number"),
        (b'["\xff1"]', ("�1",), "charset-undecodable"),
        (b'["\n1\t"]', ("\n1\t",), "json-control"),
        (b'["\\ud8001"]', ("�1",), "json-surrogate"),
        (b"[1", (), "json-syntax"),
        (b"[1 2]", (), "json-syntax"),
        (b"[" * 500 + b"]" * 500, None, "json-model"),
        (b"[" * 100_000 + b"]" * 100_000, (), "nesting"),
    ],
)
def test_elements_that_strict_decoders_refuse(
    value: bytes, values: tuple[Any, ...] | None, kind: str
) -> None:
    found = decode_json_element(SPACING, b'{"vr":"DS","Value":' + value + b"}")

    assert found.vr == "DS"
    assert values is None or found.values == values
    assert kind in kinds(found.faults)


def test_a_float_that_json_does_not_have() -> None:
    found = decode_json_element("00189073", b'{"vr":"FD","Value":[NaN,Infinity]}')

    assert math.isnan(found.values[0])  # type: ignore[arg-type]
    assert found.values[1] == math.inf
    assert found.numbers == (None, None)
    assert kinds(found.faults) == ["json-nan"]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"vr":"LO","vr":"LO","Value":["A"]}',
        b'{"vr":"LO","Value":["A"],"Value":["B"]}',
        b'{ "vr":"LO","Value":["A"],"Value":["B"]}',
        b'{"Value":["A"],"vr":"LO","Value":["B"]}',
        b'{"Value":["A"],"Value":["B"],"vr":"LO"}',
        b'{ "Value" : [ "A" ], "vr" : "LO", "vr" : "LO" }',
        b'{"vr":"PN","Value":[{"Alphabetic":"A","Alphabetic":"B"}]}',
        b'{"vr":"PN","Value":[{"Alphabetic":"A", "Alphabetic":"\\u0042"}]}',
    ],
)
def test_duplicate_keys_in_an_element(raw: bytes) -> None:
    found = decode_json_element(PATIENT_NAME, raw)

    assert found.values == ("A",)
    assert kinds(found.faults) == ["json-duplicate-key"]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"Value":["A"],"x":["B"],"vr":"LO"}',
        b'{"vr":"LO", "Value":["A"],"x":["B"]}',
        b'{"Value":["A"],"BulkDataURI":"x","vr":"LO"}',
        b'{"Value":["A"],["B"],"vr":"LO"}',
        b'{"Value":["A"] "vr":"LO"}',
        b'{"Value":["A"],"vr":"LO"}}',
        b'{"Value":["A"],\v"vr":"LO"}',
    ],
)
def test_what_only_resembles_an_element_has_a_fault(raw: bytes) -> None:
    found = decode_json_element(PATIENT_ID, raw)

    assert found.values[:1] == ("A",)
    assert found.faults


def test_text_may_look_like_the_end_of_an_element() -> None:
    values = ('A"],"vr":"CS"}', "]}")

    assert cell(PATIENT_ID, {"vr": "LO", "Value": values}) == Cell("LO", values)


@pytest.mark.parametrize(
    ("vr", "text", "fault"),
    [("LO", "A  ", False), ("LO", "A\0", True), ("UI", "1.2\0", False), ("UI", "1.2 ", True)],
)
def test_padding_other_than_the_vrs_own_is_a_fault(vr: str, text: str, fault: bool) -> None:
    assert kinds(cell(PATIENT_ID, {"vr": vr, "Value": [text]}).faults) == ["padding"] * fault


def test_faults_are_few_however_many_values_are_wrong() -> None:
    assert len(cell(ROWS, {"vr": "US", "Value": ["1"] * 1000}).faults) < 20
    assert len(cell(SEQUENCE, {"vr": "SQ", "Value": [None] * 1000}).faults) < 20
    assert len(cell(LUT, {"vr": "OW", "Value": [1] * 1000}).faults) == 1


@given(
    vr=st.sampled_from(sorted(TEXT_VRS - {"PN"})),
    values=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\"), max_size=8)),
)
def test_text_is_text_without_what_pads_it(vr: str, values: list[str]) -> None:
    found = cell(PRIVATE, {"vr": vr, "Value": values})
    expected = tuple(value.rstrip(" \0") or None for value in values)

    assert found.values == (() if expected == (None,) else expected)


@given(values=st.lists(st.integers(0, 65535) | st.none()))
def test_numbers_are_numbers(values: list[int | None]) -> None:
    expected = () if values == [None] else tuple(values)

    assert cell(ROWS, {"vr": "US", "Value": values}) == Cell("US", expected)
    assert cell(PRIVATE, {"vr": "FD", "Value": values}).values == tuple(
        value if value is None else float(value) for value in expected
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", "Alphabetic", PATIENT_ID, "x"]),
            inner | st.sampled_from(["LO", "SQ", "US", "PN", "AT", "FD", "OB", "UI"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(element=JSON, spoil=st.tuples(st.integers(0, 200), st.integers(0, 3), st.binary(max_size=3)))
def test_anything_is_decoded(element: Any, spoil: tuple[int, int, bytes]) -> None:
    raw = bytearray(json.dumps(element, separators=COMPACT).encode())
    place, removed, added = spoil
    raw[place : place + removed] = added
    for text in (bytes(raw), b'{"vr":"PN","Value":' + raw + b"}", b'{"vr":"SQ","Value":[' + raw + b"]}"):
        found = decode_json_element(PATIENT_ID, text)
        for item in found.items:
            for tag, inner in zip(item.tags, item.raws, strict=True):
                decode_json_element(tag, inner)
