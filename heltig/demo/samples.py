"""The synthetic studies as folders and ZIPs of Part 10 files."""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from heltig.demo.part10 import part10
from heltig.demo.query import first_value
from heltig.demo.studies import SyntheticStudy

_SERIES_NUMBER = "00200011"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def write_samples(studies: Iterable[SyntheticStudy], folder: Path) -> list[Path]:
    """Write each study as Part 10 files: every third one in a ZIP, the others in a folder.

    The same studies give the same bytes.

    Args:
        studies: The studies.
        folder: Where to write; made when absent.

    Returns:
        The folders and ZIPs written, in order.

    Raises:
        FileExistsError: Something has the name of a study's folder or ZIP already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, study in enumerate(studies, start=1):
        place = folder / (f"{study.name}.zip" if number % 3 == 0 else study.name)
        if place.suffix:
            _write_zip(study, place)
        else:
            _write_folder(study, place)
        written.append(place)
    return written


def part10_files(study: SyntheticStudy) -> Iterator[tuple[str, bytes]]:
    """The files of a study: name below the study's folder, and content."""
    for number, dataset in enumerate(study.datasets, start=1):
        series = int(first_value(dataset, _SERIES_NUMBER))
        yield f"series-{series:02}/{number:04}.dcm", part10(dataset, study.file_values)


def _write_folder(study: SyntheticStudy, place: Path) -> None:
    place.mkdir()
    for name, content in part10_files(study):
        file = place / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)


def _write_zip(study: SyntheticStudy, place: Path) -> None:
    with zipfile.ZipFile(place, "x") as archive:
        for name, content in part10_files(study):
            member = zipfile.ZipInfo(f"{study.name}/{name}", date_time=_LONG_AGO)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, content)
