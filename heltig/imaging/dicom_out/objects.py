"""The DICOM objects of an analysis that hold its results: segmentation and report."""

from pydicom.dataset import Dataset

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.seg import segmentation_object
from heltig.imaging.dicom_out.sr import report_object


def result_objects(analysis: Analysis) -> list[tuple[str, Dataset]]:
    """Segmentation and report, each with the name of its file; the segmentation comes first.

    Raises:
        Refused: The images do not agree on patient and study, or cannot be referred to.
    """
    segmentation = segmentation_object(analysis)
    report = report_object(analysis, segmentation)
    found = [] if segmentation is None else [("seg.dcm", segmentation)]
    return [*found, ("sr.dcm", report)]
