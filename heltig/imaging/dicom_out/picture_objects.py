"""The DICOM objects of an analysis that are to be looked at: pictures, outlines, report."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.gsps import presentation_state
from heltig.imaging.dicom_out.pdf import encapsulated_pdf
from heltig.imaging.dicom_out.sc import secondary_capture
from heltig.imaging.documents.report import report
from heltig.imaging.pictures.overlays import Picture


def picture_objects(
    analysis: Analysis, pictures: Sequence[Picture], *, with_pixels: bool = True
) -> list[tuple[str, Dataset]]:
    """Secondary captures, presentation states and the report, each with the name of its file.

    Args:
        analysis: The analysis.
        pictures: Its pictures.
        with_pixels: Pixels of the images may be copied. Without them there are no secondary captures, and
            no pictures in the report; presentation states only refer to the images.

    Raises:
        Refused: The images do not agree on patient and study, or cannot be referred to.
    """
    copied = pictures if with_pixels else ()
    captures = [secondary_capture(analysis, one, number=n) for n, one in enumerate(copied, 1)]
    states = [presentation_state(analysis, one, number=n) for n, one in enumerate(pictures, 1)]
    return [
        *((f"sc-{number}.dcm", one) for number, one in enumerate(captures, 1)),
        *((f"gsps-{number}.dcm", one) for number, one in enumerate(states, 1) if one is not None),
        ("pdf.dcm", encapsulated_pdf(analysis, report(analysis, copied))),
    ]
