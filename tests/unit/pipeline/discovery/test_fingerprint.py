"""What changes the fingerprint of a study, and what does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import read_row
from heltig.pipeline.discovery.fingerprint import (
    LENGTH,
    changed_to,
    differs,
    fingerprint,
    merged,
    pulled_as,
)
from heltig.pipeline.pull.listing import ListedStudy

ROW = {
    "00080020": {"vr": "DA", "Value": ["20260315"]},
    "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]},
    "00100020": {"vr": "LO", "Value": ["P1"]},
    "0020000D": {"vr": "UI", "Value": ["1.2"]},
    "00201206": {"vr": "IS", "Value": [2]},
    "00201208": {"vr": "IS", "Value": [30]},
}


def of(*rows: dict[str, object], mark: str = "") -> bytes:
    return fingerprint(ListedStudy("1.2", tuple(json.dumps(row).encode() for row in rows), mark))


@pytest.mark.parametrize(
    ("tag", "element"),
    [
        ("00201208", {"vr": "IS", "Value": [31]}),
        ("00201206", {"vr": "IS"}),
        ("00080061", {"vr": "CS", "Value": ["CT"]}),
        ("00100010", {"vr": "PN", "Value": [{"Alphabetic": "A^C"}]}),
        ("00080050", {"vr": "SH", "Value": ["17"]}),
    ],
)
def test_counts_modalities_and_corrections_change_it(tag: str, element: object) -> None:
    assert differs(of(ROW), of(ROW | {tag: element}))


@pytest.mark.parametrize(
    ("tag", "element"),
    [
        ("00201208", {"vr": "IS", "Value": ["30"]}),
        ("00080061", {"Value": ["SR", "CT"], "vr": "CS"}),
        ("00080050", {"vr": "SH"}),
        ("00081190", {"vr": "UR", "Value": ["http://elsewhere"]}),
        ("00080056", {"vr": "CS", "Value": ["NEARLINE"]}),
        ("77771022", {"vr": "DT", "Value": ["20260315101112"]}),
    ],
)
def test_how_it_is_written_and_what_changes_by_itself_does_not(tag: str, element: object) -> None:
    assert of(ROW) == of(ROW | {tag: element})


def test_the_order_of_rows_does_not_matter_and_their_number_does() -> None:
    other = ROW | {"00100020": {"vr": "LO", "Value": ["P2"]}}
    assert of(ROW, other) == of(other, ROW) != of(ROW)


def test_a_damaged_row_is_read_as_far_as_can_be() -> None:
    whole = json.dumps(ROW).encode()
    damaged = whole.replace(b'["P1"]', b'["P1"]}, "00104000": {"vr": "DS", "Value": [NaN]')
    assert fingerprint(ListedStudy("1.2", (damaged,))) == of(ROW)


def test_a_half_that_was_not_seen_says_nothing_and_one_that_was_not_known_is_news() -> None:
    listed, named = of(ROW), of(mark="7")
    assert len(listed) == len(named) == LENGTH
    assert not differs(of(ROW, mark="7"), listed)
    assert not differs(of(ROW, mark="7"), named)
    assert differs(listed, named)
    assert differs(named, listed)
    assert differs(named, of(mark="8"))
    assert merged(listed, named) == merged(named, listed) == of(ROW, mark="7")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=12))
def test_each_way_of_looking_compares_with_what_it_saw_last(looks: list[tuple[bool, int]]) -> None:
    known = bytes(LENGTH)
    last: dict[bool, int] = {}
    for by_feed, version in looks:
        seen = of(mark=str(version)) if by_feed else of(ROW | {"00201208": {"vr": "IS", "Value": [version]}})
        assert differs(known, seen) == (last.get(by_feed) != version)
        known, last[by_feed] = merged(known, seen), version


LATER = ROW | {"00201208": {"vr": "IS", "Value": [31]}}


def test_rows_from_before_what_a_feed_tells_are_forgotten_and_seen_by_the_pull() -> None:
    known = changed_to(of(ROW, mark="7"), of(mark="8"))
    assert known == of(mark="8")
    known = pulled_as(known, [read_row(json.dumps(LATER).encode())])
    assert known == of(LATER, mark="8")
    assert changed_to(b"", of(mark="7")) == of(mark="7")
    assert changed_to(of(ROW, mark="7"), of(LATER)) == of(LATER, mark="7")
    assert changed_to(of(ROW, mark="7"), of(LATER, mark="8")) == of(LATER, mark="8")


def test_rows_that_were_listed_stay_and_no_row_is_none() -> None:
    assert pulled_as(of(ROW, mark="7"), [read_row(json.dumps(LATER).encode())]) == of(ROW, mark="7")
    assert pulled_as(of(mark="7"), []) == of(mark="7")
    assert pulled_as(b"", []) == b""
    assert pulled_as(b"", [read_row(json.dumps(ROW).encode())]) == of(ROW)


@pytest.mark.parametrize(
    "value", ['["P1"]', '["P1 "]', '[" \\u00e4\\u0000"]', "[NaN]", "[1e3]", "[null]", '{"a": 1}']
)
def test_a_row_that_was_read_has_the_fingerprint_of_its_text(value: str) -> None:
    text = json.dumps(ROW).replace('["P1"]', value).encode()
    other = json.dumps(LATER, indent=2).encode()
    assert pulled_as(b"", map(read_row, (other, text))) == fingerprint(ListedStudy("1.2", (text, other)))
