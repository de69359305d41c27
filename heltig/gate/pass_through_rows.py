"""The rows of a search for studies, each with the verdict on its study, as they come (PS3.18 10.6.3.3)."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final, TypeAlias

import msgspec

from heltig.errors import ArchiveAnswerError, ArchiveUnavailableError
from heltig.gate.pass_through_verdict import Verdicts
from heltig.pipeline.publish import (
    CREATOR,
    CREATOR_TAG,
    FINDINGS_TAG,
    READINESS_TAG,
    STATE_TAG,
    STUDY_INSTANCE_UID_TAG,
    DataSet,
    element,
)

MOST_ROW: Final = 1024 * 1024
"""Bytes of one row; those of a study have one or two thousand."""

_GROUP: Final = "0099"
_ABOUT_THE_DATA_SET: Final = frozenset({"00080005", STUDY_INSTANCE_UID_TAG})
"""What a row has of its own."""

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_ROW_ENDS: Final = re.compile(rb"\}(?=\s*(?:,\s*\{|\]))")
_MOST_ENDS: Final = 32
_SPACE: Final = b" \t\r\n"

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


Row: TypeAlias = Mapping[str, msgspec.Raw]
"""The elements of a row by their tags, undecoded."""


class Piece(msgspec.Struct, frozen=True):
    """Some of the text of an answer: a whole row, or what is between two.

    Attributes:
        text: The text.
        is_row: Whether it is a row.
        row: The row; None where it is broken.
    """

    text: bytes
    is_row: bool
    row: Row | None = None


class RowSplitter:
    """Takes an array of rows apart, or one row alone, without changing anything."""

    def __init__(self) -> None:
        self._held = b""
        self._looked_at = 0
        self._open: list[bytes] = []
        self._row = 0
        self._has_begun = False
        self._is_done = False

    def feed(self, data: bytes) -> list[Piece]:
        """Takes some bytes; returns what is whole by now.

        Raises:
            ArchiveAnswerError: There are no rows in it.
        """
        data = self._held + data
        if not self._has_begun:
            start = data.lstrip(_SPACE)[:1]
            if start not in (b"", b"[", b"{"):
                raise ArchiveAnswerError("The archive answers a search with something else than DICOM JSON.")
            self._has_begun = bool(start)
        pieces: list[Piece] = []
        done = 0
        at = self._looked_at
        while token := _TOKEN.search(data, at):
            text = token.group()
            if text == b'"':  # a string whose end is still to come
                at = token.start()
                break
            at = token.end()
            if text == b"{" and self._open in ([], [b"["]):
                pieces.append(Piece(data[done : token.start()], is_row=False))
                done = token.start()
                if plain := _plain_row(data, done):
                    pieces.append(plain)
                    at = done = done + len(plain.text)
                    continue
                self._row = len(self._open) + 1
            if text in b"{[":
                self._open.append(text)
            elif text in b"}]":
                if not self._open or self._open.pop() + text not in (b"{}", b"[]"):
                    raise ArchiveAnswerError("The archive answers a search with JSON that is none.")
                if text == b"}" and len(self._open) + 1 == self._row:
                    pieces.append(_row(data[done:at]))
                    done, self._row = at, 0
                self._is_done = not self._open
        else:
            at = len(data)
        if not self._row:
            pieces.append(Piece(data[done:at], is_row=False))
            done = at
        self._held = data[done:]
        self._looked_at = at - done
        if len(self._held) > MOST_ROW:
            raise ArchiveAnswerError("A row of the archive's answer to a search is far too large.")
        return [piece for piece in pieces if piece.text]

    def close(self) -> None:
        """Says that nothing more comes.

        Raises:
            ArchiveUnavailableError: More should have come.
        """
        if self._has_begun and not self._is_done:
            raise ArchiveUnavailableError("The archive's answer to a search breaks off.")


class StudyRows:
    """Adds the verdict's private block to each row."""

    def __init__(self, verdicts: Verdicts, *, with_findings: bool) -> None:
        """Makes it.

        Args:
            verdicts: To ask how studies stand.
            with_findings: Whether the findings are wanted, too.
        """
        self._splitter = RowSplitter()
        self._verdicts = verdicts
        self._with_findings = with_findings

    async def feed(self, data: bytes) -> bytes:
        """Takes some bytes of an answer; returns what can be sent by now.

        Raises:
            ArchiveAnswerError: There are no rows in it.
            StorageError: It is not known how their studies stand.
        """
        pieces = self._splitter.feed(data)
        studies = ["" if piece.row is None else _study(piece.row) for piece in pieces]
        told = await self._verdicts.of_many([study for study in studies if study]) if any(studies) else {}
        return b"".join(
            piece.text if piece.row is None else self._annotated(piece.row, told.get(study))
            for piece, study in zip(pieces, studies, strict=True)
        )

    def close(self) -> None:
        """Says that nothing more comes.

        Raises:
            ArchiveUnavailableError: More should have come.
        """
        self._splitter.close()

    def _annotated(self, row: Row, told: bytes | None) -> bytes:
        verdict: DataSet = UNKNOWN if told is None else msgspec.json.decode(told)
        if not self._with_findings:
            verdict = {tag: verdict[tag] for tag in verdict if tag != FINDINGS_TAG}
        kept = without_our_blocks(row)
        block = _free_block(kept)
        ours: dict[str, Any] = {
            _in_block(tag, block): value for tag, value in verdict.items() if tag not in _ABOUT_THE_DATA_SET
        }
        return msgspec.json.encode(dict(sorted({**kept, **ours}.items())))


