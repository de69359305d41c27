"""Names of persons: how sure a value or a part of a text is one."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from heltig.rules.deidentification_terms import is_known, is_no_person, is_term
from heltig.rules.deidentification_words import is_of_data, says_dummy, unexplained
from heltig.rules.given_names import are_letters_of_names, is_given_name, plain
from heltig.rules.names_in_identifiers import IDEOGRAPHS, is_of_a_place, name_in_identifier
from heltig.rules.personal_numbers import Evidence

_WORD: Final = re.compile(r"[^\W\d_]{2,}|[\u3040-\u9fff\uac00-\ud7af]")
_WITH_DIGIT: Final = re.compile(r"\S*\d\S*")
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]{8,}")
_WITHOUT_VOWEL: Final = re.compile(r"[B-DF-HJ-NP-TV-XZb-df-hj-np-tv-xz]{5,}")


def name_evidence(name: str) -> Evidence | None:
    """How sure a person name (PN) is that of a person, or one of several.

    Each component group is judged by itself: a replacement in one excuses no other. `certain`: a given name
    beside another word, or words in two components that nothing explains otherwise, or ideographs in another
    group than the first. `possible`: one such word; two of which one is a word of imaging or no name by its
    looks; two beside a number, as pseudonyms have it; a whole name beside a replacement; an animal or a
    phantom with a given name. None: replacements, words of imaging, animals, phantoms.
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
    evidence = _of_words(group)
    if evidence is None and any(map(str.isdigit, group)):
        return name_in_identifier(group)
    return evidence


def _of_words(group: str) -> Evidence | None:
    words = _words(group)
    if not words or _is_of_a_test(words):
        return None
    if says_dummy(words):
        left = [word for word in unexplained(words) if not is_term(word)]
        return "possible" if len(left) > 1 and any(map(is_given_name, left)) else None
    return _judged(group, words)


def names_somebody(name: str) -> bool:
    """A person name that should not be there has a word that is no replacement, be it one of imaging."""
    groups = map(_words, re.split(r"[=\\]", name))
    return any(words and not says_dummy(words) for words in groups)


def _words(group: str) -> list[str]:
    """The words of a name. A number beside them is no word, and one that has digits in it is none."""
    if any(map(str.isdigit, group)):
        group = "^".join(_WITH_DIGIT.sub(" ", part) for part in group.split("^"))
    return [word for word in _WORD.findall(group) if not _is_code(word)]


def _is_of_a_test(words: Sequence[str]) -> bool:
    """Winston and Lutz, who have a test of accelerators, with no word beside them that tells of anybody."""
    plain_words = set(map(plain, words))
    return plain_words >= _TEST and all(is_term(word) or says_dummy((word,)) for word in plain_words - _TEST)


_TEST: Final = {"WINSTON", "LUTZ"}


def _is_code(word: str) -> bool:
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
    components = [part for part in group.split("^") if _LETTER.search(_WITH_DIGIT.sub(" ", part))]
    if len(components) < 2 and len(words) == 1:
        return None if is_term(words[0]) or (has_number and not given) else "possible"
    is_one = len(components) < 2 and not _BETWEEN_WORDS.search(group.strip())
    if given and not is_one:
        is_turned = len(components) > 1 and given == [0]
        return "possible" if is_turned and all(map(is_term, words[1:])) else "certain"
    terms = sum(is_term(word) or is_of_data(word) or is_of_a_place(word) for word in words)
    if terms == len(words):
        return None
    if has_number:
        return "possible" if not terms and len(components) > 1 else None
    return "possible" if terms or is_one or _are_odd(words) else "certain"


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
        or (word.islower() and len(word) >= _LONGEST_PARTICLE and word not in _PARTICLES)
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
_LETTERS: Final = r"(?:[^\W\d_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e31-\u0e4e])"
"""A letter, or a mark upon one."""
_PERSON_NAME: Final = re.compile(
    rf"({_LETTERS}+(?:['’-]{_LETTERS}+)*) ?\^ ?({_LETTERS}+(?:['’-]{_LETTERS}+)*)(?![\d_]*\^\d)"
)
_BETWEEN_NAMES: Final = """
al bin da das de del della den der di do dos du el ibn la le of ten ter van von zu y
Da De Del Della Der Di Du El La Le Van Von
"""
_PARTICLES: Final = frozenset(_BETWEEN_NAMES.split())
"""Words between a given and a family name."""

