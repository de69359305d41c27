"""The segmenters that an order can name."""

from collections.abc import Sequence
from pathlib import Path

from heltig.errors import UsageError
from heltig.imaging.order import SegmenterOrder
from heltig.imaging.segment.byo_dicom_seg import ByoDicomSeg
from heltig.imaging.segment.byo_nifti import ByoNifti
from heltig.imaging.segment.replay import Replay
from heltig.imaging.segment.segmenter import Segmenter


def segmenter(order: SegmenterOrder, *, objects: Sequence[Path], workdir: Path) -> Segmenter:
    """The backend that an order names.

    Raises:
        UsageError: There is none, or an option is missing or unknown.
    """
    options = dict(order.options)
    try:
        match order.id:
            case "byo-nifti":
                table = options.pop("table", None)
                found: Segmenter = ByoNifti(
                    Path(options.pop("path")), Path(table) if table else None, options.pop("task", None)
                )
            case "byo-dicom-seg":
                found = ByoDicomSeg(objects)
            case "replay":
                found = Replay(Path(options.pop("path")))
            case _:
                raise UsageError(f"There is no segmenter {order.id!r}.")
    except KeyError as missing:
        raise UsageError(f"The segmenter {order.id} needs the option {missing}.") from None
    if options:
        raise UsageError(f"The segmenter {order.id} has no option {min(options)!r}.")
    return found
