"""What can be asked for through a gate: resources of QIDO-RS and WADO-RS, by their path (PS3.18 10.4, 10.6).

A path is taken apart and put together again, so that what an archive is sent is a resource below its root
and nothing else. Whatever a server or proxy might read in another way (dots, slashes that are quoted once or
several times, semicolons, control characters) is in none.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import quote, unquote_to_bytes

import msgspec

Kind: TypeAlias = Literal["search", "metadata", "retrieve"]
"""How the answer is treated; a class of operations of an archive, too."""

LONGEST_UID: Final = 128
_MOST_OF_A_UID: Final = 64
"""Characters (PS3.5 9.1)."""

_LONGEST_SEGMENT: Final = 512
_LONGEST_PATH: Final = 2048
LONGEST_QUERY: Final = 8192

_FOREIGN: Final = re.compile(r"[/\\%;?#]|[^ -~]")
"""What no segment holds once it is decoded: what separates, what might be decoded again, what is no ASCII."""

_UNQUOTED: Final = "!$&'()*+,=:@~"
"""With letters, digits and `-._` what may stand in a segment as it is (RFC 3986 3.3). Orthanc does not decode
commas."""

_QUERY: Final = re.compile(r"[!$-;=?-~]*")
"""What is sent byte for byte: printable ASCII but spaces, quotes, `#`, `<` and `>` (RFC 3986 3.4)."""

_NOT_OF_A_UID: Final = re.compile(r"[^0-9.]")

_LEVELS: Final = ("studies", "series", "instances")
_SEARCHES: Final = frozenset({("studies", "series"), ("studies", "instances"), ("series", "instances")})
_BELOW: Final = frozenset({"rendered", "thumbnail", "bulkdata", "pixeldata"})
"""What can be retrieved of a study, a series or an instance, beside itself and its metadata."""


class Resource(msgspec.Struct, frozen=True):
    """Something that can be asked for.

    Attributes:
        kind: How its answer is treated.
        path: Below an archive's root, percent-encoded.
        study: The StudyInstanceUID in it, None where there is none.
    """

    kind: Kind
    path: str
    study: str | None = None

    @property
    def has_studies(self) -> bool:
        """Whether it is a search whose rows are studies."""
        return self.path == "studies"

    @property
    def is_rendered(self) -> bool:
        """Whether it is for people to look at, so that it may be a page."""
        return self.path.endswith(("/rendered", "/thumbnail"))


def resource_of(path: str) -> Resource | None:
    """The resource at a path below a root, None where there is none.

    Args:
        path: Percent-encoded, without a slash before or after it.
    """
    if len(path) > _LONGEST_PATH:
        return None
    segments = [_decoded(segment) for segment in path.split("/")]
    known = [segment for segment in segments if segment is not None]
    kind = _kind(known) if len(known) == len(segments) else None
    if kind is None:
        return None
    made = "/".join(quote(segment, safe=_UNQUOTED) for segment in known)
    return Resource(kind, made, known[1] if len(known) > 1 else None)


def plain_uid(text: str) -> str:
    """The UID that an archive may read in what is none, at most; a UID itself stays as it is (PS3.5 9.1).

    Archives pass over what is around a UID, leading zeros, and what has no room. Orthanc passes over dots at
    the end.

    >>> plain_uid(" 1.02..30. ")
    '1.2.30'
    """
    components = _NOT_OF_A_UID.sub("", text).split(".")
    return ".".join(one.lstrip("0") or "0" for one in components if one)[:_MOST_OF_A_UID]


def is_query(text: str) -> bool:
    """Whether a query can be sent on as it stands."""
    return len(text) <= LONGEST_QUERY and _QUERY.fullmatch(text) is not None


def _decoded(segment: str) -> str | None:
    """A segment as it is meant; None where it could be meant in more than one way."""
    text = unquote_to_bytes(segment).decode("latin-1")
    if not text.strip(" .") or len(text) > _LONGEST_SEGMENT or _FOREIGN.search(text):
        return None
    return text


def _kind(segments: Sequence[str]) -> Kind | None:
    """What is at `studies/1.2/series/1.3` and the like."""
    if len(segments) == 1:
        return "search" if segments[0] in _LEVELS else None
    level = 0
    while segments[2 * level : 2 * level + 1] == [_LEVELS[level]] and len(segments) > 2 * level + 1:
        if len(segments[2 * level + 1]) > LONGEST_UID:
            return None
        level += 1
        if level == len(_LEVELS):
            break
    if level == 0:
        return None
    rest = list(segments[2 * level :])
    if not rest:
        return "retrieve"
    if rest == ["metadata"]:
        return "metadata"
    if len(rest) == 1 and (_LEVELS[level - 1], rest[0]) in _SEARCHES:
        return "search"
    is_bulk_data = rest[0] == "bulkdata" or level == len(_LEVELS)  # archives name it as they like
    return "retrieve" if is_bulk_data or (len(rest) == 1 and rest[0] in _BELOW) else None
