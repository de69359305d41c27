"""All rows of a search that answers a page at a time, from archives that page as they like."""

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import UNSET, Raw, UnsetType

from heltig.errors import ArchiveAnswerError

TOO_LARGE = 413
"""The HTTP status with which dcm4chee refuses a search that finds too much."""

Ask = Callable[[int, int], Awaitable[list[bytes]]]
"""Gives one page: takes the most rows wanted and the rows to skip."""


class Rows(msgspec.Struct, frozen=True):
    """What was listed.

    Attributes:
        rows: The JSON text of each row, in the order of the archive.
        pages: Number of pages that had rows.
        notes: What the archive did that whoever reads the rows should know.
    """

    rows: tuple[bytes, ...]
    pages: int
    notes: tuple[str, ...] = ()


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
    pages without a word. So what was really given is what is skipped next, until a page is empty. The request
    that finds it so is spared where a page shows that nothing is left: an archive that once gave 40 rows in a
    page would not stop at 39, and one that gives more than was asked for gives all.
    """

    def __init__(self, *, page_rows: int, most_pages: int) -> None:
        """Starts without knowing anything of the archive.

        Args:
            page_rows: Rows to ask for.
            most_pages: Pages after which a search is given up.
        """
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
        rows: dict[object, bytes] = {}
        skipped = 0
        for pages in range(self._most_pages):
            limit, page = await self._page(ask, skipped)
            identities = [_identity(row) for row in page]
            if page and all(identity in rows for identity in identities):
                return Rows(tuple(rows.values()), pages, (_repeats(len(rows)),))
            rows.update(zip(identities, page, strict=True))
            skipped += len(page)
            if not page or len(page) < min(self._largest, limit) or len(page) > limit:
                return Rows(tuple(rows.values()), pages + bool(page))
            self.saw(len(page))
        note = (
            f"The archive has more than {self._most_pages} pages: only {len(rows):,} rows were read. "
            "Ask by dates for the rest."
        )
        return Rows(tuple(rows.values()), self._most_pages, (note,))

    async def _page(self, ask: Ask, skip: int) -> tuple[int, list[bytes]]:
        """The rows asked for and one page; of fewer rows where the archive refuses so many."""
        while True:
            limit = self._page_rows
            try:
                return limit, await ask(limit, skip)
            except ArchiveAnswerError as refusal:
                if refusal.answer_status != TOO_LARGE or limit == 1:
                    raise
                self._page_rows = max(1, limit // 4)


def _repeats(rows: int) -> str:
    return (
        f"The archive gives the same page again: it does not know offset. Rows listed: {rows}; "
        "there may be more. Ask by dates for the rest."
    )


def _identity(row: bytes) -> object:
    """What tells a row from others; the whole text where it cannot be read strictly."""
    try:
        found = _read_identity(row)
    except msgspec.DecodeError:
        return row
    return tuple(None if raw is UNSET else bytes(raw) for raw in msgspec.structs.astuple(found))
