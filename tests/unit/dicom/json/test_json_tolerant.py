"""The tolerant reader: the same as any JSON reader on JSON, and never lost on anything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.dicom.json.json_bodies import kinds

from heltig.dicom.cell import FAULT_KINDS
from heltig.dicom.json_tolerant import MAX_DEPTH, read_array, read_object, repair

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FORMS = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 2}, {"ensure_ascii": False}])


def encoded(value: Any, form: dict[str, Any]) -> bytes:
    return json.dumps(value, **form).encode(errors="surrogatepass")


@given(value=JSON, form=FORMS)
def test_json_is_left_as_it_is(value: Any, form: dict[str, Any]) -> None:
    text = encoded(value, form)
    repaired, faults = repair(text)

    assert faults == ()
    assert json.loads(repaired) == json.loads(text)


@given(members=st.lists(st.tuples(st.text(), JSON)), form=FORMS)
def test_every_member_of_an_object_is_given(members: list[tuple[str, Any]], form: dict[str, Any]) -> None:
    text = (
        b"{" + b" ,".join(encoded(key, form) + b" : " + encoded(value, form) for key, value in members) + b"}"
    )
    found, faults = read_object(text)

    assert faults == ()
    assert [(key, json.loads(raw)) for key, raw in found] == members


@given(values=st.lists(JSON), form=FORMS)
def test_every_member_of_an_array_is_given(values: list[Any], form: dict[str, Any]) -> None:
    found, faults = read_array(encoded(values, form))

    assert faults == ()
    assert [json.loads(raw) for raw in found] == values


@pytest.mark.parametrize(
    ("text", "expected", "kind", "offset"),
    [
        (b"[NaN]", ["NaN"], "json-nan", 1),
        (b"[1, -Infinity]", [1, "-Infinity"], "json-nan", 4),
        (b"[1.]", [1.0], "json-syntax", 1),
        (b"[-.5e3]", [-500.0], "json-syntax", 1),
        (b"[1.e2]", [100.0], "json-syntax", 1),
        (b"[+00]", [0], "json-syntax", 1),
        (b"[-007]", [-7], "json-syntax", 1),
        (b'["a\x1fb"]', ["a\x1fb"], "json-control", 3),
        (b'["\\uDEAD"]', ["�"], "json-surrogate", 2),
        (b'["\\ud800\\ud800\\udc00"]', ["�\U00010000"], "json-surrogate", 2),
        (b'["\xed\xb0\x80"]', ["���"], "json-surrogate", 2),
        (b'["ab\xc3("]', ["ab�("], "charset-undecodable", 4),
        (b'["C:\\x"]', ["C:\\x"], "json-syntax", 4),
        (b'["\\u12"]', ["\\u12"], "json-syntax", 2),
        (b"[1 , ]", [1], "json-syntax", 5),
        (b'{"a":1,}', {"a": 1}, "json-syntax", 7),
        (b"[-1e400]", ["-1e400"], "number", 1),
        (b"[1] x", [1], "json-syntax", 3),
    ],
)
def test_what_can_be_mended(text: bytes, expected: Any, kind: str, offset: int) -> None:
    repaired, faults = repair(text)

    assert json.loads(repaired) == expected
    assert kinds(faults) == [kind]
    assert faults[0].detail.endswith(f"at offset {offset}")


@pytest.mark.parametrize(
    ("text", "keys", "kind"),
    [
        (b'{"a":1,"b":tru}', ["a"], "json-syntax"),
        (b'{"a":1,"b":tru', ["a"], "truncated"),
        (b'{"a":1,"b":"x', ["a"], "truncated"),
        (b'{"a":1,"b":[{"c":2}', ["a"], "truncated"),
        (b'{"a":1,,"b":2}', ["a"], "json-syntax"),
        (b'{"a":1 "b":2}', ["a"], "json-syntax"),
        (b'{"a":1,"b" 2}', ["a"], "json-syntax"),
        (b'{"a":1,b:2}', ["a"], "json-syntax"),
        (b'{"a":1]', ["a"], "json-syntax"),
        (b'{"a":1,"b":0x10}', ["a"], "json-syntax"),
        (b'{"a":1}"b":2}', ["a"], "json-syntax"),
        (b"", [], "truncated"),
        (b"<html>", [], "json-syntax"),
    ],
)
def test_what_stands_before_the_damage_is_kept(text: bytes, keys: list[str], kind: str) -> None:
    found, faults = read_object(text)

    assert [key for key, _ in found] == keys
    assert kinds(faults) == [kind]


def test_depth_has_a_limit() -> None:
    deep = b'{"a":1,"b":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    assert kinds(repair(deep)[1]) == ["nesting"]
    assert [key for key, _ in read_object(deep)[0]] == ["a", "b"]
    assert kinds(read_object(deep)[1]) == ["nesting"]
    assert repair(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)[1] == ()


@given(text=st.binary() | st.text(alphabet='{}[]",:\\u1d8 .+-eNan\n\0é').map(str.encode))
def test_any_bytes_are_read(text: bytes) -> None:
    for reader in (read_object, read_array, repair):
        assert set(kinds(reader(text)[1])) <= set(FAULT_KINDS)
    json.loads(repair(text)[0])
