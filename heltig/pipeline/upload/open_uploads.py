"""Uploads that are open: their bytes come in several requests, and what came outlasts a power cut.

Each is a folder in `spool/open`: `about` says what was announced, `bytes` is what came, `offset` how much of
it is on disk. What became of it once all came is a file in `spool/ended`, for those who missed the answer.
"""

import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from heltig.errors import BusyError, ConflictError, StorageError
from heltig.pipeline.upload.spool import sync_folder
from heltig.setting_types import Size
from heltig.settings import Settings

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two processes with one spool apart there
    fcntl = None  # type: ignore[assignment]

KEPT: Final = timedelta(days=1)
"""How long nothing may have come to an upload until it is removed, unless the site says otherwise."""

_ID: Final = re.compile(r"[0-9a-f]{32}")
_DIGITS: Final = 20


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender said when they began.

    Attributes:
        owner: The principal: nobody else sees it.
        length: In bytes.
        digest: SHA-256 of all, 64 hex digits; empty where it was not said.
        target: The archive that the studies are meant for; empty for none.
    """

    owner: str
    length: int
    digest: str
    target: str


class End(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an upload of which all came.

    Attributes:
        announced: What it was.
        upload: The name of the upload that it is; empty where it was refused.
        is_repeat: The same bytes were received before: it is that upload.
        status: Of the problem with which it was refused.
        detail: Why it was refused.
    """

    announced: Announced
    upload: str = ""
    is_repeat: bool = False
    status: int = 0
    detail: str = ""


