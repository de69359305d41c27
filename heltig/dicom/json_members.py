"""The members of a JSON object: of an instance, an item or an element (PS3.18 F.2).

A strict decoder in C finds the members and checks the whole text, but keeps only the last of two equal keys.
That every member was kept is proved by counting: in JSON without spaces the members' lengths add up to the
object's.
"""

import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from heltig.dicom.cell import Encoding, Fault
from heltig.dicom.json_tolerant import read_object
from heltig.standard.dictionary import tag_of

JSON = Encoding("json")
"""The encoding of everything that DICOM JSON holds: UTF-8, whatever Specific Character Set says."""

Raw: TypeAlias = bytes | msgspec.Raw
Elements: TypeAlias = tuple[tuple[str, ...], Sequence[Raw], tuple[Fault, ...]]
"""Tags, raw cells and faults of a data set."""

REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a strict decoder raises on text that it does not take."""

_MOST_SHAPES = 1024
_MOST_NAMED = 8
_TOKEN_LENGTH = 16

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_KEY = re.compile(rb'[{,\s]*"((?:[^"\\]++|\\.)*+)"\s*:\s*', re.DOTALL)
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_TAG_OTHERWISE = re.compile(r"\(?([0-9A-Fa-f]{4}), ?([0-9A-Fa-f]{4})\)?")
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def _compact(keys: tuple[str, ...]) -> int:
    """Bytes of an object without spaces that are not its values: the keys and all punctuation."""
    return sum(map(len, keys)) + 4 * len(keys) + 1 if keys else 2


class _Shape:
    """What objects of the same keys have in common.

    Attributes:
        keys: The keys.
        tags: The keys as tags, or `None` where they are not plainly that: some key is no tag, or two are the
            same.
        compact: Bytes of an object without spaces that are not its members' values.
        between: The texts before, between and after the values, as they were last; to begin with those of
            JSON without spaces.
    """

    __slots__ = ("between", "compact", "keys", "tags")

    def __init__(self, keys: tuple[str, ...]) -> None:
        tags = tuple([key.upper() for key in keys])
        plain = all(map(_TAG.fullmatch, keys)) and len(set(tags)) == len(tags)
        self.keys = keys
        self.tags = tags if plain else None
        self.compact = _compact(keys)
        self.between: list[Raw] = []


class _Shapes:
    """The shapes met of late; most objects have the shape of the one before."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], _Shape] = {}
        self._last = _Shape(())

    def of(self, keys: tuple[str, ...]) -> _Shape:
        shape = self._last
        if shape.keys != keys:
            if len(self._known) >= _MOST_SHAPES:
                self._known.clear()
            shape = self._last = self._known.get(keys) or self._known.setdefault(keys, _Shape(keys))
        return shape


_shapes = _Shapes()


def read_elements(text: bytes) -> Elements:
    """Read a data set object, an instance or an item, whatever is wrong with it.

    Keys are tags of eight hex digits, and become upper-case. An element under another key is kept where the
    key is a keyword or a tag written otherwise, and left out where it is neither. Where two members have the
    same tag, equal cells become one; different ones are both kept, in the order of the source, so that the
    first is the one that stood first. (PS3.18 F.2.2.)

    Args:
        text: The object, from its opening to its closing brace.

    Returns:
        Tags, raw cells and faults.
    """
    return read_elements_strictly(text) or _elements(*read_object(text))


def read_elements_strictly(text: bytes) -> Elements | None:
    """Like `read_elements`, but `None` where the text is not JSON or not UTF-8."""
    try:
        members = _decode(text)
        if not text.isascii():
            text.decode()
    except REFUSALS:
        return None
    keys = tuple(members)
    raws = list(members.values())
    shape = _shapes.of(keys)
    if len(text) - shape.compact != sum(map(len, raws)) and not pieces_of(text, keys, raws):
        return _elements(*read_object(text))
    if shape.tags is None:
        return _elements(list(zip(keys, raws, strict=True)), ())
    return shape.tags, raws, ()


def is_unfinished(text: bytes) -> bool:
    """Whether a strict decoder finds nothing wrong with the text but that it ends too early.

    It may say no where it should say yes; then other ways must tell.
    """
    try:
        _decode(text)
    except REFUSALS as refusal:
        return "truncated" in str(refusal)
    return False


