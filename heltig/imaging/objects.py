"""DICOM objects as they come: their headers in a table a study, and where their pixel data stand.

Headers are read by the gate's own reader. Pixel data stay where they are until a volume is read; where a
header is plainly written, its length says where they start.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from heltig.dicom.cell import UNDEFINED_LENGTH, DataSet
from heltig.dicom.part10 import BytesSource, HeaderReader, SeekableSource, UnreadableFile
from heltig.dicom.study import StudyCollector, StudyTable

Source: TypeAlias = Path | bytes
"""A Part 10 object: its file, or its bytes."""

_START: Final = 132  # preamble and prefix (PS3.10 7.1)
_PIXEL_DATA: Final = "7FE00010"
_PIXEL_TAG: Final = struct.pack("<HH", 0x7FE0, 0x0010)


class PixelPlace(NamedTuple):
    """Where native pixel data stand if the header has no surprise.

    Attributes:
        place: Offset of the value.
        length: Its bytes, as declared.
        header: Tag, VR and length, which have to stand right before it.
    """

    place: int
    length: int
    header: bytes


@dataclass(frozen=True, slots=True, eq=False)
class ImageObject:
    """One object.

    Attributes:
        number: Which of the sources it came from, counted from 0.
        source: Its file or bytes.
        pixels: Where its native pixel data should stand; None where only a slow reader can tell, or where
            there are none.
    """

    number: int
    source: Source
    pixels: PixelPlace | None


class Study(NamedTuple):
    """The headers of one study.

    Attributes:
        table: One row an object, sorted by series and SOP Instance UID.
        objects: The object of each row.
    """

    table: StudyTable
    objects: Sequence[ImageObject]


class Objects(NamedTuple):
    """What was read.

    Attributes:
        studies: In the order of their UIDs.
        unreadable: Numbers of the sources that are no DICOM objects.
    """

    studies: Sequence[Study]
    unreadable: Sequence[int]


def read_objects(sources: Iterable[Source]) -> Objects:
    """Read the headers of DICOM objects, in any order.

    Raises:
        OSError: A file cannot be opened or read.
    """
    reader, collector = HeaderReader(), StudyCollector()
    objects: list[ImageObject | None] = []
    for number, source in enumerate(sources):
        try:
            header = _header(reader, source, str(number))
        except UnreadableFile:
            objects.append(None)
            continue
        objects.append(ImageObject(number, source, _pixel_place(header)))
        collector.add(header)
    studies = [
        Study(table, [found for origin in table.origins if (found := objects[int(origin)]) is not None])
        for table in collector.studies()
    ]
    return Objects(studies, [number for number, found in enumerate(objects) if found is None])


def _header(reader: HeaderReader, source: Source, origin: str) -> DataSet:
    if isinstance(source, bytes):
        return reader.read(BytesSource(source), origin=origin)
    with source.open("rb", buffering=0) as file:
        return reader.read(SeekableSource(file), origin=origin)


def _pixel_place(header: DataSet) -> PixelPlace | None:
    """Where pixel data of defined length start, counted from what the cells of the header come to."""
    if not header.tags or header.tags[-1] != _PIXEL_DATA:
        return None
    raws = list(map(bytes, header.raws))
    last = raws[-1]
    (length,) = struct.unpack("<I", last[-4:])
    if length == UNDEFINED_LENGTH:
        return None
    place = _START + sum(map(len, raws)) + 4 * len(raws)
    return PixelPlace(place, length, _PIXEL_TAG + last)
