"""Plainly written cells: their text without decoding.

Of some attributes every instance has a value of its own (SOPInstanceUID, InstanceNumber). Nearly all of these
are one short ASCII value, as plainly written as can be; cutting it out of the raw cell costs a tenth of
decoding it.
"""

import re
from collections.abc import Iterable, Sequence

_VRS = rb"(?:AE|AS|CS|DA|DS|DT|IS|LO|SH|TM|UI)"
_IN_JSON = rb'\{"vr": ?"' + _VRS + rb'", ?"Value": ?\[(?:"([ !#-\[\]-~]*)"|(0|-?[1-9][0-9]{0,14}))\]\}'
_IN_PART10 = rb"(?:" + _VRS + rb"[\x00-\xff]{2}|[\x00-\xff]\x00{3})([ -\[\]-~]*)\x00?"
_PLAIN = re.compile(_IN_JSON + rb"|" + _IN_PART10)
"""JSON: one string without escapes, or one integer. Part 10: VR and length, or the length in four bytes."""

_STRINGS = re.compile(rb'(?:\{"vr": ?"' + _VRS + rb'", ?"Value": ?\["[ !#-\[\]-~]*"\]\}\n)*+')
_QUOTES = 8
"""In each cell that is one string: the string stands before the last of them."""
_INTEGERS = re.compile(rb'(?:\{"vr": ?"' + _VRS + rb'", ?"Value": ?\[(?:0|-?[1-9][0-9]{0,14})\]\}\n)*+')
_INTEGER = re.compile(r"\[([-0-9]+)\]")


def plain_texts(cells: Iterable[bytes]) -> Sequence[str | None]:
    """The text of raw cells of one attribute of a text VR: of its one value, without surrounding spaces.

    Args:
        cells: Raw cells as a table has them.

    Returns:
        For each cell its text, as `Cell.text` of the decoded cell has it, or `None` where the cell is not
        plainly written: that one has to be decoded. A cell that is absent (no bytes) is `None`, too.
    """
    cells = list(cells)
    if cells and cells[0].startswith(b"{"):
        together = _together(cells)
        if len(together) == len(cells):
            return together
    match = _PLAIN.fullmatch
    return [
        None if found is None else (found[found.lastindex or 0]).decode("ascii").strip()
        for found in map(match, cells)
    ]


def _together(cells: Sequence[bytes]) -> list[str]:
    """The same for cells in JSON that are all strings, or all integers; fewer texts where they are not."""
    lines = b"\n".join((*cells, b""))
    if _STRINGS.fullmatch(lines):
        return list(map(str.strip, lines.decode("ascii").split('"')[_QUOTES - 1 :: _QUOTES]))
    return _INTEGER.findall(lines.decode("ascii")) if _INTEGERS.fullmatch(lines) else []
