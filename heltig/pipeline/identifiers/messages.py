"""The sentence of a finding without values: what a rule says, and nothing of what it read.

A rule makes its sentence as it likes, a site's own rule too, so nothing marks the values in it. A sentence
that is the rule's title has none. Of any other each word has to be known: from the rule's own texts, from
the standard, or from the vocabulary that rules write. What is not is taken out, and then all numbers and
codes with it: they may be the rest of a value.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final, TypeAlias

from heltig.pipeline.identifiers.harmless_text import is_known_code, is_number, keywords, our_words, terms
from heltig.pipeline.identifiers.vocabulary import PHRASES, REDACTED, SPELT, WORDS
from heltig.rules.catalogue import catalogue
from heltig.rules.site_rules import PREFIX
from heltig.standard import uids
from heltig.standard.iods import iod_of, sop_classes
from heltig.standard.modules import conditions_anywhere

Pieces: TypeAlias = tuple[str, ...]

_PIECES: Final = re.compile(
    r"""\s+ | \.(?=\s|$) | ['",;:()\\/=] | (?:(?!\.(?:\s|$))[^\s'",;:()\\/=])+""", re.VERBOSE
)
_BETWEEN: Final = re.compile(r"[\s'\",;:()\\/=.]+")
_LOCATION: Final = re.compile(
    r" at (?:archive|gate|upload):[a-z0-9][a-z0-9_-]{0,63}(?= of another patient$|$)", re.ASCII
)
"""Where another study is; nothing of a study stands behind it."""

_UID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*)){3,}|no-uid-[a-z]+-[0-9a-f]{16,64}", re.ASCII)
"""A UID that is no decimal number and no date with full stops."""

_MISSING: Final = re.compile(r"(?:absent|empty|no|none|present|without)\b", re.ASCII)
_DIGIT: Final = re.compile("[0-9]", re.ASCII)
_SEVERAL: Final = re.compile(r"\[redacted\](?:[\s,;:\\/=]*\[redacted\])+")


@lru_cache(maxsize=4096)
def redacted_message(message: str, *, rule: str, remedy: str, numbers: bool, coded: bool) -> str:
    """A finding's sentence, with `[redacted]` in place of what could be a value that names a patient.

    Args:
        message: The sentence.
        rule: The rule's id.
        remedy: How the rule says that it is mended.
        numbers: Numbers are told: the finding is about attributes of numbers, codes and UIDs alone.
        coded: Codes that the standard lists are told: it is about an attribute of VR CS.
    """
    if _is_title(rule, message):
        return message
    found = _LOCATION.search(message)
    sentence, end = (message[: found.start()], message[found.start() :]) if found else (message, "")
    pieces = tuple(_PIECES.findall(sentence))
    own = _own_words(rule, remedy)
    told: list[str] = []
    values: list[int] = []  # where what may be told stands, as long as all is known
    is_known = True
    for place, piece in _beside_phrases(pieces, told):
        if _BETWEEN.fullmatch(piece) or piece in own or _is_ours(piece, pieces, place):
            told.append(piece)
        elif _may_be_told(piece, pieces, place, numbers=numbers, coded=coded):
            values.append(len(told))
            told.append(piece)
        else:
            is_known = False
            told.append(REDACTED)
    if is_known:
        return message
    for place in values:
        told[place] = REDACTED
    return _SEVERAL.sub(REDACTED, "".join(told)) + end


def is_sentence(text: str) -> bool:
    """Whether all of a text is in the words of rules and of the standard.

    >>> is_sentence("a value, where ValueType is TEXT"), is_sentence("as in the study of DOE")
    (True, False)
    """
    return redacted_message(text, rule="", remedy="", numbers=False, coded=False) == text


def says_what_is_missing(observed: str) -> bool:
    """Whether what a rule observed is that something is not there, so that it has read no value.

    >>> [says_what_is_missing(text) for text in ("absent (CT Image)", "no pixel data", "none^jane")]
    [True, True, False]
    """
    return bool(_MISSING.match(observed)) and is_sentence(observed)


def _is_title(rule: str, message: str) -> bool:
    """Whether it is the sentence that the rule has for all studies; a profile's rules have no other."""
    declared = catalogue().get(rule)
    return message == declared.title if declared else rule.startswith(PREFIX)


def _beside_phrases(pieces: Pieces, told: list[str]) -> Iterator[tuple[int, str]]:
    """The pieces that are in no phrase; phrases go to what is told."""
    place = 0
    while place < len(pieces):
        phrase = next((p for p in _phrases().get(pieces[place], ()) if _stands(p, pieces, place)), ())
        if phrase:
            told.extend(phrase)
            place += len(phrase)
        else:
            yield place, pieces[place]
            place += 1


def _stands(phrase: Pieces, pieces: Pieces, place: int) -> bool:
    return pieces[place : place + len(phrase)] == phrase


def _is_ours(piece: str, pieces: Pieces, place: int) -> bool:
    words = our_words()
    if piece in words or piece in SPELT:
        return True
    begins = place == 0 or pieces[max(place - 2, 0) : place - 1] == (".",)
    if begins and piece.istitle() and piece.lower() in WORDS:
        return True
    if "." in piece:  # the way to an attribute
        return all(part in keywords() for part in piece.split("."))
    if "-" in piece:
        numbers = sum(bool(_DIGIT.fullmatch(part)) for part in piece.split("-"))
        return numbers + sum(part in words for part in piece.split("-")) == piece.count("-") + 1 > numbers
    return False


def _may_be_told(piece: str, pieces: Pieces, place: int, *, numbers: bool, coded: bool) -> bool:
    if _UID.fullmatch(piece) or (numbers and is_number(piece)) or (coded and is_known_code(piece)):
        return True
    around = (*pieces[max(place - 1, 0) : place], *pieces[place + 1 : place + 2])
    return bool(_DIGIT.fullmatch(piece)) and all(one.isspace() or one in ".,)(" for one in around)


@lru_cache(maxsize=1024)
def _own_words(rule: str, remedy: str) -> frozenset[str]:
    """The words of the rule's texts that are the same for all studies."""
    declared = catalogue().get(rule)
    text = f"{declared.title} {remedy}" if declared else remedy
    return frozenset(piece for piece in _PIECES.findall(text) if piece.isalpha())


@cache
def _phrases() -> Mapping[str, Sequence[Pieces]]:
    """What stands in sentences as a whole, by its first piece, the longest first.

    Names of IODs, modules, macros and UIDs, conditions in words, terms of several words, what rules write.
    """
    texts = {*PHRASES, *(term for term in terms() if " " in term), *(one.name for one in uids.entries())}
    conditions = set(conditions_anywhere())
    for iod in filter(None, map(iod_of, sop_classes())):
        uses = (*iod.modules, *iod.macros)
        texts |= {iod.name, *(use.name for use in uses)}
        conditions |= {use.condition for use in uses if use.condition}
    texts |= {one.words for condition in conditions for one in condition.comparisons()}
    found: defaultdict[str, list[Pieces]] = defaultdict(list)
    for text in sorted(texts, key=len, reverse=True):
        if pieces := tuple(_PIECES.findall(text)):
            found[pieces[0]].append(pieces)
    return found
