"""Backends by their ids."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from heltig.imaging.order import SegmenterOrder
from heltig.imaging.segment.byo_dicom_seg import ByoDicomSeg
from heltig.imaging.segment.byo_nifti import ByoNifti
from heltig.imaging.segment.classical import Classical
from heltig.imaging.segment.command import Command
from heltig.imaging.segment.deepbet import Deepbet
from heltig.imaging.segment.options import SEGMENTERS, read_options
from heltig.imaging.segment.replay import Replay
from heltig.imaging.segment.segmenter import Segmenter
from heltig.imaging.segment.totalsegmentator import TotalSegmentator

__all__ = ["SEGMENTERS", "segmenter"]

Builder = Callable[[Mapping[str, Any], Sequence[Path], Path], Segmenter]

_BUILDERS: Final[Mapping[str, Builder]] = {
    "byo-nifti": lambda options, _objects, _workdir: ByoNifti(**options),
    "byo-dicom-seg": lambda _options, objects, _workdir: ByoDicomSeg(_segmentations(objects)),
    "replay": lambda options, _objects, _workdir: Replay(options["path"]),
    "classical": lambda _options, _objects, _workdir: Classical(),
    "totalsegmentator": lambda options, _objects, workdir: TotalSegmentator(workdir=workdir, **options),
    "deepbet": lambda options, _objects, workdir: Deepbet(workdir=workdir, **options),
    "command": lambda options, objects, workdir: Command(objects=objects, workdir=workdir, **options),
}


def segmenter(order: SegmenterOrder, *, objects: Sequence[Path], workdir: Path) -> Segmenter:
    """The backend that an order asks for.

    Args:
        order: Which one, and its options.
        objects: DICOM files: the images of the volume, and segmentations of the study.
        workdir: A folder for what it leaves behind; made when it is needed. It holds images of the patient.

    Raises:
        UsageError: There is no such backend, or an option of it is wrong.
    """
    options = read_options(order)
    return _BUILDERS[order.id](options, objects, workdir)


def _segmentations(objects: Sequence[Path]) -> list[Path]:
    """Those that are DICOM segmentations."""
    found = []
    for path in objects:
        try:
            ds = dcmread(path, stop_before_pixels=True, specific_tags=["Modality"])
        except InvalidDicomError:
            continue
        if ds.get("Modality") == "SEG":
            found.append(path)
    return found