class OpenUpload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that is open, or was.

    Attributes:
        id: Names it.
        offset: How many of its bytes are on disk.
        expires: When it is removed, unless more comes.
        end: What became of it; None while it is open.
    """

    id: str
    announced: Announced
    offset: int
    expires: datetime
    end: End | None = None


class Writer:
    """Adds to the bytes of an upload. Its methods are for threads, one at a time.

    Attributes:
        offset: Where the next bytes go.
    """

    def __init__(self, folder: Path) -> None:
        """Goes on behind what is on disk; what was written after that was never acknowledged.

        Raises:
            ConflictError: Another process writes it.
            StorageError: It is gone, or the disk fails.
        """
        self._lock = threading.Lock()  # whoever is cancelled while a thread writes closes after it
        self._mark = folder / "offset"
        with storing():
            self.offset = _offset(folder)
            self._file = (folder / "bytes").open("r+b", buffering=0)
        try:
            if fcntl:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with storing():
                self._file.truncate(self.offset)
                self._file.seek(self.offset)
        except BlockingIOError as error:
            self._file.close()
            raise ConflictError("Another server is writing this upload. Ask for its offset later.") from error
        except BaseException:
            self._file.close()
            raise

    def write(self, data: bytes) -> None:
        """Takes some bytes; StorageError where the disk is full or fails."""
        with self._lock, storing():
            view = memoryview(data)
            while view:  # without a buffer a write may take less
                taken = self._file.write(view)
                view = view[taken:]
                self.offset += taken

    def sync(self) -> None:
        """Brings the bytes to disk, then how many they are; StorageError where that fails."""
        with self._lock, storing():
            os.fsync(self._file.fileno())
            with self._mark.open("r+b", buffering=0) as mark:
                mark.write(f"{self.offset:0{_DIGITS}}".encode())  # within one sector: it is not torn
                os.fsync(mark.fileno())

    def close(self) -> None:
        """Lets others write."""
        with self._lock:
            self._file.close()


class OpenUploads:
    """The folders `open` and `ended` of a spool. What is on disk is all there is: any process may look."""

    def __init__(self, spool: Path, *, kept: timedelta = KEPT) -> None:
        """Makes the folders.

        Args:
            spool: Where.
            kept: How long nothing may have come to an upload until it is removed; an end is known as long.
        """
        self._kept = kept
        self._open, self._ended = spool / "open", spool / "ended"
        for part in (self._open, self._ended):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)

    def folder(self, id: str) -> Path:
        """Where an upload is that is open."""
        return self._open / id

    def begin(self, id: str, announced: Announced, *, limits: Settings) -> None:
        """Makes an upload of an id (`id_of`).

        Raises:
            BusyError: Too much is open.
            StorageError: The disk has no room for it, or fails.
        """
        made = self._open / f"{secrets.token_hex(16)}.part"
        try:
            self._see_that_there_is_room(announced, limits)
            made.mkdir(mode=0o700)
            _write(made / "about", msgspec.json.encode(announced))
            _write(made / "bytes", b"")
            _write(made / "offset", b"0" * _DIGITS)
            sync_folder(made)
            with suppress(
                FileExistsError
            ):  # Windows; elsewhere what is there is replaced only if it is empty
                made.rename(self._open / id)
            sync_folder(self._open)
        except OSError as error:
            if not (self._open / id).is_dir():  # else it was begun at the same moment
                raise _spool_error(error) from error
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def find(self, id: str) -> OpenUpload | None:
        """An upload by its id; None where there is none, or none any more."""
        found = self._read(id)
        return found if found is not None and found.expires > datetime.now(UTC) else None

    def whole(self) -> list[OpenUpload]:
        """Those of which all came and that were not ended: whoever did it was killed, however long ago."""
        found = (self._read(path.name) for path in self._open.iterdir())
        return [
            one for one in found if one is not None and one.end is None and one.offset == one.announced.length
        ]

    def _read(self, id: str) -> OpenUpload | None:
        if not _ID.fullmatch(id):
            return None
        ended = self._ended / id
        try:
            end = msgspec.json.decode(ended.read_bytes(), type=End)
            expires = _touched(ended) + self._kept
            return OpenUpload(
                id=id, announced=end.announced, offset=end.announced.length, expires=expires, end=end
            )
        except FileNotFoundError:
            folder = self._open / id
            try:
                announced = msgspec.json.decode((folder / "about").read_bytes(), type=Announced)
                expires = _touched(folder / "offset") + self._kept
                return OpenUpload(id=id, announced=announced, offset=_offset(folder), expires=expires)
            except FileNotFoundError:
                return None

    def end(self, id: str, end: End) -> None:
        """Writes down what became of an upload, and lets its bytes go."""
        part = self._ended / f"{secrets.token_hex(16)}.part"
        try:
            _write(part, msgspec.json.encode(end))
            part.replace(self._ended / id)
            sync_folder(self._ended)
        finally:
            part.unlink(missing_ok=True)
        self._drop(self._open / id)

    def remove(self, id: str) -> None:
        """Forgets an upload."""
        self._drop(self._open / id)
        (self._ended / id).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Removes what nothing came to for long, ends of long ago, and what was left over."""
        for place in (*self._open.iterdir(), *self._ended.iterdir()):
            with suppress(FileNotFoundError):  # it has ended at this moment
                is_whole = place.is_dir() and _ID.fullmatch(place.name)
                if _touched(place / "offset" if is_whole else place) + self._kept <= datetime.now(UTC):
                    self._drop(place)
                elif is_whole and (self._ended / place.name).exists():
                    self._drop(place)  # killed between the two steps of `end`

    def _drop(self, place: Path) -> None:
        """Removes a folder or file; a folder is gone at once, whatever fails while it is emptied."""
        if not place.is_dir():
            place.unlink(missing_ok=True)
            return
        gone = place if place.suffix == ".part" else place.with_name(f"{secrets.token_hex(16)}.part")
        with suppress(FileNotFoundError):
            place.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _see_that_there_is_room(self, new: Announced, limits: Settings) -> None:
        others = [one.announced for one in map(self.find, self._ids()) if one is not None and one.end is None]
        its_own = [one for one in others if one.owner == new.owner]
        for what, among, most, size in (
            ("You have", its_own, limits.upload_open_most_each, limits.upload_open_size_each),
            ("There are", others, limits.upload_open_most, limits.upload_open_size),
        ):
            announced = sum(one.length for one in among)
            if among and (len(among) >= most or announced + new.length > size):
                raise BusyError(
                    f"{what} {len(among)} open uploads of {Size(announced)}; {most} of {size} are allowed "
                    "(HELTIG_UPLOAD_OPEN_...). Finish or delete some, or try again later.",
                    retry_after=60,
                )
        if shutil.disk_usage(self._open).free < new.length:
            raise StorageError(
                "The spool's disk has no room for this upload. Try again later.", retry_after=60
            )

    def _ids(self) -> list[str]:
        return [path.name for path in self._open.iterdir()]


def id_of(announced: Announced) -> str:
    """The id of an upload: of what was announced where that says which bytes they are, else by chance."""
    if not announced.digest:
        return secrets.token_hex(16)
    return hashlib.sha256(msgspec.json.encode(announced)).hexdigest()[:32]


def digest_of(folder: Path) -> str:
    """SHA-256 of the bytes of an upload."""
    with (folder / "bytes").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def storing() -> Iterator[None]:
    """Says of what fails within that it is the spool."""
    try:
        yield
    except OSError as error:
        raise _spool_error(error) from error


def _spool_error(error: OSError) -> StorageError:
    return StorageError(f"The spool cannot be used: {error.strerror}. See HELTIG_HOME.")


def _offset(folder: Path) -> int:
    return int((folder / "offset").read_bytes())


def _touched(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
