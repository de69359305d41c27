"""How an archive behaves where the standard leaves it a choice, or where archives go other ways."""

import re
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

from connectors.base import Capabilities, MetadataLevel, read_row
from connectors.dicomweb.answer import rows_of
from heltig.dicom.cell import DataSet
from heltig.dicom.json_stream import InstanceSplitter, NotDicomJson
from heltig.dicom.part10 import BytesSource, UnreadableFile, read_header
from heltig.dicom.study import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, element
from heltig.errors import ArchiveAccessError, ArchiveAnswerError, ArchiveError, ArchiveNotFoundError
from heltig.http_answer import Head
from heltig.standard.dictionary import lookup

if TYPE_CHECKING:
    from connectors.dicomweb.archive import DicomWebArchive

PAGE_ROWS = 200
HEADER_BYTES = 1024 * 1024
SKEW_SECONDS = 60
NOT_FOUND = 404
STUDIES_TRIED = 3
"""The one study that is asked for metadata might be a broken one."""

_STUDY_INSTANCES = "00201208"
_NOT_COMPARED: Final = frozenset({"00080005", "FFFCFFFC"})
_BULK_URI = re.compile(rb'"BulkDataURI"\s*:\s*"([^"\\]+)"')
_NAMED = 3


async def probe(
    archive: "DicomWebArchive", *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Capabilities:
    """Finds out how an archive behaves, with about ten small requests that change nothing.

    Args:
        archive: The archive.
        clock: The time.

    Raises:
        ArchiveError: It does not answer a search for studies.
    """
    head, body = await archive.ask_for_studies({}, limit=2, offset=0)
    first = rows_of(head, body)
    notes = [*_about_clock(head, clock()), *_about_gzip(head)]
    filters, empty = await _filters(archive)
    notes += [f"A search that finds nothing is answered {empty}."] if empty else []
    if not first:
        return Capabilities(filters=filters, notes=(*notes, "It has no study to try the rest with."))
    offset = await _offset(archive, first)
    page = await _page(archive, limit=PAGE_ROWS, offset=0) or first
    cap = await _page_cap(archive, len(page)) if offset else None
    studies = sorted(map(read_row, page), key=_instances)
    metadata, instance = await _metadata(archive, studies[:STUDIES_TRIED])
    all_attributes = None
    if instance is not None:
        all_attributes, further = await _fidelity(archive, instance)
        notes += [*further, *_about_bulk_data(archive.root, instance)]
    return Capabilities(
        offset=offset,
        page_cap=cap,
        filters=filters,
        counts=_STUDY_INSTANCES in studies[0].tags,
        metadata=metadata,
        all_attributes=all_attributes,
        notes=tuple(notes),
    )


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


async def _offset(archive: "DicomWebArchive", first: list[bytes]) -> bool:
    """Whether the page after the first is another one."""
    following = await _page(archive, limit=len(first), offset=len(first))
    return following is not None and following != first


async def _page_cap(archive: "DicomWebArchive", given: int) -> int | None:
    """The cap of a page, if a page of `given` rows was cut short by one."""
    return given if given < PAGE_ROWS and await _page(archive, limit=1, offset=given) else None


async def _page(archive: "DicomWebArchive", *, limit: int, offset: int) -> list[bytes] | None:
    """One page; None where it is refused."""
    try:
        return await archive.search_studies({}, limit=limit, offset=offset)
    except ArchiveNotFoundError:
        return []
    except ArchiveAnswerError:
        return None


async def _metadata(
    archive: "DicomWebArchive", studies: list[DataSet]
) -> tuple[MetadataLevel | None, DataSet | None]:
    """The highest level at which metadata of one of some studies is served, and its first instance."""
    best: tuple[MetadataLevel | None, DataSet | None] = (None, None)
    for study in studies:
        found = await _metadata_of(archive, element(study, STUDY_INSTANCE_UID).text)
        if found[0] == "study":
            return found
        best = best if best[1] else found
    return best


async def _metadata_of(archive: "DicomWebArchive", study: str) -> tuple[MetadataLevel | None, DataSet | None]:
    if instance := await _first_instance(archive, study):
        return "study", instance
    try:
        series = [
            element(read_row(row), SERIES_INSTANCE_UID).text for row in await archive.search_series(study)
        ]
        if series and (instance := await _first_instance(archive, study, series[0])):
            return "series", instance
        rows = await archive.search_instances(study, series[0]) if series else []
    except ArchiveAccessError:
        raise
    except ArchiveError:
        return None, None
    if not rows:
        return None, None
    sop = element(read_row(rows[0]), SOP_INSTANCE_UID).text
    instance = await _first_instance(archive, study, series[0], sop)
    return ("instance", instance) if instance else ("none", None)


async def _first_instance(archive: "DicomWebArchive", *uids: str) -> DataSet | None:
    splitter = InstanceSplitter()
    try:
        async with aclosing(archive.retrieve_metadata(*uids)) as chunks:
            async for chunk in chunks:
                if found := splitter.feed(chunk):
                    return found[0]
        return next(iter(splitter.close()), None)
    except ArchiveAccessError:
        raise
    except (ArchiveError, NotDicomJson):
        return None


async def _fidelity(archive: "DicomWebArchive", instance: DataSet) -> tuple[bool | None, list[str]]:
    """Whether metadata has all attributes of the object, None where the object cannot be had."""
    uids = [
        element(instance, tag).text for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)
    ]
    try:
        _, start = await archive.retrieve_head(*uids, most=HEADER_BYTES)
        file = read_header(BytesSource(_part(start)))
    except (ArchiveError, UnreadableFile):
        return None, ["Whether metadata has every attribute is not known: the object itself cannot be had."]
    lacking = sorted({tag for tag in file.tags if _is_compared(tag)} - set(instance.tags))
    if not lacking:
        return True, []
    names = [entry.keyword if (entry := lookup(tag)) else tag for tag in lacking[:_NAMED]]
    return False, [
        f"Metadata lacks {len(lacking)} of the object's {len(file.tags)} attributes, "
        f"such as {', '.join(names)}: rules about what is absent are not evaluable."
    ]


