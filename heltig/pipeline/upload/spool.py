"""Where what was sent is kept until it is judged: files under names of our own, readable by us only."""

import asyncio
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

import msgspec

from heltig.errors import InputTooLargeError, StorageError
from heltig.setting_types import Size

ABANDONED: Final = timedelta(hours=1)
"""How long nothing may have been written to a file that belongs to nothing before it is removed."""

_AT_ONCE: Final = 1024 * 1024  # bytes: one change of threads for each


class Spooled(msgspec.Struct, frozen=True):
    """A file that was received whole and is on disk.

    Attributes:
        path: Where it is.
        digest: SHA-256 of its bytes, 64 hex digits.
        size: In bytes.
    """

    path: Path
    digest: str
    size: int


class Spool:
    """The folder `spool`: `incoming` while files are received, `uploads` until they are judged, `scratch`.

    Attributes:
        name: Tells it from the spool of another server that has the same database.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the folders."""
        self.incoming = folder / "incoming"
        self.uploads = folder / "uploads"
        self.scratch = folder / "scratch"
        for part in (self.incoming, self.uploads, self.scratch):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = _name(folder.with_suffix(".name"))

    async def receive(self, chunks: AsyncIterator[bytes], *, limit: Size) -> Spooled:
        """Writes a file while it arrives, and brings it to disk.

        Raises:
            InputTooLargeError: It is over the limit; nothing of it is left.
            StorageError: The disk is full, or fails.
        """
        path = self.incoming / f"{secrets.token_hex(16)}.part"
        try:
            with await asyncio.to_thread(_create, path) as file:
                digest, size = await _copy(chunks, file, limit=limit)
                await asyncio.to_thread(_sync, file)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise StorageError(f"The spool cannot be written: {error.strerror}. See HELTIG_HOME.") from error
        except BaseException:  # too large, or the sender went away
            path.unlink(missing_ok=True)
            raise
        return Spooled(path, digest, size)

    def link(self, file: Path, *, digest: str) -> Spooled:
        """A file that is here already and stays, as if it had been received."""
        path = self.incoming / f"{secrets.token_hex(16)}.part"
        os.link(file, path)
        return Spooled(path, digest, path.stat().st_size)

    async def keep(self, spooled: Spooled, name: str) -> Path:
        """Moves a file to the uploads; it is there after a power cut too."""
        kept = self.of_upload(name)
        await asyncio.to_thread(_move, spooled.path, kept)
        return kept

    def of_upload(self, name: str) -> Path:
        """Where an upload's file is."""
        return self.uploads / f"{name}.zip"

    def uploads_kept(self) -> dict[str, float]:
        """The names of the uploads whose files are here, with the seconds since each was written."""
        now = time.time()
        kept = {}
        for file in self.uploads.glob("*.zip"):
            try:
                kept[file.stem] = now - file.stat().st_mtime
            except FileNotFoundError:
                continue  # removed at this moment
        return kept

    def remove_uploads(self, names: Collection[str]) -> None:
        """Removes the files of uploads."""
        for name in names:
            self.of_upload(name).unlink(missing_ok=True)

    def remove_abandoned(self) -> None:
        """Removes what a process that was killed left behind."""
        for place in (*self.incoming.iterdir(), *self.scratch.iterdir()):
            try:
                if time.time() - place.stat().st_mtime < ABANDONED.total_seconds():
                    continue
            except FileNotFoundError:
                continue
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)


def _name(file: Path) -> str:
    """What a file says, which whoever comes first writes."""
    part = file.with_name(f"{secrets.token_hex(8)}.part")
    part.write_text(secrets.token_hex(8), "ascii")
    with suppress(FileExistsError):
        os.link(part, file)
    part.unlink()
    return file.read_text("ascii")


async def _copy(chunks: AsyncIterator[bytes], file: IO[bytes], *, limit: Size) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    waiting = bytearray()

    def write(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise InputTooLargeError(
                f"The ZIP is larger than {limit} (HELTIG_UPLOAD_MAX_SIZE). Send less at a time."
            )
        waiting += chunk
        if len(waiting) >= _AT_ONCE:
            await asyncio.to_thread(write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(write, bytes(waiting))
    return digest.hexdigest(), size


def _create(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)


def _sync(file: IO[bytes]) -> None:
    os.fsync(file.fileno())


def _move(source: Path, target: Path) -> None:
    source.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Brings what a folder holds to disk."""
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