UNKNOWN: Final[DataSet] = {
    CREATOR_TAG: element("LO", CREATOR),
    READINESS_TAG: element("CS"),
    STATE_TAG: element("CS", "UNKNOWN"),
}
"""The block of a study that was never judged."""


def without_our_blocks(row: Row) -> dict[str, msgspec.Raw]:
    """A row without what claims to be our verdict: an archive's objects may have brought it along."""
    blocks = {
        tag[6:] for tag, value in row.items() if _is_creator(tag) and f'"{CREATOR}"'.encode() in bytes(value)
    }
    return {
        tag: value
        for tag, value in row.items()
        if not (tag[:4] == _GROUP and (tag[4:6] in blocks or (_is_creator(tag) and tag[6:] in blocks)))
    }


def _is_creator(tag: str) -> bool:
    return tag.startswith(f"{_GROUP}00") and len(tag) == 8


def _free_block(row: Row) -> str:
    """A block of the group that no other creator has reserved (PS3.5 7.8.1)."""
    return next(f"{block:02X}" for block in range(0x10, 0x101) if f"{_GROUP}00{block:02X}" not in row)


def _in_block(tag: str, block: str) -> str:
    return f"{_GROUP}00{block}" if tag == CREATOR_TAG else f"{_GROUP}{block}{tag[6:]}"


def _plain_row(data: bytes, start: int) -> Piece | None:
    """The row that starts somewhere, where it is whole and sound; else nothing is said.

    It ends where something ends before another row, or the array: whether that is the row, or an item or a
    name within it, a strict decoder tells. No part of an object is an object.
    """
    for end in islice(_ROW_ENDS.finditer(data, start), _MOST_ENDS):
        text = data[start : end.end()]
        with suppress(msgspec.DecodeError):
            return Piece(text, is_row=True, row=_decode(text))
    return None


def _row(text: bytes) -> Piece:
    """A row, to be sent as it is where it is broken."""
    try:
        return Piece(text, is_row=True, row=_decode(text))
    except msgspec.DecodeError:
        return Piece(text, is_row=True)


def _study(row: Row) -> str:
    """The StudyInstanceUID of a row; empty where it has none."""
    try:
        given = msgspec.json.decode(row.get(STUDY_INSTANCE_UID_TAG, b"{}"), type=_Uid)
    except msgspec.DecodeError:
        return ""
    return given.values[0].strip() if given.values and given.values[0] else ""


class _Uid(msgspec.Struct):
    values: Sequence[str | None] = msgspec.field(default=(), name="Value")
