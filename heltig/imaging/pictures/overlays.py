"""The pictures of an analysis: the slice through L3, organs, hemorrhage masks.

    for picture in pictures(analysis):
        (folder / f"{picture.name}.png").write_bytes(picture.png)

They show what was measured, and never change it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from heltig.imaging.analysis import Analysis
from heltig.imaging.metrics import Results
from heltig.imaging.metrics.axial import in_window
from heltig.imaging.metrics.hemorrhage import KEY as HEMORRHAGE
from heltig.imaging.metrics.muscle import FAT_HU, MUSCLE_HU, without_arms
from heltig.imaging.pictures.canvas import Panel, Pixels, draw, png
from heltig.imaging.pictures.layer import ORANGE, PALETTE, PURPLE, SKY, WHITE, YELLOW, Colour, Layer
from heltig.imaging.pictures.organs import organ_slices, shown_organs
from heltig.imaging.pictures.view import View
from heltig.imaging.pictures.windows import Window, window_for
from heltig.imaging.segmentation import Mask

_BLEED_PLACES: Final = tuple(f"hemorrhage_slice_{part}" for part in (15, 50, 85))


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture.

    Attributes:
        name: As its file is called, without the ending.
        title: What it is, in words.
        view: The slice that it shows.
        window: The range of values that it shows.
        layers: What is drawn over it.
        pixels: Red, green and blue by (row, column, 3).
        panel: Where the image is in it.
    """

    name: str
    title: str
    view: View
    window: Window
    layers: tuple[Layer, ...]
    pixels: Pixels
    panel: Panel

    @cached_property
    def png(self) -> bytes:
        """Its file."""
        return png(self.pixels)


def pictures(analysis: Analysis, *, axial: bool = False) -> tuple[Picture, ...]:
    """All pictures of an analysis.

    Args:
        analysis: The analysis.
        axial: Organs are shown from the feet, too, whatever the plane of the acquisition.
    """
    results = analysis.results
    return (*_l3(results), *_organs(results, axial=axial), *_bleed(results))


def _l3(results: Results) -> Iterator[Picture]:
    """The slice through the middle of L3: muscle, fat within it, subcutaneous and visceral fat."""
    found = results.one("L3_slice", "vertebrae_L3")
    if found is None or found.place is None:
        return
    view = View(results.inventory.segmentation, axis=2, place=found.place.z)
    layers = (*_tissues(results, view), Layer("vertebra L3", WHITE, view.mask("vertebrae_L3")))
    yield _picture("L3_overlay", "L3 slice, muscle and fat", view, layers)


def _tissues(results: Results, view: View) -> Iterator[Layer]:
    """What was measured on the L3 slice, as it was measured: without arms, and in its window."""
    segmentation, z = view.segmentation, view.place
    muscle = segmentation.slice_mask("skeletal_muscle", z)
    visceral = segmentation.slice_mask("torso_fat", z) & ~muscle
    without = without_arms(segmentation, muscle, z).mask
    tissues: tuple[tuple[str, Colour, str, Mask, tuple[float, float]], ...] = (
        ("muscle", SKY, "SMA", without, MUSCLE_HU),
        ("fat in muscle", YELLOW, "IMAT", without, FAT_HU),
        ("subcutaneous fat", ORANGE, "SAT", segmentation.slice_mask("subcutaneous_fat", z), FAT_HU),
        ("visceral fat", PURPLE, "VAT", visceral, FAT_HU),
    )
    values = segmentation.voxels[:, :, z]
    for name, colour, measured, mask, window in tissues:
        if segmentation.in_hounsfield:
            mask = in_window(mask, values, window)
        elif measured == "IMAT":
            continue
        if mask.any():
            yield Layer(name, colour, np.asarray(mask.T), surface=True, told=_area(results, measured))


def _area(results: Results, name: str) -> str:
    """An area as it was measured; nothing where it was not, or only in part."""
    found = next((one for one in results.measurements if one.name == name), None)
    return "" if found is None or found.value is None else f"{found.value:.1f} {found.unit}"


def _organs(results: Results, *, axial: bool) -> Iterator[Picture]:
    """Edges of organs, on the slices as they were acquired where these lie along the patient's axes."""
    segmentation = results.inventory.segmentation
    axis = 2 if axial else segmentation.axes.order.index(2)
    keys = shown_organs(results.inventory)
    for count, (place, on_it) in enumerate(organ_slices(results.inventory, keys, axis), 1):
        view = View(segmentation, axis, place)
        layers = tuple(
            Layer(
                _name(results, key), PALETTE[place % len(PALETTE)], view.mask(key), key=key, number=place + 1
            )
            for place, key in enumerate(on_it)
        )
        yield _picture(f"organs_overlay_{count}", "Organ contours", view, layers, on_it)


def _bleed(results: Results) -> Iterator[Picture]:
    """The slices that the hemorrhage mask is looked at on."""
    places = {
        found.place.z: found.place
        for name in _BLEED_PLACES
        if (found := results.one(name, HEMORRHAGE)) and found.place is not None
    }
    for count, z in enumerate(sorted(places), 1):
        view = View(results.inventory.segmentation, axis=2, place=z)
        layers = (
            Layer("brain mask", SKY, view.mask("brain")),
            Layer("hemorrhage mask", ORANGE, view.mask(HEMORRHAGE)),
        )
        yield _picture(f"bleed_overlay_{count}", "Hemorrhage mask", view, layers, [HEMORRHAGE])


def _name(results: Results, key: str) -> str:
    return results.inventory.found[key].structure.name


def _picture(
    name: str, title: str, view: View, layers: tuple[Layer, ...], shown: Sequence[str] = ()
) -> Picture:
    window = window_for(view.segmentation, shown)
    drawn = draw(view, window, layers, title=title)
    return Picture(name, title, view, window, layers, drawn.pixels, drawn.panel)
