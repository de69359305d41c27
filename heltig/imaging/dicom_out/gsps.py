"""Outlines over an image, which stays as it is: a grayscale softcopy presentation state (PS3.3 A.33.1).

It says how the image is shown: rescaled, in the window of the picture, with the outlines of each structure
and its name in a layer of its own.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.headers import source_images
from heltig.imaging.dicom_out.identity import PRESENTATION_STATE, legal_text, object_of
from heltig.imaging.dicom_out.seg_frames import decimal, reference_to
from heltig.imaging.pictures.colour_space import to_cielab
from heltig.imaging.pictures.layer import Layer
from heltig.imaging.pictures.overlays import Picture
from heltig.imaging.pictures.view import Points, View
from heltig.imaging.pictures.windows import Window
from heltig.imaging.rescale import rescales_of
from heltig.imaging.statements import FOOTER

_STATEMENT_LAYER: Final = "STATEMENT"

_MOST_POINTS: Final = 8000
"""Graphic Data (0070,0022) has eight bytes a point, and a length of 16 bits."""

_LEAST_PIXELS: Final = 4.0
"""Outlines of surfaces, whose pixels are chosen by their values, are drawn from this area on."""


def presentation_state(analysis: Analysis, picture: Picture, *, number: int) -> Dataset | None:
    """The presentation state of a picture; None where it goes across images.

    Args:
        analysis: The analysis.
        picture: One of its pictures.
        number: Which of them, counted from 1.

    Raises:
        Refused: The images do not agree on patient and study, or cannot be referred to.
    """
    view = picture.view
    if view.source is None:
        return None
    made = object_of(analysis, PRESENTATION_STATE, number=number)
    made.Laterality = ""
    made.PresentationCreationDate, made.PresentationCreationTime = made.ContentDate, made.ContentTime
    del made.ContentDate, made.ContentTime  # of other kinds of objects
    made.ContentLabel = f"OUTLINES_{number}"
    made.ContentDescription = picture.title
    made.ContentCreatorName = None
    image = reference_to(source_images(analysis.stack)[view.index])
    series = Dataset()
    series.SeriesInstanceUID = analysis.volume.series_instance_uid
    series.ReferencedImageSequence = [image]
    made.ReferencedSeriesSequence = [series]
    _values(made, analysis, view)
    made.SoftcopyVOILUTSequence = [_window(picture.window)]
    made.PresentationLUTShape = "INVERSE" if _is_inverse(analysis, view) else "IDENTITY"
    made.DisplayedAreaSelectionSequence = [_displayed(analysis)]
    layers = [layer for layer in picture.layers if _drawn(layer)]
    made.GraphicLayerSequence = [
        *(_layer(order, layer) for order, layer in enumerate(layers, 1)),
        _statement_layer(len(layers) + 1),
    ]
    made.GraphicAnnotationSequence = [
        *(_annotation(order, layer, view, image) for order, layer in enumerate(layers, 1)),
        _statements(image),
    ]
    return made


def _values(made: Dataset, analysis: Analysis, view: View) -> None:
    """Modality LUT (PS3.3 C.11.1): what the image says is not asked again by viewers."""
    stack = analysis.stack
    (rescale,) = rescales_of(stack.planes, [stack.order[view.index]])
    if rescale.given or (rescale.slope, rescale.intercept) != (1, 0):
        made.RescaleIntercept, made.RescaleSlope = decimal([rescale.intercept, rescale.slope])
        made.RescaleType = "HU" if analysis.segmentation.in_hounsfield else "US"


def _is_inverse(analysis: Analysis, view: View) -> bool:
    """The smallest value is white in the image, and has to be shown black."""
    plane = analysis.stack.order[view.index]
    return analysis.stack.planes.texts("PhotometricInterpretation")[plane] == "MONOCHROME1"


def _window(window: Window) -> Dataset:
    """Softcopy VOI LUT (PS3.3 C.11.8)."""
    item = Dataset()
    item.WindowCenter, item.WindowWidth = decimal(
        [(window.low + window.high) / 2, max(1.0, window.high - window.low)]
    )
    item.WindowCenterWidthExplanation = window.name
    return item


def _displayed(analysis: Analysis) -> Dataset:
    """Displayed Area (PS3.3 C.10.4): the whole image, in its proportions."""
    columns, rows, _ = analysis.volume.shape
    column_mm, row_mm, _ = analysis.volume.spacing
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner = [1, 1]
    item.DisplayedAreaBottomRightHandCorner = [columns, rows]
    item.PresentationSizeMode = "SCALE TO FIT"
    item.PresentationPixelSpacing = decimal([row_mm, column_mm])
    return item


def _layer(order: int, layer: Layer) -> Dataset:
    """Graphic Layer (PS3.3 C.10.7)."""
    item = Dataset()
    item.GraphicLayer = _layer_name(order)
    item.GraphicLayerOrder = order
    item.GraphicLayerRecommendedDisplayCIELabValue = list(to_cielab(layer.colour))
    item.GraphicLayerDescription = legal_text(layer.name) or "unnamed"
    return item


def _statement_layer(order: int) -> Dataset:
    item = Dataset()
    item.GraphicLayer = _STATEMENT_LAYER
    item.GraphicLayerOrder = order
    item.GraphicLayerDescription = FOOTER
    return item


def _layer_name(order: int) -> str:
    return f"STRUCTURE_{order}"


def _annotation(order: int, layer: Layer, view: View, image: Dataset) -> Dataset:
    """Graphic Annotation (PS3.3 C.10.5): outlines, and the name beside the longest one."""
    lines = [view.in_source(line) for line in _drawn(layer)]
    item = Dataset()
    item.ReferencedImageSequence = [image]
    item.GraphicLayer = _layer_name(order)
    item.TextObjectSequence = [_name(layer, max(lines, key=len))]
    item.GraphicObjectSequence = [_outline(part) for line in lines for part in _parts(line)]
    return item


def _drawn(layer: Layer) -> list[Points]:
    return [line for line in layer.lines if not layer.surface or _area(line) >= _LEAST_PIXELS]


def _area(line: Points) -> float:
    """In pixels."""
    x, y = line[:, 0], line[:, 1]
    return abs(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))) / 2


def _parts(line: Points) -> Iterator[Points]:
    """An outline in pieces whose data the length of an element can say; each begins where one ends."""
    for start in range(0, len(line) - 1, _MOST_POINTS - 1):
        yield line[start : start + _MOST_POINTS]


def _outline(line: Points) -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits = "PIXEL"
    item.GraphicDimensions = 2
    item.NumberOfGraphicPoints = len(line)
    item.GraphicData = [float(number) for number in line.ravel()]
    item.GraphicType = "POLYLINE"
    item.GraphicFilled = "N"
    return item


def _name(layer: Layer, line: Points) -> Dataset:
    """The name at the rightmost point of an outline."""
    item = Dataset()
    item.UnformattedTextValue = f"{legal_text(layer.name)} {layer.told}".strip() or "unnamed"
    item.AnchorPoint = [float(number) for number in line[int(line[:, 0].argmax())]]
    item.AnchorPointVisibility = "N"
    item.AnchorPointAnnotationUnits = "PIXEL"
    return item


def _statements(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = [image]
    item.GraphicLayer = _STATEMENT_LAYER
    item.TextObjectSequence = [_footer()]
    return item


def _footer() -> Dataset:
    """Text at the lower edge of what is displayed."""
    item = Dataset()
    item.BoundingBoxAnnotationUnits = "DISPLAY"
    item.UnformattedTextValue = FOOTER
    item.BoundingBoxTopLeftHandCorner = [0.02, 0.95]
    item.BoundingBoxBottomRightHandCorner = [0.98, 0.99]
    item.BoundingBoxTextHorizontalJustification = "CENTER"
    return item
