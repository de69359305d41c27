"""Reads the tables of a profile's file by type; collects what is wrong with line, column and nearest name."""

import difflib
import math
import re
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec

from heltig.rules.profile_positions import Path, positions, too_deep

T = TypeVar("T")

_AT_LINE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_PLACE: Final = re.compile(r" - at `\$([^`]*)`$")
_STEP: Final = re.compile(r"\[(\d+)\]")
_DEEPEST_KEY: Final = 20
"""Parts of a key that are joined by dots; profiles have use for three."""

LONGEST: Final = 256 * 1024
"""Characters of a profile's text."""

MOST_PROBLEMS: Final = 50
"""Problems that are told of one file: who has as many mends them before they look for more."""


class EnoughError(Exception):
    """A file has more problems than anybody reads; its reading ends."""


class FileTables:
    """The tables of one file.

    Attributes:
        name: What error texts call the file.
        root: The file's content; empty where it is not TOML.
        problems: What is wrong, each beginning with file, line and column; `MOST_PROBLEMS` at most.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.root: dict[str, Any] = {}
        self._found: list[tuple[int, int, str]] = []
        self._text = text = text.removeprefix("\ufeff")
        self._positions: dict[Path, tuple[int, int]] | None = None
        try:
            if len(text) > LONGEST:
                raise ValueError(f"longer than {LONGEST:,} characters")
            deep = too_deep(text, _DEEPEST_KEY)
            if deep is not None:
                line, column = text.count("\n", 0, deep) + 1, deep - text.rfind("\n", 0, deep)
                at_key = f"(at line {line}, column {column})"
                raise ValueError(f"a key has more than {_DEEPEST_KEY} parts joined by dots {at_key}")
            self.root = tomllib.loads(text)
        except RecursionError:
            self._found.append((1, 1, "not TOML: arrays or tables are nested too deep"))
        except ValueError as error:  # tomllib's own error is one; a number too long for Python raises another
            at = _AT_LINE.search(str(error))
            end = text.count("\n") + 1, len(text) - text.rfind("\n")
            line, column = (int(at[1]), int(at[2])) if at and at[1] else end if at else (1, 1)
            self._found.append((line, column, f"not TOML: {_AT_LINE.sub('', str(error))}"))

    @property
    def problems(self) -> list[str]:
        """What is wrong, in the order of the lines."""
        return [f"{self.name}:{line}:{column}: {text}" for line, column, text in sorted(set(self._found))]

    def problem(self, path: Path, text: str) -> None:
        """Take note of something wrong.

        Args:
            path: Where: keys and indices from the document down. What has no place of its own has that of
                what it stands in.
            text: What is wrong.

        Raises:
            EnoughError: There are enough now.
        """
        if self._positions is None:
            try:
                self._positions = positions(self._text)
            except RecursionError:
                self._positions = {}
        while path and path not in self._positions:
            path = path[:-1]
        self._found.append((*self._positions.get(path, (1, 1)), text))
        if len(set(self._found)) >= MOST_PROBLEMS:
            raise EnoughError

    def keys(self, table: Mapping[str, Any], path: Path, known: Iterable[str], *, what: str) -> None:
        """Take note of keys that mean nothing.

        Args:
            table: The table.
            path: Where it stands.
            known: The keys that it can have.
            what: What such a key would be, as a noun.
        """
        for key in table:
            if key not in known:
                self.problem((*path, key), f"{key} is no {what}{nearest(key, known)}")

    def take(self, table: Mapping[str, Any], path: Path, key: str, kind: Any, default: T) -> T:
        """The value of a key as a type, or its default where it is not there or wrong."""
        if key not in table:
            return default
        return self.convert(table[key], (*path, key), kind, default)

    def convert(self, value: object, path: Path, kind: Any, default: T) -> T:
        """A value as a type; the default where it cannot be."""
        try:
            _refuse_infinite(value)
            converted: T = msgspec.convert(value, kind)
            return converted
        except (msgspec.ValidationError, OverflowError) as error:
            inner = _PLACE.search(str(error))
            steps = [int(step) for step in _STEP.findall(inner[1])] if inner else []
            self.problem((*path, *steps), f"{path[-1]}: {_said(error, value, steps, kind)}")
            return default

    def tables(self, path: Path, key: str, table: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The tables of an array of tables, each with where it stands; one table alone is taken for it."""
        found = table.get(key, [])
        if isinstance(found, dict):
            yield (*path, key), found
        elif not isinstance(found, list):
            self.problem((*path, key), f"{key} is no table")
        else:
            for number, inner in enumerate(found):
                if isinstance(inner, dict):
                    yield (*path, key, number), inner
                else:
                    self.problem((*path, key, number), f"{key} is no table")


def nearest(name: str, known: Iterable[str]) -> str:
    """What to add to a complaint about a name: the nearest one that there is, if any is near."""
    by_key = {other.upper(): other for other in known}
    near = difflib.get_close_matches(name.upper(), by_key, n=1, cutoff=0.5)
    return f"; the nearest one is {by_key[near[0]]}" if near else ""


def _refuse_infinite(value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise msgspec.ValidationError("Expected a finite number")
    if isinstance(value, list | tuple):
        for inner in value:
            _refuse_infinite(inner)


def _said(error: Exception, value: Any, steps: list[int], kind: Any) -> str:
    text = _PLACE.sub("", str(error))
    allowed = sorted(_literals(kind))
    if not text.startswith("Invalid enum value") or not allowed:
        return text[:1].lower() + text[1:]
    for step in steps:
        value = value[step]
    return f"{value} is none of {', '.join(allowed)}{nearest(str(value), allowed)}"


def _literals(kind: Any) -> set[str]:
    """The texts that a type allows, where it allows some alone."""
    if typing.get_origin(kind) is typing.Literal:
        return set(typing.get_args(kind))
    return {text for inner in typing.get_args(kind) for text in _literals(inner)}
