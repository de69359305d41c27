"""One damaged instance among a thousand: it gets the fault, the others do not notice."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.dicom.json.json_bodies import (
    COMPACT,
    body,
    chunked,
    comparable,
    instance,
    kinds,
    read,
    split,
    strictly,
    texts,
)

from heltig.dicom.json_stream import NotDicomJson

WHICH = 617
THOUSAND = texts(1000)
EXPECTED = [strictly(text) for text in THOUSAND]

# Of each: what is replaced in the instance, and by what.
DEFECTS = {
    "NaN": (b"[0.5,", b"[NaN,", "json-nan"),
    "Infinity": (b"[0.5,", b"[-Infinity,", "json-nan"),
    "1.": (b"[0.5,", b"[1.,", "json-syntax"),
    ".5": (b"[0.5,", b"[.5,", "json-syntax"),
    "+1": (b"[0.5,", b"[+1,", "json-syntax"),
    "leading zero": (b"[0.5,", b"[007,", "json-syntax"),
    "newline": (b'Alphabetic":"', b'Alphabetic":"\n', "json-control"),
    "tab": (b'Alphabetic":"', b'Alphabetic":"\t', "json-control"),
    "NUL": (b'Alphabetic":"', b'Alphabetic":"\0', "json-control"),
    "lone surrogate": (b'Alphabetic":"', b'Alphabetic":"\\ud83d', "json-surrogate"),
    "lone low surrogate": (b'Alphabetic":"', b'Alphabetic":"\\udc00', "json-surrogate"),
    "surrogate as UTF-8": (b'Alphabetic":"', b'Alphabetic":"\xed\xa0\xbd', "json-surrogate"),
    "Latin-1": ("ü".encode(), b"\xfc", "charset-undecodable"),
    "trailing comma": (b'"0.50"]', b'"0.50",]', "json-syntax"),
    "trailing comma in an object": (b'"ORIGINAL","PRIMARY"]', b'"ORIGINAL","PRIMARY"],', "json-syntax"),
    "wrong escape": (b"ORIGINAL", b"C:\\Original", "json-syntax"),
    "number too large": (b"[0.5,", b"[NaN,1e999,", "number"),
}
# What no reader can read: the elements before it are kept.
BREAKS = {
    "quote in text": (b"PRIMARY", b'PRI"MARY'),
    "missing quote": (b'"PRIMARY"', b'PRIMARY"'),
    "missing brace": (b'"PRIMARY"]}', b'"PRIMARY"]'),
    "missing bracket": (b'"PRIMARY"]', b'"PRIMARY"'),
    "extra brace": (b'"PRIMARY"]}', b'"PRIMARY"]}}'),
    "extra bracket": (b'"PRIMARY"]', b'"PRIMARY"]]'),
    "open brace": (b'"PRIMARY"]', b'"PRIMARY",{]'),
    "missing comma": (b'"PRIMARY"]},', b'"PRIMARY"]}'),
    "two commas": (b'"PRIMARY"]},', b'"PRIMARY"]},,'),
    "missing colon": (b'"00080008":', b'"00080008"'),
    "bare word": (b'"PRIMARY"', b"PRIMARY"),
    "comment": (b'"00080008":', b'/* type */"00080008":'),
}


def damaged(old: bytes, new: bytes) -> bytes:
    """The body of a thousand instances, one of them damaged."""
    text = THOUSAND[WHICH].replace(old, new)
    assert text != THOUSAND[WHICH]
    return body([*THOUSAND[:WHICH], text, *THOUSAND[WHICH + 1 :]])


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_that_strict_decoders_refuse(name: str) -> None:
    old, new, kind = DEFECTS[name]

    found = comparable(split(chunked(damaged(old, new), 65_536)))

    tags, raws, faults = found.pop(WHICH)
    assert found == EXPECTED[:WHICH] + EXPECTED[WHICH + 1 :]
    assert tags == EXPECTED[WHICH][0]
    assert [raw.replace(new, old) for raw in raws] == list(EXPECTED[WHICH][1])
    assert kind in kinds(faults)


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("size", [100, 65_536])
def test_a_defect_that_nobody_can_read_past(name: str, size: int) -> None:
    found = comparable(split(chunked(damaged(*BREAKS[name]), size)))

    tags, raws, faults = found.pop(WHICH)
    assert found == EXPECTED[:WHICH] + EXPECTED[WHICH + 1 :]
    assert tags == EXPECTED[WHICH][0][: len(tags)]
    assert raws[:1] == EXPECTED[WHICH][1][:1]
    assert raws[1:] == EXPECTED[WHICH][1][1 : len(raws)] or name == "missing brace"
    assert {"json-syntax", "truncated"} & set(kinds(faults))


@pytest.mark.parametrize("end", range(20, len(THOUSAND[WHICH]), 23))
def test_an_instance_that_breaks_off(end: int) -> None:
    found = comparable(split(chunked(damaged(THOUSAND[WHICH], THOUSAND[WHICH][:end]), 65_536)))

    tags, raws, faults = found.pop(WHICH)
    assert found == EXPECTED[:WHICH] + EXPECTED[WHICH + 1 :]
    assert raws == EXPECTED[WHICH][1][: len(tags)]
    assert faults


def test_a_hidden_duplicate_keeps_both_values() -> None:
    for more in ({"separators": COMPACT}, {"indent": 1}):
        instances = texts(1000, **more)
        doubled = instances[WHICH][:-1].rstrip() + b',"00200013":{"vr":"IS","Value":[99]}}'
        found = read(body([*instances[:WHICH], doubled, *instances[WHICH + 1 :]]))

        tags, raws, faults = found.pop(WHICH)
        assert found == [strictly(text) for text in instances[:WHICH] + instances[WHICH + 1 :]]
        assert kinds(faults) == ["json-duplicate-key"]
        assert "00200013" in faults[0].detail
        first, second = (raw for tag, raw in zip(tags, raws, strict=True) if tag == "00200013")
        assert json.loads(first)["Value"] == [WHICH]
        assert second == b'{"vr":"IS","Value":[99]}'


@pytest.mark.parametrize(
    "same", [b'"00200013":', b'"00200013" : ', b'"0020001\\u0033":', b'"InstanceNumber":']
)
def test_a_duplicate_with_the_same_text_is_one_cell(same: bytes) -> None:
    text = THOUSAND[5][:-1] + b"," + same + b'{"vr":"IS","Value":[5]}}'
    (found,) = read(body([text]))

    assert found[:2] == EXPECTED[5][:2]
    assert "json-duplicate-key" in kinds(found[2])


def test_tags_that_differ_in_case_are_duplicates() -> None:
    ((tags, _, faults),) = read(b'[{"0020000d":{"vr":"UI"},"0020000D":{"vr":"UI","Value":["1"]}}]')

    assert tags == ("0020000D", "0020000D")
    assert kinds(faults) == ["json-duplicate-key"]


def test_a_fault_says_where() -> None:
    item = b'{"00081155":{"vr":"UI","Value":["1.2"]},"00081160":{"vr":"IS","Value":[1,NaN]}}'
    text = b'{"00080005":{"vr":"CS"},"00081140":{"vr":"SQ","Value":[' + item + b"]}}"
    ((_, _, faults),) = read(body([text]))

    assert kinds(faults) == ["json-nan"]
    assert f"at offset {text.index(b'NaN')} in 00081140.00081160" in faults[0].detail


def test_faults_show_no_content() -> None:
    secret = {"vr": "PN", "Value": [{"Alphabetic": "Geheim^Otto"}]}
    text = json.dumps(instance(1, x00100010=secret)).encode()
    broken = [
        text.replace(b"Geheim", new) for new in (b"\nGeheim", b'"Geheim', b"\\Geheim", b"\\ud800", b"\xff")
    ]

    for _, _, faults in read(body(broken)):
        assert faults
        assert "Otto" not in str(faults)
        assert "Geheim" not in str(faults)


def test_many_defects_of_one_kind_are_one_fault() -> None:
    ((_, _, faults),) = read(b'[{"00280030":{"vr":"DS","Value":[' + b"NaN," * 5000 + b"1]}}]")

    assert kinds(faults) == ["json-nan"]
    assert "5000 times" in faults[0].detail


def test_every_instance_damaged() -> None:
    broken = [text.replace(b"0.5,", b"NaN,") for text in THOUSAND[:200]]
    unclosed = [text[: text.index(b'"00081140"')] for text in THOUSAND[:200]]

    assert [kinds(faults) for _, _, faults in read(body(broken))] == [["json-nan"]] * 200
    found = read(body(unclosed))
    assert len(found) == 200
    assert {tags for tags, _, _ in found} == {("00080005", "00080008", "00080018")}


JUNK = [
    b"NaN",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b'"',
    b":",
    b"\\",
    b"\0",
    b"\xff",
    b"null",
    b"]}",
    b',{"00080005":',
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    form = draw(st.sampled_from([{"separators": COMPACT}, {"indent": 2}, {}]))
    data = bytearray(
        json.dumps([instance(number) for number in range(draw(st.integers(0, 5)))], **form).encode()
    )
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 20))] = draw(st.sampled_from(JUNK) | st.just(b""))
    return bytes(data)


def outcome(chunks: list[bytes], limit: int) -> object:
    try:
        return comparable(split(chunks, max_instance_bytes=limit))
    except NotDicomJson as refusal:
        return str(refusal)


@settings(max_examples=150)
@given(data=mutated(), size=st.integers(1, 2000), limit=st.sampled_from([300, 700, 1_000_000]))
def test_mutated_bodies_read_the_same_in_any_chunks(data: bytes, size: int, limit: int) -> None:
    assert outcome(chunked(data, size), limit) == outcome([data], limit)


@given(
    data=st.binary(max_size=300),
    prefix=st.sampled_from([b"", b"[", b"[{", b'[{"00080005":', b'{"00080005":']),
)
def test_random_bytes_are_read_or_refused(data: bytes, prefix: bytes) -> None:
    assert outcome([prefix + data], 1_000_000) == outcome(chunked(prefix + data, 1), 1_000_000)
