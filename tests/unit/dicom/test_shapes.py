"""Shapes: what data sets have, in which rows, and that remembering cells changes nothing."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.dicom.cell import DataSet, Encoding
from heltig.dicom.shapes import EMPTY, PRESENT, ShapeReader
from heltig.dicom.study import StudyTable

JSON = Encoding("json")


def element(vr, *values):
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def instance(number, **more):
    known = {"00080018": element("UI", f"1.2.3.{number}"), "0020000E": element("UI", "1.2.3")}
    return known | {tag.lstrip("t"): value for tag, value in more.items()}


def table_of(instances):
    table = StudyTable("1.2.3", "1.2.3")
    for elements in instances:
        tags = tuple(sorted(elements))
        table.add(DataSet(tags, [msgspec.json.encode(elements[tag]) for tag in tags], JSON))
    table.arrange()
    return table


def explicit_table_of(rows):
    table = StudyTable("1.2.3", "1.2.3")
    for raws in rows:
        table.add(DataSet(tuple(raws), list(raws.values()), Encoding("explicit")))
    table.arrange()
    return table


def told(cell):
    return (cell.text,)


def reader():
    return ShapeReader({"00080060": told})


def test_a_shape_is_what_is_there_and_the_values_asked_for():
    with_item = {"00081140": element("SQ", {"00081155": element("UI", "1"), "00081150": element("UI")})}
    rows = [
        instance(1, t00080060=element("CS", "CT")) | with_item,
        instance(2, t00080060=element("CS", "CT")) | with_item,
        instance(3, t00080060=element("CS", "MR")) | with_item,
        instance(4, t00080060=element("CS")),
    ]
    shapes = reader().shapes(table_of(rows))
    assert [list(rows) for rows in shapes.values()] == [[0, 1], [2], [3]]
    first, _, last = shapes
    (item,) = first.states["00081140"]
    assert item.states == {"00081150": EMPTY, "00081155": PRESENT}
    assert dict(first.values) == {"00080060": ("CT",)}
    assert last.states["00080060"] == EMPTY
    assert "00081140" not in last.states


def test_an_attribute_that_only_some_have():
    rows = [instance(n, t00180050=element("DS", 1)) if n % 2 else instance(n) for n in range(1, 7)]
    shapes = reader().shapes(table_of(rows))
    assert sorted(list(rows) for rows in shapes.values()) == [[0, 2, 4], [1, 3, 5]]


def test_what_is_left_out():
    row = instance(1) | {
        "00020010": element("UI", "1.2"),
        "00080000": element("UL", 4),
        "00091001": element("LO", "private"),
    }
    (shape,) = reader().shapes(table_of([row]))
    assert shape.states == {"00080018": PRESENT, "0020000E": PRESENT}


EMPTIES = [
    element("LO"),
    element("LO", ""),
    {"vr": "LO", "Value": []},
    element("LO", None),
    element("LO", " "),
    element("LO", None, ""),
]


@pytest.mark.parametrize("number", range(len(EMPTIES)))
@pytest.mark.parametrize("many", [1, 40])
def test_an_empty_value_among_few_or_many(number, many):
    valued = [instance(n, t00081030=element("LO", f"value {n}")) for n in range(1, many)]
    rows = [*valued, instance(many, t00081030=EMPTIES[number])]
    shapes = reader().shapes(table_of(rows))
    states = {shape.states["00081030"]: len(rows) for shape, rows in shapes.items()}
    assert states == ({PRESENT: many - 1, EMPTY: 1} if valued else {EMPTY: 1})


def raw_text(vr, value):
    return vr + len(value).to_bytes(2, "little") + value


def test_empty_values_of_files():
    cells = [b"A", b"", b"  ", b"\0\0"]
    rows = [
        {"00080018": raw_text(b"UI", b"1.2.%d\0" % (10 + n)), "00081030": raw_text(b"LO", cells[n % 4])}
        for n in range(60)
    ]
    shapes = reader().shapes(explicit_table_of(rows))
    counts = {shape.states["00081030"]: len(rows) for shape, rows in shapes.items()}
    assert counts == {PRESENT: 15, EMPTY: 45}


def test_a_number_of_zero_bytes_is_a_value():
    rows = [
        {"00080018": raw_text(b"UI", b"1.2.%d\0" % (10 + n)), "00280010": raw_text(b"US", bytes([n, 0]))}
        for n in range(40)
    ]
    (shape,) = reader().shapes(explicit_table_of(rows))
    assert shape.states["00280010"] == PRESENT


ITEMS = st.lists(
    st.dictionaries(
        st.sampled_from(["00081150", "00081155", "00080060"]),
        st.sampled_from([element("UI"), element("UI", "1.2")]),
    ),
    max_size=3,
)


@given(st.lists(st.lists(ITEMS, max_size=1), min_size=1, max_size=5))
def test_a_reader_that_remembers_says_what_a_new_one_says(studies):
    rows = [instance(1) | ({"00081140": element("SQ", *items[0])} if items else {}) for items in studies]
    remembers = reader()
    for row in rows:
        assert remembers.shapes(table_of([row])) == reader().shapes(table_of([row]))


@given(st.permutations(list(range(6))))
def test_the_shapes_do_not_depend_on_the_order_of_arrival(order):
    rows = [instance(n, t00180050=element("DS", *[1] * (n % 3))) for n in range(6)]
    expected = reader().shapes(table_of(rows))
    assert reader().shapes(table_of([rows[n] for n in order])) == expected
