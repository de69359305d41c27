"""Whether an archive tells what changed, and how: Orthanc, Azure's DICOM service, dcm4chee."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from connectors.base import FeedKind
from heltig.errors import ArchiveError, ArchiveUnavailableError
from heltig.http_answer import NOT_JSON

if TYPE_CHECKING:
    from connectors.dicomweb.archive import DicomWebArchive

_LONG_AGO: Final = "19000101000000-"
_NOT_YET: Final = "99000101000000-"


async def find_feed(archive: "DicomWebArchive", *, has_studies: bool) -> dict[str, Any]:
    """The kind and the root of what tells of changes, as fields of `Capabilities`.

    Args:
        archive: The archive.
        has_studies: It has studies to try with, and does not ignore what it is asked to match.

    Raises:
        ArchiveUnavailableError: It does not answer.
    """
    root = archive.search_root
    places: list[tuple[FeedKind, str]] = [("azure", root), ("orthanc", root.rpartition("/")[0])]
    if archive.feed_root:
        places = [("azure", archive.feed_root), ("orthanc", archive.feed_root)]
    for kind, place in places:
        if await _is_there(archive, kind, place):
            return {"feed": kind, "feed_root": place}
    if has_studies and await _tells_receive_times(archive):
        return {"feed": "dcm4chee", "feed_root": root}
    return {"feed": "none" if has_studies else None}


async def _is_there(archive: "DicomWebArchive", kind: FeedKind, root: str) -> bool:
    path = "changefeed/latest?includeMetadata=false" if kind == "azure" else "changes?last&limit=1"
    members = {"sequence"} if kind == "azure" else {"changes", "last", "done"}
    try:
        _, body = await archive.ask_beside(f"{root}/{path}")
        told = msgspec.json.decode(body, type=dict[str, Any])
    except ArchiveUnavailableError:
        if root in (archive.search_root, archive.feed_root):
            raise
        return False  # beside the root that was given us anything may be, and need not answer us
    except (ArchiveError, *NOT_JSON):
        return False
    return members <= {name.lower() for name in told}


async def _tells_receive_times(archive: "DicomWebArchive") -> bool:
    """Whether studies can be searched by when they were received, as dcm4chee lets one.

    An archive that does not know the key either ignores it, and finds studies in times to come, or finds none
    at any time.
    """
    try:
        some = await archive.search_studies({"StudyReceiveDateTime": _LONG_AGO}, limit=1, offset=0)
        return bool(some) and not await archive.search_studies(
            {"StudyReceiveDateTime": _NOT_YET}, limit=1, offset=0
        )
    except ArchiveUnavailableError:
        raise
    except ArchiveError:
        return False
