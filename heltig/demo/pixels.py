"""Pixel Data for the files: an ellipse that breathes from slice to slice."""

from collections.abc import Mapping
from functools import cache
from typing import Any

_SHAPES = 8
"""So many different pictures of one size, taken in turn."""


def pixel_data(dataset: Mapping[str, Any]) -> bytes:
    """Native Pixel Data of the size that the Image Pixel module of a data set in DICOM JSON says.

    Attributes that are missing count as their commonest value, so that broken data sets have pixels too.
    """

    def number(tag: str, usual: int) -> int:
        return int((dataset.get(tag, {}).get("Value") or [usual])[0])

    rows, columns = number("00280010", 32), number("00280011", 32)
    allocated, stored = number("00280100", 16), number("00280101", 12)
    samples, frames, first = number("00280002", 1), number("00280008", 1), number("00200013", 0)
    shapes = [(first + frame) % _SHAPES for frame in range(frames)]
    pictures = b"".join(_picture(rows, columns, allocated, stored, samples, shape) for shape in shapes)
    return _packed(pictures) if allocated == 1 else pictures


def _packed(pixels: bytes) -> bytes:
    """Eight binary pixels to the byte, the first one in the lowest bit (PS3.5 8.1.1)."""
    return bytes(
        sum(pixel << place for place, pixel in enumerate(pixels[at : at + 8]))
        for at in range(0, len(pixels), 8)
    )


@cache
def _picture(rows: int, columns: int, allocated: int, stored: int, samples: int, shape: int) -> bytes:
    """One frame; for binary frames one byte a pixel, 0 or 1."""
    size = max(1, allocated // 8)
    radius = 0.7 + 0.03 * shape
    top = (1 << stored) - 1
    picture = bytearray()
    for row in range(rows):
        for column in range(columns):
            y, x = 2 * (row + 0.5) / rows - 1, 2 * (column + 0.5) / columns - 1
            inside = x * x + (1.4 * y) ** 2 < radius
            level = top // 2 + (top // 8 if x * y > 0 else 0) if inside and stored > 1 else top * inside
            picture += level.to_bytes(size, "little") * samples
    return bytes(picture)
