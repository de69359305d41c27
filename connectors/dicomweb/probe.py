"""How an archive behaves where the standard leaves it a choice, or where archives go other ways."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from connectors.base import Capabilities, Page, read_row
from connectors.dicomweb.answer import date_of, page_of, rows_of
from connectors.dicomweb.probe_feed import find_feed
from connectors.dicomweb.probe_metadata import probe_metadata
from heltig.dicom.cell import DataSet
from heltig.dicom.study import STUDY_INSTANCE_UID, element
from heltig.errors import ArchiveAnswerError, ArchiveNotFoundError
from heltig.http_answer import Head

if TYPE_CHECKING:
    from connectors.dicomweb.archive import DicomWebArchive

PAGE_ROWS = 200
NOT_FOUND = 404

_INSTANCE_AVAILABILITY = "00080056"
_STUDY_INSTANCES = "00201208"
_UID: Final = re.compile(r"[0-9.]{3,64}")
_PLAIN: Final = re.compile(r"[0-9A-Za-z]{2,}")
_BEGINNINGS: Final = (("PatientID", "00100020"), ("AccessionNumber", "00080050"), ("StudyID", "00200010"))
"""What a wildcard is tried with: keys that every archive matches (PS3.18 table 10.6.1-5, PS3.4 C.6.2.1)."""


async def probe(
    archive: "DicomWebArchive", *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Capabilities:
    """Finds out how an archive behaves, with some twenty small requests that change nothing.

    Args:
        archive: The archive.
        clock: The time.

    Raises:
        ArchiveError: It does not answer a search for studies.
    """
    head, body = await archive.ask_for_studies({}, limit=2, offset=0)
    first = page_of(head, body)
    filters, empty = await _filters(archive)
    told: dict[str, Any] = {
        "filters": filters,
        "empty_status": empty,
        "clock_skew": _clock_skew(head, clock()),
        "gzip": "gzip" in head.headers.get("content-encoding", "") if body else None,
        "etag": "etag" in head.headers,
        "last_modified": "last-modified" in head.headers,
    }
    if not first:
        told |= await find_feed(archive, has_studies=False)
        return Capabilities(**told, notes=("It has no study to try the rest with.",))
    told |= await _paging(archive, first)
    page = await _page(archive, limit=PAGE_ROWS, offset=0) or first
    told["page_cap"] = await _page_cap(archive, len(page)) if told["offset"] else None
    studies = sorted(map(read_row, page), key=_instances)
    told["counts"] = _STUDY_INSTANCES in studies[0].tags
    told["availability"] = await _availability(archive)
    if filters:
        told["wildcard"] = await _wildcard(archive, studies)
        told["percent_decoding"] = await _percent_decoding(archive, studies)
    told |= await find_feed(archive, has_studies=bool(filters))
    told |= await probe_metadata(archive, studies)
    return Capabilities(**told)


async def _filters(archive: "DicomWebArchive") -> tuple[bool | None, int | None]:
    """Whether a UID that nobody has finds nothing; the status of such an answer."""
    nobodys = f"2.25.{uuid4().int}"  # PS3.5 B.2
    try:
        head, body = await archive.ask_for_studies({"StudyInstanceUID": nobodys}, limit=1, offset=0)
        return (False, None) if rows_of(head, body) else (True, head.status)
    except ArchiveNotFoundError:
        return True, NOT_FOUND
    except ArchiveAnswerError:
        return None, None


async def _paging(archive: "DicomWebArchive", first: Page) -> dict[str, bool | None]:
    """Whether the page after the first is another one; whether the first said that there is one."""
    following = await _page(archive, limit=len(first), offset=len(first))
    is_other = following is not None and list(following) != list(first)
    warns = True if first.has_more else None
    return {"offset": is_other, "warns": False if warns is None and is_other and following else warns}


async def _page_cap(archive: "DicomWebArchive", given: int) -> int | None:
    """The cap of a page, if a page of `given` rows was cut short by one."""
    return given if given < PAGE_ROWS and await _page(archive, limit=1, offset=given) else None


async def _page(archive: "DicomWebArchive", *, limit: int, offset: int, **query: str) -> Page | None:
    """One page; None where it is refused."""
    try:
        return await archive.search_studies(query, limit=limit, offset=offset)
    except ArchiveNotFoundError:
        return Page()
    except ArchiveAnswerError:
        return None


async def _availability(archive: "DicomWebArchive") -> bool | None:
    page = await _page(archive, limit=1, offset=0, includefield=_INSTANCE_AVAILABILITY)
    return _INSTANCE_AVAILABILITY in read_row(page[0]).tags if page else None


async def _wildcard(archive: "DicomWebArchive", studies: list[DataSet]) -> bool | None:
    """Whether the beginning of a value and `*` find a study; None where none has a plain one."""
    for key, tag in _BEGINNINGS:
        for study in studies:
            if _PLAIN.fullmatch(value := element(study, tag).text):
                page = await _page(archive, limit=1, offset=0, **{key: f"{value[:-1]}*"})
                return None if page is None else bool(page)
    return None


async def _percent_decoding(archive: "DicomWebArchive", studies: list[DataSet]) -> bool | None:
    """Whether a UID is found whose dots are percent-encoded, and that is found as it stands."""
    uids = (element(study, STUDY_INSTANCE_UID).text for study in studies)
    uid = next(filter(_UID.fullmatch, uids), None)
    if uid is None or not await _page(archive, limit=1, offset=0, StudyInstanceUID=uid):
        return None
    try:
        return bool(
            rows_of(*await archive.ask_as_written(f"StudyInstanceUID={uid.replace('.', '%2E')}&limit=1"))
        )
    except ArchiveNotFoundError:
        return False
    except ArchiveAnswerError:
        return None


def _clock_skew(head: Head, now: datetime) -> float | None:
    date = date_of(head)
    return None if date is None else round((date - now).total_seconds(), 1)


def _instances(row: DataSet) -> float:
    """Number of instances, for small studies first."""
    numbers = element(row, _STUDY_INSTANCES).numbers
    return numbers[0] or 0.0 if numbers and numbers[0] is not None else float("inf")