_PARTICLE: Final = "(?:" + "|".join(sorted(_PARTICLES)) + ")"
_BETWEEN: Final = re.compile(rf"[ _]{{1,2}}(?:{_PARTICLE} )*|, ?|\. ")
_SINGLE: Final = re.compile(rf"{_LETTERS}+(?:['’-]{_LETTERS}+)*")
_FORM_OF_ADDRESS: Final = re.compile(
    rf"(?<![^\W\d_])(?:(?:Mr|Mrs|Ms|Mme|Mlle|Dr|Prof|Sig|Sra|Hr)\.? |Sr\. |DR_"
    r"|(?:MR|MRS|MS|DR|PROF|SIG|SRA|HR)\. ?"
    rf"|Miss |Madame |Monsieur |Signora? |Señora? |Senhora? |Fräulein |Frau |Herrn? |Fru |Mevrouw |Mevr\. )"
    rf"(?=({_LETTERS}+))"
)
_PATIENT: Final = re.compile(
    r"(?i)(?<![^\W\d_])(?:patient(?:in|e)?(?:'s)?(?: name)?|pat\.|pt\.?|pasient|paziente|paciente|pati[eë]nt"
    r"|pacjent(?:ka)?|name|nom|nome|nombre|navn|namn|naam|subject)\W{1,3}"
)
_OF_AN_INSTITUTION: Final = re.compile(
    r"(?i)[\W_]*(?:hospital|hosp|universi\w+|clini\w+|klini\w+|cent(?:er|re)|institut\w*|medical|cancer|health|school|college"
    r"|krankenhaus|spital|foundation|criteria|method|score|sign|index|classification|test|syndrome|disease|rank"
    r"|street|avenue|boulevard|campus|building)"
    # a third name before it: Martin Luther King Jr. Hospital
    r"|[ _](?-i:[A-Z])[^\W\d_]+(?: [JS]r\.?)?[ _](?:hospital|clinic|institute|university|street|avenue)\b"
)


def names_in_text(text: str, *, is_prose: bool, has_own_form: bool) -> Iterator[tuple[Evidence, str]]:
    """Names in a text.

    Args:
        text: The text.
        is_prose: Written by people for people: names without DICOM's form are looked for.
        has_own_form: Scanners do not write `Region^Protocol` here: what has the form of a name is one, though
            neither of its words is known to be.
    """
    for found in _PERSON_NAME.finditer(text) if "^" in text else ():
        evidence = _of_components(found[1], found[2], has_own_form=has_own_form)
        if evidence == "certain" or (evidence and (is_prose or has_own_form)):
            yield evidence, found[0]
    if is_prose:
        yield from (("possible", part) for part in _in_prose(text))


def _of_components(family: str, given: str, *, has_own_form: bool) -> Evidence | None:
    words = (family, given)
    if (
        _is_of_a_test(words)
        or says_dummy(words)
        or any(map(is_no_person, words))
        or any(map(_is_code, words))
    ):
        return None
    if any(map(is_given_name, words)) and min(map(len, words)) > 1:
        is_sure = has_own_form or (is_given_name(given) and (family.isupper() or not given.isupper()))
        return "certain" if is_sure and not any(map(is_term, words)) else "possible"
    parts = [part for word in words for part in word.split("-")]
    if any(map(is_known, parts)) or min(map(_weight, words)) < 3:
        return None
    if has_own_form:
        return "certain"
    return None if family.islower() or given.islower() else "possible"


def _weight(word: str) -> int:
    """Letters of a word; an ideograph or syllable counts for three."""
    return sum(3 if character >= "\u3040" else 1 for character in word)


def _in_prose(text: str) -> Iterator[str]:
    """Names without DICOM's form: a given name beside a word that nothing explains, or who is addressed."""
    cues = [cue.end() for cue in _PATIENT.finditer(text)]
    words = [found for found in _SINGLE.finditer(text) if found[0] not in _PARTICLES]
    for place, found in enumerate(words):
        if not is_given_name(found[0]):
            continue
        is_named = found.start() in cues
        if not is_named and (not found[0][0].isupper() or (found[0].isupper() and len(found[0]) < 4)):
            continue  # ANA and the like are abbreviations, too
        for other in words[max(place - 1, 0) : place + 2]:
            if other is not found and _is_beside(text, found, other, any_case=is_named):
                first, last = sorted((found, other), key=re.Match.start)
                if not _OF_AN_INSTITUTION.match(text, last.end()):
                    yield text[first.start() : last.end()]
    for form in _FORM_OF_ADDRESS.finditer(text):
        if form[1][0].isupper() and len(form[1]) > 2 and not is_known(form[1]) and not says_dummy((form[1],)):
            yield form[0] + form[1]
    for cue in cues:
        pair = _TWO_WORDS.match(text, cue)
        if pair and _are_names(pair.groups()):
            yield pair[0]
    for named in _NAMED.finditer(text):
        if named[1].istitle() and not is_known(named[1]) and not says_dummy((named[1],)):
            yield named[0]


def _are_names(words: Sequence[str]) -> bool:
    """Two words with a capital each, or in capitals the first, that nothing explains."""
    return (
        words[0][0].isupper()
        and words[1].istitle()
        and not any(map(is_known, words))
        and not says_dummy(words)
    )


_NAMED: Final = re.compile(rf"(?i)(?<![^\W\d_])(?:pat(?:ient)?:|patient(?:'s)? name:?) ?({_LETTERS}{{4,}})")
_TWO_WORDS: Final = re.compile(rf"({_LETTERS}{{3,}}),? (?:{_PARTICLE} )*({_LETTERS}{{3,}})(?![\w^])")


def _is_beside(text: str, given: re.Match[str], other: re.Match[str], *, any_case: bool) -> bool:
    first, last = sorted((given, other), key=re.Match.start)
    between = text[first.end() : last.start()]
    word = other[0]
    return (
        _BETWEEN.fullmatch(between) is not None
        and (word[0].isupper() or any_case)
        and len(word) > 2
        and (word.isupper() == given[0].isupper() or (other is first and word.isupper() and len(word) > 3))
        and not is_known(word)
        and not _is_code(word)
        and not says_dummy((word, word))
    )
