"""The folder of objects that are acknowledged and have no rows yet: what is in each says the file's name."""

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from heltig.dicom.part10 import HeaderReader, HeaderSource, NotDicom, SeekableSource, UnreadableFile
from heltig.dicom.study import element
from heltig.errors import ConfigurationError, StorageError
from heltig.pipeline.gate.received import Received
from heltig.pipeline.gate.spool import GateSpool

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two listeners of one gate apart there
    fcntl = None  # type: ignore[assignment]

FOLDER: Final = "intake"
SYNCS: Final = 4
"""Times that the folder is brought to disk at once."""

RECOVERED: Final = "recovered"
"""What the association is called of files that a process left that died."""

_NAME: Final = re.compile(r"([0-9a-f]{64})-(\d+)-([0-9a-f]*)-[0-9a-f]{8}\.dcm")
_TAGS: Final = {
    "sop_class_uid": "00080016",
    "sop_instance_uid": "00080018",
    "study_uid": "0020000D",
    "series_uid": "0020000E",
    "transfer_syntax_uid": "00020010",
}


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An object in the folder.

    Attributes:
        sender: Its AE title.
        association: Names the association.
        written: When its file was.
    """

    received: Received
    sender: str
    association: str
    written: datetime


class IntakeFile:
    """A file that is being received. Not for several threads at once.

    Attributes:
        path: Where it is.
        size: Bytes so far.
    """

    def __init__(self, path: Path) -> None:
        """Makes it; OSError where that is not possible."""
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+")

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes so far."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Takes some bytes; OSError where the disk is full or fails."""
        self._digest.update(data)
        view = memoryview(data)
        while view:  # without a buffer a write may take less
            view = view[self._file.write(view) :]
        if self.size and hasattr(os, "posix_fadvise"):
            # More may come: let the disk begin. At the end there is less to wait for.
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self.size += len(data)

    def sync(self) -> None:
        """Brings it to disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes it."""
        self._file.close()

    def abandon(self) -> None:
        """Removes it."""
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)


class IntakeFolder:
    """The folder `intake` of a gate: one process has it at a time."""

    def __init__(self, spool: GateSpool, archive: str) -> None:
        """Makes the folder, and takes it.

        Raises:
            ConfigurationError: Another process has it.
            StorageError: It cannot be made.
        """
        self._folder = spool.path_of(archive) / FOLDER
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            spool.sync_folders([self._folder.parent, self._folder.parent.parent])
            self._place = os.open(self._folder, os.O_RDONLY) if fcntl else None
        except OSError as error:
            raise StorageError(f"{self._folder} cannot be made: {error.strerror}.") from error
        if fcntl and self._place is not None:
            try:
                fcntl.flock(self._place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as taken:
                os.close(self._place)
                raise ConfigurationError(
                    f"A listener of gate {archive} runs already with this HELTIG_HOME."
                ) from taken
        self._syncing = ThreadPoolExecutor(SYNCS, thread_name_prefix="intake")

    def create(self) -> IntakeFile:
        """A new file; OSError where that is not possible."""
        return IntakeFile(self._folder / f"{secrets.token_hex(16)}.part")

    def keep(self, file: IntakeFile, sender: str) -> Path:
        """Brings a file that is whole to disk, under the name that says what it is; in any thread.

        When this returns, it outlasts a power cut.

        Raises:
            OSError: The disk is full, or fails.
        """
        name = f"{file.digest}-{file.size}-{sender.encode().hex()}-{secrets.token_hex(4)}.dcm"
        path = self._folder / name
        try:
            file.path.rename(path)
            file.path = path
            # One after the other, the file and its name would wait for the disk twice.
            named = self._syncing.submit(os.fsync, self._place) if self._place is not None else None
            file.sync()
            if named is not None:
                named.result()
        except BaseException:
            file.abandon()
            raise
        file.close()
        return path

    def files(self) -> list[Path]:
        """All that is in the folder; OSError where it cannot be read."""
        return list(self._folder.iterdir())

    def held(self, files: Iterable[Path]) -> list[Held]:
        """What is whole of files without rows, the oldest first; the others were never acknowledged: they go.

        Raises:
            OSError: They cannot be read.
        """
        return sorted(self._held(files), key=lambda held: held.written)

    def release(self) -> None:
        """Gives the folder back; nothing is kept any more."""
        self._syncing.shutdown()
        if self._place is not None:
            os.close(self._place)
            self._place = None

    def _held(self, files: Iterable[Path]) -> Iterator[Held]:
        reader = HeaderReader()
        for path in files:
            name, received = _NAME.fullmatch(path.name), None
            with FileIO(path) as file:
                source = SeekableSource(file)
                if name and source.size == int(name[2]) and _digest(file) == name[1]:
                    size = int(name[2])
                    received = received_from(source, digest=name[1], size=size, path=path, reader=reader)
            if name is None or received is None:
                path.unlink()
                continue
            yield Held(
                received=received,
                sender=bytes.fromhex(name[3]).decode(errors="replace"),
                association=RECOVERED,
                written=datetime.fromtimestamp(path.stat().st_mtime, UTC),
            )


def _digest(file: FileIO) -> str:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def received_from(
    source: HeaderSource,
    *,
    digest: str,
    size: int,
    path: Path,
    reader: HeaderReader,
    is_on_disk: bool = False,
) -> Received | None:
    """An object by its bytes; None where no header can be read from them.

    Args:
        source: The bytes.
        digest: Their SHA-256.
        size: How many there are.
        path: Where they are.
        reader: Reads the header; not in several threads at a time.
        is_on_disk: They outlast a power cut.
    """
    try:
        header = reader.read(source)
    except (NotDicom, UnreadableFile):
        return None
    uids = {name: element(header, tag).text for name, tag in _TAGS.items()}
    return Received(**uids, digest=digest, size=size, path=path, is_on_disk=is_on_disk)
