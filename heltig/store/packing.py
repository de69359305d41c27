"""Evidence is kept compressed, under its own SHA-256, and encrypted where a key is given.

Packing costs the time of hashing and compressing; it is meant for the process that judges, so that only the
packed series travels to the one that stores it.
"""

import hashlib
import threading
from collections.abc import Iterable
from typing import Final

import zstandard

from heltig.errors import StorageError
from heltig.store.encryption import PLAIN, Cipher
from heltig.store.records import SeriesBlob
from heltig.store.text import storable

CONTENTS: Final = "contents"
SNAPSHOTS: Final = "snapshots"
"""What is encrypted in these tables is bound to their names, and to the row's own digest."""

_LEVEL = 1  # such text shrinks 50-fold at any level; higher ones only cost time


class _Packers(threading.local):
    """What packs and unpacks, one each a thread: to make one costs more than to pack a small series."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_packers: Final = _Packers()


def compress(content: bytes) -> bytes:
    """Content as it is stored."""
    return _packers.compressor.compress(content)


def decompress(body: bytes) -> bytes:
    """What `compress` was given.

    Raises:
        StorageError: The stored bytes are damaged.
    """
    try:
        return _packers.decompressor.decompress(body)
    except zstandard.ZstdError as error:
        raise StorageError(
            "Stored evidence cannot be decompressed: the database file is damaged. Restore a backup."
        ) from error


def put_facts(cipher: Cipher, snapshot: str, facts: bytes) -> bytes:
    """The source facts of a snapshot as they are stored."""
    return cipher.encrypt(SNAPSHOTS, (snapshot,), compress(facts))


def unpack_facts(cipher: Cipher, snapshot: str, stored: bytes) -> bytes:
    """What `put_facts` was given.

    Raises:
        StorageError: They are not what was stored, or their key is not here.
    """
    return decompress(cipher.decrypt(SNAPSHOTS, (snapshot,), stored))


def address_of(content: bytes) -> str:
    """The name of evidence in the store: its SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def pack_series(
    content: bytes,
    *,
    series_key: str,
    series_uid: str | None,
    digest: str,
    sop_instance_uids: Iterable[str],
    instances: int,
    modality: str = "",
    series_number: str = "",
    series_description: str = "",
    frame_of_reference_uid: str = "",
) -> SeriesBlob:
    """Makes a series ready for the store.

    Args:
        content: The evidence, in the caller's encoding.
        series_key: SeriesInstanceUID, or the fallback key of a series without one.
        series_uid: SeriesInstanceUID, None without one.
        digest: SHA-256 of the normalised values, 64 hex digits.
        sop_instance_uids: SOPInstanceUIDs; duplicates are dropped.
        instances: Number of instances.
        modality: For display, as the rest.
        series_number: As text.
        series_description: As text.
        frame_of_reference_uid: FrameOfReferenceUID of most instances, empty without one.
    """
    return SeriesBlob(
        series_key=series_key,
        series_uid=series_uid,
        digest=digest,
        address=address_of(content),
        body=compress(content),
        size=len(content),
        instances=instances,
        sop_instance_uids=tuple(sorted({storable(uid) for uid in sop_instance_uids})),
        modality=modality,
        series_number=series_number,
        series_description=series_description,
        frame_of_reference_uid=frame_of_reference_uid,
    )


def put_series(cipher: Cipher, blob: SeriesBlob) -> bytes:
    """The evidence of a series as it is stored."""
    return cipher.encrypt(CONTENTS, (blob.address,), blob.body)


def unpack_series(body: bytes, *, address: str, cipher: Cipher = PLAIN) -> bytes:
    """The evidence of a series, checked against its address.

    Raises:
        StorageError: It is not what was stored, or its key is not here.
    """
    content = decompress(cipher.decrypt(CONTENTS, (address,), body))
    if address_of(content) != address:
        raise StorageError(
            f"Stored evidence {address[:12]} is not what it was: the database file is damaged or was edited. "
            "Restore a backup."
        )
    return content
