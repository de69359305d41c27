"""Where an instance ends in a DICOM JSON body, well formed or damaged.

A *marker* is the text between the starts of two instances: what separates them and the first key, such as
`,{"00080005":`. Items of sequences may start with the same text; everything else may not.
"""

import re

import msgspec

from heltig.dicom.cell import Fault
from heltig.dicom.json_members import Elements, read_elements, read_elements_strictly

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_UNENDED = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_DEPTH = 32
SOP_INSTANCE_UID = "00080018"


def _braces(depth: int) -> str:
    inner = f"|{_braces(depth - 1)}" if depth else ""
    return rf'\{{(?:[^{{}}"]++|{_STRING}{inner})*+\}}'


_OBJECT = re.compile(_braces(_DEPTH).encode(), re.DOTALL)
_TOKEN = re.compile(rf"{_UNENDED}|[{{}}\[\]]".encode(), re.DOTALL)
_BETWEEN = re.compile(rf'(?:[^{{\]"]++|{_UNENDED})*+'.encode(), re.DOTALL)
_HEAD = re.compile(rb'\{[ \t\r\n]*"[^"\\]{1,64}"[ \t\r\n]*:')
_SPACE = r"[ \t\r\n]*+"
# What may stand between two instances, with members of the array that are no objects.
_SEPARATOR = re.compile(
    rf"(?:[ \t\r\n,]++|null|true|false|[-+.0-9eE]++|{_STRING}(?!{_SPACE}:))*+".encode(), re.DOTALL
)
_OTHER_MEMBERS = re.compile(
    rb"""[ \t\r\n]*+,?+
    (?:[ \t\r\n]*+(?:null|true|false|[-+.0-9eE]++|"(?:[^"\\]++|\\.)*+")[ \t\r\n]*+,?+)++[ \t\r\n]*+""",
    re.VERBOSE | re.DOTALL,
)
_ELEMENT = re.compile(rf'\{{{_SPACE}"vr"'.encode())
_ARRAY_IN_INSTANCE = re.compile(rf"\]{_SPACE}[,}}]".encode())
_INSTANCE = re.compile(rf'\{{{_SPACE}"[0-9A-Fa-f]{{8}}"{_SPACE}:'.encode())
_CLOSING = re.compile(rb"\][ \t\r\n]*+\Z")
_REST = re.compile(rb"[ \t\r\n]*+\Z")
_OPEN_BRACE, _CLOSE_BRACE, _OPEN_BRACKET, _CLOSE_BRACKET = b"{}[]"
_MOST_TRIES = 64
_MARKERS_TRIED = 4
_STRAY_BYTES = 8
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


def marker_ahead(data: bytes, start: int, limit: int, *, like: Marker) -> Marker | None:
    """The marker that stands before `limit` when the separator was guessed wrongly.

    Args:
        data: The body or a part of it.
        start: Where an instance starts.
        limit: Where to stop looking.
        like: The guess; what follows its separator is known.

    Returns:
        What separates the first object that starts alike from a neighbour; `None` where there is none.
    """
    head = like.text[like.lead :]
    at = data.find(head, start + 1, limit)
    while at >= 0:
        before = data[max(at - HEAD_BYTES, start) : at]
        separator = before[len(before.rstrip(b", \t\r\n")) :]
        if b"," in separator:
            return Marker(separator + head, len(separator))
        at = data.find(head, at + 1, limit)
    return None


def end_at_marker(
    data: bytes, start: int, limit: int, *, marker: Marker, skip: int
) -> tuple[int, Elements | None]:
    """The end of an instance where a marker shows it, and its elements.

    Items may begin as instances do, so where the text up to a marker is no object, a few more are tried.

    Args:
        data: The body or a part of it.
        start: Where the instance starts.
        limit: Where to stop looking.
        marker: How the next instance starts.
        skip: Bytes at its start in which not to look; if any, only one marker is tried.

    Returns:
        The end, and the elements; without elements the first marker there is, -1 where there is none.
    """
    first = cut = data.find(marker.text, start + 1 + skip, limit)
    for _ in range(1 if skip else _MARKERS_TRIED):
        if cut < 0:
            break
        elements = read_elements_strictly(data[start:cut])
        if elements is not None:
            return cut, elements
        cut = data.find(marker.text, cut + 1, limit)
    return first, None


def next_start(data: bytes, end: int, limit: int) -> int:
    """The next opening brace or closing bracket outside a string, from `end` on; `limit` if there is none."""
    found = _BETWEEN.match(data, end, limit)
    return found.end() if found else end


def start_near(data: bytes, end: int, marker: Marker | None) -> int:
    """Where an instance starts within a few bytes from `end` on, whatever is before it; -1 where none does.

    A spoilt separator is a byte or two. Counted as part of an instance, it would cost that or the next one.
    """
    head = marker.text[marker.lead :] if marker else b""
    return data.find(head, end, end + _STRAY_BYTES + len(head)) if head else -1


