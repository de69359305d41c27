"""Words of de-identification: whether a value looks like a replacement, or like the name of a person."""

import re
from collections.abc import Sequence
from typing import Final

_REPLACEMENT: Final = re.compile(
    r"ANON(?:YM\w*)?|DE|DE-?IDENT\w*|IDENT\w*|REMOVED?|REDACT\w*|DUMMY|UNKNOWN|NONE|NOBODY|PATIENTS?(?:NAME|ID)?"
    r"|SUBJECTS?|CASES?|TESTS?|TESTING|TESTPATIENT|\w*PHANTOM|(\w)\1+|HIDDEN|MASKED|PSEUDO(?:NYM\w*)?|RESEARCH|NULL"
    r"|VOLUNTEERS?|DOE|WITHHELD|CLEANED|EMPTY|BLANK|(?:LAST|FIRST|FAMILY|GIVEN)?NAME|LAST|FIRST|SAMPLES?|EXAMPLES?"
    r"|DEFAULT|DEMO|HEALTHY|CONTROLS?|\w+SAMPLES"
)
"""A word of a replacement."""

_BESIDE: Final = frozenset(
    (
        "AND", "APPLICABLE", "AVAILABLE", "BEEN", "BY", "CENTER", "CENTRE", "CLINIC", "CTP", "DATA",
        "DEPARTMENT", "DEVICE", "DOCTOR", "FIELD", "FIVE", "FOR", "FOUR", "FROM", "HAS", "HOSPITAL",
        "INFORMATION", "INSTITUTE", "INSTITUTION", "JANE", "JOHN", "NOT", "ONE", "OPERATOR", "PHYSICIAN",
        "PROVIDED", "PT", "RSNA", "SCANNER", "SITE", "SPECIFIED", "STATION", "STUDY", "TAG", "TCIA", "THE",
        "THREE", "TWO", "UNIVERSITY", "VALUE", "WAS",
    )
)  # fmt: skip
"""Words that may stand beside one and tell nothing themselves."""

_MAY_BE_NAMES: Final = frozenset(("BLANK", "CASE", "CASES", "FIRST", "LAST"))
"""Words of replacements that are family names, too: beside another word they say nothing."""

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
    """One word says that it is none of a name, or none of them says anything else."""
    said = [word.upper() for word in words if _REPLACEMENT.fullmatch(word.upper())]
    others = [word for word in words if word.upper() not in said and word.upper() not in _BESIDE]
    return not others or not _MAY_BE_NAMES.issuperset(said)
