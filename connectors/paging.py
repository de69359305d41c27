"""All rows of a search that answers a page at a time, from archives that page as they like."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from connectors.base import Page
from heltig.errors import ArchiveAnswerError

TOO_LARGE = 413
"""The HTTP status with which dcm4chee refuses a search that finds too much."""

UNSEARCHED: Final = frozenset({400, 422, 501})
"""The HTTP statuses with which archives refuse a search by a key that they do not know, as Azure's do."""

MOST_STALE: Final = 2
"""Pages without a new row, one after the other, after which a search is given up."""

REMEMBERED: Final = 20_000
"""Rows of a search that are known again when they come again. An archive that gives older ones once more has
lost its place, and is found out by its number of pages."""

ROUND: Final = 100
"""A search that ends after a multiple of so many rows may have been cut short by a limit of the archive's."""

Ask = Callable[[int, int], Awaitable[list[bytes]]]
"""Gives one page: takes the most rows wanted and the rows to skip."""

More = Literal["", "capped", "round", "repeats", "endless"]
"""Why there may be more rows than were listed: nothing; the archive says so and does not give them; their
number is a round one; it gives the same page again; it gave more pages than we read."""


class Position(msgspec.Struct, frozen=True):
    """How far a search was read.

    Attributes:
        skip: Rows to skip for the next page, of which the first came before.
        anchors: What identifies a few of the rows before, by which the place is found again.
    """

    skip: int
    anchors: tuple[str, ...]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a search, without the rows that came before.

    Attributes:
        rows: The JSON text of each row, in the order of the archive.
        identities: What tells these rows from others: the same where a row comes again with another count.
        position: Where to go on after it.
        is_last: Nothing follows.
        more: For the last part: why there may be more rows nevertheless.
        date: The time by the archive's clock when it answered.
    """

    rows: tuple[bytes, ...]
    identities: tuple[str, ...]
    position: Position
    is_last: bool
    more: More = ""
    date: datetime | None = None


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What was listed.

    Attributes:
        rows: The JSON text of each row, in the order of the archive, as it came last.
        pages: Number of pages that had rows.
        more: Why there may be more rows.
        notes: The same in a sentence, and where it is certain that there are.
        date: The time by the archive's clock when it gave the first page.
    """

    rows: tuple[bytes, ...]
    pages: int
    more: More = ""
    notes: tuple[str, ...] = ()
    date: datetime | None = None


class _Identity(msgspec.Struct, frozen=True):
    """What tells rows apart: a study under two patients is two rows, a count that grew is the same row."""

    study: Raw | UnsetType = msgspec.field(default=UNSET, name="0020000D")
    series: Raw | UnsetType = msgspec.field(default=UNSET, name="0020000E")
    instance: Raw | UnsetType = msgspec.field(default=UNSET, name="00080018")
    patient: Raw | UnsetType = msgspec.field(default=UNSET, name="00100020")
    issuer: Raw | UnsetType = msgspec.field(default=UNSET, name="00100021")
    name: Raw | UnsetType = msgspec.field(default=UNSET, name="00100010")
    birth_date: Raw | UnsetType = msgspec.field(default=UNSET, name="00100030")


_read_identity = msgspec.json.Decoder(_Identity).decode


