"""Which studies an archive has, listed before any of them is read."""

from collections.abc import Callable, Mapping

import msgspec

from connectors.base import Archive, read_row
from connectors.paging import Pager
from heltig.dicom.cell import DataSet
from heltig.dicom.study import STUDY_INSTANCE_UID, element

PAGE_ROWS = 200
MOST_PAGES = 5000

_STUDY_DATE = "00080020"

Progress = Callable[[int], None]
"""Told how many rows were listed so far."""


class ListedStudy(msgspec.Struct, frozen=True):
    """A study as an archive lists it.

    Attributes:
        uid: Its StudyInstanceUID, as the archive writes it.
        rows: Every row of it: more than one where the archive has it under several patients. None where only
            its change feed named it.
        mark: Another text whenever the study changed, where the archive tells more than its rows.
    """

    uid: str
    rows: tuple[bytes, ...]
    mark: str = ""


class Listing(msgspec.Struct, frozen=True):
    """What a search for studies found.

    Attributes:
        studies: In the order of the archive.
        nameless: Rows without a StudyInstanceUID: such a study cannot be asked for.
        notes: What the archive did that makes the list less than it should be.
        is_whole: Every page was read, so that a study that is not in it is not in the archive.
    """

    studies: tuple[ListedStudy, ...]
    nameless: int = 0
    notes: tuple[str, ...] = ()
    is_whole: bool = True


async def list_studies(
    archive: Archive,
    query: Mapping[str, str],
    *,
    page_rows: int = PAGE_ROWS,
    most_pages: int = MOST_PAGES,
    progress: Progress | None = None,
) -> Listing:
    """Lists the studies that match a query, before any is read: reading takes hours, in which pages shift.

    A study that is deleted while pages are read moves one that was not yet listed into a page that was. So
    the first page is asked for again at the end, and where it is another one all pages are, once.

    Args:
        archive: The archive.
        query: Matching keys as QIDO-RS writes them.
        page_rows: Rows to ask for at a time.
        most_pages: Pages after which listing ends, with a note.
        progress: Told how far it is.

    Raises:
        ArchiveError: The archive does not answer the search.
    """
    pager = Pager(page_rows=page_rows, most_pages=most_pages)
    told = progress or (lambda rows: None)
    first: list[bytes] = []

    async def ask(limit: int, offset: int) -> list[bytes]:
        page = await archive.search_studies(query, limit=limit, offset=offset)
        if not offset:
            first[:] = page
        told(offset + len(page))
        return page

    found = await pager.all(ask)
    if found.pages > 1 and first != await archive.search_studies(query, limit=len(first), offset=0):
        again = await pager.all(ask)
        found = msgspec.structs.replace(again, rows=tuple(dict.fromkeys(found.rows + again.rows)))
    return _listing(found.rows, found.notes, query.get("StudyDate", ""))


def _listing(rows: tuple[bytes, ...], notes: tuple[str, ...], dates: str) -> Listing:
    is_whole = not notes
    studies: dict[str, list[bytes]] = {}
    nameless = others = 0
    for text in rows:
        row = read_row(text)
        uid = element(row, STUDY_INSTANCE_UID).text
        if not _is_dated(row, dates):
            others += 1
        elif uid:
            studies.setdefault(uid, []).append(text)
        else:
            nameless += 1
    if others:
        notes += (f"The archive does not search by date: {others} studies of other dates are left out.",)
    if nameless:
        notes += (
            f"{nameless} studies are listed without a StudyInstanceUID and cannot be asked for. "
            "Have the archive's administrator look at them.",
        )
    listed = tuple(ListedStudy(uid, tuple(texts)) for uid, texts in studies.items())
    return Listing(listed, nameless, notes, is_whole)


def _is_dated(row: DataSet, dates: str) -> bool:
    """Whether a study's date may be one of a range (PS3.4 C.2.2.2.5); without a date it may."""
    date = element(row, _STUDY_DATE).text
    start, separator, end = dates.partition("-")
    return not date or not dates or start <= date <= ((end or "9") if separator else start)
