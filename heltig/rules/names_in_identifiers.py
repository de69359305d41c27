"""Names within identifiers, where words and digits are joined: `Miller_Anne_19610417`.

Pseudonyms are made of words, too: of sites, trials and diseases. So a given name counts only beside another
word that nothing explains, and next to a number other than a birth date the two are no more than `possible`.
"""

import re
from typing import Final

from heltig.dicom.dates import parse_da
from heltig.rules.deidentification_terms import is_known
from heltig.rules.deidentification_words import unexplained
from heltig.rules.given_names import is_given_name, plain
from heltig.rules.institutions import is_family_name_of_nobody
from heltig.rules.names_in_pieces import is_name_in_one_word, put_together
from heltig.rules.personal_numbers import Evidence

IDEOGRAPHS: Final = r"[\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f]"
"""Han, kana and hangul."""

_IDEOGRAPHIC_NAME: Final = re.compile(rf"{IDEOGRAPHS}{{2,6}}")
_SPACE: Final = re.compile(r"[\s,]+")
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_PIECE: Final = re.compile(r"[^\W\d_]{2,}")
_WITHOUT_VOWEL: Final = re.compile(r"[B-DF-HJ-NP-TV-XZb-df-hj-np-tv-xz]+")
_DAY: Final = re.compile(r"(?<!\d)(?:19|20)\d{6}(?!\d)", re.ASCII)
_JOINED: Final = re.compile(r"([A-Za-z]{8,60})(?:19|20)\d{6}", re.ASCII)
_BETWEEN: Final = re.compile(r"[ _.]|, ?")
_TWO_WORDS: Final = re.compile(r"[^\W\d_]{3,}, ?[^\W\d_]{3,}")
_SHORTEST: Final = 4
"""Letters of a given name that stands right beside letters or digits: shorter ones come up by chance."""

_OF_PLACES: Final = frozenset(
    (
        *("FORT", "GRAND", "LAKE", "LAS", "LOS", "MONTE", "MOUNT", "NEW", "PORT", "SAINT", "SAINTE", "SAN"),
        *("SANKT", "SANT", "SANTA", "SANTO", "SAO", "SINT", "ST", "STE"),
    )
)


def is_of_a_place(word: str) -> bool:
    """A word before the given name that a place is called after: `San Diego`."""
    return plain(word) in _OF_PLACES


def name_in_identifier(text: str) -> Evidence | None:
    """How surely an identifier holds the name of a person; `None` where it holds none.

    `certain`: a given name and another word, with capitals and nothing between them but a space, comma, point
    or low line, without a number other than a birth date. `possible`: others with a given name and another
    word; the two as one word, with a capital each, or if one is a common family name or a birth date follows;
    two words with a comma; a word with an initial or a form of address; two to six ideographs; a telephone
    number with that of a country.
    """
    value = put_together(text.strip())
    days = [day for day in _DAY.findall(value) if parse_da(day)]
    rest = value.replace(days[0], "").strip(" _-.") if days else value
    names = _names_in(value)
    if not names and (_PHONE.fullmatch(value) or _says_name(value)):
        return "possible"
    if not names:
        together = _SPACE.sub("", rest)
        if _IDEOGRAPHIC_NAME.fullmatch(together):
            return "possible" if unexplained([together]) else None
        words = unexplained(_WORD.findall(rest))
        is_pair = _TWO_WORDS.fullmatch(rest) and len(words) == 2 and not any(map(is_known, words))
        is_one = (days and _is_joined(value)) or is_name_in_one_word(value)
        return "possible" if is_pair or is_one else None
    between = value[names[0].end() : names[-1].start()]
    is_plain = (
        len(names) == 2
        and sum(len(name[0]) for name in names) > 2 * _SHORTEST - 1
        and all(name[0][0].isupper() for name in names)
        and _BETWEEN.fullmatch(between)
        and not any(map(str.isdigit, rest))
    )
    return "certain" if is_plain else "possible"


_PHONE: Final = re.compile(r"\+[1-9](?:[ ()/.-]{0,2}\d){7,14}", re.ASCII)
_ADDRESSED: Final = re.compile(
    r"(?:(?:Hr|Fr|Mr|Mrs|Ms|Mme)\.?|Herrn?|Frau|Miss|Madame)[ _]([A-Z\u00c0-\u00de][^\W\d_]{2,})"
)
_WITH_INITIAL: Final = re.compile(r"([^\W\d_]{3,}), ?[^\W\d_]\.?")


def _says_name(text: str) -> bool:
    """Somebody who is addressed, or a family name and an initial: `Hr. Müller`, `Miller, A.`."""
    found = _ADDRESSED.fullmatch(text) or _WITH_INITIAL.fullmatch(text)
    return found is not None and bool(unexplained([found[1]])) and not is_known(found[1])


def has_whole_name(text: str) -> bool:
    """A given name and another word that nothing explains are in an identifier."""
    return bool(_names_in(text))


def _names_in(text: str) -> list[re.Match[str]]:
    """The words that nothing explains, if one of them is a given name and there are others."""
    pieces = list(_PIECE.finditer(text))
    left = set(unexplained([found[0] for found in pieces]))
    names = [
        found
        for before, found in zip([None, *pieces], pieces, strict=False)
        if found[0] in left
        and _WORD.fullmatch(found[0])
        and not _WITHOUT_VOWEL.fullmatch(found[0])
        and not is_known(found[0])
        and not is_family_name_of_nobody(found[0])
        and not is_of_a_place(found[0])
        and not (before and is_of_a_place(before[0]))
    ]
    return names if len(names) > 1 and any(map(_is_given, names)) else []


def _is_given(word: re.Match[str]) -> bool:
    text = word.string
    around = text[max(0, word.start() - 1) : word.start()] + text[word.end() : word.end() + 1]
    is_alone = not any(map(str.isdigit, around))
    return is_given_name(word[0]) and (is_alone or len(word[0]) >= _SHORTEST)


def _is_joined(text: str) -> bool:
    """A given name and as many letters beside it, in one word with a date: `MILLERANNE19610417`."""
    found = _JOINED.fullmatch(text)
    word = found[1] if found else ""
    return any(
        is_given_name(name) and not is_known(rest) and bool(unexplained([rest]))
        for place in range(_SHORTEST, len(word) - _SHORTEST + 1)
        for name, rest in ((word[:place], word[place:]), (word[place:], word[:place]))
    )