class Pager:
    """Reads searches of one archive to their ends.

    A page may hold fewer rows than were asked for because nothing is left, or because the archive caps its
    pages without a word. So what was really given is what is skipped next. The request that would find
    nothing is spared where a page shows that nothing is left: an archive that once gave 40 rows in a page
    would not stop at 39, and one that gives more than was asked for gives all. It is not spared where the
    listing is to be a proof: a row that is deleted while its page is made makes the page shorter, too.

    Pages are no snapshot: rows that are deleted while they are read move others forward, past our place. So
    each page begins with the last row of the one before. Where that is not in it, nor another row that came
    before, we go back until one is: nothing that the archive had throughout is missed, as long as it keeps
    its rows in one order.
    """

    def __init__(self, *, page_rows: int, most_pages: int, until_nothing_comes: bool = False) -> None:
        """Starts without knowing anything of the archive.

        Args:
            page_rows: Rows to ask for.
            most_pages: Pages after which a search is given up.
            until_nothing_comes: Read on after a short page, until one has no new row.
        """
        self._until_nothing_comes = until_nothing_comes
        self._asked_for = page_rows
        self._page_rows = page_rows
        self._most_pages = most_pages
        self._largest = 0

    def saw(self, rows: int) -> None:
        """Takes note of a page that somebody else asked for."""
        self._largest = max(self._largest, min(rows, self._page_rows))

    async def all(self, ask: Ask) -> Rows:
        """Every row of one search.

        Raises:
            ArchiveError: Of a page.
        """
        rows: dict[str, bytes] = {}
        pages = 0
        date: datetime | None = None
        more: More = ""
        async with aclosing(self._read(ask, None)) as parts:
            async for part, identities, page in parts:
                if not pages:
                    date = part.date
                rows.update(zip(identities, page, strict=True))
                pages += bool(part.rows)
                more = part.more
        notes = _notes(more, len(rows), self._most_pages)
        return Rows(rows=tuple(rows.values()), pages=pages, more=more, notes=notes, date=date)

    async def parts(self, ask: Ask, position: Position | None = None) -> AsyncGenerator[Part, None]:
        """The pages of one search, which are not kept; whoever does not read it to its end closes it.

        Args:
            ask: Gives the pages.
            position: Of the last part that was read earlier, to go on after it.

        Raises:
            ArchiveError: Of a page.
        """
        async with aclosing(self._read(ask, position)) as parts:
            async for part, _, _ in parts:
                yield part

    async def _read(
        self, ask: Ask, position: Position | None
    ) -> AsyncGenerator[tuple[Part, list[str], list[bytes]], None]:
        known = dict.fromkeys(position.anchors if position else ())
        at = position or Position(0, ())
        total = stale = 0
        for number in range(self._most_pages):
            limit, page = await self._page(ask, at.skip)
            identities = [_identity(row) for row in page]
            step = min(limit, self._largest) or limit
            if at.skip and step > 1 and known.keys().isdisjoint(identities):
                at = Position(max(0, at.skip - step), at.anchors)
                stale = min(stale, 0) - 1  # this page may be known when it comes again
                continue
            new = {
                identity: row for identity, row in zip(identities, page, strict=True) if identity not in known
            }
            known.update(dict.fromkeys(identities))
            _forget(known)
            total += len(new)
            stale = 0 if new else stale + 1
            has_more, date = (page.has_more, page.date) if isinstance(page, Page) else (False, None)
            is_short = len(page) < min(self._largest, limit)
            ends = not has_more and (
                not page or len(page) > limit or (is_short and not (new and self._until_nothing_comes))
            )
            is_last = ends or stale >= MOST_STALE or number == self._most_pages - 1
            more: More = ""
            if is_last and not ends:
                more = "endless" if new else "capped" if has_more else "repeats"
            elif is_last and total >= ROUND and total % ROUND == 0 and len(page) <= limit:
                more = "round"
            self.saw(len(page))
            overlap = 1 if min(limit, self._largest) > 1 else 0
            anchors = (identities[-1], identities[len(page) // 2], identities[0]) if page else at.anchors
            at = Position(at.skip + max(0, len(page) - overlap), anchors)
            part = Part(
                rows=tuple(new.values()),
                identities=tuple(new),
                position=at,
                is_last=is_last,
                more=more,
                date=date,
            )
            yield part, identities, page
            if is_last:
                return
        yield Part(rows=(), identities=(), position=at, is_last=True, more="endless"), [], []

    async def _page(self, ask: Ask, skip: int) -> tuple[int, list[bytes]]:
        """The rows asked for and one page; of fewer rows where the archive refuses so many."""
        while True:
            limit = self._page_rows
            try:
                return limit, await ask(limit, skip)
            except ArchiveAnswerError as refusal:
                if refusal.answer_status != TOO_LARGE:
                    raise
                if limit == 1:
                    self._page_rows = self._asked_for  # it is not the page that is too large
                    raise
                self._page_rows = max(1, limit // 4)


def _notes(more: More, rows: int, most_pages: int) -> tuple[str, ...]:
    """What is to be told of a search that did not come to its end."""
    advice = "Ask by dates for the rest."
    match more:
        case "repeats":
            return (
                f"The archive gives the same page again: it does not know offset. Rows listed: {rows}; "
                f"there may be more. {advice}",
            )
        case "capped":
            return (f"The archive says that it has more than the {rows:,} rows that it gives. {advice}",)
        case "endless":
            return (f"The archive has more than {most_pages} pages: only {rows:,} rows were read. {advice}",)
        case _:
            return ()


def _forget(known: dict[str, None]) -> None:
    for old in list(islice(known, max(0, len(known) - REMEMBERED))):
        del known[old]


def _identity(row: bytes) -> str:
    """What tells a row from others; the whole text where it cannot be read strictly."""
    try:
        found = _read_identity(row)
        text = b"\x00".join(b"" if raw is UNSET else bytes(raw) for raw in msgspec.structs.astuple(found))
    except msgspec.DecodeError:
        text = row
    return blake2b(text, digest_size=8).hexdigest()
