"""Numbers written as text: Integer String (IS) and Decimal String (DS), PS3.5 6.2.

Python's own `int` and `float` take more than DICOM does: `1_000`, `nan`, digits of other scripts, tabs.
"""

import re
from collections.abc import Sequence

IS_LENGTH = 12
DS_LENGTH = 16
IS_LOWEST, IS_HIGHEST = -(2**31), 2**31 - 1

_IS = re.compile(r" *[+-]?[0-9]+ *")
_DS = re.compile(r" *[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *")
_READABLE_DIGITS = 400  # more than any number has; Python refuses to convert some thousands of digits


def parse_is(text: str) -> int | None:
    """Return the number of an IS value, or `None` where it is not written as one.

    A number too long or too large for IS is still a number: `is_fault` names what is wrong with it.
    """
    return int(text) if len(text) <= _READABLE_DIGITS and _IS.fullmatch(text) else None


def whole_numbers(texts: Sequence[str], digits: int) -> list[int] | None:
    """The numbers of texts that are all digits, and not too many; `None` where one is not."""
    if not "".join(texts).isdecimal() or not all(texts) or max(map(len, texts)) > digits:
        return None
    return list(map(int, texts))


def is_fault(text: str) -> str | None:
    """Say what is wrong with an IS value; `None` where nothing is (PS3.5 6.2)."""
    number = parse_is(text)
    if number is None:
        return "not an integer string"
    if not IS_LOWEST <= number <= IS_HIGHEST:
        return f"outside {IS_LOWEST} to {IS_HIGHEST}"
    if len(text) > IS_LENGTH:
        return f"longer than {IS_LENGTH} characters"
    return None


def parse_ds(text: str) -> float | None:
    """Return the number of a DS value, or `None` where it is not written as one or is too large for a double.

    A number of more characters than DS may have is still a number: `ds_fault` names it.
    """
    # In printable ASCII without underscores Python's finite floats are the grammar of DS, and faster read.
    if not text.isascii() or not text.isprintable() or "_" in text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None  # neither NaN nor infinite


def ds_fault(text: str) -> str | None:
    """Say what is wrong with a DS value; `None` where nothing is (PS3.5 6.2)."""
    if parse_ds(text) is None:
        return "too large for a double" if _DS.fullmatch(text) else "not a decimal string"
    if len(text) > DS_LENGTH:
        return f"longer than {DS_LENGTH} characters"
    return None
