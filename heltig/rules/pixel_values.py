"""What the values of pixels mean: rescale, Hounsfield units, and what kind of image it is."""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import Cell
from heltig.rules.acquisition import value
from heltig.rules.pixel_facts import by_lacking, rows_without
from heltig.rules.rule import Hit, rule
from heltig.rules.uptake import PET_IMAGE
from heltig.rules.views import RowsView, StudyView, Values
from heltig.rules.wording import cut

_CT: Final = "1.2.840.10008.5.1.4.1.1.2"
_RESCALED: Final = frozenset({_CT, PET_IMAGE})
_RESCALE: Final = ("RescaleSlope", "RescaleIntercept")
_HOUNSFIELD: Final = frozenset({"HU", "HU_MOD"})
_NO_SLICES: Final = frozenset({"LOCALIZER", "SCOUT"})


def _is_rescaled(study: StudyView) -> bool:
    """The study has CT or PET images of one frame; enhanced ones keep this in functional groups."""
    if study.uniform("SOPClassUID"):
        return study.first("SOPClassUID").text in _RESCALED
    return any(group.key in _RESCALED for group in study.groups("SOPClassUID"))


@rule("PIX-RESCALE", level="study", severity="review", when=_is_rescaled, reference="PS3.3 C.8.2.1",
    needs=("metadata", "all_attributes"), reads=(*_RESCALE, "SOPClassUID"))  # fmt: skip
def rescale(study: StudyView) -> Iterator[Hit]:
    """The values of a CT or PET image cannot be told from its pixels.

    Finds: CT and PET images of one frame without RescaleSlope (0028,1053) or RescaleIntercept (0028,1052).
        A slope of zero is a matter of VAL-ZERO; enhanced images have both in functional groups.
    Why: Bone, water and air, or uptake, have no numbers: thresholds, windows and measurements are wrong.
    Mend: Have the sender write slope and intercept; they cannot be guessed from the pixels with certainty.
    Example: CT slices converted by a program that stores Hounsfield units and drops the intercept.
    """
    lacking = {keyword: rows for keyword in _RESCALE if (rows := rows_without(study, keyword))}
    if not lacking:
        return
    images = {row for g in study.groups("SOPClassUID") if g.key in _RESCALED for row in g.rows}
    for missing, found in by_lacking({keyword: rows & images for keyword, rows in lacking.items()}):
        observed = f"without {' and '.join(missing)}"
        yield Hit(tags=missing, observed=observed, expected="slope and intercept", rows=found)


@rule("PIX-RESCALE-TYPE", level="study", severity="note", reads=("RescaleType",),
    reference="PS3.3 C.8.2.1")  # fmt: skip
def rescale_type(study: StudyView) -> Iterator[Hit]:
    """A CT slice does not say that its values are Hounsfield units.

    Finds: Original CT slices whose RescaleType (0028,1054) is other than HU. Where it is absent the values
        are Hounsfield units too; multi-energy images and localizers may have others.
    Why: Programs that go by the type take the values for something else, and refuse to measure.
    Mend: Nothing, where the scanner is known to write US and mean HU, as some makers' do. Else ask what the
        values are before they are used for planning.
    Example: `US`, unspecified, from older scanners.
    """
    for group in study.groups("RescaleType"):
        if group.key and group.key not in _HOUNSFIELD:
            view = RowsView(study.table, group.rows, study.context)
            reads = ("SOPClassUID", "ImageType", "MultienergyCTAcquisition")
            cells = zip(view.rows, *map(view.cells, reads), strict=True)
            slices = [row for row, uid, kind, energies in cells if _is_hounsfield(uid, kind, energies)]
            if slices:
                yield Hit(tags=("RescaleType",), observed=cut(group.key), expected="HU, or none", rows=slices)


def _is_hounsfield(sop_class: Cell, image_type: Cell, multi_energy: Cell) -> bool:
    """The values of the image must be Hounsfield units."""
    return (
        sop_class.text == _CT
        and value(image_type, 1) == "ORIGINAL"
        and value(image_type, 3) not in _NO_SLICES
        and multi_energy.text != "YES"
    )


_THREE_VALUES: Final = (_CT, "1.2.840.10008.5.1.4.1.1.4")
_FOUR_VALUES: Final = (
    *("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2", "1.2.840.10008.5.1.4.1.1.4.1"),
    *("1.2.840.10008.5.1.4.1.1.4.2", "1.2.840.10008.5.1.4.1.1.4.3", "1.2.840.10008.5.1.4.1.1.4.4"),
    *("1.2.840.10008.5.1.4.1.1.128.1", "1.2.840.10008.5.1.4.1.1.130"),
)
_IMAGE_TYPES: Final = dict.fromkeys(_THREE_VALUES, 3) | dict.fromkeys(_FOUR_VALUES, 4)
"""How many values it has at least: CT (PS3.3 C.8.2.1.1.1), MR (C.8.3.1.1.1), enhanced ones (C.8.16.1)."""


@rule("PIX-IMAGE-TYPE", level="instance", severity="note", reads=("ImageType", "SOPClassUID"),
    when=lambda at: at.has("ImageType") and at["SOPClassUID"].text in _IMAGE_TYPES,
    reference="PS3.3 C.7.6.1.1.2")  # fmt: skip
def image_type(at: Values) -> Iterator[Hit]:
    r"""ImageType does not say what kind of image it is.

    Finds: CT and MR images in which ImageType (0008,0008) has no third value, and enhanced CT, MR and PET
        objects in which it has less than four. What the first two values may be tells VAL-ENUM, which third
        ones there are VAL-DEFTERM.
    Why: Hanging protocols and converters tell localizers, derived maps and projections from slices by these
        values.
    Mend: Have the sender write them; where slices of one series differ, from image to image.
    Example: `ORIGINAL\PRIMARY` of a CT slice, where `AXIAL` or `LOCALIZER` should follow.
    """
    wanted, values = _IMAGE_TYPES[at["SOPClassUID"].text], at["ImageType"].values
    present = [number for number in range(wanted) if number < len(values) and values[number]]
    if len(present) < wanted:
        observed = cut(at["ImageType"].shown)
        yield Hit(tags=("ImageType",), observed=observed, expected=f"{wanted} values")
