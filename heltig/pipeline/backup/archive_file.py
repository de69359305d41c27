"""A backup as a file: a tar, compressed with Zstandard, that ends with a manifest of all that is in it.

tables/NAME/000001.msgpack   rows of a table
spool/…                      what gates have in their custody, uploads that are not judged yet
profiles/…                   the site's profiles
secrets/…                    where they were asked for
manifest.json                the SHA-256 of each of these; without it the backup is not whole
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

import msgspec
import zstandard

from heltig.errors import InputError, StorageError, UsageError
from heltig.pipeline.upload.spool import sync_folder
from heltig.store.backup import Rows

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
TABLES: Final = "tables"
FOLDERS: Final = ("spool", "profiles", "secrets")
"""What of HELTIG_HOME can be in a backup."""

_AT_ONCE: Final = 1024 * 1024  # bytes
_LEVEL: Final = 3
_MOST_MANIFEST: Final = 1024**3  # bytes


class Part(msgspec.Struct, frozen=True):
    """A member of the archive, as its manifest has it."""

    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a backup has.

    Attributes:
        format: Of the archive.
        heltig: The version that made it.
        created: When the moment was that it shows.
        revision: The version of its tables.
        database: Which kind it was made from.
        tables: Rows by table.
        counters: The last numbers that were given to rows, by table.
        spool: Whose files are in it.
        missing: Files that rows name, and that were not there.
        elsewhere: Objects whose files are in the spools of other servers: back these up there.
        secrets: The folder `secrets` is in it.
        encryption_keys: The ids of the keys that evidence in it is encrypted with; `plain` for none.
        parts: All members but the manifest.
    """

    format: int
    heltig: str
    created: datetime
    revision: str
    database: str
    tables: dict[str, int]
    counters: dict[str, int]
    spool: str
    missing: list[str]
    elsewhere: int
    secrets: bool
    parts: dict[str, Part]
    encryption_keys: list[str] = []


class BackupWriter:
    """Writes the members of a backup, one after the other.

    Attributes:
        parts: What it wrote.
    """

    def __init__(self, tar: tarfile.TarFile) -> None:
        self.parts: dict[str, Part] = {}
        self._tar = tar
        self._numbers: dict[str, int] = {}

    def rows(self, rows: Rows) -> None:
        """Adds some rows of a table."""
        number = self._numbers[rows.table] = self._numbers.get(rows.table, 0) + 1
        self._bytes(f"{TABLES}/{rows.table}/{number:06}.msgpack", msgspec.msgpack.encode(rows))

    def file(self, name: str, path: Path) -> None:
        """Adds a file."""
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            hashed = _Hashing(source)
            self._tar.addfile(_member(name, size), hashed)
        self.parts[name] = Part(hashed.digest.hexdigest(), size)

    def manifest(self, manifest: Manifest) -> None:
        """Adds the manifest: the end."""
        self._bytes(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))

    def _bytes(self, name: str, content: bytes) -> None:
        self._tar.addfile(_member(name, len(content)), io.BytesIO(content))
        self.parts[name] = Part(hashlib.sha256(content).hexdigest(), len(content))


@contextmanager
def writing(target: Path) -> Iterator[BackupWriter]:
    """Writes a backup beside its target, readable by its owner only, and gives it its name once it is whole.

    Raises:
        UsageError: There is such a file.
        StorageError: It cannot be written.
    """
    if target.exists():
        raise UsageError(f"{target} is there already. Name another file, or remove it.")
    draft = target.with_name(f".{target.name}.part")
    try:
        with suppress(FileNotFoundError):
            draft.unlink()  # of one that was killed
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with (
                zstandard.ZstdCompressor(_LEVEL, write_checksum=True).stream_writer(
                    file, closefd=False
                ) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                yield BackupWriter(tar)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
        sync_folder(target.parent)
    except OSError as wrong:
        raise StorageError(f"{target} cannot be written: {wrong.strerror}.") from wrong
    finally:
        draft.unlink(missing_ok=True)


def verified(path: Path) -> Manifest:
    """Reads a backup to its end, and compares each part with what the manifest says.

    Raises:
        InputError: It is no backup, or not whole, or damaged.
        StorageError: It cannot be read.
    """
    with _readable(path):
        return _verified(path)


def _verified(path: Path) -> Manifest:
    found: dict[str, Part] = {}
    manifest: Manifest | None = None
    for name, source in members(path):
        if manifest is not None:
            raise InputError(f"{path} goes on behind its manifest: it is no backup of Heltig's.")
        if name == MANIFEST:
            manifest = _manifest(path, source.read(_MOST_MANIFEST))
            continue
        hashed, size = _Hashing(source), 0
        while data := hashed.read(_AT_ONCE):
            size += len(data)
        found[name] = Part(hashed.digest.hexdigest(), size)
    if manifest is None:
        raise InputError(f"{path} has no manifest: it is no backup, or it is not whole.")
    if manifest.parts != found:
        names = sorted(manifest.parts.keys() | found.keys())
        wrong = [name for name in names if manifest.parts.get(name) != found.get(name)]
        raise InputError(f"{path} is damaged: {len(wrong)} parts are not as written, as {wrong[0]}.")
    return manifest


def members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The members of a backup in their order, each to be read before the next.

    Raises:
        InputError: It is no backup, or not whole, or damaged.
        StorageError: It cannot be read.
    """
    with (
        _readable(path),
        path.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r|") as tar,
    ):
        for member in tar:
            source = tar.extractfile(member) if member.isfile() else None
            if source is None or not _is_ours(member.name):
                raise InputError(f"{path} has a member that no backup of Heltig's has.")
            yield member.name, source


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Says that a file breaks off or is no backup, whoever reads its members."""
    try:
        yield
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as wrong:
        raise InputError(f"{path} is no backup, or it is not whole: {wrong}.") from wrong
    except OSError as wrong:
        raise StorageError(f"{path} cannot be read: {wrong.strerror}.") from wrong


def table_parts(path: Path) -> Iterator[Rows]:
    """The rows of a backup that was `verified`."""
    for name, source in members(path):
        if name.startswith(f"{TABLES}/"):
            yield msgspec.msgpack.decode(source.read(), type=Rows)


def _manifest(path: Path, content: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as wrong:
        raise InputError(f"The manifest of {path} cannot be read: {wrong}.") from wrong
    if manifest.format != FORMAT:
        raise InputError(f"{path} is a backup of format {manifest.format}, this Heltig knows {FORMAT}.")
    return manifest


def _is_ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    is_inside = len(parts) > 1 and parts[0] in (TABLES, *FOLDERS) and not {"..", "\\"} & {*parts, *name}
    return name == MANIFEST or is_inside


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, source: IO[bytes]) -> None:
        self.digest: Any = hashlib.sha256()
        self._source = source

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.digest.update(data)
        return data
