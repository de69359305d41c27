"""What a profile names in words of the standard: modalities, SOP Classes, transfer syntaxes."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final, TypeAlias

from heltig.rules.profile_positions import Path
from heltig.rules.profile_tables import FileTables, nearest
from heltig.standard.terms import MODALITIES, RETIRED_MODALITIES
from heltig.standard.uids import entries, is_storage_sop_class, lookup, transfer_syntax

_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+")

Named: TypeAlias = Callable[[str], str]
"""Gives the value that a word stands for.

Raises:
    ValueError: It stands for none; the text says so.
"""


def named(tables: FileTables, path: Path, words: Iterable[str], of: Named) -> tuple[str, ...]:
    """The values that words stand for; the tables take note of those that stand for none."""
    found = []
    for number, word in enumerate(words):
        try:
            found.append(of(word))
        except ValueError as wrong:
            tables.problem((*path, number), str(wrong))
    return tuple(found)


def modality_named(word: str) -> str:
    """A value of Modality: a defined term, retired ones too (PS3.3 C.7.3.1.1.1).

    Raises:
        ValueError: It is none.
    """
    modality = word.strip().upper()
    known = MODALITIES | RETIRED_MODALITIES
    if modality not in known:
        raise ValueError(f"{word} is no Modality of the standard{nearest(modality, sorted(known))}")
    return modality


def sop_class_named(word: str) -> str:
    """The UID of a storage SOP Class, by its keyword, or a UID, which may be one that the standard has not.

    Raises:
        ValueError: It is none.
    """
    return _uid(word, "a SOP Class", _sop_classes(), is_one=is_storage_sop_class)


def transfer_syntax_named(word: str) -> str:
    """The UID of a transfer syntax, likewise.

    Raises:
        ValueError: It is none.
    """
    return _uid(
        word, "a transfer syntax", _transfer_syntaxes(), is_one=lambda uid: transfer_syntax(uid) is not None
    )


def _uid(word: str, what: str, by_keyword: dict[str, str], *, is_one: Callable[[str], bool]) -> str:
    if word in by_keyword:
        return by_keyword[word]
    if not _UID.fullmatch(word) or len(word) > 64:
        raise ValueError(f"{word} is no UID and no keyword of {what}{nearest(word, by_keyword)}")
    entry = lookup(word)
    if entry is not None and not is_one(word):
        raise ValueError(f"{word} is {entry.name}, which is not {what}")
    return word


@cache
def _sop_classes() -> dict[str, str]:
    return {entry.keyword: entry.uid for entry in entries() if is_storage_sop_class(entry.uid)}


@cache
def _transfer_syntaxes() -> dict[str, str]:
    return {entry.keyword: entry.uid for entry in entries() if transfer_syntax(entry.uid)}
