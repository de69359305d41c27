"""The digest of the pixel data of one object, for the few that must be compared with others."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from heltig.dicom.cell import UNDEFINED_LENGTH
from heltig.dicom.part10.header import open_header, walk_header
from heltig.dicom.part10.layout import IMPLICIT_HEADER, ITEM
from heltig.dicom.part10.pixels import TRANSFER_SYNTAX_UID, text_of
from heltig.dicom.part10.source import HeaderSource
from heltig.standard.uids import transfer_syntax

_SOP_INSTANCE_UID: Final = "00080018"
_PIECE: Final = 1024 * 1024
_HEAD: Final = 8


class PixelDigest(NamedTuple):
    """What the pixel data of an object come to.

    Attributes:
        sop_instance_uid: Of the object.
        form: Only digests of one form can be compared: the transfer syntax of compressed pixels; all pixels
            that are not compressed have one form.
        digest: SHA-256, 64 hex digits. Of compressed pixels only the streams count, not how they are cut
            into fragments.
    """

    sop_instance_uid: str
    form: str
    digest: str


def pixel_digest(again: Callable[[], HeaderSource]) -> PixelDigest | None:
    """Read the pixel data of an object whole.

    Args:
        again: Opens the object, anew each time.

    Returns:
        None where there are no pixel data, and of data sets that are deflated, big endian or not what their
        transfer syntax says.

    Raises:
        NotDicom: It is no DICOM object.
        UnreadableFile: Not one element could be read.
    """
    data_set, pixels = walk_header(open_header(again()), origin="")
    if pixels is None:
        return None
    uid, syntax = (
        text_of(tag, data_set.tags, data_set.raws) for tag in (_SOP_INSTANCE_UID, TRANSFER_SYNTAX_UID)
    )
    known = transfer_syntax(syntax)
    source = again()
    source.skip(pixels.place)
    digest = hashlib.sha256(pixels.tag.encode())
    streams = _fragments(source) if pixels.length == UNDEFINED_LENGTH else _pieces(source, pixels.length)
    for piece in streams:
        digest.update(piece)
    return PixelDigest(uid, syntax if known and known.encapsulated else "", digest.hexdigest())


def _pieces(source: HeaderSource, length: int) -> Iterator[bytes]:
    left = length
    while left and (piece := source.read(min(left, _PIECE))):
        left -= len(piece)
        yield piece


def _fragments(source: HeaderSource) -> Iterator[bytes]:
    """What stands in the fragments after the offset table (PS3.5 A.4)."""
    is_table = True
    while len(head := b"".join(_pieces(source, _HEAD))) == _HEAD:
        number, length = IMPLICIT_HEADER(head, 0)
        if number != ITEM:
            break
        if is_table:
            source.skip(length)
            is_table = False
        else:
            yield from _pieces(source, length)
