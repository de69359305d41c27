"""The same values as pydicom: of what it writes, and of every element of the files that come with it."""

import struct
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom.data
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.multival import MultiValue
from pydicom.valuerep import IS, DSfloat

from heltig.dicom.cell import Cell, Encoding, Value
from heltig.dicom.values import decode_element
from heltig.standard.dictionary import is_private
from heltig.standard.value_representations import VRS

# -- what pydicom writes

RANGES = {
    "US": (0, 2**16 - 1),
    "UL": (0, 2**32 - 1),
    "UV": (0, 2**64 - 1),
    "SS": (-(2**15), 2**15 - 1),
    "SL": (-(2**31), 2**31 - 1),
    "SV": (-(2**63), 2**63 - 1),
}
words = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\\=\x7f"), max_size=8
)
WRITTEN: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("LO", "LT", "PN", "SH", "ST", "UC", "UT"), words),
    **{vr: st.integers(low, high) for vr, (low, high) in RANGES.items()},
    "FL": st.floats(width=32, allow_nan=False),
    "FD": st.floats(allow_nan=False),
    "UI": st.sampled_from(["1.2", "1.23"]),
    "AT": st.integers(0, 2**32 - 1),
    "DS": st.integers(-999, 999).map(lambda number: str(number / 8)),
    "IS": st.integers(-999, 999).map(str),
}


@given(st.data(), st.sampled_from(sorted(WRITTEN)))
def test_what_pydicom_writes_is_read(data: st.DataObject, vr: str) -> None:
    most = 4 if VRS[vr].multiple else 1
    values = data.draw(st.lists(WRITTEN[vr], min_size=1, max_size=most))
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    element = DataElement(0x00091001, vr, values if len(values) > 1 else values[0])
    write_data_element(stream, element, ["utf_8"])
    cell = decode_element("00091001", stream.getvalue()[4:], Encoding("explicit", ("ISO_IR 192",)))
    expected = [f"{value:08X}" if vr == "AT" else None if value == "" else value for value in values]
    assert (cell.vr, cell.faults) == (vr, ())
    assert cell.values == (() if expected == [None] else tuple(expected))


# -- the files of pydicom


def elements(data_set: Dataset, encoding: Encoding) -> Iterator[tuple[str, Cell, DataElement]]:
    """Every element that pydicom holds undecoded: its tag, our cell of the same bytes, pydicom's element."""
    charset = data_set.get("SpecificCharacterSet", encoding.charset)
    encoding = Encoding(
        encoding.syntax,
        (charset,) if isinstance(charset, str) else tuple(charset or ()),
        data_set.get("PixelRepresentation", int(encoding.signed)) == 1,
    )
    for tag in list(data_set.keys()):
        raw: Any = data_set.get_item(tag)
        element = data_set[tag]
        if element.VR == "SQ":
            for item in element.value:
                yield from elements(item, encoding)
        elif isinstance(raw, RawDataElement) and raw.is_little_endian:
            name = f"{int(tag):08X}"
            implicit = Encoding("implicit", encoding.charset, encoding.signed)
            yield (
                name,
                decode_element(name, raw_cell(raw), implicit if raw.is_implicit_VR else encoding),
                element,
            )


def raw_cell(raw: RawDataElement) -> bytes:
    """The bytes that pydicom read an element from."""
    value = raw.value or b""
    if raw.VR is None or raw.is_implicit_VR:
        return struct.pack("<I", raw.length) + value
    head = struct.pack("<HI", 0, raw.length) if VRS[raw.VR].long else struct.pack("<H", raw.length)
    return raw.VR.encode("ascii") + head + value


def values_of(element: DataElement) -> tuple[Value, ...]:
    """pydicom's values as a cell has them."""
    values = list(element.value) if isinstance(element.value, MultiValue | list) else [element.value]
    plain: list[Value] = []
    for value in values:
        if element.VR == "AT":
            plain.append(f"{int(value):08X}")
        elif isinstance(value, int | float | bytes) and not isinstance(value, DSfloat | IS):
            plain.append(value or (None if value == b"" else value))
        else:
            written = getattr(value, "original_string", None) if element.VR in ("DS", "IS") else value
            plain.append(str("" if value is None else value if written is None else written) or None)
    return () if plain == [None] else tuple(plain)


def difference(tag: str, cell: Cell, element: DataElement) -> str | None:
    """The name of a difference that is meant to be, `unexplained` for another, `None` for the same."""
    theirs = values_of(element)
    if cell.vr == str(element.VR) and repr(cell.values) == repr(theirs):
        return None
    if is_private(tag) and cell.vr == "UN":
        return "pydicom knows private elements of some makers"
    if tuple(value.rstrip(" ") if isinstance(value, str) else value for value in theirs) == cell.values:
        return "pydicom keeps the padding of all values but the last"
    return "unexplained"


def files() -> Iterator[Dataset]:
    folder = Path(pydicom.data.__file__).parent
    for path in sorted([*folder.glob("test_files/**/*"), *folder.glob("charset_files/*")]):
        if path.is_file():
            try:
                yield dcmread(path, stop_before_pixels=True)
            except (InvalidDicomError, EOFError):
                continue  # not Part 10, or made to be unreadable


def test_every_element_of_pydicom_s_files_has_the_same_value() -> None:
    differences: Counter[str] = Counter()
    unexplained = []
    compared = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data_set in files():
            explicit = Encoding("explicit")
            for part in (data_set.file_meta, data_set):
                for tag, cell, element in elements(part, explicit):
                    compared += 1
                    name = difference(tag, cell, element)
                    if name == "unexplained":
                        unexplained.append((tag, cell, values_of(element)))
                    elif name:
                        differences[name] += 1
    assert unexplained == []
    assert compared > 13_000
    assert set(differences) == {
        "pydicom knows private elements of some makers",
        "pydicom keeps the padding of all values but the last",
    }
