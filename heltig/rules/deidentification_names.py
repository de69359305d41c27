"""Names of persons: how sure a value is one."""

import re
from collections.abc import Sequence
from typing import Final

from heltig.rules.deidentification_terms import is_known, is_no_person, is_term
from heltig.rules.deidentification_words import is_nobody, is_of_data, says_dummy, unexplained
from heltig.rules.family_names import is_family_name
from heltig.rules.given_names import are_letters_of_names, is_given_name, plain
from heltig.rules.institutions import is_family_name_of_nobody, is_of_a_site
from heltig.rules.names_in_identifiers import IDEOGRAPHS, is_of_a_place, name_in_identifier
from heltig.rules.names_in_pieces import CODE_WORDS, put_together
from heltig.rules.personal_numbers import Evidence

_WORD: Final = re.compile(r"[^\W\d_]{2,}|[\u3040-\u9fff\uac00-\ud7af]")
_DIGIT: Final = re.compile(r"\d")
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]{8,}")
_WITHOUT_VOWEL: Final = re.compile(r"[B-DF-HJ-NP-TV-XZb-df-hj-np-tv-xz]{5,}")

_BETWEEN: Final = """
al bin da das de del della den der di do dos du el ibn la le of ten ter van von zu y
Da De Del Della Der Di Du El La Le Van Von
"""
PARTICLES: Final = frozenset(_BETWEEN.split())
"""Words between a given and a family name."""


def name_evidence(name: str) -> Evidence | None:
    """How sure a person name (PN) is that of a person, or one of several.

    Each component group is judged by itself: a replacement in one excuses no other. `certain`: a given name
    beside another word, or a common family name, a form of address or letters other than A to Z in two
    words that nothing explains otherwise, or ideographs in another group than the first. `possible`: one such
    word; two that are neither known as names nor explained, as random ones are; two of which one is a word of
    imaging, of an institution or study, or no name by its looks; two beside a number, as pseudonyms have it;
    a family name or a whole name beside a replacement; an animal or a phantom with a given name. None:
    replacements, words of imaging, animals, phantoms.
    """
    if not name:
        return None
    found = {
        _of_ideographs(group) if place and _IDEOGRAPH.search(group) else _of_group(group.strip("^ "))
        for value in name.split("\\")
        for place, group in enumerate(value.split("="))
    }
    return "certain" if "certain" in found else "possible" if "possible" in found else None


_IDEOGRAPH: Final = re.compile(IDEOGRAPHS)
_IDEOGRAPHIC_WORD: Final = re.compile(f"{IDEOGRAPHS}+")


def _of_ideographs(group: str) -> Evidence | None:
    """Who fills the second and third group has a name to write there, unless it is a replacement as well."""
    words = _IDEOGRAPHIC_WORD.findall(group)
    left = unexplained(words)
    if not left:
        return None
    is_sure = len(left) == len(words) and sum(map(len, left)) > 1 and not any(map(str.isdigit, group))
    return "certain" if is_sure else "possible"


def _of_group(group: str) -> Evidence | None:
    group = put_together(group)
    evidence = _of_words(group)
    if evidence is None and any(map(str.isdigit, group)):
        return name_in_identifier(group)
    return evidence


def _of_words(group: str) -> Evidence | None:
    words = _words(group)
    if not words or is_of_a_test(words):
        return None
    if says_dummy(words):
        left = [word for word in unexplained(words) if not is_term(word)]
        is_whole = len(left) > 1 and any(map(is_given_name, left))
        is_left = is_whole or any(map(is_family_name, left)) or _is_given_left(group, words, left)
        return "possible" if is_left else None
    return _judged(group, words)


def _is_given_left(group: str, words: Sequence[str], left: Sequence[str]) -> bool:
    """A given name stayed where the family name was replaced: `Patient^Anna`, but not `Doe^Anna`."""
    return (
        len(left) == 1
        and is_given_name(left[0])
        and (len(left[0]) > _SHORT or plain(left[0]) in _SHORT_AND_COMMON)
        and plain(left[0]) not in CODE_WORDS
        and not any(map(str.isdigit, group))
        and not any(map(is_no_person, words))
        and not any(is_nobody(word) for word in words)
    )


_SHORT: Final = 4
_SHORT_AND_COMMON: Final = frozenset(
    (
        *("ADAM", "ALEX", "ANNA", "ANNE", "CARL", "EMMA", "ERIC", "ERIK", "EVAN", "GARY", "HANS", "HUGO"),
        *("INGE", "IVAN", "JACK", "JEAN", "JENS", "JOAN", "JOHN", "JOSE", "JUAN", "KARL", "KURT", "LARS"),
        *("LISA", "LUCY", "LUIS", "MARC", "MARK", "MARY", "NINA", "NOAH", "OLAF", "OLGA", "OTTO", "PAUL"),
        *("PETR", "RENE", "ROSA", "RUTH", "RYAN", "SARA", "SEAN", "SVEN", "YVES"),
    )
)
"""Shorter ones come up by chance."""


def has_two_names(name: str) -> bool:
    """Two words of which one is a common family name, or that look like names and nothing explains them."""
    words = [word for group in re.split(r"[=\\]", name) for word in _words(group)]
    if len(words) < 2 or any(map(is_family_name, words)):
        return len(words) > 1
    is_of_others = any(_is_explained(word) or is_family_name_of_nobody(word) for word in words)
    return not (is_of_others or says_dummy(words) or _are_odd(words))


def names_somebody(name: str) -> bool:
    """A person name that should not be there has a word that is no replacement, be it one of imaging."""
    groups = map(_words, re.split(r"[=\\]", name))
    return any(words and not says_dummy(words) for words in groups)