def _is_compared(tag: str) -> bool:
    """No file meta information, group lengths, pixel data, nor private attributes, which some leave out."""
    is_private = tag[3] in "13579BDF"
    return not (tag[:4] in ("0002", "7FE0") or tag[4:] == "0000" or is_private or tag in _NOT_COMPARED)


def _part(multipart: bytes) -> bytes:
    """What stands after the head of the first part (RFC 2046, 5.1); all of it where there are no parts."""
    return multipart.partition(b"\r\n\r\n")[2] if multipart.lstrip().startswith(b"--") else multipart


def _about_clock(head: Head, now: datetime) -> list[str]:
    try:
        skew = (parsedate_to_datetime(head.headers.get("date", "")) - now).total_seconds()
    except (ValueError, TypeError):  # no date, or one without a time zone
        return []
    if abs(skew) < SKEW_SECONDS:
        return []
    return [f"Its clock is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} ours."]


def _about_gzip(head: Head) -> list[str]:
    packed = "gzip" in head.headers.get("content-encoding", "")
    return (
        [] if packed else ["It does not compress its answers: gzip would make metadata many times smaller."]
    )


def _about_bulk_data(root: str, instance: DataSet) -> list[str]:
    ours = urlsplit(root)
    for raw in instance.raws:
        if found := _BULK_URI.search(bytes(raw)):
            theirs = urlsplit(found[1].decode("utf-8", "replace"))
            if theirs.netloc and (theirs.scheme, theirs.netloc) != (ours.scheme, ours.netloc):
                return [
                    f"Its bulk data URIs lead to {theirs.scheme}://{theirs.netloc}, which is not its address."
                ]
            return []
    return []


def _instances(row: DataSet) -> float:
    """Number of instances, for small studies first."""
    numbers = element(row, _STUDY_INSTANCES).numbers
    return numbers[0] or 0.0 if numbers and numbers[0] is not None else float("inf")
