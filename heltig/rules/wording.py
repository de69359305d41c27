"""Observed values as findings show them: short, on one line, every invisible character written out."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from heltig.rules.views import Group

LONGEST = 80
"""Characters of an observed value."""

MOST_VALUES = 4
"""Values named one by one where several stand side by side."""


def printable(text: str) -> str:
    r"""Write control characters and invisible ones as escapes.

    >>> printable("A1\t")
    'A1\\t'
    """
    return "".join(map(_printable, text)) if not text.isprintable() else text


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def plain(text: str) -> str:
    r"""Write half surrogate pairs, which no text of Unicode can hold, as escapes.

    >>> plain("A\ud800")
    'A\\ud800'
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def cut(text: str, longest: int = LONGEST) -> str:
    """Shorten a text in its middle: the ends of values tell them apart.

    >>> cut("1.2.840.10008.5.1.4.1.1.2", 12)
    '1.2.84…1.1.2'
    """
    text = printable(text)
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 2
    return f"{text[: longest - 1 - tail]}…{text[-tail:]}"


def counted(values: Iterable[tuple[str, int]]) -> str:
    """Values side by side, each with how often it stands there.

    >>> counted([("A1", 3), ("B2", 1)])
    'A1 (3), B2 (1)'
    """
    pairs = list(values)
    named, more = pairs[:MOST_VALUES], len(pairs) - MOST_VALUES
    rest = [f"{more} more"] if more > 0 else []
    whole = ", ".join([*(f"{printable(value)} ({count})" for value, count in named), *rest])
    if len(whole) <= LONGEST:
        return whole
    room = max(12, LONGEST // max(len(named), 1) - 8)
    return ", ".join([*(f"{cut(value, room)} ({count})" for value, count in named), *rest])


def listed(names: Sequence[str], longest: int = LONGEST) -> str:
    """Names side by side, as many as have room; the rest are counted.

    >>> listed(["Rows", "Columns", "BitsStored"], 24)
    'Rows, Columns, 1 more'
    """
    for shown in range(len(names), 0, -1):
        rest = [f"{len(names) - shown} more"] if shown < len(names) else []
        text = printable(", ".join([*names[:shown], *rest]))
        if len(text) <= longest:
            return text
    return f"{len(names)} other values"


def counted_groups(groups: Sequence[Group], named: Callable[[str], str] = str) -> str:
    """The values of groups side by side, each with its number of instances.

    Args:
        groups: The groups.
        named: How a value is written.
    """
    return counted((named(group.cell.shown.strip()), group.count) for group in groups)


def visible_spaces(text: str) -> str:
    """Write leading, trailing and unusual spaces so that they can be seen.

    >>> visible_spaces(" A1")
    '␣A1'
    """
    core = text.strip(" ")
    start = len(text) - len(text.lstrip(" "))
    end = len(text) - len(text.rstrip(" ")) if core else 0
    return "␣" * start + printable(core) + "␣" * end


def is_invisible(character: str) -> bool:
    """A character that nobody sees, or sees as a space, though it is none."""
    return character != " " and (character.isspace() or unicodedata.category(character) in ("Cc", "Cf"))
