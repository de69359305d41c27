"""Files that outlast a power cut."""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from heltig.errors import StorageError
from heltig.settings import Settings


def sync_folder(folder: Path) -> None:
    """Brings what a folder holds to disk."""
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Makes a folder for us only, and brings its name to disk."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)


def folder_of(settings: Settings) -> Path:
    """Where a relay keeps what it has.

    Raises:
        StorageError: It cannot be made.
    """
    folder = settings.home / "relay"
    try:
        make_folder(folder)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}. See HELTIG_HOME.") from error
    return folder


class GrowingFile:
    """A file that is written bit by bit.

    Attributes:
        path: Where it is.
    """

    def __init__(self, folder: Path) -> None:
        """Makes it; OSError where that is not possible."""
        self.path = folder / f"{secrets.token_hex(16)}.part"
        self._digest = hashlib.sha256()
        self._file = os.fdopen(
            os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0
        )

    def write(self, data: bytes) -> None:
        """Takes some bytes; OSError where the disk is full or fails."""
        self._digest.update(data)
        view = memoryview(data)
        while view:  # without a buffer a write may take less
            view = view[self._file.write(view) :]

    def end(self) -> str:
        """Brings it to disk; returns the SHA-256 of its bytes."""
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def abandon(self) -> None:
        """Removes it."""
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)
