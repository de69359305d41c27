"""Screens: what a raw cell looks like when no value rule on its VR can object to it.

Most values are plainly right. A screen is a regular expression over the raw cell that only such values match:
the right VR, the right number of values, every value well within its form. A cell that matches is not decoded
for the value rules that hold for a whole VR; every other cell goes the long way. A screen may be too strict,
never too
lenient: a property test holds every screen against all these rules.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache


class Screen:
    """The screen of one attribute in one syntax."""

    __slots__ = ("_pattern",)

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern

    @staticmethod
    @cache
    def of(tag: str, syntax: str) -> "Screen | None":
        """The screen for an attribute; None where every cell has to go the long way."""
        return None

    def suspects(self, cells: Sequence[bytes]) -> Iterable[int]:
        """The numbers of the cells that do not match; number 0 stands for absent."""
        match = self._pattern.fullmatch
        return [code for code in range(1, len(cells)) if match(cells[code]) is None]
