"""Names of persons in texts, and how sure they are."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from heltig.rules.deidentification_names import PARTICLES, is_code, is_of_a_test
from heltig.rules.deidentification_terms import is_known, is_no_person, is_term
from heltig.rules.deidentification_words import says_dummy
from heltig.rules.given_names import is_given_name
from heltig.rules.personal_numbers import Evidence

_LETTERS: Final = r"(?:[^\W\d_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e31-\u0e4e])"
"""A letter, or a mark upon one."""
_PERSON_NAME: Final = re.compile(
    rf"({_LETTERS}+(?:['’-]{_LETTERS}+)*) ?\^ ?({_LETTERS}+(?:['’-]{_LETTERS}+)*)(?![\d_]*\^\d)"
)
_PARTICLE: Final = "(?:" + "|".join(sorted(PARTICLES)) + ")"
_BETWEEN: Final = re.compile(rf"[ _]{{1,2}}(?:{_PARTICLE} )*|, ?|\. ")
_SINGLE: Final = re.compile(rf"{_LETTERS}+(?:['’-]{_LETTERS}+)*")
_FORM_OF_ADDRESS: Final = re.compile(
    rf"(?<![^\W\d_])(?:(?:Mr|Mrs|Ms|Mme|Mlle|Dr|Prof|Sig|Sra|Hr)\.? |Sr\. |DR_"
    r"|(?:MR|MRS|MS|DR|PROF|SIG|SRA|HR)\. ?"
    rf"|Miss |Madame |Monsieur |Signora? |Señora? |Senhora? |Fräulein |Frau |Herrn? |Fru |Mevrouw |Mevr\. )"
    r"(?:(?:Dr|Prof|PD|Dipl|med|dent|rer|nat|phil|habil|univ|h\. ?c)\.[ -]?){0,4}"
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
    if is_of_a_test(words) or says_dummy(words) or any(map(is_no_person, words)) or any(map(is_code, words)):
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
    words = [found for found in _SINGLE.finditer(text) if found[0] not in PARTICLES]
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
    for form_of_name in (_NAMED, _LABELLED, _DID):
        for named in form_of_name.finditer(text):
            is_written = form_of_name is _LABELLED or named[1].istitle()
            if is_written and not is_known(named[1]) and not says_dummy((named[1],)):
                yield named[0].strip()


def _are_names(words: Sequence[str]) -> bool:
    """Two words with a capital each, or in capitals the first, that nothing explains."""
    return (
        words[0][0].isupper()
        and words[1].istitle()
        and not any(map(is_known, words))
        and not says_dummy(words)
    )


_NAMED: Final = re.compile(rf"(?i)(?<![^\W\d_])(?:pat(?:ient)?:|patient(?:'s)? name:?) ?({_LETTERS}{{4,}})")
_LABELLED: Final = re.compile(
    r"(?i)(?:^|(?<=[\n.;,(])) *(?:(?:nach|sur|family |last )?name|nom|nome|nombre|navn|namn|naam) ?[:=] ?"
    rf"({_LETTERS}{{4,}})(?![\w^])"
)
_DID: Final = re.compile(
    rf"(?i)(?<![^\W\d_])(?:patient(?:in|e)?|pat\.|pt\.?) ({_LETTERS}{{4,}}) (?:moved|moves|moving|was|is|has"
    r"|had|did|does|could|can|cannot|refused|coughed|breathed|felt|asked|called|hat|ist|war|wurde|konnte|bewegt"
    r"|unruhig|hustet)\b"
)
"""What only somebody does: behind `Patient` stand many other words."""

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
        and not is_code(word)
        and not says_dummy((word, word))
    )
