"""Backs up while the service works: the database at one moment, and the files that belong to its rows.

Files are linked, not copied, before the moment and again right after it: what is handed on and removed
meanwhile is still there for the backup, and what comes later is no part of it.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from heltig import __version__
from heltig.errors import StorageError
from heltig.pipeline.archives.files import PROFILES, SECRETS
from heltig.pipeline.backup.archive_file import BackupWriter, Manifest, writing
from heltig.pipeline.gate.intake_files import FOLDER as INTAKE
from heltig.pipeline.publish import render
from heltig.pipeline.upload.spool import Spool
from heltig.store import backup, custody_files, migrations
from heltig.store.encryption_in_use import key_ids
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

_MOMENTS: Final = 5
"""Moments that are tried until all files of one are there. What is missing at all of them is lost."""

_STALE: Final = 7 * 86_400.0  # seconds
_OBJECTS: Final = "gate/*/*.dcm"
_UPLOADS: Final = "uploads/*.zip"
_INTAKE: Final = f"gate/*/{INTAKE}/*.dcm"
"""Objects that are acknowledged and have no rows yet."""


class _Moment(msgspec.Struct, kw_only=True):
    """What there is at one moment.

    Attributes:
        files: Within the spool.
        tables: Rows by table, once they are written.
        encryption_keys: The ids of those that something is encrypted with.
    """

    at: datetime
    revision: str
    files: list[str]
    missing: list[str]
    elsewhere: int
    counters: dict[str, int]
    encryption_keys: list[str]
    tables: dict[str, int] | None = None


async def back_up(
    store: Store, home: Path, target: Path, *, with_secrets: bool, clock: Callable[[], datetime]
) -> Manifest:
    """Writes a backup of a store and of what belongs to it.

    Args:
        store: The database; its tables need not be of the newest version.
        home: HELTIG_HOME.
        target: The file; it must not be there.
        with_secrets: The folder `secrets` goes with it: whoever has the file has them.
        clock: Gives the time, in UTC.

    Raises:
        UsageError: The file is there already.
        StorageError: It cannot be written, or the database failed.
    """
    spool = Spool(home / "spool")
    with _links(home / "spool") as links, writing(target) as writer:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
            moment = None
            for tried in range(1, _MOMENTS + 1):
                links.add(_OBJECTS, _UPLOADS, _INTAKE)
                moment = await store.read(
                    _take, spool.name, links, writer, Path(folder), clock, is_last=tried == _MOMENTS
                )
                if moment is not None:
                    break
            if moment is None:
                raise AssertionError("the last moment is taken as it is")
            if moment.tables is None:
                moment.tables = await _written(Path(folder) / "heltig.db", writer)
        for name in moment.files:
            writer.file(f"spool/{name}", links.path_of(name))
        for part in (PROFILES, *([SECRETS] if with_secrets else [])):
            for path in sorted((home / part).rglob("*")):
                if path.is_file():
                    writer.file(path.relative_to(home).as_posix(), path)
        manifest = Manifest(
            format=1,
            heltig=__version__,
            created=moment.at,
            revision=moment.revision,
            database="sqlite" if store.writes_alone else "postgresql",
            tables=moment.tables,
            counters=moment.counters,
            spool=spool.name,
            missing=moment.missing,
            elsewhere=moment.elsewhere,
            secrets=with_secrets,
            encryption_keys=moment.encryption_keys,
            parts=dict(writer.parts),
        )
        writer.manifest(manifest)
    return manifest


def _take(
    transaction: ReadTransaction,
    spool: str,
    links: "_Links",
    writer: BackupWriter,
    folder: Path,
    clock: Callable[[], datetime],
    *,
    is_last: bool,
) -> _Moment | None:
    """Takes all there is at the moment at which this transaction began; None where a file is gone by now."""
    revision = migrations.version(transaction)
    if revision is None:
        raise StorageError("The database is empty: there is nothing to back up.")
    at = clock()
    wanted = [f"gate/{file}" for _, file in custody_files.objects_kept(transaction, spool)]
    wanted += [f"uploads/{name}.zip" for name in custody_files.uploads_kept(transaction, spool)]
    missing = links.add_named(wanted)
    links.add(_INTAKE)
    if missing and not is_last:
        return None
    lost = set(missing)
    moment = _Moment(
        at=at,
        revision=revision,
        files=[name for name in wanted if name not in lost] + links.found(_INTAKE),
        missing=missing,
        elsewhere=custody_files.objects_elsewhere(transaction, spool),
        counters=backup.counters(transaction),
        encryption_keys=key_ids(transaction),
    )
    if not backup.copy_sqlite(transaction, folder / "heltig.db"):
        moment.tables = backup.export(transaction, writer.rows)
    return moment


async def _written(copy: Path, writer: BackupWriter) -> dict[str, int]:
    """Writes what a copy of the database has: the database itself need not wait for that."""
    store = await Store.open(f"sqlite+aiosqlite:///{copy.as_posix()}", render=render)
    try:
        return await store.read(backup.export, writer.rows)
    finally:
        await store.close()


class _Links:
    """A folder with links to files of the spool, under the same names."""

    def __init__(self, spool: Path, folder: Path) -> None:
        self._spool = spool
        self._folder = folder

    def add(self, *patterns: str) -> None:
        """Links what is there now."""
        for pattern in patterns:
            self.add_named([path.relative_to(self._spool).as_posix() for path in self._spool.glob(pattern)])

    def add_named(self, names: list[str]) -> list[str]:
        """Links some files; gives the names of those that are neither there nor linked before."""
        missing = []
        for name in names:
            link = self._folder / name
            if link.exists():
                continue
            link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                os.link(self._spool / name, link)
            except FileExistsError:
                continue
            except FileNotFoundError:
                missing.append(name)
        return missing

    def found(self, pattern: str) -> list[str]:
        """The names of what is linked."""
        return sorted(path.relative_to(self._folder).as_posix() for path in self._folder.glob(pattern))

    def path_of(self, name: str) -> Path:
        """Where a file is linked."""
        return self._folder / name


@contextmanager
def _links(spool: Path) -> Iterator[_Links]:
    for left in spool.glob("backup-*"):  # by a backup that was killed
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left)
    folder = spool / f"backup-{secrets.token_hex(8)}"
    try:
        folder.mkdir(mode=0o700)
        yield _Links(spool, folder)
    except OSError as wrong:
        raise StorageError(f"The spool cannot be read: {wrong.strerror}. See HELTIG_HOME.") from wrong
    finally:
        shutil.rmtree(folder, ignore_errors=True)
