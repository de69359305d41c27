"""Normal forms: many cells at once give what each gives by itself."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.dicom.json_members import JSON
from heltig.dicom.normal import normal, normals, texts
from heltig.dicom.table import Table

OF_DICTIONARY = {
    "00080018": "UI",
    "00081030": "LO",
    "00100010": "PN",
    "00200013": "IS",
    "00200032": "DS",
    "00280106": "US",
    "00186012": "US",
    "00089459": "FL",
    "7FE00010": "OW",
    "00091001": "LO",
}
VRS = ["UI", "LO", "PN", "IS", "DS", "US", "FD", "OW", "UN", "SH", "SQ", "ZZ"]
PLAIN = [
    "1.2.840.{n}",
    "A {n}",
    "{n}",
    "{n}.50",
    "+{n}e2",
    "-{n}",
    "1e{n}",
    "a,{n}",
    "{n}:00",
]
NUMBERS = [1, 0.5, -7, 1e-9]
OTHERWISE = ["spaces", "order", "twice", "address"]
ODD = [
    "", " ", " {n}", "{n} ", "1_{n}", "nan", "inf", "0x{n}", "Ä{n}", "\u3000{n}", "a\\{n}", 'q"{n}', "\t{n}",
    "\x1c{n}", "{n}\0", None, {"Alphabetic": "A^{n}"}, {"Alphabetic": "A^{n}^^ "}, True,
    12345678901234567890123, 1e300, -0.0, [1],
]  # fmt: skip


def number(value: object, n: int) -> object:
    if isinstance(value, str):
        return value.replace("{n}", str(n))
    if isinstance(value, dict):
        return {key: number(one, n) for key, one in value.items()}
    return value


@st.composite
def columns(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """Cells of one attribute, most of them written alike."""
    tag, by_dictionary = draw(st.sampled_from(list(OF_DICTIONARY.items())))
    vr = draw(st.just(by_dictionary) | st.sampled_from(VRS))
    kinds = [PLAIN, NUMBERS] if vr in ("IS", "DS") else [NUMBERS] if vr in ("US", "FD", "FL") else [PLAIN]
    usual = draw(st.lists(st.sampled_from(draw(st.sampled_from(kinds))), min_size=1, max_size=3))
    places = st.integers(0, 11)
    odd = draw(st.just({}) | st.dictionaries(places, st.lists(st.sampled_from([*PLAIN, *ODD]), max_size=3)))
    otherwise = draw(st.just({}) | st.dictionaries(places, st.sampled_from(OTHERWISE)))
    style = draw(st.sampled_from(["", "Orthanc"]))
    cells = []
    for n in range(12):
        values = [one + n if isinstance(one, int | float) else number(one, n) for one in usual]
        values = [number(one, n) for one in odd[n]] if n in odd else values
        array = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
        match "address" if vr == "OW" and not otherwise else otherwise.get(n):
            case "spaces":
                text = f'{{"vr": "{vr}", "Value": {array}}}'
            case "order":
                text = f'{{"Value":{array},"vr":"{vr}"}}'
            case "twice":
                text = f'{{"vr":"{vr}","Value":["x"],"Value":{array}}}'
            case "address" if style == "Orthanc":
                text = f'{{ "BulkDataURI" : "http://archive.example/{n}", "vr" : "{vr}" }}'
            case "address":
                text = f'{{"vr":"{vr}","BulkDataURI":"http://archive.example/{n}"}}'
            case _ if values and style == "Orthanc":
                text = f'{{\n  "Value" : {array},\n  "vr" : "{vr}"\n}}'
            case _:
                text = f'{{"vr":"{vr}","Value":{array}}}' if values else f'{{"vr":"{vr}"}}'
        cells.append(text.encode())
    return tag, cells


def table_of(tag: str, cells: list[bytes]) -> Table:
    table = Table()
    for cell in cells:
        table.append((tag,), [cell], JSON)
    table.arrange()
    return table


@given(columns())
def test_many_cells_at_once_give_what_each_gives(column: tuple[str, list[bytes]]) -> None:
    tag, cells = column
    table = table_of(tag, cells)
    made = table.columns[tag]
    one_by_one = [table.cell(made, code) for code in range(len(made.cells))]
    assert normals(table, made) == [normal(tag, cell) for cell in one_by_one]
    assert texts(table, made) == [cell.text for cell in one_by_one]


@pytest.mark.parametrize(
    ("tag", "cell", "expected"),
    [
        ("00080018", b'{"vr":"UI","Value":["1.2.%d"]}', "1.2.7"),
        ("00200013", b'{"vr":"IS","Value":[%d]}', b"[7.0]"),
        ("00200013", b'{"vr":"IS","Value":["%d"]}', b"[7.0]"),
        ("00200032", b'{"vr":"DS","Value":[%d,"0.5",null]}', b'[7.0,0.5,""]'),
        ("00200032", b'{"vr":"DS","Value":["%d_0"]}', b'["7_0"]'),
        ("00280106", b'{"vr":"US","Value":[%d]}', "7"),
        ("00100010", b'{"vr":"PN","Value":[{"Alphabetic":"Doe^%d^^"}]}', "Doe^7"),
        ("00081030", b'{"vr":"LO","Value":["",""],"x":%d}', ""),
        ("7FE00010", b'{"vr":"OW","BulkDataURI":"http://archive.example/%d"}', "binary"),
        ("00081140", b'{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["%d "]}}]}', "[{00081155=7}]"),
    ],
)
def test_the_form_of_a_value(tag: str, cell: bytes, expected: str | bytes) -> None:
    table = table_of(tag, [cell % n for n in range(20)])
    assert normals(table, table.columns[tag])[8] == expected
