"""Words of descriptions and kernels, whatever language, accents and separators they are written with.

    tokens("TÓRAX Partes_Moles 1.5mm")   ("torax", "partes", "moles", "1", "5mm")

Hints are matched with whole words, never with parts of them: "os" is no hint in "abdomen postop". They are
patterns, in which `*` stands for any letters, `?` for one and `[a-c]` for one of some. A hint of several
words asks for them side by side.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_WILD: Final = re.compile(r"(\[[^\]]+\]|[*?])")
_LETTERS: Final = {"*": r"[^ ]*", "?": r"[^ ]"}


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Text in small letters and without accents: compatibility decomposition (NFKD), marks taken out."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


@lru_cache(maxsize=1024)
def tokens(text: str) -> tuple[str, ...]:
    """The words of a text, folded. Underscores part words; a digit beside a letter does not."""
    return tuple(_WORD.findall(folded(text)))


def matching(hints: Iterable[str], words: Sequence[str]) -> str | None:
    """The first hint that is among some words."""
    text = " ".join(words)
    return next((hint for hint in hints if _pattern(hint).search(text)), None) if text else None


def without(phrases: Iterable[str], words: Sequence[str]) -> tuple[str, ...]:
    """Words, but for the phrases in them."""
    text = " ".join(words)
    for phrase in phrases:
        text = _pattern(phrase).sub(" ", text)
    return tuple(text.split())


def is_like(hints: Iterable[str], value: str) -> str | None:
    """The first hint that is all of a value, separators and all."""
    whole = folded(value).strip()
    return next((hint for hint in hints if _pattern(hint).fullmatch(whole)), None)


def check(hint: str) -> None:
    """See that a hint can be matched.

    Raises:
        ValueError: It is no pattern.
    """
    try:
        _pattern(hint)
    except re.error as error:
        raise ValueError(f"{hint!r} is no pattern: {error}") from error


@lru_cache(maxsize=4096)
def _pattern(hint: str) -> re.Pattern[str]:
    parts = _WILD.split(folded(hint))
    letters = (part if part[:1] == "[" else _LETTERS.get(part) or re.escape(part) for part in parts)
    return re.compile(r"(?<![^ ])" + "".join(letters) + r"(?![^ ])")
