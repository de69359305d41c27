"""The picture of a view: the image, what is drawn over it, and all that says what it shows.

All text stands beside the image, in the font that Pillow brings: ASCII, at one size on every machine.
"""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from scipy import ndimage  # type: ignore[import-untyped]

from heltig.imaging.pictures.layer import Colour, Layer
from heltig.imaging.pictures.view import Letters, Points, View
from heltig.imaging.pictures.windows import Window
from heltig.imaging.statements import FOOTER, GATE_USE, RESEARCH_USE

Pixels = NDArray[np.uint8]
_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LONGEST: Final = 760
_LEGEND: Final = 280
_MARGIN: Final = 36
_HEADER: Final = 64
_BELOW: Final = 74
_ROW: Final = 26
_LEAST_ROW: Final = 17
_MORE_ROWS: Final = 2
"""Of the legend, for the window."""

_GROUND: Final = Colour(14, 16, 20)
_TEXT: Final = Colour(226, 229, 234)
_QUIET: Final = Colour(150, 156, 166)
_LINE: Final = Colour(60, 64, 72)
_DARK: Final = Colour(0, 0, 0)

_SURFACE: Final = 0.6
_FINER: Final = 2
"""Lines are drawn so many times larger, and then made smaller, so that they are smooth."""

_SCALES_MM: Final = (200, 100, 50, 20, 10, 5, 2, 1)


class Panel(NamedTuple):
    """Where the image is in the picture.

    Attributes:
        left: Of its first pixel.
        top: Of its first pixel.
        columns: Pixels of the picture.
        rows: Pixels of the picture.
        spacing: Millimetres from row to row, and from column to column.
    """

    left: int
    top: int
    columns: int
    rows: int
    spacing: tuple[float, float]


class Drawn(NamedTuple):
    """A picture.

    Attributes:
        pixels: Red, green and blue by (row, column, 3).
        panel: Where the image is.
    """

    pixels: Pixels
    panel: Panel


def draw(view: View, window: Window, layers: Sequence[Layer], *, title: str) -> Drawn:
    """Draw a view.

    Args:
        view: What is shown.
        window: Its range of values.
        layers: What is drawn over it; later ones over earlier ones.
        title: What the picture is.
    """
    size, panel = _layout(view, len(layers))
    canvas = Image.new("RGB", size, _GROUND)
    canvas.paste(_image(view, window, layers, panel), (panel.left, panel.top))
    pen = ImageDraw.Draw(canvas)
    frame = (panel.left - 1, panel.top - 1, panel.left + panel.columns, panel.top + panel.rows)
    pen.rectangle(frame, outline=_LINE)
    _header(pen, view, title)
    _letters(pen, panel, view.letters)
    _scale_bar(pen, panel)
    _legend(pen, size, layers, window)
    _footer(pen, size)
    return Drawn(np.asarray(canvas), panel)


def png(pixels: Pixels) -> bytes:
    """Pixels as a PNG file, which has both statements in its text, too."""
    text = PngInfo()
    text.add_text("Description", RESEARCH_USE)
    text.add_text("Comment", GATE_USE)
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", pnginfo=text, compress_level=4)
    return stream.getvalue()