def read_members(text: bytes) -> tuple[list[tuple[str, Raw]], tuple[Fault, ...]]:
    """Read an object that is no data set, such as an element: key and raw value of each member, and faults.

    Of members with the same key all are given, with a fault.
    """
    try:
        members = _decode(text)
    except REFUSALS:
        members = {}
    else:
        keys, raws = tuple(members), list(members.values())
        if len(text) == _compact(keys) + sum(map(len, raws)) or pieces_of(text, keys, raws):
            return list(zip(keys, raws, strict=True)), ()
    found, faults = read_object(text)
    doubled = len(found) - len({key for key, _ in found})
    if doubled:
        faults += (Fault("json-duplicate-key", f"{doubled} keys stand twice in one element"),)
    return list(found), faults


def pieces_of(text: bytes, keys: tuple[str, ...], raws: Sequence[Raw]) -> list[Raw]:
    """The text cut before and after each value; nothing where it has other members than these.

    Args:
        text: An object, from its opening to its closing brace.
        keys: The keys of its members, in order.
        raws: Their values, in order.

    Returns:
        What stands before the first value, the value, what stands before the next one, and so on.
    """
    shape = _shapes.of(keys)
    pieces: list[Raw] = [b""] * (2 * len(keys) + 1)
    pieces[::2] = shape.between or _without_spaces(keys)
    pieces[1::2] = raws
    if b"".join(pieces) != text:  # spaces mostly are where they were in the last object
        pieces = _found_pieces(text, keys, raws)
    if pieces:
        shape.between = pieces[::2]
    return pieces


def _without_spaces(keys: tuple[str, ...]) -> list[bytes]:
    """What stands before, between and after the values of an object without spaces."""
    return [b'%b"%b":' % (b"," if place else b"{", key.encode()) for place, key in enumerate(keys)] + [b"}"]


def _found_pieces(text: bytes, keys: tuple[str, ...], raws: Sequence[Raw]) -> list[Raw]:
    """Like `pieces_of`, wherever the spaces are."""
    pieces: list[Raw] = []
    position = 0
    for key, raw in zip(keys, raws, strict=True):
        found = _KEY.match(text, position)
        if found is None or not text.startswith(bytes(raw), found.end()) or found[1] != key.encode():
            return []
        pieces += (found[0], raw)
        position = found.end() + len(raw)
    rest = text[position:]
    return [*pieces, rest] if rest.strip(b" \t\r\n{") == b"}" else []


def _elements(members: Sequence[tuple[str, Raw]], faults: tuple[Fault, ...]) -> Elements:
    """Tags, raw cells and faults of members that a strict decoder did not simply give."""
    tags = _shapes.of(tuple([key for key, _ in members])).tags
    if tags is not None:
        return tags, [raw for _, raw in members], faults
    kept: list[tuple[str, Raw]] = []
    cells: dict[str, set[bytes]] = {}
    found = dict.fromkeys(faults)
    strange = 0
    for key, raw in members:
        tag = _tag(key)
        if not _TAG.fullmatch(key):
            strange += 1
            if strange <= _MOST_NAMED:
                detail = f"{shown_key(key)} is not a tag of eight hex digits"
                found[Fault("json-model", f"{detail}: {f'read as {tag}' if tag else 'left out'}")] = None
        if not tag:
            continue
        text = bytes(raw)
        if tag in cells:
            same = "with the same text" if text in cells[tag] else "with different texts"
            found[Fault("json-duplicate-key", f"{tag} stands twice, {same}")] = None
        if text not in cells.setdefault(tag, set()):
            cells[tag].add(text)
            kept.append((tag, raw))
    if strange > _MOST_NAMED:
        found[Fault("json-model", f"{strange} keys in all are not tags of eight hex digits")] = None
    return tuple([tag for tag, _ in kept]), [raw for _, raw in kept], tuple(found)


def _tag(key: str) -> str:
    """The tag that a key stands for; empty where it is neither a tag nor a keyword."""
    if _TAG.fullmatch(key):
        return key.upper()
    otherwise = _TAG_OTHERWISE.fullmatch(key)
    if otherwise:
        return (otherwise[1] + otherwise[2]).upper()
    try:
        return tag_of(key)
    except KeyError:
        return ""


def shown_key(key: str) -> str:
    """A key in so far as it cannot name a patient."""
    if _KEYWORD.fullmatch(key) or _TAG_OTHERWISE.fullmatch(key):
        return key[:_TOKEN_LENGTH]
    return f"a key of {len(key)} characters"
