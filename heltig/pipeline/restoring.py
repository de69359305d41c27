"""Restores a backup into an empty store: files first, then the database in one transaction."""

import asyncio
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from heltig import audit
from heltig.audit import verify
from heltig.audit.keys import AuditKeys
from heltig.audit.trail import open_trail
from heltig.errors import ConfigurationError, ConflictError, StorageError
from heltig.pipeline.backup_archive import FOLDERS, Manifest, members, table_parts, verified
from heltig.pipeline.spool import Spool, sync_folder
from heltig.settings import Settings
from heltig.store import backup, migrations
from heltig.store.encryption_in_use import insist
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

_AT_ONCE: Final = 1024 * 1024  # bytes


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restoration came to.

    Attributes:
        manifest: Of the backup.
        trail: What the audit trail was found to be: `whole`, or why nothing can be said of it.
        is_altered: The trail is not what was written.
    """

    manifest: Manifest
    trail: str
    is_altered: bool


async def read_backup(path: Path) -> Manifest:
    """Proves that a backup is whole and that this version can restore it. Nothing is changed.

    Raises:
        InputError: It is no backup, or damaged.
        StorageError: It cannot be read, or a newer Heltig made it.
    """
    manifest = await asyncio.to_thread(verified, path)
    if manifest.revision not in migrations.revisions():
        raise StorageError(
            f"{path} has tables of version {manifest.revision}, this Heltig knows {migrations.HEAD} and "
            "older: install a newer one."
        )
    return manifest


async def restore(
    store: Store, settings: Settings, path: Path, *, clock: Callable[[], datetime], actor: str, origin: str
) -> Restored:
    """Restores a backup.

    Args:
        store: An empty database.
        settings: They say where files go, and where the keys of the audit trail are.
        path: The backup.
        clock: Gives the time, in UTC.
        actor: Who restores.
        origin: From where.

    Raises:
        ConflictError: The database, or the spool, is not empty.
        ConfigurationError: A key is not here that evidence in the backup is encrypted with.
        InputError: It is no backup, or damaged.
        StorageError: It cannot be read or written, or a newer Heltig made it. Nothing is restored then.
    """
    await store.read(backup.insist_on_emptiness)
    _insist_on_empty_spool(settings.home / "spool")
    manifest = await read_backup(path)
    insist(store.cipher, manifest.encryption_keys)
    written = await asyncio.to_thread(_put_files, settings.home, path, manifest)
    try:
        await store.database.migrate(
            partial(
                backup.restore,
                parts=table_parts(path),
                revision=manifest.revision,
                counters=manifest.counters,
                counts=manifest.tables,
            )
        )
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    trail, is_altered = await _see_trail(store, settings, clock)
    with_key = trail is None

    def record(transaction: WriteTransaction) -> None:
        audit.record(
            transaction,
            at=clock(),
            actor=actor,
            action="backup.restore",
            subject="backup",
            outcome="success",
            origin=origin,
            detail={
                "created": manifest.created.isoformat(),
                "heltig": manifest.heltig,
                "revision": manifest.revision,
                "from": manifest.database,
                "missing": len(manifest.missing),
            },
        )

    if with_key:
        await store.write_durably(record)
    return Restored(manifest=manifest, trail=trail or "whole", is_altered=is_altered)


async def _see_trail(
    store: Store, settings: Settings, clock: Callable[[], datetime]
) -> tuple[str | None, bool]:
    """What is wrong with the audit trail, or why that cannot be seen; and whether it was altered."""
    try:
        keys: AuditKeys = await open_trail(store, settings, clock=clock)
    except ConfigurationError as wrong:
        return wrong.detail, False
    found = await store.read(verify.verify, keys)
    if found.breaks:
        first = found.breaks[0]
        return f"entry {first.sequence} {first.why}", True
    return None, False


def _insist_on_empty_spool(spool: Path) -> None:
    """Insists that nothing is in custody here.

    Raises:
        ConflictError: Something is.
    """
    for pattern in ("gate/*/*.dcm", "gate/*/*/*.dcm", "uploads/*.zip"):
        if next(spool.glob(pattern), None) is not None:
            raise ConflictError(
                f"{spool} is not empty: what is there may be in nobody else's custody. Name another "
                "HELTIG_HOME, or move that folder away."
            )


def _put_files(home: Path, path: Path, manifest: Manifest) -> list[Path]:
    """Writes the files of a backup, and brings them to disk; profiles and secrets that are there stay."""
    written: list[Path] = []
    try:
        Spool(home / "spool")  # makes the folders
        (home / "spool.name").write_text(manifest.spool, "ascii")
        for name, source in members(path):
            if name.partition("/")[0] not in FOLDERS:
                continue
            file = home / name
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if file.exists():
                continue
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                written.append(file)
                shutil.copyfileobj(source, target, _AT_ONCE)
                target.flush()
                os.fsync(target.fileno())
        for folder in {file.parent for file in written}:
            sync_folder(folder)
    except BaseException as wrong:
        for file in written:
            file.unlink(missing_ok=True)
        if isinstance(wrong, OSError):
            raise StorageError(f"{home} cannot be written: {wrong.strerror}.") from wrong
        raise
    return written
