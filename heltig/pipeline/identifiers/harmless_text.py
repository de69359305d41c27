"""Whether the text of a finding holds nothing but codes, numbers, UIDs and the words of rules.

A finding about an attribute of codes or numbers shows what stands there, and anything may: a name in a
number, a sentence or a name in a code. So not the attribute alone decides whether it is told, but each word,
too: of codes those are told that the standard lists, or that rules write.
"""

import re
from functools import cache, lru_cache
from typing import Final

from heltig.dicom.charset import DEFINED_TERMS
from heltig.pipeline.identifiers.vocabulary import WORDS
from heltig.rules.family_names import is_family_name
from heltig.rules.given_names import is_given_name
from heltig.standard import dictionary, uids
from heltig.standard.modules import enumerated_anywhere
from heltig.standard.terms import known_terms

_MOST_WORDS: Final = 4
"""Words of a term: ISO 2022 IR 87."""

_NUMBER: Final = re.compile(r"(?:PS|[-+±])?[0-9][0-9.…]*(?:[eE][-+]?[0-9]+)?%?", re.ASCII)
_CODE: Final = re.compile(r"[A-Z0-9_]*[A-Z_][A-Z0-9_]*", re.ASCII)
_BETWEEN: Final = re.compile(r"[,;:()\\/=]+")
_SIGNS: Final = frozenset({"-", "…", "<", ">", "+", "%", "UID", "UIDs", "UID's", "IOD", "VR", "VM"})


@lru_cache(maxsize=4096)
def is_harmless_text(text: str, *, coded: bool) -> bool:
    """Whether a text cannot name a patient.

    Args:
        text: What was observed, or expected.
        coded: Codes stand there (VR CS): those that are known are told.
    """
    return all(_is_harmless(part.split(), coded=coded) for part in _BETWEEN.split(text))


def _is_harmless(words: list[str], *, coded: bool) -> bool:
    """Whether words between punctuation are harmless."""
    run: list[str] = []  # a code may have blanks in it
    unknown = False  # whether the run has a word that is no number and none of ours
    for word in [*words, ""]:
        numeric, is_ours = is_number(word), _is_ours(word)
        if numeric or _CODE.fullmatch(word):
            run.append(word)
            unknown |= not numeric and not is_ours
            continue
        if unknown and not (coded and is_known_code(" ".join(run))):
            return False
        run, unknown = [], False
        if word and not is_ours:
            return False
    return True


@lru_cache(maxsize=4096)
def is_known_code(text: str) -> bool:
    """Whether a value of a code (VR CS) is a term of the standard, a number, or words that rules write.

    >>> [is_known_code(text) for text in ("HFS", "WHOLE BODY", "ISO 2022 IR 87", "M_FFE", "DOE JANE")]
    [True, True, True, False, False]
    """
    words = text.split()
    while words:
        sizes = range(min(len(words), _MOST_WORDS), 0, -1)
        known = next((size for size in sizes if " ".join(words[:size]) in terms()), 0)
        if not known and not (is_number(words[0]) or _is_ours(words[0]) or words[0].lower() in WORDS):
            return False
        words = words[known or 1 :]
    return True


def is_number(word: str) -> bool:
    """Whether a word is a number, or a UID, as rules write it."""
    return bool(_NUMBER.fullmatch(word))


def _is_ours(word: str) -> bool:
    return all(part in our_words() or is_number(part) for part in word.split("-")) or word in _SIGNS


@cache
def terms() -> frozenset[str]:
    """The terms of codes (VR CS) that the standard lists."""
    return known_terms() | enumerated_anywhere() | DEFINED_TERMS.keys()


@cache
def keywords() -> frozenset[str]:
    """The keywords of attributes."""
    return frozenset(entry.keyword for entry in dictionary.entries()) - {""}


@cache
def our_words() -> frozenset[str]:
    """The words that rules write, those of UIDs' names, and the keywords of attributes."""
    of_uids = {word.strip("(),") for entry in uids.entries() for word in entry.name.split()}
    plural = {f"{keyword}s" for keyword in keywords()}
    vrs = {vr for entry in dictionary.entries() for vr in entry.vr.split(" or ")} | {"UN", "SCT"}
    of_uids = {
        word for word in of_uids if not (is_number(word) or is_given_name(word) or is_family_name(word))
    }
    return frozenset(WORDS | of_uids | keywords() | plural | vrs | _SIGNS) - {""}
