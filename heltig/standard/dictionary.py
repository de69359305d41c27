"""The data dictionary (PS3.6 chapters 6, 7 and 8, PS3.7 annex E): tags, keywords, VR and VM.

Tags are eight upper-case hex digits. The table is read on first use.
"""

import re
from functools import cache

import msgspec

from heltig.standard.edition import read_table

ODD = frozenset("13579BDF")


class Entry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One row of the data dictionary.

    Attributes:
        tag: Eight hex digits; where PS3.6 has one row for many tags, its pattern, such as `60xx3000`.
        keyword: PS3.6 keyword; empty for group lengths, private creators and rows without a name.
        name: PS3.6 name.
        vr: VR; alternatives as PS3.6 writes them, such as `US or SS`; empty where PS3.6 gives none
            (items, delimiters, rows retired without a name).
        vm: VM as PS3.6 writes it, such as `1`, `1-n` or `3-3n`; empty where PS3.6 gives none.
        retired: Retired from the standard.
    """

    tag: str
    keyword: str
    name: str
    vr: str
    vm: str
    retired: bool


GROUP_LENGTH = Entry("gggg0000", "", "Group Length", "UL", "1", True)
"""Group Length of any group but 0000 and 0002 (PS3.5 7.2)."""

PRIVATE_CREATOR = Entry("gggg00ee", "", "Private Creator", "LO", "1", False)
"""Reservation of a private block, (gggg,0010-00FF) of an odd group (PS3.5 7.8.1)."""


def lookup(tag: str) -> Entry | None:
    """Return the dictionary's entry for a tag.

    Patterns of PS3.6 (`50xx`, `60xx`, `7Fxx`, `(0020,31xx)` and so on) match every tag of an even group
    that they can stand for. Other private tags, unknown tags and text that is no tag give `None`.

    Args:
        tag: Eight upper-case hex digits.
    """
    return _by_tag().get(tag) or _lookup_by_form(tag)


def entries() -> tuple[Entry, ...]:
    """Return the whole dictionary, sorted by tag."""
    return tuple(_by_tag().values())


def is_private(tag: str) -> bool:
    """Tell whether a tag is private: its group number is odd (PS3.5 7.8)."""
    return tag[3:4] in ODD


@cache
def tag_of(keyword: str) -> str:
    """Return the tag of a keyword; for a repeating group the first tag, such as `60003000`.

    Raises:
        KeyError: The dictionary has no such keyword, or the keyword stands for no single tag.
    """
    try:
        return _by_keyword()[keyword]
    except KeyError:
        raise KeyError(
            f"{keyword!r} is not a keyword of the DICOM data dictionary (PS3.6): "
            "check its spelling, or give the tag as eight hex digits"
        ) from None


def keyword_of(tag: str) -> str:
    """Return the keyword of a tag, or an empty string where there is none."""
    entry = lookup(tag)
    return entry.keyword if entry else ""


def label(tag: str) -> str:
    """Return a tag as people write it: `(0010,0020) PatientID`, or the tag alone where it has no name."""
    written = f"({tag[:4]},{tag[4:]})"
    entry = lookup(tag)
    if entry:
        return f"{written} {entry.keyword or entry.name}".rstrip()
    return f"{written} private" if is_private(tag) else written


@cache
def vm_allows(vm: str, n: int) -> bool:
    """Tell whether a VM allows `n` values (PS3.5 6.4).

    Args:
        vm: VM as PS3.6 writes it: `1`, `1-3`, `1-n`, `2-2n`, `1-n or 1`. Empty allows any number.
        n: Number of values, 1 or more; an empty attribute is a matter of its type, not of its VM.

    Raises:
        ValueError: `vm` is written in no form that PS3.6 has.
    """
    return not vm or any(_allows(alternative, n) for alternative in vm.split(" or "))


def _allows(vm: str, n: int) -> bool:
    parts = re.fullmatch(r"(\d+)(?:-(\d*)(n?))?", vm)
    if parts is None:
        raise ValueError(f"VM {vm!r} is not a value multiplicity of PS3.6")
    low = int(parts[1])
    if parts[2] is None:
        return n == low
    if parts[3]:
        return n >= low and n % int(parts[2] or 1) == 0
    return low <= n <= int(parts[2])


def _lookup_by_form(tag: str) -> Entry | None:
    if len(tag) != 8:
        return None
    if tag.endswith("0000"):
        return GROUP_LENGTH
    if is_private(tag):
        return PRIVATE_CREATOR if tag[4:6] == "00" and tag[6] != "0" else None
    entries = _by_tag()
    for pattern in (
        f"{tag[:2]}xx{tag[4:]}",  # 50xx, 60xx, 7Fxx
        f"{tag[:6]}xx",  # (0020,31xx)
        f"{tag[:6]}x{tag[7]}",  # (0028,04x0)
        f"{tag[:4]}xxx{tag[7]}",  # (1000,xxx0)
        f"{tag[:4]}xxxx",  # (1010,xxxx)
    ):
        if pattern in entries:
            return entries[pattern]
    return None


@cache
def _by_tag() -> dict[str, Entry]:
    return {entry.tag: entry for entry in read_table("dictionary", list[Entry]).rows}


@cache
def _by_keyword() -> dict[str, str]:
    tags = {}
    for entry in _by_tag().values():
        tag = entry.tag.replace("x", "0")
        if entry.keyword and lookup(tag) is entry:
            tags[entry.keyword] = tag
    return tags
