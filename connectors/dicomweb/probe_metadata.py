"""What an archive's metadata is worth: at which level it is given, and whether it is all there is."""

import re
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from connectors.base import MetadataLevel, read_row
from heltig.dicom.cell import DataSet
from heltig.dicom.json_stream import InstanceSplitter, NotDicomJson
from heltig.dicom.part10 import BytesSource, UnreadableFile, read_header
from heltig.dicom.study import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, element
from heltig.errors import ArchiveAccessError, ArchiveError
from heltig.standard.dictionary import lookup

if TYPE_CHECKING:
    from connectors.dicomweb.archive import DicomWebArchive

HEADER_BYTES = 1024 * 1024
STUDIES_TRIED = 3
"""One study may be broken, or have hardly more attributes than a summary."""

LONG_SECONDS: Final = 15.0
"""After so long no further study is tried: what the first one shows is better than no end."""

_LEVELS: Final[tuple[MetadataLevel, ...]] = ("study", "series", "instance", "none")
_NOT_COMPARED: Final = frozenset({"00080005", "FFFCFFFC"})
_BULK_URI = re.compile(rb'"BulkDataURI"\s*:\s*"([^"\\]+)"')
_NAMED = 3


class _Compared(msgspec.Struct, frozen=True):
    """An instance's metadata beside the object itself.

    Attributes:
        attributes: Number of those of the object that are compared.
        lacking: Those that metadata does not have.
    """

    attributes: int
    lacking: tuple[str, ...]


async def probe_metadata(archive: "DicomWebArchive", studies: list[DataSet]) -> dict[str, Any]:
    """The fields of `Capabilities` that are about metadata.

    Args:
        archive: The archive.
        studies: Rows of its studies; the first ones are tried.

    Raises:
        ArchiveAccessError: It does not give us metadata.
    """
    level: MetadataLevel | None = None
    compared: list[_Compared] = []
    told: dict[str, Any] = {}
    has_instance = False
    ends = time.monotonic() + LONG_SECONDS
    for tried, study in enumerate(studies[:STUDIES_TRIED]):
        if tried and time.monotonic() > ends:
            break
        found, instance = await _metadata_of(archive, element(study, STUDY_INSTANCE_UID).text)
        if found is not None and (level is None or _LEVELS.index(found) < _LEVELS.index(level)):
            level = found
        if instance is None:
            continue
        has_instance = True
        told.setdefault("bulk_data_root", _bulk_data_root(archive.root, instance))
        if one := await _compare(archive, instance):
            compared.append(one)
    told |= {"metadata": level, "compared": len(compared)}
    worst = max(compared, key=lambda one: len(one.lacking), default=None)
    if worst is not None:
        told["all_attributes"] = not worst.lacking
        told["notes"] = tuple(_about(worst))
    elif has_instance:
        told["notes"] = (
            "Whether metadata has every attribute is not known: the object itself cannot be had.",
        )
    return told


def _about(worst: _Compared) -> list[str]:
    if not worst.lacking:
        return []
    names = [entry.keyword if (entry := lookup(tag)) else tag for tag in worst.lacking[:_NAMED]]
    return [
        f"Metadata lacks {len(worst.lacking)} of an object's {worst.attributes} attributes, "
        f"such as {', '.join(names)}: rules about what is absent are not evaluable."
    ]


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


async def _compare(archive: "DicomWebArchive", instance: DataSet) -> _Compared | None:
    """An instance's metadata and the object itself; None where that cannot be had."""
    uids = [
        element(instance, tag).text for tag in (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)
    ]
    try:
        _, start = await archive.retrieve_head(*uids, most=HEADER_BYTES)
        file = read_header(BytesSource(_part(start)))
    except (ArchiveError, UnreadableFile):
        return None
    attributes = {tag for tag in file.tags if _is_compared(tag)}
    return _Compared(len(attributes), tuple(sorted(attributes - set(instance.tags))))


def _is_compared(tag: str) -> bool:
    """No file meta information, group lengths, pixel data, nor private attributes, which some leave out."""
    is_private = tag[3] in "13579BDF"
    return not (tag[:4] in ("0002", "7FE0") or tag[4:] == "0000" or is_private or tag in _NOT_COMPARED)


def _part(multipart: bytes) -> bytes:
    """What stands after the head of the first part (RFC 2046, 5.1); all of it where there are no parts."""
    return multipart.partition(b"\r\n\r\n")[2] if multipart.lstrip().startswith(b"--") else multipart


def _bulk_data_root(root: str, instance: DataSet) -> str | None:
    """Where its bulk data URIs lead to, where that is not the archive's own address."""
    ours = urlsplit(root)
    for raw in instance.raws:
        if found := _BULK_URI.search(bytes(raw)):
            theirs = urlsplit(found[1].decode("utf-8", "replace"))
            if theirs.netloc and (theirs.scheme, theirs.netloc) != (ours.scheme, ours.netloc):
                return f"{theirs.scheme}://{theirs.netloc}"
            return None
    return None
