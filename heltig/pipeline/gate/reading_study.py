"""A study as a gate knows it: the part of settling that costs CPU and needs no database."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from connectors.upload import MemberRef
from heltig.dicom.cell import Fault
from heltig.dicom.part10 import HeaderReader, NotDicom, SeekableSource, UnreadableFile
from heltig.dicom.snapshot import read_snapshot
from heltig.dicom.source import FILES_SHOW, Source
from heltig.dicom.study import StudyTable
from heltig.pipeline.copies import compare_pixels

_BEFORE: Final = ""
"""The origin of instances that the snapshot has already: they are read from no file."""


def read_study(
    study_uid: str,
    files: Mapping[int, tuple[Path, int]],
    contents: Sequence[bytes],
    *,
    versions: Sequence[Path],
    expected: int,
) -> tuple[StudyTable, set[int]]:
    """A study as it is known: the headers of files, and what was known of it before.

    Args:
        study_uid: The study.
        files: Of each object that came since, by its row, with its size.
        contents: The series as they were known before.
        versions: Files of objects in there of which another version came since.
        expected: Objects that came since.

    Returns:
        The study, and the rows of the objects that could be read.
    """
    table = StudyTable(study_uid, study_uid, Source(shows=FILES_SHOW))
    if contents:
        table.absorb(read_snapshot(study_uid, study_uid, table.source, contents))
    reader, read = HeaderReader(), set[int]()
    for row, (path, size) in files.items():
        try:
            with path.open("rb", buffering=0) as file:
                source = SeekableSource(file)
                if source.size != size:
                    continue
                table.add(reader.read(source, origin=str(row)))
                read.add(row)
        except (OSError, NotDicom, UnreadableFile):
            continue
    if len(read) < expected:
        fault = Fault("member-unread", f"{expected - len(read)} objects of the spool cannot be read")
        table.source = Source(shows=FILES_SHOW - {"complete_study"}, failures=(fault,))
    table.arrange()
    came = [MemberRef(str(row), str(files[row][0])) for row in read]
    compare_pixels(table, [*came, *(MemberRef(_BEFORE, str(path)) for path in versions)])
    return table, read
