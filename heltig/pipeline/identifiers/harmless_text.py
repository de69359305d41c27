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
        is_number, is_ours = bool(_NUMBER.fullmatch(word)), _is_ours(word)
        if is_number or _CODE.fullmatch(word):
            run.append(word)
            unknown |= not is_number and not is_ours
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
        known = next((size for size in sizes if " ".join(words[:size]) in _terms()), 0)
        if not known and not (_NUMBER.fullmatch(words[0]) or _is_ours(words[0]) or words[0].lower() in WORDS):
            return False
        words = words[known or 1 :]
    return True


def _is_ours(word: str) -> bool:
    return all(part in _words() or _NUMBER.fullmatch(part) for part in word.split("-")) or word in _SIGNS


@cache
def _terms() -> frozenset[str]:
    return known_terms() | enumerated_anywhere() | DEFINED_TERMS.keys()


@cache
def _words() -> frozenset[str]:
    """The words that rules write, those of UIDs' names, and the keywords of attributes."""
    of_uids = {word.strip("(),") for entry in uids.entries() for word in entry.name.split()}
    keywords = {entry.keyword for entry in dictionary.entries()}
    vrs = {vr for entry in dictionary.entries() for vr in entry.vr.split(" or ")} | {"UN", "SCT"}
    return frozenset(WORDS | of_uids | keywords | {f"{keyword}s" for keyword in keywords} | vrs | _SIGNS) - {
        ""
    }
