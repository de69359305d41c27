"""A picture as a secondary capture (PS3.3 A.8.1): for viewers that show neither segmentations nor outlines.

Where it shows an image as it was acquired, it says where it lies in the patient: that of its first pixel,
which is beside the image, is in the same plane.
"""

import numpy as np
from pydicom.dataset import Dataset

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.headers import source_images
from heltig.imaging.dicom_out.identity import SECONDARY_CAPTURE, object_of
from heltig.imaging.dicom_out.seg_frames import decimal, source_image
from heltig.imaging.pictures.overlays import Picture
from heltig.imaging.statements import GATE_USE, RESEARCH_USE


def secondary_capture(analysis: Analysis, picture: Picture, *, number: int) -> Dataset:
    """The object of a picture.

    Args:
        analysis: The analysis.
        picture: One of its pictures.
        number: Which of them, counted from 1.

    Raises:
        Refused: The images do not agree on patient and study, or cannot be referred to.
    """
    made = object_of(analysis, SECONDARY_CAPTURE, number=number)
    made.ConversionType = "WSD"
    made.DateOfSecondaryCapture, made.TimeOfSecondaryCapture = made.ContentDate, made.ContentTime
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.BurnedInAnnotation = "YES"
    made.Laterality = ""
    made.PatientOrientation = [picture.view.letters.right, picture.view.letters.bottom]
    made.DerivationDescription = f"{picture.title}, drawn over the image"
    made.ImageComments = f"{RESEARCH_USE} {GATE_USE}"
    made.LossyImageCompression = "00"
    _place(made, analysis, picture)
    _pixels(made, picture)
    return made


def _place(made: Dataset, analysis: Analysis, picture: Picture) -> None:
    """The image and its plane (PS3.3 C.7.6.2, C.7.4.1); nothing where the picture goes across images."""
    view, panel = picture.view, picture.panel
    if view.source is None:
        return
    made.SourceImageSequence = [source_image(source_images(analysis.stack)[view.index])]
    row_mm, column_mm = panel.spacing
    made.PixelSpacing = decimal(panel.spacing)
    # centres of pixels of the picture, in pixels of the view
    row = (0.5 - panel.top) * row_mm / view.spacing[0] - 0.5
    column = (0.5 - panel.left) * column_mm / view.spacing[1] - 0.5
    made.ImagePositionPatient = decimal(view.position(row, column))
    made.SliceThickness = None
    made.ImageOrientationPatient = decimal(np.concatenate(view.directions))
    if analysis.volume.frame_of_reference_uid:
        made.FrameOfReferenceUID = analysis.volume.frame_of_reference_uid
        made.PositionReferenceIndicator = None


def _pixels(made: Dataset, picture: Picture) -> None:
    """Image Pixel (PS3.3 C.7.6.3): red, green and blue by pixel."""
    made.Rows, made.Columns, made.SamplesPerPixel = picture.pixels.shape
    made.PhotometricInterpretation = "RGB"
    made.PlanarConfiguration = 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.PixelRepresentation = 0
    data = picture.pixels.tobytes()
    made.PixelData = data + b"\0" * (len(data) % 2)
    made["PixelData"].VR = "OB"
