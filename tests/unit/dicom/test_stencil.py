"""A stencil may save work; it may not change what is read."""

import json

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.snapshot import series_evidence
from heltig.dicom.stencil import Filled
from heltig.dicom.study import StudyTable

COMPACT = (",", ":")
SPACED = (", ", ": ")


def instance(number, series=1, **more):
    plain = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080018": {"vr": "UI", "Value": [f"1.2.{series}.{number}"]},
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
        "00100020": {"vr": "LO", "Value": ["A1"]},
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
        "0020000E": {"vr": "UI", "Value": [f"1.2.{series}"]},
        "00200013": {"vr": "IS", "Value": [number]},
        "00200032": {"vr": "DS", "Value": [0.0, -1.5, number * 2.5]},
        "7FE00010": {"vr": "OW", "BulkDataURI": f"http://here/{number}"},
    }
    return dict(sorted((plain | {tag.lstrip("t"): element for tag, element in more.items()}).items()))


def read(body, size=97):
    splitter = InstanceSplitter()
    found = []
    for start in range(0, len(body), size):
        found += splitter.feed(body[start : start + size])
    return found + splitter.close()


def plainly(found):
    return [(d.tags, [bytes(raw) for raw in d.raws], d.faults) for d in found]


def expected(instances, separators):
    def text(element):
        return json.dumps(element, separators=separators).encode()

    return [(tuple(each), [text(element) for element in each.values()], ()) for each in instances]


def body_of(instances, separators=COMPACT):
    return json.dumps(instances, separators=separators).encode()


def fitted(found):
    return sum(isinstance(d.raws, Filled) for d in found)


@pytest.mark.parametrize("separators", [COMPACT, SPACED])
def test_most_instances_of_a_series_are_read_through_a_stencil_and_come_out_the_same(separators):
    instances = [instance(n) for n in range(200)]
    found = read(body_of(instances, separators), size=4096)
    assert plainly(found) == expected(instances, separators)
    assert fitted(found) > 150


def test_an_attribute_that_changes_now_and_then_becomes_a_hole():
    instances = [instance(n, t00180081={"vr": "DS", "Value": [n // 10]}) for n in range(200)]
    found = read(body_of(instances), size=4096)
    assert plainly(found) == expected(instances, COMPACT)
    assert fitted(found) > 185


@pytest.mark.parametrize("separators", [COMPACT, SPACED])
def test_items_that_begin_like_instances_keep_no_stencil_from_fitting(separators):
    items = {"vr": "SQ", "Value": [{"00080005": {"vr": "CS", "Value": ["X"]}}] * 6}
    instances = [instance(n, t00081140=items) for n in range(200)]
    found = read(body_of(instances, separators), size=4096)
    assert plainly(found) == expected(instances, separators)
    assert fitted(found) > 185


@st.composite
def studies(draw):
    """Instances of several series in any order, some with more attributes, odd values or nested items."""
    made = []
    for number in range(draw(st.integers(3, 30))):
        more = {}
        if draw(st.booleans()):
            more["t00081030"] = {"vr": "LO", "Value": [draw(st.text(max_size=12))]}
        if draw(st.integers(0, 4)) == 0:
            # an item that begins as an instance does, right before the end of the instance
            item = {"00080005": {"vr": "CS", "Value": ["X"]}, "7FE00010": {"vr": "OW", "BulkDataURI": "}"}}
            more["tFFFAFFFA"] = {"vr": "SQ", "Value": [item] * draw(st.integers(1, 3))}
        made.append(instance(number, draw(st.integers(1, 2)), **more))
    return made


@given(studies(), st.integers(1, 5000), st.sampled_from([COMPACT, SPACED]))
def test_any_study_in_chunks_of_any_size_comes_out_the_same(instances, size, separators):
    assert plainly(read(body_of(instances, separators), size)) == expected(instances, separators)


@given(st.data())
def test_a_spoilt_byte_is_treated_as_without_stencils(data):
    instances = [instance(n) for n in range(12)]
    body = bytearray(body_of(instances))
    place = data.draw(st.integers(len(body) // 2, len(body) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(not (byte == ord("]") and body[place] in b",{"))  # between instances it would end the array
    body[place] = byte
    with_stencils = plainly(read(bytes(body), size=len(body)))
    texts = [json.dumps(each, separators=COMPACT).encode() for each in instances]
    spoilt = [n for n, text in enumerate(texts) if text not in bytes(body)]
    for n, text in enumerate(texts):
        if n not in spoilt:
            tags, raws, _ = expected([instances[n]], COMPACT)[0]
            assert any(found[:2] == (tags, raws) for found in with_stencils), text


def test_a_key_that_stands_twice_in_one_instance_is_seen_among_a_thousand():
    texts = [json.dumps(instance(n), separators=COMPACT).encode() for n in range(1000)]
    texts[500] = texts[500].replace(b'"00100020":', b'"00100020":{"vr":"LO","Value":["B2"]},"00100020":')
    found = read(b"[" + b",".join(texts) + b"]", size=65536)
    assert [n for n, d in enumerate(found) if d.faults] == [500]
    assert found[500].faults[0].kind == "json-duplicate-key"
    assert fitted(found) > 900


def test_a_table_filled_through_stencils_is_the_table_of_the_whole_instances():
    instances = [
        instance(
            n, n % 3, t00290010={"vr": "LO", "Value": ["MAKER" if n % 5 else "OTHER"]}, t00291001={"vr": "LO"}
        )
        for n in range(90)
    ]
    tables = []
    for datasets in (
        read(body_of(instances), size=4096),
        [msgspec.structs.replace(d, raws=list(d.raws)) for d in read(body_of(instances), size=4096)],
    ):
        table = StudyTable("1.2", "1.2")
        for dataset in datasets:
            table.add(dataset)
        table.arrange()
        tables.append([(series.key, series.digest) for series in series_evidence(table)])
    assert tables[0] == tables[1]


def test_private_elements_belong_to_the_creator_that_their_own_instance_names():
    creators = [{"vr": "LO", "Value": [name]} for name in ("MAKER", "OTHER")]
    instances = [instance(n, t00290010=creators[n % 2], t00291001={"vr": "LO"}) for n in range(30)]
    found = read(body_of(instances), size=4096)
    assert fitted(found) > 10
    table = StudyTable("1.2", "1.2")
    for dataset in found:
        table.add(dataset)
    table.arrange()
    for row in range(table.rows):
        named = table.at("00290010", row).text
        assert [table.at(f"0029xx01 {name}", row).vr for name in ("MAKER", "OTHER")] == [
            "LO" if name == named else "" for name in ("MAKER", "OTHER")
        ]


@pytest.mark.parametrize(
    "cell",
    [b' {"vr":"LO","Value":["x"]}', b'{"vr":"LO","Value":["x"]} ', b"[" * 5000 + b"]" * 5000],
    ids=["space before", "space behind", "nested beyond the decoder"],
)
def test_what_shows_through_a_hole_is_read_as_without_a_stencil(cell):
    texts = [json.dumps(instance(n), separators=COMPACT).encode() for n in range(40)]
    texts[30] = texts[30].replace(b'{"vr":"IS","Value":[30]}', cell)
    body = b"[" + b",".join(texts) + b"]"
    assert plainly(read(body, size=len(body))) == plainly(read(body, size=700))
