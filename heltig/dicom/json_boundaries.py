"""Where an instance ends in a DICOM JSON body, well formed or damaged.

A *marker* is the text between the starts of two instances: what separates them and the first key, such as
`,{"00080005":`. Items of sequences may start with the same text; everything else may not.
"""

import re

import msgspec

from heltig.dicom.json_members import read_elements_strictly

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_UNENDED = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_DEPTH = 32
_SOP_INSTANCE_UID = "00080018"


def _braces(depth: int) -> str:
    inner = f"|{_braces(depth - 1)}" if depth else ""
    return rf'\{{(?:[^{{}}"]++|{_STRING}{inner})*+\}}'


_OBJECT = re.compile(_braces(_DEPTH).encode(), re.DOTALL)
_TOKEN = re.compile(rf"{_UNENDED}|[{{}}\[\]]".encode(), re.DOTALL)
_BETWEEN = re.compile(rf'(?:[^{{\]"]++|{_UNENDED})*+'.encode(), re.DOTALL)
_HEAD = re.compile(rb'\{[ \t\r\n]*"[^"\\]{1,64}"[ \t\r\n]*:')
_SEPARATOR = re.compile(rb"[ \t\r\n,]*+")
_REST = re.compile(rb"[ \t\r\n]*+\Z")
_OPEN_BRACE, _CLOSE_BRACE, _OPEN_BRACKET, _QUOTE = b'{}["'
HEAD_BYTES = 256
"""Enough to see an instance's first key."""


class Marker(msgspec.Struct, frozen=True):
    """The text by which the next instance is found.

    Attributes:
        text: The separator and the start of the instance up to the colon after its first key.
        lead: Length of the separator.
    """

    text: bytes
    lead: int


def marker_at(data: bytes, start: int, *, separator: bytes) -> Marker | None:
    """The marker of an instance that starts at `start`; `None` where it has no plain first key."""
    head = _HEAD.match(data, start)
    return Marker(separator + head[0], len(separator)) if head else None


def next_start(data: bytes, end: int, limit: int) -> int:
    """The next opening brace or closing bracket outside a string from `end` on; the limit where there is none."""
    found = _BETWEEN.match(data, end, limit)
    return found.end() if found else end


def object_end(data: bytes, start: int, limit: int) -> int:
    """The end of the JSON object at `start`, by its braces; -1 where they do not balance before `limit`."""
    found = _OBJECT.match(data, start, limit)
    return found.end() if found else -1


def damaged_end(data: bytes, start: int, limit: int, *, marker: Marker | None, final: bool) -> int | None:
    """The end of an instance that is not JSON, by its brackets as far as they can be trusted.

    A marker where the brackets so far leave no room for an item of a sequence (in a string, among the members of
    an object) is the start of the next instance: something before it is not closed.

    Args:
        data: The body or a part of it.
        start: Where the instance starts.
        limit: Where to stop looking.
        marker: How the next instance starts, where that is known.
        final: No more data will come before `limit`.

    Returns:
        The end; -1 where there is none before `limit`; `None` where more data is needed to tell.
    """
    opened: list[int] = []
    arrays = 0
    cut = _find(data, marker, start + 1, limit)
    for token in _TOKEN.finditer(data, start, limit):
        at = token.start()
        while marker and cut >= 0 and cut + marker.lead < token.end():
            is_item = at == cut + marker.lead and len(opened) > 2 and opened[-1] == _OPEN_BRACKET
            if not is_item:
                return cut
            cut = _find(data, marker, cut + 1, limit)
        byte = data[at]
        if byte == _OPEN_BRACE:
            opened.append(byte)
        elif byte == _OPEN_BRACKET:
            opened.append(byte)
            arrays += 1
        elif byte == _CLOSE_BRACE:
            while opened and opened[-1] == _OPEN_BRACKET:
                opened.pop()
                arrays -= 1
            if opened:
                opened.pop()
            if not opened:
                ends = may_end(data, at + 1, final=final)
                if ends is None:
                    return None
                if ends:
                    return at + 1
        elif byte != _QUOTE:
            if arrays:
                while opened.pop() != _OPEN_BRACKET:
                    pass
                arrays -= 1
            elif _REST.match(data, at + 1):
                return at if final else None
    return -1 if final else None


def resumed_start(data: bytes, start: int, limit: int, *, marker: Marker | None, final: bool) -> int | None:
    """The first marker from `start` on after which a whole instance with a SOP Instance UID stands.

    Returns:
        Where the marker is; -1 where there is none before `limit`; `None` where more data is needed to tell.
    """
    cut = _find(data, marker, start + 1, limit)
    while marker and cut >= 0:
        begin = cut + marker.lead
        following = _find(data, marker, cut + 1, limit)
        end = following if following >= 0 else object_end(data, begin, limit)
        elements = read_elements_strictly(data[begin:end]) if end >= 0 else None
        if elements and _SOP_INSTANCE_UID in elements[0]:
            return cut
        cut = following
    return -1 if final else None


def _find(data: bytes, marker: Marker | None, start: int, limit: int) -> int:
    return data.find(marker.text, start, limit) if marker else -1


def may_end(data: bytes, end: int, *, final: bool) -> bool | None:
    """Whether what follows an instance is what may follow one; `None` where it cannot be seen yet."""
    after = _SEPARATOR.match(data, end)
    following = data[after.end() : after.end() + 1] if after else b""
    return following in (b"{", b"]") if following else final or None