def _words(group: str) -> list[str]:
    """The words of a name. A number beside them is no word, and one that has digits in it is none."""
    if any(map(str.isdigit, group)):
        group = "^".join(_without_numbers(part) for part in group.split("^"))
    return [word for word in _WORD.findall(group) if not is_code(word)]


def _without_numbers(text: str) -> str:
    return " ".join(token for token in text.split() if not _DIGIT.search(token))


def is_of_a_test(words: Sequence[str]) -> bool:
    """Winston and Lutz, who have a test of accelerators, with no word beside them that tells of anybody."""
    plain_words = set(map(plain, words))
    return plain_words >= _TEST and all(is_term(word) or says_dummy((word,)) for word in plain_words - _TEST)


_TEST: Final = {"WINSTON", "LUTZ"}


def is_code(word: str) -> bool:
    """Letters that nobody can be called by: hexadecimal ones, five without a vowel, a row of the alphabet."""
    return bool(
        _HEXADECIMAL.fullmatch(word)
        or _WITHOUT_VOWEL.fullmatch(word)
        or (len(word) > 2 and any(plain(word) in row for row in _ROWS))
    )


_ROWS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "QWERTYUIOP", "QWERTZUIOP", "AZERTYUIOP", "ASDFGHJKL", "ZXCVBNM"
"""What one hits on a keyboard; nobody is called by three letters of it."""


def _judged(group: str, words: Sequence[str]) -> Evidence | None:
    given, has_number = _places_of_given(words), any(map(str.isdigit, group))
    if any(map(is_no_person, words)):
        return "possible" if given and len(words) > 1 else None
    components = [part for part in group.split("^") if _LETTER.search(_without_numbers(part))]
    if len(components) < 2 and len(words) == 1:
        is_name = bool(given) or is_family_name(words[0])
        return None if is_term(words[0]) or (has_number and not is_name) else "possible"
    is_one = len(components) < 2 and not _BETWEEN_WORDS.search(group.strip())
    if given and not is_one:
        is_turned = len(components) > 1 and given == [0]
        is_site = any(map(is_family_name_of_nobody, words))
        return "possible" if is_site or (is_turned and all(map(is_term, words[1:]))) else "certain"
    terms = sum(map(_is_explained, words))
    if terms == len(words):
        return None
    if has_number:
        return "possible" if not terms and len(components) > 1 else None
    is_unsure = terms or is_one or _are_odd(words) or not any(map(_is_of_a_person, words))
    return "possible" if is_unsure else "certain"


def _is_explained(word: str) -> bool:
    return is_term(word) or is_of_data(word) or is_of_a_place(word) or is_of_a_site(word)


def _is_of_a_person(word: str) -> bool:
    """A common family name, what stands beside names, or letters that no program makes pseudonyms of."""
    return (
        is_family_name(word)
        or plain(word) in _BESIDE_NAMES
        or _SON_OF.match(word) is not None
        or not word.isascii()
    )


_BESIDE_NAMES: Final = frozenset(
    (
        *("ABU", "BIN", "DER", "IBN", "VAN", "VON"),
        *("FRAU", "HERR", "MADAME", "MEVROUW", "MISS", "MME", "MRS", "SENORA", "SIGNORA"),
    )
)
"""Particles and forms of address that nothing else but names has."""

_SON_OF: Final = re.compile("(?:Mac|Mc|Fitz)[A-Z][a-z]")


def _places_of_given(words: Sequence[str]) -> list[int]:
    """Which words are given names, other than that of a place (`San Diego`) or of imaging (`Max^MIP`)."""
    is_of_imaging = all(plain(word) in _GIVEN_TOO or is_known(word) for word in words)
    return [
        place
        for place, word in enumerate(words)
        if (is_given_name(word) or (plain(word) in _GIVEN_TOO and not is_of_imaging))
        and not (place and is_of_a_place(words[place - 1]))
    ]


_GIVEN_TOO: Final = frozenset(("MAX", "OLA"))
"""Given names beside a word that nothing explains; otherwise maximum, and other things."""


def _are_odd(words: Sequence[str]) -> bool:
    """By their looks no names: without a vowel, other than initials, in small letters, with capitals within,
    or letters beside each other that no name has.
    """
    return any(
        _ODD.search(word)
        or (len(word) > len("JP") and not are_letters_of_names(word))
        or (word.islower() and len(word) >= _LONGEST_PARTICLE and word not in PARTICLES)
        or (
            _VOWELLESS.fullmatch(word)
            and (len(word) > len("JP") or len(words[0]) <= len("JP"))
            and plain(word) not in _NAMES_WITHOUT_VOWEL
        )
        for word in words
    )


_NAMES_WITHOUT_VOWEL: Final = frozenset(
    ("BRK", "DRZ", "HRK", "KRC", "NG", "SMRZ", "SRB", "VLK", "VRH", "DR", "JR", "MR", "MRS", "MS", "ST")
)
"""Family names, and what stands beside names."""

_LONGEST_PARTICLE: Final = 4
_VOWELLESS: Final = re.compile(r"[B-DF-HJ-NP-TV-XZb-df-hj-np-tv-xz]{2,}")
_ODD: Final = re.compile(r"^(?!(?:Mac|Mc|Fitz|St|San|D[aeiu]|L[aeo]|V[ao]n|Te[nr])[A-Z][a-z]+$).*[a-z][A-Z]")

_LETTER: Final = re.compile(r"[^\W\d_]")
_BETWEEN_WORDS: Final = re.compile(r"[\s_,.]|[\u3040-\u9fff\uac00-\ud7af]")
