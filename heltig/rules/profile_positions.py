"""Where the keys and values of a TOML text stand, so that what is wrong with one can be pointed at.

The standard library reads TOML and tells no positions. This reader goes over a text that it accepted, and
takes note of where each key and each element of an array begins.
"""

import re
import tomllib
from typing import Final, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the document down: `("for", 0, "off", 1)`."""

_SPACE: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS: Final = (
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)


_OPEN_ENDED: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*(?:"{3,5})?'
    "|'''(?:[^']|'(?!''))*(?:'{3,5})?"
    r'|"(?:[^"\\\n]|\\.)*"?'
    r"|'[^'\n]*'?"
    r"|#[^\n]*|[A-Za-z0-9_-]+|[ \t]+|\.|[^.]",
    re.DOTALL,
)
"""One piece of any text, TOML or not: a string or comment as a whole, with or without its end."""


def too_deep(text: str, most: int) -> int | None:
    """Where the first key of more than `most` parts joined by dots begins; None where there is none.

    What reads keys takes time and memory that grow with the square of their depth, so this is asked before,
    of a text that need not be TOML. It reads each character once.

    Args:
        text: Any.
        most: The parts that are accepted.
    """
    begin: int | None = None
    dots = 0
    for piece in _OPEN_ENDED.finditer(text):
        first = text[piece.start()]
        if first == ".":
            dots += 1
            if dots >= most:
                return piece.start() if begin is None else begin
        elif first in " \t":
            continue
        elif first in "\"'_-" or (first.isascii() and first.isalnum()):
            begin = piece.start() if begin is None else begin
        else:
            begin, dots = None, 0
    return None


def positions(text: str) -> dict[Path, tuple[int, int]]:
    """Line and column, from 1, of each key and each element of an array in a TOML text.

    A table that several headers lead through stands at the first of them.

    Args:
        text: TOML that `tomllib` reads.
    """
    reader = _Reader(text)
    reader.document()
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    found = {}
    line = 0
    for path, offset in sorted(reader.found.items(), key=lambda pair: pair[1]):
        while line + 1 < len(starts) and starts[line + 1] <= offset:
            line += 1
        found[path] = (line + 1, offset - starts[line] + 1)
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.found: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._tables: dict[Path, int] = {}  # the number of the last table of each array of tables

    def document(self) -> None:
        table: Path = ()
        while self._skip():
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _skip(self) -> bool:
        """Go past space, line ends and comments; False at the end of the text."""
        self._at = self._end_of(_SPACE)
        return self._at < len(self._text)

    def _end_of(self, form: re.Pattern[str]) -> int:
        found = form.match(self._text, self._at)
        return found.end() if found else self._at

    def _header(self) -> Path:
        begin = self._at
        of_array = self._text.startswith("[[", begin)
        self._at += 2 if of_array else 1
        keys = self._keys()
        self._skip()
        self._at += 2 if of_array else 1
        path: Path = ()
        for n, (key, _) in enumerate(keys):
            path = (*path, key)
            self.found.setdefault(path, begin)
            if of_array and n == len(keys) - 1:
                self._tables[path] = self._tables.get(path, -1) + 1
            if path in self._tables:
                path = (*path, self._tables[path])
                self.found.setdefault(path, begin)
        return path

    def _keys(self) -> list[tuple[str, int]]:
        """A key, or several joined by dots, each with where it stands."""
        keys = []
        while True:
            self._skip()
            begin = self._at
            if self._text[begin : begin + 1] in ('"', "'"):
                written = self._string()
                keys.append((str(tomllib.loads(f"key = {written}")["key"]), begin))
            else:
                self._at = max(self._end_of(_BARE), begin + 1)
                keys.append((self._text[begin : self._at], begin))
            self._skip()
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _string(self) -> str:
        begin = self._at
        for form in _STRINGS:
            if form.match(self._text, begin):
                self._at = self._end_of(form)
                break
        return self._text[begin : self._at]

    def _pair(self, table: Path) -> None:
        path = table
        for key, begin in self._keys():
            path = (*path, key)
            self.found.setdefault(path, begin)
        self._at += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        begin = self._text[self._at : self._at + 1]
        if begin in ('"', "'"):
            self._string()
        elif begin == "[":
            self._array(path)
        elif begin == "{":
            self._inline_table(path)
        else:
            self._at = max(self._end_of(_SCALAR), self._at + 1)

    def _array(self, path: Path) -> None:
        self._at += 1
        number = 0
        while self._skip() and not self._text.startswith("]", self._at):
            self.found[*path, number] = self._at
            self._value((*path, number))
            number += 1
            if self._skip() and self._text.startswith(",", self._at):
                self._at += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._skip() and not self._text.startswith("}", self._at):
            self._pair(path)
            if self._skip() and self._text.startswith(",", self._at):
                self._at += 1
        self._at += 1
