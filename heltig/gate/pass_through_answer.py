"""The head of an archive's answer on its way through a gate: the few headers that go on, and our own."""

import re
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Final, TypeAlias

import msgspec

from heltig.gate.pass_through_body import Body, body_of, is_encoded
from heltig.gate.pass_through_request import Asked
from heltig.gate.pass_through_verdict import Verdicts
from heltig.gate.rewriting import Roots, Through
from heltig.http_answer import Head

Headers: TypeAlias = list[tuple[bytes, bytes]]

_AS_THEY_ARE: Final = ("last-modified", "content-language", "content-disposition", "content-range")
_TEXT: Final = re.compile(r"[\t -~]{0,4096}")
_EMPTY: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)

_ALWAYS: Final[Headers] = [
    (b"vary", b"Accept, Accept-Charset, Authorization"),
    # A page that an archive rendered is shown at our origin, where it may do nothing.
    (
        b"content-security-policy",
        b"sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; "
        b"frame-ancestors 'none'; base-uri 'none'",
    ),
]
_PRIVATE: Final = (b"cache-control", b"private, no-cache")
_NOT_KEPT: Final = (b"cache-control", b"no-store")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An archive's answer, as it goes on.

    Attributes:
        status: 2xx, 304, or a redirect that leads through the gate.
        headers: All of them.
        body: What its body goes through; None where none goes on.
    """

    status: int
    headers: Headers
    body: Body | None


def answer_of(
    head: Head, asked: Asked, *, roots: Roots, base: str, verdicts: Verdicts, readiness: str
) -> Answer:
    """What goes on of an archive's answer.

    Args:
        head: Its head.
        asked: What was asked.
        roots: The archive's, and the gate's.
        base: The address that was asked.
        verdicts: How studies stand.
        readiness: How the study stands that is asked for; empty where none is.

    Raises:
        ArchiveAnswerError: It is none that can go on.
        HTTPException: It is in a form that does not go on: 406.
    """
    through = partial(roots.through, base=base)
    ours = [*_ALWAYS, *([(b"heltig-readiness", readiness.encode())] if readiness else [])]
    if 300 <= head.status < 400 and head.status != HTTPStatus.NOT_MODIFIED:
        led = through(head.headers.get("location", ""))
        if not roots.is_through(led):
            raise head.error()
        location = [(b"location", led.encode()), (b"content-length", b"0"), _NOT_KEPT]
        return Answer(status=head.status, headers=[*ours, *location], body=None)
    body = None if head.status in _EMPTY else body_of(head, asked, roots, base, verdicts)
    is_search = asked.resource.kind == "search"
    headers = [*ours, _NOT_KEPT if is_search else _PRIVATE]
    headers += _headers(head, _AS_THEY_ARE)
    if is_search:
        if warning := head.headers.get("warning"):
            headers += _header("warning", roots.with_gate(warning))
    else:
        headers += _of_representation(head, through, body)
    if body is not None:
        headers += _header("content-type", asked.media_type or head.headers.get("content-type", ""))
    return Answer(status=head.status, headers=headers, body=body)


def _of_representation(head: Head, through: Through, body: Body | None) -> Iterator[tuple[bytes, bytes]]:
    """What tells of the bytes; of those that are not the archive's some things are not true any more."""
    is_the_same = body is not None and not body.is_rewritten and not is_encoded(head)
    if is_the_same:
        yield from _headers(head, ("accept-ranges", "etag"))
        if (length := head.headers.get("content-length", "")).isdigit():
            yield from _header("content-length", length)
    elif tag := head.headers.get("etag"):
        yield from _header("etag", tag if tag.startswith("W/") else f"W/{tag}")
    if location := head.headers.get("content-location"):
        yield from _header("content-location", through(location))


def _headers(head: Head, names: tuple[str, ...]) -> Iterator[tuple[bytes, bytes]]:
    for name in names:
        if value := head.headers.get(name):
            yield from _header(name, value)


def _header(name: str, value: str) -> Iterator[tuple[bytes, bytes]]:
    """A header; none where its value is no plain text."""
    if value and _TEXT.fullmatch(value):
        yield name.encode(), value.encode()
