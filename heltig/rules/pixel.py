"""Pixels: does the description of the image fit together (PS3.3 C.7.6.3)?"""

from collections.abc import Iterable, Iterator
from typing import Final

from heltig.rules.pixel_facts import PIXEL_DATA, by_lacking, integer, is_image, rows_without
from heltig.rules.proposal import removal
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, StudyView, Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_OF_EVERY_IMAGE: Final = ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel", "PhotometricInterpretation")
_OF_INTEGERS: Final = ("BitsStored", "HighBit", "PixelRepresentation")
"""Attributes that Float and Double Float Pixel Data do not have (PS3.3 C.7.6.24, C.7.6.25)."""

_FLOATING: Final = frozenset({"1.2.840.10008.5.1.4.1.1.30", "1.2.840.10008.5.1.4.1.1.66.8"})
"""Parametric Map and Height Map Segmentation: their pixels may be floating point numbers."""

_REQUIRED: Final = (*_OF_EVERY_IMAGE, *_OF_INTEGERS)
_SAMPLES: Final = {
    **dict.fromkeys(("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"), 1),
    **dict.fromkeys(("RGB", "HSV", "XYB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"), 3),
    **dict.fromkeys(("YBR_PARTIAL_420", "YBR_PARTIAL_422"), 3),
    **dict.fromkeys(("ARGB", "CMYK"), 4),
}
_COLOUR_BY_PIXEL: Final = frozenset(
    {"YBR_FULL_422", "YBR_ICT", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_RCT"}
)


@rule("PIX-REQUIRED", level="study", severity="block", reads=_REQUIRED, reference="PS3.3 C.7.6.3",
    needs=("metadata", "all_attributes"))  # fmt: skip
def required(study: StudyView) -> Iterator[Hit]:
    """An image lacks what it takes to read its pixels.

    Finds: Instances with pixel data, or of a SOP Class of images, in which Rows, Columns, BitsAllocated,
        SamplesPerPixel, PhotometricInterpretation, BitsStored, HighBit or PixelRepresentation is absent or
        empty. Floating point pixels need no more than the first five.
    Why: Nobody can tell how large the image is or what its bytes mean. Archives refuse it, viewers show
        noise.
    Mend: Export the image again from where it came. What is missing cannot be guessed with certainty: a
        neighbour of the series may have other values.
    Example: A converter that writes the size of the image and forgets the sign of its pixels.
    """
    lacking = {keyword: found for keyword in _REQUIRED if (found := rows_without(study, keyword))}
    for missing, rows in by_lacking(lacking):
        needing: dict[tuple[str, ...], list[int]] = {}
        for (sop_class, present), alike in _by_pixels(study, rows).items():
            needing.setdefault(_needed(study, sop_class, present, missing), []).extend(alike)
        for needed, of_these in needing.items():
            if needed:
                yield Hit(
                    tags=needed,
                    observed=cut(f"without {', '.join(needed)}", 200),
                    expected="the attributes of the Image Pixel module",
                    rows=sorted(of_these),
                )


def _by_pixels(study: StudyView, rows: Iterable[int]) -> dict[tuple[str, tuple[str, ...]], list[int]]:
    """Some instances by their SOP Class and by what their pixels stand in."""
    classes = study.texts("SOPClassUID")
    columns = {keyword: study.table.columns.get(tag_of(keyword)) for keyword in PIXEL_DATA}
    there = [(keyword, column.codes) for keyword, column in columns.items() if column is not None]
    found: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for row in rows:
        present = tuple([keyword for keyword, codes in there if codes[row]])
        found.setdefault((classes[row], present), []).append(row)
    return found


def _needed(
    study: StudyView, sop_class: str, present: tuple[str, ...], missing: tuple[str, ...]
) -> tuple[str, ...]:
    """Of what an instance of a SOP Class lacks, with such pixel data, the attributes that it needs."""
    is_class = is_image(sop_class)
    if not present and (not is_class or (len(missing) == len(_REQUIRED) and "bytes" in study.source.shows)):
        return ()  # no image; or one without pixels, which PIX-DATA-MISSING tells
    is_float = (
        present != ("PixelData",) if present else sop_class in _FLOATING and not study.has("BitsStored")
    )
    return tuple([keyword for keyword in missing if keyword not in _OF_INTEGERS]) if is_float else missing


@rule("PIX-ROWSCOLS-ZERO", level="value", severity="block", reads=("Rows", "Columns"),
    reference="PS3.3 C.7.6.3")  # fmt: skip
def no_size(at: Place) -> Iterator[Hit]:
    """An image has no rows or no columns.

    Finds: Rows (0028,0010) or Columns (0028,0011) of zero, in items of sequences such as icons too.
    Why: There is no image. Archives refuse it, and some viewers stop.
    Mend: Export the image again. Where the pixel data are there, the right size can be had from other images
        of the series: their length must fit.
    Example: An object that a converter wrote before it knew the size.
    """
    if 0.0 in at.cell.numbers:
        yield Hit(observed="0", expected="one or more")


@rule("PIX-BITS-RELATION", level="instance", severity="review", reference="PS3.5 8.1.1",
    reads=("BitsAllocated", "BitsStored", "HighBit"))  # fmt: skip
def bits(at: Values) -> Iterator[Hit]:
    """The bits of a pixel do not fit together.

    Finds: BitsAllocated other than 1 or a multiple of 8, BitsStored above BitsAllocated, and HighBit other
        than BitsStored less one.
    Why: Readers take other bits for the value: the image is too dark, too bright, or noise.
    Mend: Have the sender correct the attribute that is wrong. Look at the image with both readings first: a
        wrong correction changes every value.
    Example: BitsStored 16, HighBit 11 after a program widened 12 bits to 16.
    """
    allocated, stored, high = (integer(at[name]) for name in ("BitsAllocated", "BitsStored", "HighBit"))
    if allocated and allocated != 1 and allocated % 8:
        yield Hit(tags=("BitsAllocated",), observed=cut(str(allocated)), expected="1 or a multiple of 8")
    if not stored:
        return
    if allocated and stored > allocated:
        observed = cut(f"BitsStored {stored}, BitsAllocated {allocated}")
        yield Hit(tags=("BitsStored",), observed=observed, expected="no more bits than are allocated")
    elif high is not None and high != stored - 1:
        observed = cut(f"HighBit {high}, BitsStored {stored}")
        yield Hit(tags=("HighBit",), observed=observed, expected=cut(f"HighBit {stored - 1}"))


@rule("PIX-SAMPLES-PHOTO", level="instance", severity="review", reference="PS3.3 C.7.6.3.1.2",
    reads=("SamplesPerPixel", "PhotometricInterpretation"))  # fmt: skip
def samples(at: Values) -> Iterator[Hit]:
    """The number of samples does not fit the photometric interpretation.

    Finds: SamplesPerPixel other than 1 for MONOCHROME and PALETTE COLOR, other than 3 for RGB and YBR, other
        than 4 for the retired ARGB and CMYK. A photometric interpretation that the standard does not have is
        a matter of VAL-DEFTERM.
    Why: Readers count three bytes a pixel where there is one, or the reverse: the image is torn or cut.
    Mend: Have the sender correct the one that is wrong; the length of the pixel data tells which.
    Example: MONOCHROME2 with 3 samples, from a screenshot tool.
    """
    photometric, number = at["PhotometricInterpretation"].text, integer(at["SamplesPerPixel"])
    wanted = _SAMPLES.get(photometric)
    if number and wanted and number != wanted:
        yield Hit(
            tags=("SamplesPerPixel",),
            observed=cut(f"{number}, with {photometric}"),
            expected=str(wanted),
        )


def _has_colour(at: Values) -> bool:
    return (integer(at["SamplesPerPixel"]) or 0) > 1


@rule("PIX-PLANAR", level="instance", severity="review", reference="PS3.3 C.7.6.3", when=_has_colour,
    needs=("metadata", "all_attributes"),
    reads=("SamplesPerPixel", "PlanarConfiguration", "PhotometricInterpretation"))  # fmt: skip
def planar(at: Values) -> Iterator[Hit]:
    """A colour image does not say, or says wrongly, how its samples are ordered.

    Finds: PlanarConfiguration (0028,0006) absent or empty where there is more than one sample a pixel, and 1,
        by plane, for photometric interpretations that share samples between pixels, such as YBR_FULL_422.
        Its presence in grey images is a matter of PIX-PLANAR-GREY.
    Why: Readers take colours for places: the image appears three times side by side, in grey.
    Mend: Have the sender write it: 0 where the samples of a pixel stand together, which is what nearly all
        systems do. Look at the image before and after.
    Example: A colour screenshot without PlanarConfiguration.
    """
    cell, photometric = at["PlanarConfiguration"], at["PhotometricInterpretation"].text
    if cell.empty:
        yield Hit(tags=("PlanarConfiguration",), observed="empty" if cell.vr else "absent", expected="0 or 1")
    elif photometric in _COLOUR_BY_PIXEL and integer(cell) == 1:
        yield Hit(tags=("PlanarConfiguration",), observed=f"1, with {photometric}", expected="0")


@rule("PIX-PLANAR-GREY", level="instance", severity="note", reference="PS3.3 C.7.6.3",
    reads=("PlanarConfiguration", "SamplesPerPixel"),
    when=lambda at: bool(at["PlanarConfiguration"].vr))  # fmt: skip
def planar_of_grey(at: Values) -> Iterator[Hit]:
    """An image of one sample a pixel says how its samples are ordered.

    Finds: PlanarConfiguration (0028,0006) where SamplesPerPixel (0028,0002) is 1. The standard has it only
        where there are more.
    Why: It means nothing, and viewers pass over it. Validators call it an error.
    Mend: Nothing needs to be done before the study is moved. The sender should leave it out.
    Example: A converter that writes the same attributes into grey and coloured images.
    """
    if integer(at["SamplesPerPixel"]) == 1:
        observed = cut(at["PlanarConfiguration"].shown) or "empty"
        yield Hit(tags=("PlanarConfiguration",), observed=observed, expected="none in images of one sample")


@rule("PIX-PALETTE", level="study", severity="review", reference="PS3.3 C.7.6.3.1.5",
    needs=("metadata", "all_attributes"), reads=("PhotometricInterpretation",))  # fmt: skip
def palette(study: StudyView) -> Iterator[Hit]:
    """A palette image has no palette.

    Finds: PhotometricInterpretation PALETTE COLOR where a lookup table of red, green or blue lacks its
        descriptor or its data, plain or segmented.
    Why: The pixels are numbers of colours: without the table nobody knows which.
    Mend: Export the image again, or have it converted to RGB where it still has its colours.
    Example: A gateway that dropped all binary attributes.
    """
    rows = {
        row for g in study.groups("PhotometricInterpretation") if g.key == "PALETTE COLOR" for row in g.rows
    }
    if not rows:
        return
    lacking: dict[str, set[int]] = {}
    for table in (f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")):
        plain, segmented = rows_without(study, f"{table}Data"), rows_without(study, f"Segmented{table}Data")
        lacking[f"{table}Descriptor"] = rows & rows_without(study, f"{table}Descriptor")
        lacking[f"{table}Data"] = rows & plain & segmented
    for missing, found in by_lacking(lacking):
        what = "no palette" if len(missing) == len(lacking) else f"without {', '.join(missing)}"
        yield Hit(tags=missing, observed=cut(what, 160), expected="a table for each colour", rows=found)


@rule("PIX-ASPECT", level="instance", severity="note", reads=("PixelAspectRatio",),
    reference="PS3.3 C.7.6.3.1.7")  # fmt: skip
def aspect(at: Values) -> Iterator[Hit]:
    r"""A pixel aspect ratio says nothing, or nothing possible.

    Finds: PixelAspectRatio (0028,0034) of two equal numbers, which is what holds without it, or with a zero.
    Why: With `1\1` no harm is done, but the standard does not want it; with a zero viewers draw a line.
    Mend: Have the sender leave it out where pixels are square. The removal of two equal numbers is proposed.
    Example: `1\1` from secondary capture software.
    """
    numbers = at["PixelAspectRatio"].numbers
    if len(numbers) == 2 and None not in numbers and (numbers[0] == numbers[1] or 0.0 in numbers):
        why = "Equal numbers say what holds without them: pixels are square."
        square = numbers[0] == numbers[1] and 0.0 not in numbers
        changes = (removal(tag_of("PixelAspectRatio"), "IS", why),) if square else ()
        observed = cut(at["PixelAspectRatio"].shown)
        yield Hit(observed=observed, expected="none for square pixels", changes=changes)
