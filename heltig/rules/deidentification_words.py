"""Words of de-identification: whether a value looks like a replacement, or like the name of a person."""

import re
from collections.abc import Sequence
from typing import Final

_REPLACEMENT: Final = re.compile(
    r"ANON\w*|DE|DE-?IDENT\w*|IDENT\w*|REMOVE\w*|REDACT\w*|DUMMY|UNKNOWN|NONE|NOBODY|PATIENT\w*|SUBJECT\w*|CASES?"
    r"|TEST\w*|\w*PHANTOM|X+|HIDDEN|MASKED|PSEUDO\w*|RESEARCH|NULL|VOLUNTEER|DOE|WITHHELD|CLEANED|EMPTY|BLANK"
    r"|(?:LAST|FIRST|FAMILY|GIVEN)?NAME|LAST|FIRST|SAMPLE|EXAMPLE|DEFAULT|DEMO|HEALTHY|CONTROL"
)
"""A word of a replacement."""

_BESIDE: Final = frozenset(
    (
        "AND", "APPLICABLE", "AVAILABLE", "BY", "CENTER", "CENTRE", "CLINIC", "CTP", "DATA", "DEPARTMENT",
        "DEVICE", "DOCTOR", "FIELD", "FOR", "FROM", "HAS", "BEEN", "HOSPITAL", "INFORMATION", "INSTITUTE",
        "INSTITUTION", "JANE", "JOHN", "NOT", "OPERATOR", "PHYSICIAN", "PROVIDED", "RSNA", "SCANNER", "SITE",
        "SPECIFIED", "STATION", "STUDY", "TAG", "TCIA", "THE", "UNIVERSITY", "VALUE", "WAS",
    )
)  # fmt: skip
"""Words that may stand beside one and tell nothing themselves."""

_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_WORD_OF_NAME: Final = re.compile(r"[^\W\d_]{2,}|[\u3040-\u9fff\uac00-\ud7af]")


def is_dummy(text: str) -> bool:
    """A text is a replacement: it has no words, or one that says so and none that says anything else."""
    words = _WORD.findall(text.upper())
    said = [word for word in words if _REPLACEMENT.fullmatch(word)]
    return not words or (bool(said) and all(word in said or word in _BESIDE for word in words))


def is_person(text: str) -> bool:
    """A person name looks like a person's: words in two components, no digits, and not a replacement."""
    group = text.partition("=")[0] or text.strip("=").partition("=")[0]
    words = _WORD_OF_NAME.findall(group)
    if any(character.isdigit() for character in group) or not words or _says_dummy(words):
        return False
    components = [part for part in group.split("^") if part.strip()]
    return len(components) > 1 or len(words) > 1


def may_be_person(text: str) -> bool:
    """A person name may be a person's, though it is one word: it has no digits and is no replacement."""
    words = _WORD_OF_NAME.findall(text)
    return bool(words) and not _says_dummy(words) and not any(character.isdigit() for character in text)


def _says_dummy(words: Sequence[str]) -> bool:
    return any(_REPLACEMENT.fullmatch(word.upper()) for word in words if len(word) > 2)
