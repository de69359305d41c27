r"""Regular expressions of site rules: whole values, in time that grows with the length of the value alone.

The `re` module can take years over a short value for an expression such as `(a+)+b`. A profile is written by
people, and its expressions run over whatever a sender wrote. So they are matched by an automaton that reads
each character once: an expression that is accepted can never be slow. What needs going back in the value
(references to groups, looking ahead or behind) is refused.

Known are characters, `.`, classes (`[A-Z0-9]`, `\d`, `\w`, `\s` and their opposites), groups, `|`, `?`,
`*`, `+` and `{m,n}`, each as in `re`. A value matches as a whole: `^` and `$` are not needed, and refused.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, NamedTuple

_LONGEST: Final = 500
"""Characters of an expression."""

_DEEPEST: Final = 20
"""Groups in groups."""

_MOST_POSITIONS: Final = 256
"""Characters and classes, those that are repeated counted as often: `[0-9]{8}` has eight."""

_MOST_REMEMBERED: Final = 4_096
"""Steps of the automaton that are remembered."""

_CLASS_ESCAPES: Final = frozenset("dDsSwW")
_CONTROL_ESCAPES: Final = frozenset("tnrfv")


class PatternError(ValueError):
    """An expression that is not understood or not accepted; the text says why and where."""


class Pattern:
    """A compiled expression.

    >>> Pattern("[A-Z]{2}(-[0-9]+)?").matches("AB-12")
    True

    Raises:
        PatternError: It is not understood, needs going back in the value, or is too large.
    """

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise PatternError(f"longer than {_LONGEST} characters")
        reader = _Reader(text)
        whole = reader.read()
        self._accepts: list[Callable[[str], object]] = [re.compile(atom).fullmatch for atom in reader.atoms]
        self._follow = reader.follow
        self._start = frozenset({-1})
        self._first = whole.first
        self._last = whole.last | ({-1} if whole.empty else set())
        self._known: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(self, text: str) -> bool:
        """The text as a whole is one that the expression describes."""
        state = self._start
        known = self._known
        for character in text:
            following = known.get((state, character))
            if following is None:
                following = self._step(state, character)
            if not following:
                return False
            state = following
        return not state.isdisjoint(self._last)

    def _step(self, state: frozenset[int], character: str) -> frozenset[int]:
        if len(self._known) == _MOST_REMEMBERED:
            self._known.clear()
        possible = {n for place in state for n in (self._first if place < 0 else self._follow[place])}
        following = frozenset(place for place in possible if self._accepts[place](character))
        self._known[state, character] = following
        return following


@cache
def pattern_of(text: str) -> Pattern:
    """The expression of a text, compiled once.

    Raises:
        PatternError: As `Pattern` does.
    """
    return Pattern(text)


class _Part(NamedTuple):
    """A part of an expression: where it can begin and end (numbers of atoms), and whether it can be empty."""

    empty: bool
    first: frozenset[int]
    last: frozenset[int]


_NOTHING: Final = _Part(True, frozenset(), frozenset())


class _Reader:
    """Reads an expression into atoms, and which atom can follow which (Glushkov's construction).

    Attributes:
        atoms: Each place in a matching value: an expression for one character.
        follow: The atoms that can come after each.
    """

    def __init__(self, text: str) -> None:
        self.atoms: list[str] = []
        self.follow: list[set[int]] = []
        self._text = text
        self._at = 0
        self._depth = 0
        self._groups = 0

    def read(self) -> _Part:
        whole = self._alternatives()
        if self._at < len(self._text):
            raise self._refusal("a ) without its (")
        return whole

    def _refusal(self, why: str) -> PatternError:
        return PatternError(f"{why}, at character {self._at + 1}")

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _alternatives(self) -> _Part:
        parts = [self._sequence()]
        while self._next() == "|":
            self._at += 1
            parts.append(self._sequence())
        return _Part(
            any(part.empty for part in parts),
            frozenset[int]().union(*(part.first for part in parts)),
            frozenset[int]().union(*(part.last for part in parts)),
        )

    def _sequence(self) -> _Part:
        whole = _NOTHING
        while self._next() not in ("", "|", ")"):
            whole = self._joined(whole, self._repeated())
        return whole

    def _joined(self, one: _Part, other: _Part) -> _Part:
        for place in one.last:
            self.follow[place] |= other.first
        return _Part(
            one.empty and other.empty,
            one.first | other.first if one.empty else one.first,
            one.last | other.last if other.empty else other.last,
        )

    def _repeated(self) -> _Part:
        begin = self._at
        part = self._one()
        least, most = self._quantifier()
        if (least, most) == (1, 1):
            return part
        copies = [part]
        wanted = max(least, 1) if most is None else most
        if wanted == 0:
            return _NOTHING
        after = self._at
        while len(copies) < wanted:
            self._at = begin
            copies.append(self._one())
        self._at = after
        if most is None:
            self._joined(copies[-1], copies[-1])  # its end is followed by its beginning
        optional = [copy._replace(empty=True) if n >= least else copy for n, copy in enumerate(copies)]
        whole = _NOTHING
        for copy in optional:
            whole = self._joined(whole, copy)
        return whole

    def _quantifier(self) -> tuple[int, int | None]:
        """How often what stands before is repeated, at least and at most."""
        found = re.compile(r"[?*+]|\{(\d{1,4})(,?)(\d{0,4})\}").match(self._text, self._at)
        if found is None:
            if self._next() == "{":
                raise self._refusal("a { that is no {m}, {m,} or {m,n}; write \\{ for the character")
            return 1, 1
        self._at = found.end()
        if self._next() and self._next() in "?*+{":
            raise self._refusal("a repetition of a repetition")
        simple: dict[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}
        if found[0] in simple:
            return simple[found[0]]
        least = int(found[1])
        most = int(found[3]) if found[3] else None if found[2] else least
        if most is not None and most < least:
            raise self._refusal(f"{found[0]}: the second number is smaller")
        return least, most

    def _one(self) -> _Part:
        """One group or atom."""
        character = self._next()
        if character == "(":
            return self._group()
        if character in "^$":
            raise self._refusal(
                f"{character} is not needed: the value is matched as a whole; write \\{character}"
            )
        if character in "?*+{":
            raise self._refusal("nothing to repeat")
        if character == "\\":
            atom = self._escape()
        elif character == "[":
            atom = self._class()
        else:
            atom = character if character == "." else re.escape(character)
            self._at += 1
        if len(self.atoms) == _MOST_POSITIONS:
            raise self._refusal(f"more than {_MOST_POSITIONS} characters to be matched; use max_length")
        self.atoms.append(atom)
        self.follow.append(set())
        place = frozenset({len(self.atoms) - 1})
        return _Part(False, place, place)

    def _group(self) -> _Part:
        self._at += 1
        if self._next() == "?":
            if not self._text.startswith("?:", self._at):
                raise self._refusal("of groups with (? only (?: is accepted")
            self._at += 2
        self._depth += 1
        self._groups += 1
        if self._depth > _DEEPEST or self._groups > _MOST_POSITIONS:
            raise self._refusal("too many groups, in one another or repeated")
        part = self._alternatives()
        if self._next() != ")":
            raise self._refusal("a ( without its )")
        self._at += 1
        self._depth -= 1
        return part

    def _escape(self) -> str:
        escaped = self._text[self._at + 1 : self._at + 2]
        if not escaped:
            raise self._refusal("a \\ at the end")
        if escaped.isalnum() and escaped not in _CLASS_ESCAPES | _CONTROL_ESCAPES:
            raise self._refusal(f"\\{escaped} is not accepted")
        self._at += 2
        return f"\\{escaped}" if escaped.isalnum() else re.escape(escaped)

    def _class(self) -> str:
        begin = self._at
        self._at += 1 + self._text.startswith("[^", begin)
        parts: list[str] = []
        while self._next() != "]" or not parts:
            character = self._next()
            if not character:
                raise self._refusal("a [ without its ]")
            if character == "\\":
                parts.append(self._escape())
                continue
            # Other languages read these as named classes and sets of sets: nobody is to get another meaning.
            if character == "[":
                raise self._refusal(
                    "a [ in a class: write A-Z, a-z, 0-9 for classes with names such as [:alnum:], "
                    "and \\[ for the character"
                )
            for doubled in ("&&", "||", "~~", "--"):
                if self._text.startswith(doubled, self._at):
                    raise self._refusal(f"{doubled} in a class: write \\{doubled[0]} for the character")
            parts.append(character if character == "-" else re.escape(character))
            self._at += 1
        self._at += 1
        written = ("[^" if self._text.startswith("[^", begin) else "[") + "".join(_hyphens(parts)) + "]"
        try:
            re.compile(written)
        except re.error as error:
            raise PatternError(f"{error.msg}, at character {begin + 1}") from None
        return written


def _hyphens(parts: Sequence[str]) -> list[str]:
    """The parts of a class with hyphens that stand for themselves, at either end, written so."""
    ends = (0, len(parts) - 1)
    return ["\\-" if part == "-" and n in ends else part for n, part in enumerate(parts)]
