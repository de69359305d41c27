"""Bodies as archives send them, split into instances as they arrive."""

import json
import tracemalloc

import pytest
from hypothesis import given
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

from heltig.dicom.cell import Encoding
from heltig.dicom.json_stream import InstanceSplitter, NotDicomJson

FORMS = {
    "compact": {"separators": COMPACT},
    "spaces": {"separators": (", ", ": ")},
    "indented": {"indent": 2},
    "tabs": {"indent": "\t"},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 100, 4096, 10**9])
def test_each_instance_is_what_a_strict_decoder_makes_of_it(form: str, size: int) -> None:
    data = json.dumps([instance(number) for number in range(60)], **FORMS[form]).encode()
    expected = [strictly(text) for text in texts(60, **FORMS[form])]

    found = comparable(split(chunked(data, size)))

    values = [[json.loads(raw) for raw in raws] for _, raws, _ in found]
    assert [(tags, faults) for tags, _, faults in found] == [(tags, ()) for tags, _, _ in expected]
    assert values == [[json.loads(raw) for raw in raws] for _, raws, _ in expected]


@pytest.mark.parametrize("form", FORMS)
def test_instances_arrive_while_the_body_does(form: str) -> None:
    data = json.dumps([instance(number) for number in range(200)], **FORMS[form]).encode()
    half = split([data[: len(data) // 2]])[:-1]  # the last one is cut
    splitter = InstanceSplitter()

    assert len(half) > 95
    assert len(splitter.feed(data[: len(data) // 2])) >= len(half) - 1


def test_the_encoding_says_json() -> None:
    assert {found.encoding for found in split([body(texts(3))])} == {Encoding("json")}


def test_instances_may_start_with_different_keys() -> None:
    instances = texts(300)
    for number in range(0, 300, 3):
        instances[number] = instances[number].replace(b'"00080005":{"vr":"CS","Value":["ISO_IR 192"]},', b"")

    assert read(body(instances)) == [strictly(text) for text in instances]


def test_items_may_start_like_instances() -> None:
    item = {"00080005": {"vr": "CS"}, "00080018": {"vr": "UI", "Value": ["1.2"]}}
    instances = [
        json.dumps({"00080005": {"vr": "CS"}, "00081140": {"vr": "SQ", "Value": [item] * count}}).encode()
        for count in (0, 1, 2, 50, 1, 0)
    ]

    assert read(body(instances)) == [strictly(text) for text in instances]


def test_text_may_look_like_the_start_of_an_instance() -> None:
    tricky = instance(1, x00081030={"vr": "LO", "Value": ['},{"00080005":{"', "\\", '"']})
    instances = [json.dumps(tricky, separators=COMPACT).encode()] * 3

    assert read(body(instances)) == [strictly(text) for text in instances]


@pytest.mark.parametrize("data", [b"[]", b" [ ] \n", b"", b" \r\n", b"\xef\xbb\xbf[]"])
def test_bodies_without_instances(data: bytes) -> None:
    assert split(chunked(data, 1)) == []


_INSTANCE = b'{"00080018":{"vr":"UI","Value":["1.2"]}}'
_DEEP_INSTANCE = b'{"00081140":{"vr":"SQ","Value":[' * 40 + b"{}" + b"]}}" * 40


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (b"", b"[" + _INSTANCE + b"]", 1),
        (b"[", _INSTANCE + b"]", 1),
        (b"[" + _INSTANCE, b"," + _INSTANCE + b"]", 2),
        (b"[" + _INSTANCE + b",", _INSTANCE + b"]", 2),
        (b"[" + _INSTANCE + b" , ", _INSTANCE + b"]", 2),
        (b"[" + _DEEP_INSTANCE + b",", _INSTANCE + b"]", 2),
        (b"[" + _INSTANCE + b"," + _INSTANCE, b"]", 2),
        (b"[" + _INSTANCE + b"]", b"", 1),
    ],
)
def test_white_space_between_instances_is_not_held(before: bytes, after: bytes, found: int) -> None:
    splitter = InstanceSplitter()
    space = b" \n" * 2**19
    tracemalloc.start()
    try:
        instances = splitter.feed(before)
        for _ in range(80):
            instances += splitter.feed(space)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    instances += splitter.feed(after) + splitter.close()

    assert most < 8 * len(space)
    assert len(instances) == found
    assert [instance.faults for instance in instances] == [()] * found


@pytest.mark.parametrize("size", [100, 4096, 5000, 1_000_000])
@pytest.mark.parametrize("text", ["", " " * 10_000])
def test_white_space_in_a_row_changes_no_instance(size: int, text: str) -> None:
    members = {"00080018": {"vr": "UI"}, "00104000": {"vr": "LT", "Value": [f"{text}x"]}}
    one = json.dumps(members).encode().replace(b", ", b"," + b" " * 5000)
    data = (b"\n" * 9000).join([b"[", one, b",", one, b", 5,", one, b"", b"]"])

    found = comparable(split(chunked(data, size)))

    assert [(tags, raws) for tags, raws, _ in found] == [strictly(one)[:2]] * 3
    assert [kinds(faults) for _, _, faults in found] == [[], ["json-model"], []]
    assert found == comparable(split([data]))


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbf" + body(texts(2))) == read(body(texts(2)))


def test_keys_become_upper_case() -> None:
    (found,) = split([b'[{"0020000d":{"vr":"UI","Value":["1.2"]}}]'])

    assert found.tags == ("0020000D",)
    assert found.faults == ()


def test_keywords_and_tags_with_a_comma_are_recognised() -> None:
    keys = [b'"PatientID"', b'"(0010,0030)"', b'"0010,0040"', b'"Smith^John"']
    (found,) = split([b"[{" + b",".join(key + b':{"vr":"LO"}' for key in keys) + b"}]"])

    assert found.tags == ("00100020", "00100030", "00100040")
    assert set(kinds(found.faults)) == {"json-model"}
    assert "PatientID is not a tag of eight hex digits: read as 00100020" in found.faults[0].detail
    assert "Smith" not in str(found.faults)


def test_a_single_object_is_an_instance_with_a_fault() -> None:
    (found,) = split([texts(1)[0]])

    assert found.tags == strictly(texts(1)[0])[0]
    assert kinds(found.faults) == ["json-model"]


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><html>Sign in, John Smith</html>",
        b"Not found",
        b"\xff\xfe[\x00]\x00",
        b'{"error":"no such study","code":404}',
        b"{}",
        b'[1,2,"John Smith"]',
        b"[",
        b"[]<html>",
        b"nul",
        b"null",
        b" null\n",
        b"null null",
        b"0",
        b"true",
        b'"John Smith"',
        b"[[]]",
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_something_else_is_refused_without_showing_its_content(data: bytes, size: int) -> None:
    with pytest.raises(NotDicomJson) as refusal:
        split(chunked(data, size))

    assert "Smith" not in str(refusal.value)
    assert "body" in str(refusal.value)


def test_a_body_cut_in_the_middle_keeps_the_complete_instances() -> None:
    instances = texts(10)
    data = body(instances)
    cut = data.index(b'"00100010"', len(data) * 3 // 4)

    *complete, last = read(data[:cut])

    assert complete == [strictly(text) for text in instances[: len(complete)]]
    assert "truncated" in kinds(last[2])
    assert last[:2] == tuple(part[: len(last[0])] for part in strictly(instances[len(complete)])[:2])
    assert last[0][-1] == "00081140"


@pytest.mark.parametrize(
    ("after", "kind"), [(b"", "truncated"), (b",", "truncated"), (b"]x", "trailing"), (b",]", "json-syntax")]
)
def test_what_is_wrong_after_the_last_instance_is_a_fault_of_it(after: bytes, kind: str) -> None:
    instances = texts(3)
    for data in ([b"[" + b",".join(instances) + after], chunked(b"[" + b",".join(instances) + after, 1)):
        found = comparable(split(data))

        assert [each[:2] for each in found] == [strictly(text)[:2] for text in instances]
        assert [kinds(each[2]) for each in found] == [[], [], [kind]]


def test_members_that_are_no_objects_are_a_fault_of_a_neighbour() -> None:
    instances = texts(3)
    data = b"[null," + instances[0] + b",null, 5," + instances[1] + b' ,"x",' + instances[2] + b",true]"

    found = read(data)

    assert [each[:2] for each in found] == [strictly(text)[:2] for text in instances]
    assert [kinds(each[2]) for each in found] == [["json-model"] * 2, ["json-model"], ["json-model"]]


def test_a_missing_comma_between_instances_is_a_fault() -> None:
    instances = texts(3)
    found = read(b"[" + instances[0] + b" " + instances[1] + b"," + instances[2] + b"]")

    assert [each[:2] for each in found] == [strictly(text)[:2] for text in instances]
    assert [kinds(each[2]) for each in found] == [["json-syntax"], [], []]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "stray", [b"!", b'"', b"\\", b":", b"a", b"{", b"}", b"[", b"\0", b"\xff", b",x", b"};{"]
)
def test_a_spoilt_separator_costs_no_instance(stray: bytes, form: str) -> None:
    instances = texts(20, **FORMS[form])
    for size in (50, 10**6):
        data = b"[" + b",".join(instances[:11]) + stray + b",".join(instances[11:]) + b"]"
        found = comparable(split(chunked(data, size)))

        assert [each[:2] for each in found] == [strictly(text)[:2] for text in instances]
        assert [number for number, each in enumerate(found) if each[2]] == [10]


@pytest.mark.parametrize("size", [1, 50, 10**6])
def test_an_instance_over_the_limit_ends_the_reading(size: int) -> None:
    long = json.dumps(instance(7, x00204000={"vr": "LT", "Value": ["x" * 3000]}), separators=COMPACT).encode()
    instances = [*texts(3), long, *texts(2)]

    *complete, last = comparable(split(chunked(body(instances), size), max_instance_bytes=2000))

    assert complete == [strictly(text) for text in instances[:3]]
    assert last[:2] == ((), ())
    assert kinds(last[2]) == ["unreadable"]
    assert "2000 bytes" in last[2][0].detail


def test_a_long_instance_among_many_alike_is_over_the_limit_too() -> None:
    constant = {f"x0018{number:04X}": {"vr": "SH", "Value": ["A"]} for number in range(20)}
    comments = [{"vr": "LT", "Value": [f"{number}" * (300 if number == 9 else 1)]} for number in range(12)]
    instances = [
        json.dumps(instance(0, x00204000=comment, **constant), separators=COMPACT).encode()
        for comment in comments
    ]

    for size in (1, 10**6):
        limit = len(instances[9]) - 1
        *complete, last = comparable(split(chunked(body(instances), size), max_instance_bytes=limit))

        assert complete == [strictly(text) for text in instances[:9]]
        assert kinds(last[2]) == ["unreadable"]


@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=30), form=st.sampled_from(sorted(FORMS)))
def test_chunks_make_no_difference(sizes: list[int], form: str) -> None:
    data = json.dumps([instance(number) for number in range(12)], **FORMS[form]).encode()
    chunks = []
    for size in [*sizes, len(data)]:
        chunks.append(data[:size])
        data = data[size:]

    assert comparable(split(chunks)) == read(b"".join(chunks))


def test_an_instance_that_is_nested_too_deep_says_so() -> None:
    level = b'{"00081140":{"vr":"SQ","Value":['
    deep = b'{"00080018":{"vr":"UI"},' + (level * 20_000)[1:] + b"{}" + b"]}}" * 20_000

    (before, found, after) = split([body([_INSTANCE, deep, _INSTANCE])])

    assert found.tags == ("00080018", "00081140")
    assert kinds(found.faults) == ["nesting"]
    assert (before.faults, after.faults) == ((), ())
