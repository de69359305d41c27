"""The pixel data of members that were read before, for the few that must be compared."""

from collections.abc import Iterable, Iterator
from io import FileIO

from connectors.upload.listing import MemberRef
from connectors.upload.zip_member import MemberError, Package
from heltig.dicom.part10 import NotDicom, PixelDigest, SeekableSource, UnreadableFile, pixel_digest


def pixel_digests(refs: Iterable[MemberRef]) -> Iterator[PixelDigest]:
    """The digests of the pixel data of some members; of those that have none, or cannot be read now, none."""
    for ref in refs:
        try:
            digest = _digest(ref)
        except (NotDicom, UnreadableFile, MemberError, OSError):
            continue
        if digest is not None:
            yield digest


def _digest(ref: MemberRef) -> PixelDigest | None:
    if ref.entry is None:
        with FileIO(ref.path) as file:
            return pixel_digest(lambda: SeekableSource(file))
    entry, package = ref.entry, Package(ref.path)
    try:
        return pixel_digest(lambda: package.member(entry))
    finally:
        package.close()
