"""What kind of object and series something is: acquired from the patient, made from images, or neither."""

from heltig.dicom.cell import Cell
from heltig.rules.views import RowsView, SeriesView
from heltig.standard.sop_classes import lookup

TOMOGRAPHIC = frozenset({"CT", "MR", "PT", "NM"})
"""Modalities whose series are mostly stacks of slices."""

PROJECTIONS = frozenset({"CR", "DX", "RG", "RF", "XA", "MG", "IO", "PX"})
"""Modalities that show the body in projection: one series may hold several views, parts and sides."""

OPHTHALMIC = frozenset(
    {"OP", "OPT", "OPM", "OAM", "OPTENF", "OPTBSV", "OPV", "AR", "KER", "LEN", "SRF", "VA"}
)
"""Modalities that look at one eye at a time."""

ACQUIRED = (
    TOMOGRAPHIC
    | PROJECTIONS
    | OPHTHALMIC
    | {
        "BDUS",
        "BMD",
        "DG",
        "DMS",
        "ECG",
        "EPS",
        "ES",
        "GM",
        "HD",
        "IVOCT",
        "IVUS",
        "PA",
        "SM",
        "TG",
        "US",
        "XC",
    }
)
"""Modalities of equipment that examines a patient: all but reports, presentations, segmentations, plans."""


def class_name(uid: str) -> str:
    """A SOP Class as people call it; the UID of an unknown one."""
    sop_class = lookup(uid)
    return sop_class.name.removesuffix(" Storage") if sop_class else uid


def is_acquired(series: SeriesView) -> bool:
    """Most images of a series come from the examination itself: not derived, not a capture or a report."""
    return series.modality in ACQUIRED and first_value(series, "ImageType", 1) != "DERIVED"


def is_single_frame(series: SeriesView) -> bool:
    """Each instance of the series is one image."""
    sop_class = lookup(series.first("SOPClassUID").text)
    return sop_class is not None and sop_class.image and not sop_class.multi_frame


def first_value(view: RowsView, keyword: str, number: int) -> str:
    """One value of the most frequent multi-valued text of an attribute, in capitals; empty where none is."""
    return value(view.first(keyword), number)


def value(cell: Cell, number: int) -> str:
    """One value of a multi-valued text, counted from 1, in capitals; empty where it is not there."""
    found = cell.values[number - 1] if len(cell.values) >= number else None
    return found.strip().upper() if isinstance(found, str) else ""
