"""Numbers of plainly written cells, read without decoding: positions, distances, places.

Of Image Position (Patient) and Slice Location nearly every instance has a value of its own, as plainly
written as can be. Cutting the numbers out of the raw cell costs a fifth of decoding it.
"""

import re
from collections.abc import Iterable
from functools import cache
from math import isfinite

_NUMBER = rb"([-+0-9.eE]+)"
_JSON = rb'\{"vr": ?"(?:DS|FD|FL)", ?"Value": ?\[%b\]\}'
_PART10 = rb"(?:DS[\x00-\xff]{2}|[\x00-\xff]\x00{3})%b"


@cache
def _pattern(count: int) -> re.Pattern[bytes]:
    """JSON: numbers, or numbers as text. Part 10: VR and length, or the length in four bytes."""
    token = b'"?' + _NUMBER + b'"?'
    in_json = _JSON % b", ?".join([token] * count)
    in_part10 = _PART10 % rb"\\".join([b" *" + _NUMBER + b" *"] * count)
    return re.compile(in_json + b"|" + in_part10)


def plain_numbers(cells: Iterable[bytes], count: int) -> list[tuple[float, ...] | None]:
    """The numbers of raw cells of one attribute of VR DS (in JSON also FD and FL).

    Args:
        cells: Raw cells as a table has them.
        count: How many numbers a cell should have.

    Returns:
        For each cell its numbers, as `Cell.numbers` of the decoded cell has them, or `None` where the cell is
        not plainly written or has another number of values: that one has to be decoded.
    """
    match = _pattern(count).fullmatch
    found: list[tuple[float, ...] | None] = []
    for cell in cells:
        matched = match(cell)
        if matched is None:
            found.append(None)
            continue
        groups = matched.groups()
        try:
            numbers = tuple(map(float, groups[:count] if groups[0] is not None else groups[count:]))
        except ValueError:
            found.append(None)
            continue
        found.append(numbers if isfinite(sum(numbers)) else None)
    return found
