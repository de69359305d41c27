"""What changed in an archive, told by itself: each kind of archive in its own way.

feed = feed_of("orthanc", archive)
page = await feed.read(await feed.start(), limit=1000)
"""

from connectors.base import ChangeFeed, FeedKind
from connectors.dicomweb.archive import DicomWebArchive
from connectors.dicomweb.feeds.azure import AzureFeed
from connectors.dicomweb.feeds.dcm4chee import Dcm4cheeFeed
from connectors.dicomweb.feeds.orthanc import OrthancFeed

__all__ = ["feed_of"]


def feed_of(kind: FeedKind, archive: DicomWebArchive, *, root: str | None = None) -> ChangeFeed:
    """The change feed of an archive.

    Args:
        kind: What it is, or behaves like.
        archive: The archive, by whose connections the feed is asked.
        root: Of Orthanc's REST interface, or of Azure's DICOM service, where it is known; else it is looked
            for at `archive.feed_root`, or where it stands beside the root of QIDO-RS.
    """
    known = (root or archive.feed_root or "").rstrip("/")
    match kind:
        case "orthanc":
            return OrthancFeed(archive, known or archive.search_root.rpartition("/")[0])
        case "azure":
            return AzureFeed(archive, known or archive.search_root)
        case "dcm4chee":
            return Dcm4cheeFeed(archive)
