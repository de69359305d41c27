"""Where gates keep the objects that they take: a file each, under a name of our own, readable by us only.

A file belongs to an object's row from the transaction on that acknowledges it. What no row names is left over
from a request that broke off or from a process that was killed, and is removed after a while.
"""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from heltig.errors import StorageError
from heltig.setting_types import Size

ABANDONED: Final = timedelta(hours=12)
"""How old a file is that no row names before it is removed: longer than a request may take."""

RETRY_SECONDS: Final = 60.0
"""After so long a sender may try again that found the spool full."""

_AT_ONCE: Final = 8  # files that are brought to disk at the same time


class SpoolFile:
    """A file that is being received. Not for several threads at once.

    Attributes:
        path: Where it is.
        size: Bytes so far.
    """

    def __init__(self, path: Path) -> None:
        """Makes it.

        Raises:
            OSError: It cannot be made.
        """
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)

    def write(self, data: bytes) -> None:
        """Takes some bytes.

        Raises:
            OSError: The disk is full, or fails.
        """
        self._digest.update(data)
        self.size += len(data)
        view = memoryview(data)
        while view:  # without a buffer a write may take less
            view = view[self._file.write(view) :]

    def close(self) -> str:
        """Ends it; returns the SHA-256 of its bytes, 64 hex digits. It is not yet on disk: see `sync`."""
        self._file.close()
        return self._digest.hexdigest()

    def abandon(self) -> None:
        """Removes it."""
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)


class GateSpool:
    """The folder `spool/gate`, with a folder for each gate.

    Attributes:
        name: Tells it from the spool of another server that has the same database.
    """

    def __init__(self, folder: Path, *, name: str, reserve: Size) -> None:
        """Makes it.

        Args:
            folder: Where.
            name: That of the whole spool.
            reserve: Room that is left on the disk.
        """
        self.name = name
        self._folder = folder
        self._reserve = reserve
        self._made: set[str] = set()

    def create(self, gate: str) -> SpoolFile:
        """A new file of a gate.

        Raises:
            StorageError: It cannot be made.
        """
        folder = self._folder / gate
        try:
            if gate not in self._made:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.sync_folders([self._folder, folder.parent.parent])
                self._made.add(gate)
            return SpoolFile(folder / f"{secrets.token_hex(16)}.dcm")
        except OSError as error:
            raise full(error) from error

    def insist_on_room(self) -> None:
        """Insists that there is room for more.

        Raises:
            StorageError: There is not; `retry_after` says when to try again.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise full(error) from error
        if free < self._reserve:
            raise StorageError(
                f"The spool has less than {self._reserve} left (HELTIG_GATE_RESERVE): try again later.",
                retry_after=RETRY_SECONDS,
            )

    def file_of(self, path: Path) -> str:
        """What a file is called in its object's row."""
        return path.relative_to(self._folder).as_posix()

    def path_of(self, file: str) -> Path:
        """Where the file of an object is."""
        return self._folder / file

    def size_of(self, file: str) -> int | None:
        """How large a file is, in bytes, as a row names it; None where it is not there."""
        try:
            return self.path_of(file).stat().st_size
        except OSError:
            return None

    def has(self, file: str | None, digest: str) -> bool:
        """Whether a file is there, and is what was received.

        Args:
            file: As a row names it.
            digest: SHA-256 of what was received, 64 hex digits.
        """
        try:
            with self.path_of(file or "").open("rb", buffering=0) as content:
                return hashlib.file_digest(content, "sha256").hexdigest() == digest
        except OSError:
            return False

    def sync(self, paths: Iterable[Path]) -> None:
        """Brings files to disk, and their names.

        Raises:
            OSError: The disk is full, or fails.
        """
        listed = list(paths)
        if len(listed) == 1:
            _sync(listed[0])
        elif listed:
            with ThreadPoolExecutor(min(_AT_ONCE, len(listed))) as threads:
                list(threads.map(_sync, listed))
        self.sync_folders({path.parent for path in listed})

    @staticmethod
    def sync_folders(folders: Iterable[Path]) -> None:
        """Brings what folders hold to disk."""
        if os.name == "posix":  # elsewhere a folder cannot be opened
            for folder in folders:
                _sync(folder)

    def remove(self, paths: Iterable[Path]) -> None:
        """Removes files, as far as they are there."""
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def old_files(self) -> list[str]:
        """The files that were last written to long ago, as rows name them."""
        latest = time.time() - ABANDONED.total_seconds()
        found = []
        for path in self._folder.glob("*/*.dcm"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < latest:
                    found.append(self.file_of(path))
        return found


def full(error: OSError) -> StorageError:
    """What a sender is told where the spool cannot be written."""
    return StorageError(
        f"The gate's spool cannot be written: {error.strerror}. See HELTIG_HOME.", retry_after=RETRY_SECONDS
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
