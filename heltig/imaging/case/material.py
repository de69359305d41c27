"""What a case may be made of: the objects of one study, looked through by their headers."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from heltig.errors import UsageError
from heltig.imaging.objects import Study
from heltig.imaging.own_results import is_own_result
from heltig.imaging.reading import Survey, survey
from heltig.imaging.refusal import Refused

_SEGMENTATIONS: Final = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})
"""Segmentation Storage and Label Map Segmentation Storage."""

_SOP_CLASS: Final = "00080016"
_MANUFACTURER: Final = "00080070"
_SERIES_DESCRIPTION: Final = "0008103E"
_DIRECTORY_RECORDS: Final = "00041220"
_IDENTITY_REMOVED: Final = "00120062"


class Material(NamedTuple):
    """The objects of one study.

    Attributes:
        survey: What their headers say.
        segmentations: Files of DICOM segmentations that Heltig did not make.
    """

    survey: Survey
    segmentations: tuple[Path, ...]


def gather(folder: Path, *, allow_identified: bool) -> Material:
    """Read the headers of all files in a folder.

    Symbolic links are not followed; what is no DICOM object is left aside.

    Args:
        folder: The folder; folders in it are looked through, too.
        allow_identified: Objects need not say that the patient's identity was removed.

    Raises:
        UsageError: There is no such folder.
        Refused: `IDENTIFIED`, `STUDIES_MIXED`.
        OSError: A file cannot be read.
    """
    if not folder.is_dir():
        raise UsageError("The folder of objects is not there.")
    paths = sorted(_files(folder))
    found = survey(paths)
    studies = [study for study in found.studies if not _is_directory(study)]
    if len(studies) > 1:
        raise Refused("STUDIES_MIXED", f"{len(studies)} studies")
    if not allow_identified:
        _check_identity(studies)
    return Material(found, tuple(paths[number] for study in studies for number in _segmentations(study)))


def _files(folder: Path) -> Iterator[Path]:
    """Regular files: a pipe or a device would never end."""
    for parent, _, names in os.walk(folder, onerror=_raise):
        for name in names:
            path = Path(parent, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def _raise(problem: OSError) -> None:
    raise problem


def _is_directory(study: Study) -> bool:
    """The objects are a DICOMDIR: its records name files, it is of no study."""
    return not study.table.uid and bool(study.table.at(_DIRECTORY_RECORDS, 0).vr)


def _check_identity(studies: Sequence[Study]) -> None:
    rows = [(study.table, row) for study in studies for row in range(study.table.rows)]
    named = sum(table.at(_IDENTITY_REMOVED, row).text.strip().upper() != "YES" for table, row in rows)
    if named:
        raise Refused("IDENTIFIED", f"{named} of {len(rows)} objects")


def _segmentations(study: Study) -> Iterator[int]:
    """Numbers of the files that hold masks by others."""
    for row, found in enumerate(study.objects):
        ours = is_own_result(
            manufacturer=study.table.at(_MANUFACTURER, row).text,
            series_description=study.table.at(_SERIES_DESCRIPTION, row).text,
        )
        if study.table.at(_SOP_CLASS, row).text in _SEGMENTATIONS and not ours:
            yield found.number