def object_end(data: bytes, start: int, limit: int) -> int:
    """The end of the JSON object at `start`, by its braces; -1 where they do not balance before `limit`."""
    found = _OBJECT.match(data, start, limit)
    return found.end() if found else -1


def damaged_end(
    data: bytes, start: int, limit: int, *, marker: Marker | None, look_inside: bool, final: bool
) -> int | None:
    """The end of an instance that is not JSON, by its braces as far as they can be trusted.

    A marker where no item of a sequence can start (in a string, among the members of an object) shows that
    they cannot: then the next marker counts that starts an instance.

    Args:
        data: The body or a part of it.
        start: Where the instance starts.
        limit: Where to stop looking.
        marker: How the next instance starts, where that is known.
        look_inside: Where an item could start, see whether it is an instance instead.
        final: No more data will come.

    Returns:
        The end; -1 where there is none before `limit`; `None` where more data is needed to tell.
    """
    whole = final or len(data) >= limit
    passed = False  # markers at which an item could start
    arrays: list[int] = []  # of each open object, how many arrays are open in it
    cut = _find(data, marker, start + 1, limit)
    for token in _TOKEN.finditer(data, start, limit):
        at = token.start()
        while marker and cut >= 0 and cut + marker.lead < token.end():
            if at != cut + marker.lead or len(arrays) < 2 or not arrays[-1]:
                return _next_instance(data, cut, limit, marker=marker, final=final)
            following = _find(data, marker, cut + 1, limit)
            if look_inside:
                found = _is_instance(data, at, following, limit, whole=whole)
                if found is not False:
                    return cut if found else None
            cut = following
            passed = True
        byte = data[at]
        if byte == _OPEN_BRACE:
            arrays.append(0)
        elif byte == _CLOSE_BRACE:
            if arrays:
                arrays.pop()
            if not arrays:
                ends = may_end(data, at + 1, final=final)
                if ends is not False:
                    return at + 1 if ends else None
        elif byte == _OPEN_BRACKET and arrays:
            arrays[-1] += 1
        elif byte == _CLOSE_BRACKET and arrays and arrays[-1]:
            arrays[-1] -= 1
        elif byte == _CLOSE_BRACKET and _REST.match(data, at + 1):
            if not final:
                return None
            return at if look_inside or not passed else -1
    return -1 if whole else None


def _next_instance(data: bytes, cut: int, limit: int, *, marker: Marker, final: bool) -> int | None:
    """The first marker from the one at `cut` on that starts an instance; see `damaged_end`.

    After `_MOST_TRIES` markers the next one counts, so that no data is searched twice; at the end of the body
    the end of its array.
    """
    whole = final or len(data) >= limit
    for _ in range(_MOST_TRIES):
        following = _find(data, marker, cut + 1, limit)
        found = _is_instance(data, cut + marker.lead, following, limit, whole=whole)
        if found is not False:
            return cut if found else None
        if following < 0:
            closing = _CLOSING.search(data, cut, limit) if final else None
            return closing.start() if closing else -1 if whole else None
        cut = following
    return cut


def _is_instance(data: bytes, start: int, following: int, limit: int, *, whole: bool) -> bool | None:
    """Whether an object is an instance, not an item: a SOP Instance UID is in it.

    Args:
        data: The body or a part of it.
        start: Where the object starts.
        following: Where the next object of its kind starts; -1 where none does.
        limit: Where to stop looking.
        whole: No more data will come before `limit`.

    Returns:
        Whether it is; `None` where more data is needed to tell.
    """
    end = following if following >= 0 else object_end(data, start, limit)
    if end < 0 and not whole:
        return None
    return SOP_INSTANCE_UID in read_elements(data[start : end if end >= 0 else limit])[0]


def _find(data: bytes, marker: Marker | None, start: int, limit: int) -> int:
    return data.find(marker.text, start, limit) if marker else -1


def may_end(data: bytes, end: int, *, final: bool) -> bool | None:
    """Whether what follows an instance is what may follow one; `None` where more data is needed to tell.

    An instance that was closed too early is followed by its own next member.
    """
    after = _SEPARATOR.match(data, end)
    start = after.end() if after else end
    following = data[start : start + HEAD_BYTES]
    if not final and (len(following) < HEAD_BYTES):
        return None
    if following.startswith(b"{"):
        return (b"," in data[end:start] and not _ELEMENT.match(following)) or bool(_INSTANCE.match(following))
    if following.startswith(b"]"):
        inside = _ARRAY_IN_INSTANCE.match(data, start)
        return not inside if inside or final or len(following.rstrip(b" \t\r\n")) > 1 else None
    return not following


def fault_between(between: bytes) -> Fault:
    """What is wrong between an instance and the next, or the end of the array."""
    if _OTHER_MEMBERS.fullmatch(between):
        return Fault("json-model", "after this instance the array holds something that is no object")
    return Fault(
        "json-syntax", f"{len(b''.join(between.split()))} bytes after this instance that separate nothing"
    )
