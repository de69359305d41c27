"""Our Part 10 reader against pydicom's, element by element, on every file there is.

Each element up to the pixel data must be in both, with the same VR and the same value, in sequences too. The
differences that are right are listed by name; one that no longer occurs fails the test as a new one does.
"""

import csv
import logging
import math
import warnings
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import config
from pydicom.data import get_charset_files, get_testdata_files
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue

from heltig.dicom.cell import Cell, Encoding, Value
from heltig.dicom.part10 import SeekableSource, UnreadableFile, read_header
from heltig.dicom.values import decode_element

PIXEL_TAGS = {"7FE00008", "7FE00009", "7FE00010"}
UNITS = {"OW": "H", "OL": "I", "OF": "I", "OD": "Q", "OV": "Q"}

CUT_OFF = "the file ends inside this value: pydicom shows what is there, we say that it is not whole"
JUSTIFIED = {("rtplan_truncated.dcm", "300A00B0[0].300A0111[0].300A012C"): CUT_OFF}
"""(File, element): why the readers rightly differ there."""


@pytest.fixture(autouse=True)
def _lenient_pydicom(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.getLogger("pydicom").setLevel(logging.WARNING)


def test_files_that_pydicom_ships() -> None:
    agree(Path(path) for path in (*get_testdata_files(), *get_charset_files("*")))


@pytest.mark.corpus
def test_files_of_the_corpus(corpus: Path) -> None:
    with (corpus / "index.csv").open(encoding="utf-8") as index:
        agree(corpus / row["path"] for row in csv.DictReader(index))


def agree(paths: Iterable[Path]) -> None:
    files = [path for path in paths if path.is_file()]
    found = {(path.name, where): what for path in files for where, what in differences(path)}
    names = {path.name for path in files}

    assert {key: what for key, what in found.items() if key not in JUSTIFIED} == {}
    assert {key for key in JUSTIFIED if key[0] in names} <= found.keys()
    assert len(files) > 40


def differences(path: Path) -> Iterator[tuple[str, str]]:
    """Where the readers differ in one file, and how. Both must refuse it, or both must read it."""
    with path.open("rb", buffering=0) as file:
        try:
            ours = read_header(SeekableSource(file))
        except UnreadableFile as refusal:
            ours = None
            reason = refusal.reason
    try:
        theirs = pydicom.dcmread(path, stop_before_pixels=True, force=ours is not None)
    except InvalidDicomError:
        return
    if ours is None:
        yield "", f"only pydicom reads it: {reason}"
        return
    pairs = list(zip(ours.tags, map(bytes, ours.raws), strict=True))
    meta = {tag: raw for tag, raw in pairs if tag.startswith("0002")}
    cells = {tag: raw for tag, raw in pairs if not tag.startswith("0002")}
    yield from data_sets(theirs.file_meta, meta, Encoding("explicit"), "")
    yield from data_sets(theirs, cells, ours.encoding, "")


def data_sets(
    theirs: Dataset, ours: dict[str, bytes], encoding: Encoding, where: str
) -> Iterator[tuple[str, str]]:
    their_tags = {f"{int(tag):08X}" for tag in theirs.keys()}  # noqa: SIM118 (a Dataset iterates over elements)
    for tag in sorted(their_tags - ours.keys()):
        yield where + tag, "only pydicom has it"
    for tag in sorted(ours.keys() - their_tags - PIXEL_TAGS):
        yield where + tag, "only we have it"
    for tag in sorted(their_tags & ours.keys()):
        cell = decode_element(tag, ours[tag], encoding)
        raw = theirs.get_item(int(tag, 16))
        try:
            element = theirs[int(tag, 16)]
        except (ValueError, TypeError, NotImplementedError, OverflowError, BytesLengthException):
            element = None  # pydicom cannot convert the value: the bytes must be the same
        if element is not None and element.VR == "SQ":
            yield from sequences(element, cell, where + tag)
            continue
        if element is None or "UN" in (element.VR, cell.vr):
            what = bytes_differ(raw, ours[tag], cell)
        else:
            what = element_differs(element, raw, cell)
        if what:
            yield where + tag, what


def sequences(element: DataElement, cell: Cell, where: str) -> Iterator[tuple[str, str]]:
    if cell.vr != "SQ":
        yield where, f"VR SQ, ours {cell.vr}"
    if len(element.value) != len(cell.items):
        yield where, f"{len(element.value)} items, ours {len(cell.items)}"
    for number, (theirs, item) in enumerate(zip(element.value, cell.items, strict=False)):
        ours = dict(zip(item.tags, item.raws, strict=True))
        yield from data_sets(theirs, ours, item.encoding, f"{where}[{number}].")


def bytes_differ(raw: RawDataElement | DataElement, cell: bytes, decoded: Cell) -> str:
    """Compare as bytes what one of the readers does not convert.

    pydicom knows the VRs of some private elements, and not that every group may have a group length.
    """
    value = raw.value or b""
    if decoded.length != len(value):
        return f"{len(value)} bytes, ours {decoded.length}"
    return "" if decoded.bulk or cell.endswith(value) else f"other bytes, {raw.VR} and ours {decoded.vr}"


def element_differs(element: DataElement, raw: RawDataElement | DataElement, cell: Cell) -> str:
    if cell.vr != element.VR:
        return f"VR {element.VR}, ours {cell.vr}"
    if cell.bulk:
        return "" if cell.length == len(element.value) else f"{len(element.value)} bytes, ours {cell.length}"
    swapped = isinstance(raw, RawDataElement) and not raw.is_little_endian
    theirs = [their_value(value, element.VR, swapped=swapped) for value in several(element.value)]
    ours = [our_value(value, cell.vr) for value in cell.values]
    return "" if theirs == ours else f"{theirs!r}, ours {ours!r}"


def several(value: Any) -> list[Any]:
    if value is None or value in ("", b""):
        return []
    return list(value) if isinstance(value, MultiValue | list) else [value]


def their_value(value: Any, vr: str, *, swapped: bool) -> Value:
    """A value of pydicom's in our form: numbers as they are written, names as text, padding gone."""
    if vr == "AT":
        return f"{int(value):08X}"
    if isinstance(value, bytes):
        if not swapped or vr not in UNITS:
            return value
        numbers = array(UNITS[vr], value)
        numbers.byteswap()
        return numbers.tobytes()
    if vr in ("DS", "IS"):
        value = getattr(value, "original_string", value)
    if isinstance(value, int | float) and vr not in ("DS", "IS"):
        return "NaN" if math.isnan(value) else value
    return str(value).rstrip("=").strip(" \0") if vr == "PN" else str(value).strip(" \0")


def our_value(value: Value, vr: str) -> Value:
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, str):
        return value.strip(" \0")
    return "" if value is None else value