def plain(text: str) -> str:
    """A text in the letters that the font has."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def _fitting(pen: ImageDraw.ImageDraw, text: str, font: _Font, room: float) -> str:
    """A text, as much of it as there is room for."""
    shown = plain(text)
    if pen.textlength(shown, font) <= room:
        return shown
    while shown and pen.textlength(f"{shown}...", font) > room:
        shown = shown[:-1]
    return f"{shown}..."


def _layout(view: View, layers: int) -> tuple[tuple[int, int], Panel]:
    """The size of the picture, and the image in the middle of its place."""
    heights, widths = (count * mm for count, mm in zip(view.shape, view.spacing, strict=True))
    mm = max(heights, widths) / _LONGEST
    columns, rows = max(1, round(widths / mm)), max(1, round(heights / mm))
    wide = max(columns, _LONGEST // 2)
    high = max(rows, _LONGEST // 3, (layers + _MORE_ROWS) * _LEAST_ROW)
    left, top = _MARGIN + (wide - columns) // 2, _HEADER + _ROW + (high - rows) // 2
    panel = Panel(left, top, columns, rows, (heights / rows, widths / columns))
    return (wide + 2 * _MARGIN + _LEGEND, _HEADER + _ROW + high + _BELOW), panel


def _image(view: View, window: Window, layers: Sequence[Layer], panel: Panel) -> Image.Image:
    size = (panel.columns, panel.rows)
    grey = Image.fromarray(window.grey(view.values)).resize(size, Image.Resampling.BICUBIC)
    image = grey.convert("RGB")
    for layer in layers:
        if layer.surface:
            alpha = Image.fromarray(np.asarray(layer.mask, np.uint8) * round(255 * _SURFACE))
            image.paste(layer.colour, (0, 0), alpha.resize(size, Image.Resampling.BILINEAR))
    lines = Image.new("RGBA", (size[0] * _FINER, size[1] * _FINER), (0, 0, 0, 0))
    pen = ImageDraw.Draw(lines)
    scale = np.array([lines.width / view.shape[1], lines.height / view.shape[0]])
    outlines = [layer for layer in layers if not layer.surface]
    for width, opacity in ((7, 130), (4, 255)):
        for layer in outlines:
            colour = layer.colour if opacity == 255 else _DARK
            for line in layer.lines:
                _stroke(pen, line * scale, (*colour, opacity), width)
    smooth = lines.resize(size, Image.Resampling.BOX)
    image.paste(smooth.convert("RGB"), (0, 0), smooth.getchannel("A"))
    _numbers(ImageDraw.Draw(image), layers, scale / _FINER)
    return image


def _stroke(pen: ImageDraw.ImageDraw, points: Points, colour: tuple[int, int, int, int], width: int) -> None:
    pen.line([(float(x), float(y)) for x, y in points], fill=colour, width=width, joint="curve")


def _numbers(pen: ImageDraw.ImageDraw, layers: Sequence[Layer], scale: NDArray[np.float64]) -> None:
    """The number of each structure, where it is widest."""
    font = _font(20)
    for layer in layers:
        if layer.number and layer.mask.any():
            depth: Any = ndimage.distance_transform_edt(np.pad(layer.mask, 1), sampling=scale[::-1])
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            x, y = (float(column) - 0.5) * scale[0], (float(row) - 0.5) * scale[1]
            pen.text((x, y), str(layer.number), _TEXT, font, anchor="mm", stroke_width=1, stroke_fill=_DARK)


def _header(pen: ImageDraw.ImageDraw, view: View, title: str) -> None:
    pen.text((_MARGIN, 14), plain(title), _TEXT, _font(22))
    place = [view.plane, f"slice {view.index}", f"{'xyz'[view.axis]} {view.height_mm + 0.0:.1f} mm"]
    if view.degrees_off >= 1:
        place[0] += f", {view.degrees_off:.0f} degrees oblique"
    if view.source is not None:
        frame = f" frame {view.source.frame}" if view.source.frame > 1 else ""
        place.append(f"image ...{view.source.sop_instance_uid[-12:]}{frame}")
    pen.text((_MARGIN, 44), plain("   ".join(place)), _QUIET, _font(15))


def _letters(pen: ImageDraw.ImageDraw, panel: Panel, letters: Letters) -> None:
    middle_x, middle_y = panel.left + panel.columns / 2, panel.top + panel.rows / 2
    places = (
        (panel.left - _MARGIN / 2, middle_y),
        (panel.left + panel.columns + _MARGIN / 2, middle_y),
        (middle_x, panel.top - _ROW / 2),
        (middle_x, panel.top + panel.rows + _ROW / 2),
    )
    for place, letter in zip(places, letters, strict=True):
        pen.text(place, letter, _TEXT, _font(20), anchor="mm")


def _scale_bar(pen: ImageDraw.ImageDraw, panel: Panel) -> None:
    """The longest round length that takes at most a third of the image, or of the least width."""
    room = max(panel.columns, _LONGEST // 2) / 3
    length = next((mm for mm in _SCALES_MM if mm / panel.spacing[1] <= room), _SCALES_MM[-1])
    left, top = _MARGIN, panel.top + panel.rows + _ROW - 6
    right = left + round(length / panel.spacing[1])
    pen.line((left, top, right, top), _TEXT, 2)
    for end in (left, right):
        pen.line((end, top - 5, end, top + 5), _TEXT, 2)
    told = f"{length / 10:g} cm" if length >= 10 else f"{length} mm"
    pen.text((right + 10, top), told, _TEXT, _font(15), anchor="lm")


def _legend(pen: ImageDraw.ImageDraw, size: tuple[int, int], layers: Sequence[Layer], window: Window) -> None:
    """All layers, in smaller rows where there are many, and the window."""
    left, top = size[0] - _LEGEND, _HEADER + _ROW
    high = size[1] - top - _BELOW
    step = max(_LEAST_ROW, min(_ROW, high // (len(layers) + _MORE_ROWS)))
    font, half = _font(min(15, step - 3)), min(7, step // 2 - 2)
    for row, layer in enumerate(layers):
        y = top + row * step + step / 2
        box = (left, y - half, left + 2 * half, y + half)
        if layer.surface:
            pen.rectangle(box, fill=layer.colour)
        else:
            pen.rectangle(box, outline=layer.colour, width=3)
        name = layer.name if plain(layer.name) == layer.name else layer.key or layer.name
        name = f"{layer.number}  {name}" if layer.number else name
        told = plain(layer.told)
        room = _LEGEND - 24 - 16 - (pen.textlength(f"  {told}", font) if told else 0)
        pen.text((left + 24, y), _fitting(pen, name, font, room), _TEXT, font, anchor="lm")
        pen.text((size[0] - 16, y), told, _TEXT, font, anchor="rm")
    shown = f"window {window.name} {window.low:g} to {window.high:g} {window.unit}".rstrip()
    pen.text((left, top + (len(layers) + 1.5) * step), shown, _QUIET, _font(14), anchor="lm")


def _footer(pen: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
    pen.rectangle((0, size[1] - 32, size[0], size[1]), fill=(30, 34, 42))
    pen.text((size[0] / 2, size[1] - 16), FOOTER, _TEXT, _font(17), anchor="mm")


@cache
def _font(size: int) -> _Font:
    return ImageFont.load_default(size)
