"""The output folder of an analysis."""

import dataclasses
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from heltig.imaging.analysis import Analysis
from heltig.imaging.case.heads import shows_head
from heltig.imaging.dicom_out.objects import result_objects
from heltig.imaging.dicom_out.picture_objects import picture_objects
from heltig.imaging.documents.masks import write_masks
from heltig.imaging.documents.writing import write_documents, write_list, write_slices
from heltig.imaging.nifti import VOLUME, write_nifti
from heltig.imaging.pictures.overlays import Picture, pictures
from heltig.imaging.pictures.strip import slice_strip

DICOM: Final = "dicom"


def write_outputs(analysis: Analysis, folder: Path, *, seconds: Callable[[], dict[str, float]]) -> None:
    """Write all files of an analysis.

    NIfTI files are compressed in threads, which leaves this one to pictures and DICOM objects.

    Args:
        analysis: The analysis.
        folder: Where to; it is empty.
        seconds: How long each stage took until now.

    Raises:
        Refused: The images do not agree on patient and study, or cannot be referred to.
        OSError: A file cannot be written.
    """
    may_copy = analysis.order.allow_identified or not shows_head(analysis)
    with ThreadPoolExecutor(1) as besides:
        compressed = besides.submit(_write_nifti, analysis, folder, with_volume=may_copy)
        drawn = pictures(analysis)
        _write_pictures(drawn if may_copy else _without_profiles(analysis, drawn), folder)
        if may_copy:
            write_slices(slice_strip(analysis), folder)
        looked_at = picture_objects(analysis, drawn, with_pixels=may_copy)
        _write_objects([*result_objects(analysis), *looked_at], folder / DICOM)
        compressed.result()
    write_documents(dataclasses.replace(analysis, seconds=seconds()), folder)
    write_list(folder)


def _without_profiles(analysis: Analysis, drawn: tuple[Picture, ...]) -> tuple[Picture, ...]:
    """Pictures of a head from the feet: from the side or the front a single slice shows a face."""
    if all(picture.view.plane == "axial" for picture in drawn):
        return drawn
    return pictures(analysis, axial=True)


def _write_nifti(analysis: Analysis, folder: Path, *, with_volume: bool) -> None:
    if with_volume:
        write_nifti(analysis.volume, folder / VOLUME)
    write_masks(analysis.segmentation, folder)


def _write_pictures(drawn: Iterable[Picture], folder: Path) -> None:
    for picture in drawn:
        (folder / f"{picture.name}.png").write_bytes(picture.png)


def _write_objects(objects: Iterable[tuple[str, Dataset]], folder: Path) -> None:
    folder.mkdir()
    for name, made in objects:
        made.save_as(folder / name, enforce_file_format=True)
