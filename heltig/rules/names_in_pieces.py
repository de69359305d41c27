"""Names that were taken apart or put together: `S M I T H`, `MillerAnne`.

Pseudonyms are made of letters, too, so one side has to be a common given name and, where nothing tells where
one word ends, the other a common family name: of random words not one in a thousand is.
"""

import re
from typing import Final

from heltig.rules.deidentification_terms import is_known
from heltig.rules.deidentification_words import unexplained
from heltig.rules.family_names import is_family_name
from heltig.rules.given_names import are_letters_of_names, is_given_name, plain
from heltig.rules.institutions import is_family_name_of_nobody

_APART: Final = re.compile(r"(?<![^\W_])[^\W\d_]([ ._-])[^\W\d_](?:\1[^\W\d_]){1,30}(?![^\W_])")
"""Three letters or more, with the same sign between them."""

_JOINED: Final = re.compile(r"([^\W\d_]{7,40})[ ._-]?\d{0,6}")
_TWO_WORDS: Final = re.compile(
    r"([A-Z\u00c0-\u00de][a-z\u00df-\u00ff]{2,})([A-Z\u00c0-\u00de][a-z\u00df-\u00ff]{2,})"
)
_SHORTEST: Final = 4
CODE_WORDS: Final = frozenset(
    (
        *("ALFA", "ALPHA", "BRAVO", "CHARLIE", "DELTA", "ECHO", "FOXTROT", "GOLF", "HOTEL", "INDIA"),
        *("JULIET", "JULIETT", "KILO", "LIMA", "MIKE", "NOVEMBER", "OSCAR", "PAPA", "QUEBEC", "ROMEO"),
        *("SIERRA", "TANGO", "UNIFORM", "VICTOR", "WHISKEY", "YANKEE", "ZULU"),
    )
)
"""Words that letters are spelt with: codes are made of them."""


def put_together(name: str) -> str:
    """A name without the signs between its letters, where that makes a common name of one of its words.

    >>> put_together("S M I T H^J O H N")
    'SMITH^JOHN'
    """
    words = [found[0].replace(found[1], "") for found in _APART.finditer(name)]
    if not any(len(word) >= _SHORTEST and _is_common(word) for word in words):
        return name
    return _APART.sub(lambda found: found[0].replace(found[1], ""), name)


def _is_common(word: str) -> bool:
    return is_given_name(word) or is_family_name(word) or is_name_in_one_word(word)


def is_name_in_one_word(text: str) -> bool:
    """A given name and another word are written as one, with a number behind them or without.

    With a capital each the other word may be any that is neither known nor part of code names; otherwise it
    has to be a common family name.
    """
    found = _JOINED.fullmatch(text)
    word = found[1] if found else ""
    pair = _TWO_WORDS.fullmatch(word)
    if pair:
        return _are_names(pair[1], pair[2]) or _are_names(pair[2], pair[1])
    if not (word.isupper() or word.islower() or word.istitle()):
        return False
    return any(
        is_given_name(given) and is_family_name(family) and not is_known(family) and not is_known(given)
        for place in range(_SHORTEST, len(word) - _SHORTEST + 1)
        for given, family in ((word[:place], word[place:]), (word[place:], word[:place]))
    )


def _are_names(given: str, other: str) -> bool:
    return (
        len(given) >= _SHORTEST
        and is_given_name(given)
        and not is_known(given)
        and plain(given) not in CODE_WORDS
        and (is_family_name(other) or (len(other) > _SHORTEST and are_letters_of_names(other)))
        and plain(other) not in CODE_WORDS
        and not is_known(other)
        and not is_family_name_of_nobody(given)
        and not is_family_name_of_nobody(other)
        and len(unexplained([given, other])) == 2
    )
