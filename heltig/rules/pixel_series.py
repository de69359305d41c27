"""Images of a series: can they be one volume?"""

from collections.abc import Hashable, Iterator
from typing import Final

from heltig.dicom.cell import Cell
from heltig.rules.acquisition import is_single_frame, value
from heltig.rules.conflict import conflict, parts
from heltig.rules.rule import Hit, rule
from heltig.rules.views import RowsView, SeriesView

_VOLUMES: Final = frozenset({"CT", "MR", "PT"})
_NO_SLICES: Final = frozenset({"LOCALIZER", "SCOUT", "PROJECTION IMAGE"})
_FEWEST: Final = 3
_COSINES: Final = 6
_SHAPE: Final = (
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "PixelRepresentation"),
)


@rule("PIX-SERIES-SHAPE", level="series", severity="review", reads=_SHAPE,
    when=lambda series: series.modality in _VOLUMES and len(series) >= _FEWEST,
    reference="PS3.3 C.7.6.3")  # fmt: skip
def series_shape(series: SeriesView) -> Iterator[Hit]:
    """The slices of a series differ in size or kind of pixel.

    Finds: More than one value of Rows, Columns, SamplesPerPixel, PhotometricInterpretation, BitsAllocated or
        PixelRepresentation among slices of CT, MR or PET that have the same orientation and ImageType.
        Localizers, captures and stacks of fewer than three images are left alone, and so is BitsStored, which
        scanners fit to each image.
    Why: Viewers and analysis build a volume from the slices: one of another size makes them fail, or is left
        out without a word; another sign makes it wrong.
    Mend: Find out where the slices of the rarer kind come from. If they are another reconstruction, have it
        stored as a series of its own.
    Example: A reconstruction at 256 by 256 pixels, sent into the series of 512 by 512.
    """
    varying = [keyword for keyword in _SHAPE if not series.uniform(keyword)]
    if not varying or not is_single_frame(series):
        return
    for rows in _stacks(series):
        stack = RowsView(series.table, rows, series.context)
        hits = [hit for keyword in varying for hit in conflict(stack, keyword, where="series")]
        if hits:
            yield _one_of(hits)


_CT: Final = "1.2.840.10008.5.1.4.1.1.2"
_RESCALE: Final = ("RescaleIntercept", "RescaleSlope")


@rule("PIX-RESCALE-MIXED", level="series", severity="review", compares=True, reads=_RESCALE,
    when=lambda series: series.first("SOPClassUID").text == _CT and series.has_uid,
    reference="PS3.3 C.8.2.1")  # fmt: skip
def rescale_mixed(series: SeriesView) -> Iterator[Hit]:
    """The slices of a CT series are rescaled in several ways.

    Finds: More than one RescaleIntercept (0028,1052) or RescaleSlope (0028,1053) among CT slices of one frame
        that have the same orientation, ImageType, kernel, bits and pixel representation. Localizers, and
        slices without a value (PIX-RESCALE), are left alone, and so are series in which hardly two slices
        have the same, as systems write that fit them to each image.
    Why: A scanner rescales all slices of a reconstruction alike. Where part of them was converted and
        the rest was not, air and bone have other numbers from one slice to the next: measurements are wrong.
    Mend: Look at both kinds of slices with one window. If they look alike, the pixels fit their values, and a
        waiver can accept them; if not, have the series exported again.
    Example: An intercept of 0 in the slices that went through a converter, of -1024 in the others.
    """
    for rows in _stacks(series):
        stack = RowsView(series.table, rows, series.context)
        for like in _of_one_kind(stack):
            hits = [hit for keyword in _RESCALE if _is_shared(like, keyword)
                    for hit in conflict(like, keyword, where="series", key=_as_number)]  # fmt: skip
            if hits:
                yield _one_of(hits)


_MR: Final = "1.2.840.10008.5.1.4.1.1.4"


@rule("PIX-RESCALE-MR", level="series", severity="note", compares=True, reads=_RESCALE,
    when=lambda series: series.first("SOPClassUID").text == _MR and series.has_uid,
    reference="PS3.3 C.11.1")  # fmt: skip
def rescale_of_mr(series: SeriesView) -> Iterator[Hit]:
    """The images of an MR series are rescaled in several ways.

    Finds: More than one RescaleIntercept (0028,1052) or RescaleSlope (0028,1053) among MR images of one frame
        that have the same orientation, ImageType, echo, bits and pixel representation. Images without a value
        and localizers are left alone.
    Why: The pixels of these images cannot be compared as they are stored: a program that reads them without
        rescaling sees steps from one slice or time to the next.
    Mend: Nothing, where the scanner fits the scale to each image and whoever measures applies it. If part of
        the images went through a converter, have the series exported again.
    Example: Perfusion of which the second half was scaled anew when the memory of the scanner ran full.
    """
    for rows in _stacks(series):
        stack = RowsView(series.table, rows, series.context)
        for kind in _of_one_kind(stack):
            for image_type in parts(kind, "ImageType"):
                for like in parts(image_type, "EchoNumbers"):
                    hits = [hit for keyword in _RESCALE
                            for hit in conflict(like, keyword, where="series", key=_as_number)]  # fmt: skip
                    if hits:
                        yield _one_of(hits)


def _of_one_kind(stack: RowsView) -> list[RowsView]:
    """The slices of a stack by what their rescaling may depend on."""
    kinds = [stack]
    for keyword in ("PixelRepresentation", "BitsStored", "ConvolutionKernel", "SOPClassUID"):
        kinds = [part for kind in kinds for part in parts(kind, keyword)]
    return kinds


def _is_shared(stack: RowsView, keyword: str) -> bool:
    """Each value is one of several slices, on the average: none is fitted to the image."""
    groups = [group for group in stack.groups(keyword, _as_number) if group.key]
    return len(groups) * _FEWEST <= len(stack)


def _as_number(cell: Cell) -> str:
    number = cell.numbers[0] if cell.values else None
    return cell.text if number is None else f"{number:.9g}"


def _one_of(hits: list[Hit]) -> Hit:
    """Slices that differ in rows mostly differ in columns too: that is one finding."""
    first = hits[0]
    keywords = [hit.tags[0] for hit in hits]
    return Hit(
        tags=tuple(keywords),
        observed="; ".join(f"{keyword} {hit.observed}" for keyword, hit in zip(keywords, hits, strict=True))[
            :200
        ],
        expected="one value in the series",
        rows=sorted({row for hit in hits for row in hit.rows or ()}),
        message=first.message if len(hits) == 1 else None,
    )


def _stacks(series: SeriesView) -> Iterator[list[int]]:
    """The rows of slices with the same orientation and image type, where there are enough of them."""
    stacks: dict[Hashable, list[int]] = {}
    for (orientation, kind), rows in series.alike("ImageOrientationPatient", "ImageType"):
        cosines = [number for number in orientation.numbers if number is not None]
        if len(cosines) == _COSINES and _NO_SLICES.isdisjoint(_kinds(kind)):
            rounded = tuple([round(cosine, 1) + 0.0 for cosine in cosines])
            stacks.setdefault((rounded, _kinds(kind)), []).extend(rows)
    yield from (sorted(rows) for rows in stacks.values() if len(rows) >= _FEWEST)


def _kinds(image_type: Cell) -> tuple[str, ...]:
    return tuple([value(image_type, number) for number in (1, 2, 3)])
