"""Small pictures of slices through the whole volume, to leaf through: what was found is tinted and edged.

    strip = slice_strip(analysis)
    for picture in strip.pictures:
        (folder / picture.file).write_bytes(picture.jpeg)

They are for looking only: at most 64 slices, in few pixels. `slices.json` says where each of them lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from heltig.imaging.analysis import Analysis
from heltig.imaging.pictures.layer import PALETTE, Colour
from heltig.imaging.pictures.organs import shown_organs
from heltig.imaging.pictures.view import View
from heltig.imaging.pictures.windows import Window, window_for
from heltig.imaging.segmentation import Segmentation
from heltig.imaging.statements import GATE_USE, RESEARCH_USE

FOLDER: Final = "slices"

MOST: Final = 64
"""Slices, evenly spread over the volume."""

_LONGEST: Final = 360
_MARGIN: Final = 16
_FOOTER: Final = 18
_TINT: Final = 0.28
_QUALITY: Final = 82
_QUIET: Final = (200, 205, 212)
_WORDS: Final = "RESEARCH USE ONLY - not for diagnosis"

Labels = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SlicePicture:
    """One slice.

    Attributes:
        file: Its path in the output folder.
        index: Its index along the axis of the volume.
        height_mm: Where it lies along its normal.
        jpeg: The bytes of its file, which has both statements as a comment.
    """

    file: str
    index: int
    height_mm: float
    jpeg: bytes


@dataclass(frozen=True, eq=False)
class Strip:
    """Slices of a volume, from the feet, the front or the patient's right on.

    Attributes:
        plane: What they are called, as `axial`.
        of: How many slices the volume has.
        window: The range of values that they show.
        pictures: In order.
        colours: The structures that are drawn, with the colour of each.
    """

    plane: str
    of: int
    window: Window
    pictures: tuple[SlicePicture, ...]
    colours: tuple[tuple[str, Colour], ...]

    @property
    def document(self) -> dict[str, Any]:
        """What `slices.json` has."""
        return {
            "plane": self.plane,
            "of": self.of,
            "window": self.window._asdict(),
            "slices": [
                {"file": one.file, "index": one.index, "height_mm": round(one.height_mm, 2)}
                for one in self.pictures
            ],
            "structures": [
                {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colour)}
                for name, colour in self.colours
            ],
        }


def slice_strip(analysis: Analysis) -> Strip:
    """Draw slices as they were acquired."""
    inventory = analysis.results.inventory
    segmentation = inventory.segmentation
    axis = segmentation.axes.order.index(2)
    keys = shown_organs(inventory)
    window = window_for(segmentation, keys)
    colours = {key: PALETTE[place % len(PALETTE)] for place, key in enumerate(keys)}
    numbers = _numbers(segmentation, keys)
    count = segmentation.shape[axis]
    places = np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int)).tolist()
    frame = _frame(View(segmentation, axis, 0))
    drawn: list[SlicePicture] = []
    for number, place in enumerate(places, 1):
        view = View(segmentation, axis, place)
        labels = _labels(view, numbers)
        picture = _picture(view, window, labels, colours=list(colours.values()), frame=frame)
        file = f"{FOLDER}/{number:03}.jpg"
        drawn.append(SlicePicture(file, view.index, view.height_mm + 0.0, _jpeg(picture)))
    names = tuple((inventory.found[key].structure.name, colour) for key, colour in colours.items())
    return Strip(View(segmentation, axis, 0).plane, count, window, tuple(drawn), names)


def _numbers(segmentation: Segmentation, keys: Sequence[str]) -> list[Labels]:
    """For each map and label: the number of its structure among those that are drawn, from 1 on; else 0."""
    tables = [np.zeros(int(one.labels.max(initial=0)) + 1, np.intp) for one in segmentation.maps]
    for number, key in enumerate(keys, 1):
        which, labels = segmentation.labels_of(key)
        for label in labels:
            if label < len(tables[which]):
                tables[which][label] = number
    return tables


def _labels(view: View, numbers: Sequence[Labels]) -> list[Labels]:
    """The numbers of the structures by (row, column) of the picture, a map after the other."""
    rows, columns = _size(view)
    row = (np.arange(rows) + 0.5) * view.shape[0] / rows
    column = (np.arange(columns) + 0.5) * view.shape[1] / columns
    at = np.ix_(row.astype(int), column.astype(int))
    maps = view.segmentation.maps
    return [table[view.of(one.labels)[at]] for table, one in zip(numbers, maps, strict=True)]


def _size(view: View) -> tuple[int, int]:
    """Rows and columns of the picture, in physical proportions."""
    heights, widths = (count * mm for count, mm in zip(view.shape, view.spacing, strict=True))
    mm = max(heights, widths) / _LONGEST
    return max(1, round(heights / mm)), max(1, round(widths / mm))


def _picture(
    view: View,
    window: Window,
    labels: Sequence[Labels],
    *,
    colours: Sequence[Colour],
    frame: Image.Image,
) -> Image.Image:
    rows, columns = _size(view)
    grey = Image.fromarray(window.grey(view.values)).resize((columns, rows), Image.Resampling.BILINEAR)
    values = np.repeat(np.asarray(grey)[:, :, None], 3, axis=2)
    table = np.array([(0, 0, 0), *colours], np.float32)
    for numbers in labels:
        found = numbers > 0
        inside = numbers[found]
        share = np.where(_edges(numbers)[found], np.float32(1), np.float32(_TINT))[:, None]
        values[found] = values[found] * (1 - share) + table[inside] * share
    canvas = frame.copy()
    canvas.paste(Image.fromarray(values), _corner(frame, rows, columns))
    return canvas


def _frame(view: View) -> Image.Image:
    """What is the same in all pictures: letters at the edges, and what they are for."""
    rows = max(_size(view)[0], _LONGEST // 2)
    frame = Image.new("RGB", (_LONGEST + 2 * _MARGIN, rows + 2 * _MARGIN + _FOOTER), (0, 0, 0))
    pen, (width, height), letters = ImageDraw.Draw(frame), frame.size, view.letters
    across, down, half = width / 2, (height - _FOOTER) / 2, _MARGIN / 2
    places = (half, down), (width - half, down), (across, half), (across, height - _FOOTER - half)
    for place, letter in zip(places, letters, strict=True):
        pen.text(place, letter, _QUIET, ImageFont.load_default(13), anchor="mm")
    pen.rectangle((0, height - _FOOTER, width, height), fill=(30, 34, 42))
    pen.text((across, height - _FOOTER / 2), _WORDS, _QUIET, ImageFont.load_default(11), anchor="mm")
    return frame


def _corner(frame: Image.Image, rows: int, columns: int) -> tuple[int, int]:
    """Where the image begins, in the middle of the frame."""
    return (frame.width - columns) // 2, (frame.height - _FOOTER - rows) // 2


def _edges(numbers: Labels) -> NDArray[np.bool_]:
    """Pixels whose neighbour above, below or beside is of another structure, or of none."""
    found = np.zeros(numbers.shape, np.bool_)
    down, right = numbers[1:] != numbers[:-1], numbers[:, 1:] != numbers[:, :-1]
    found[1:] |= down
    found[:-1] |= down
    found[:, 1:] |= right
    found[:, :-1] |= right
    return found


def _jpeg(picture: Image.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY, comment=f"{RESEARCH_USE} {GATE_USE}".encode())
    return stream.getvalue()
