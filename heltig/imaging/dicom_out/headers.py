"""What objects that are written take over from the images: patient and study as they are, and whom to name.

Values are copied as they stand, faults and all: an archive knows patient and study by them. Text is read as
the gate reads it and written in UTF-8.
"""

import io
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from pydicom import dcmread
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from heltig.dicom.cell import Cell, Item
from heltig.dicom.table import decoded
from heltig.dicom.uid import is_valid
from heltig.imaging.refusal import Refused
from heltig.imaging.stacking import SliceStack
from heltig.standard.dictionary import keyword_of, lookup, tag_of
from heltig.standard.modules import attributes_of
from heltig.standard.value_representations import VRS

_MODULES: Final = ("C.7.1.1", "C.7.1.3", "C.7.2.1", "C.7.2.2", "C.7.2.3")
"""Patient, Clinical Trial Subject, General Study, Patient Study, Clinical Trial Study (PS3.3)."""

_ALWAYS: Final = ("C.7.1.1", "C.7.2.1")
"""Modules whose attributes of type 2 stand in every object, empty where the images have none."""

_OF_ALL_TIMES: Final = ("TimezoneOffsetFromUTC", "LongitudinalTemporalInformationModified")
"""Of SOP Common (PS3.3 C.12.1): they say how the dates and times of patient and study are meant."""

_OF_THE_PATIENT: Final = ("PatientID", "IssuerOfPatientID")
"""What all objects of the study have to agree on, not only the images that were measured."""

_CHARSET: Final = "00080005"
_BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


class SourceImage(NamedTuple):
    """The image that a slice came from.

    Attributes:
        sop_class_uid: SOP Class UID (0008,0016).
        sop_instance_uid: SOP Instance UID (0008,0018).
        frame: The number of the frame, counted from 1; None in an image of one frame.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None


def source_images(stack: SliceStack) -> tuple[SourceImage, ...]:
    """The images of a stack, in the order of its slices.

    Raises:
        Refused: One of them, its series or its study cannot be named.
    """
    planes = stack.planes
    columns = [
        planes.texts(keyword)
        for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    ]
    unnamed = sum(not all(is_valid(uids[plane]) for uids in columns) for plane in stack.order)
    if unnamed:
        raise Refused("SOURCE_NOT_NAMED", f"{unnamed} of {len(stack.order)} images")
    classes, instances = columns[:2]
    return tuple(
        SourceImage(classes[plane], instances[plane], planes.frames[plane].number or None)
        for plane in stack.order
    )


def header_of(stack: SliceStack, k: int) -> Dataset:
    """The header of the object that slice k came from, without its pixel data, as pydicom reads it.

    pydicom looks at values when they are asked for, and logs what it does not like: do not ask for what
    names the patient.

    Raises:
        OSError: Its file cannot be read any more.
    """
    source = stack.planes.object(stack.order[k]).source
    return dcmread(io.BytesIO(source) if isinstance(source, bytes) else source, stop_before_pixels=True)


def patient_and_study(stack: SliceStack) -> Dataset:
    """Patient and study of a stack, with what its images say of their de-identification.

    Attributes of type 2 (PS3.5 7.4.3) that the images do not have are there, without a value.

    Raises:
        Refused: The images do not agree, or have text that cannot be read.
    """
    table = stack.planes.study.table
    rows = sorted({stack.planes.frames[plane].row for plane in stack.order})
    for keyword in _OF_THE_PATIENT:
        _agreed(stack, tag_of(keyword), range(table.rows))
    found = Dataset()
    for tag, is_needed in _copied().items():
        cell = _agreed(stack, tag, rows)
        element = _element(tag, cell) if cell.vr else None
        if element is not None:
            found.add(element)
        elif is_needed:
            setattr(found, keyword_of(tag), None)
    return found


def _agreed(stack: SliceStack, tag: str, rows: Sequence[int]) -> Cell:
    """The cell that all of some objects have.

    Raises:
        Refused: They have different ones, or one with text that cannot be read.
    """
    table = stack.planes.study.table
    first, *others = (table.at(tag, row) for row in rows)
    known = first.values, first.items
    if any(cell is not first and (cell.values, cell.items) != known for cell in others):
        raise Refused("STUDY_CONFLICT", keyword_of(tag))
    return first


@cache
def _copied() -> dict[str, bool]:
    """The tags that are copied, and whether they stand in every object."""
    found = {
        attribute.tag: attribute.type == "2" and module in _ALWAYS
        for module in _MODULES
        for attribute in attributes_of(module)
    }
    return dict(sorted({**found, **{tag_of(keyword): False for keyword in _OF_ALL_TIMES}}.items()))


def _element(tag: str, cell: Cell) -> DataElement | None:
    """An element with the values of a cell; None where they are of another kind than its VR.

    Raises:
        Refused: It has text that cannot be read.
    """
    entry = lookup(tag)
    vr = entry.vr[:2] if entry and cell.vr in ("", "UN") else cell.vr
    if vr not in VRS:
        return None
    if any(fault.kind.startswith("charset") for fault in cell.faults):
        raise Refused("STUDY_TEXT", keyword_of(tag))
    number = int(tag, 16)
    if vr == "SQ":
        return DataElement(number, vr, Items([_item(item) for item in cell.items]))
    if cell.bulk or any(isinstance(value, bytes) != (vr in _BINARY) for value in cell.values):
        return None
    values: list[Any] = ["" if value is None else value for value in cell.values]
    if vr == "AT":
        values = [int(value, 16) for value in values]
    value = values if len(values) > 1 else values[0] if values else None
    as_text = vr in ("DS", "IS")  # pydicom would make numbers of them, and fail at what is none
    return DataElement(number, vr, value, already_converted=as_text, validation_mode=IGNORE)


def _item(item: Item) -> Dataset:
    found = Dataset()
    for element in _elements_of(item):
        found.add(element)
    return found


def _elements_of(item: Item) -> Iterator[DataElement]:
    """The elements of an item, but for private ones, group lengths and its character set."""
    for tag, raw in zip(item.tags, item.raws, strict=True):
        if tag[3] in "13579BDF" or tag[4:] == "0000" or tag == _CHARSET:
            continue
        element = _element(tag, decoded(tag, raw, item.encoding))
        if element is not None:
            yield element
