"""Restores a backup into an empty store: files first, then the database in one transaction.

A mark in the database (`heltig.store.restoration`) stands from before the first file to the end: whoever
opens the database meanwhile is refused, and the same command goes on where a restoration was killed.
"""

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from heltig import audit
from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.trail import know, open_trail
from heltig.audit.verify import verify
from heltig.errors import ConfigurationError, ConflictError, StorageError
from heltig.pipeline.backup.archive_file import FOLDERS, Manifest, members, table_parts, verified
from heltig.pipeline.identifiers.key import look
from heltig.pipeline.publish import render
from heltig.pipeline.upload.spool import Spool, sync_folder
from heltig.settings import Settings
from heltig.store import audit_damaged, backup, migrations, restoration
from heltig.store.audit_rows import UNREADABLE
from heltig.store.encryption_in_use import insist
from heltig.store.engine import Store
from heltig.store.restoration import Restoration
from heltig.store.transaction import WriteTransaction

_AT_ONCE: Final = 1024 * 1024  # bytes


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restoration came to.

    Attributes:
        manifest: Of the backup.
        trail: What the audit trail was found to be: `whole`, or why nothing can be said of it.
        is_altered: The trail is not what was written.
        identifiers: Why nothing can work with it by the settings as they are, since they want identifiers
            otherwise; empty where it can.
    """

    manifest: Manifest
    trail: str
    is_altered: bool
    identifiers: str


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


async def try_backup(path: Path) -> tuple[Manifest, int]:
    """Does as `read_backup`, and restores the tables into a database beside the file, which goes afterwards.

    Returns:
        The manifest, and how many rows of the audit trail its tables refuse: they are kept aside.

    Raises:
        InputError: It is no backup, or damaged.
        StorageError: It cannot be read, its rows do not fit, a newer Heltig made it, or there is no room.
    """
    manifest = await read_backup(path)
    try:
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix=f".{path.name}-", dir=path.parent)
    except OSError as wrong:
        raise StorageError(
            f"{path} is whole, and cannot be tried: beside it nothing can be written ({wrong.strerror}). "
            "Copy it to a folder with as much room as its database has."
        ) from wrong
    try:
        store = await Store.open(f"sqlite+aiosqlite:///{folder}/heltig.db", render=render)
        try:
            await _mark(store, manifest, None, path)
            await _fill(store, path, manifest)
            return manifest, await store.read(audit_damaged.count, None)
        finally:
            await store.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def restore(
    store: Store, settings: Settings, path: Path, *, clock: Callable[[], datetime], actor: str, origin: str
) -> Restored:
    """Restores a backup, or goes on with that where it was broken off.

    Args:
        store: An empty database.
        settings: They say where files go, and where the keys of the audit trail are.
        path: The backup.
        clock: Gives the time, in UTC.
        actor: Who restores.
        origin: From where.

    Raises:
        ConflictError: The database, or the spool, is not empty, or another backup is half restored there.
        ConfigurationError: A key is not here that evidence in the backup is encrypted with.
        InputError: It is no backup, or damaged.
        StorageError: It cannot be read or written, or a newer Heltig made it. Nothing is restored then.
    """
    before = await store.read(restoration.under_way)
    if before is None:
        await store.read(backup.insist_on_emptiness)
        _insist_on_empty_spool(settings.home / "spool")
    manifest = await read_backup(path)
    insist(store.cipher, manifest.encryption_keys)
    await _mark(store, manifest, before, path)
    if before is None or not before.is_filled:
        await _put(store, settings.home, path, manifest, is_begun=before is not None)
    trail, is_altered = await _see_trail(store, settings, clock)
    with_key = trail is None

    def record(transaction: WriteTransaction) -> None:
        restoration.end(transaction)
        if not with_key:
            return
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

    await store.write_durably(record)
    if with_key or OwnAnchor(settings).path.exists():
        with suppress(*UNREADABLE):  # a head row that is damaged has no end that can be known
            await know(store, settings)  # it moved back, and rightly
    identifiers = ""
    try:
        await look(store, settings)
    except ConfigurationError as wrong:
        identifiers = wrong.detail
    return Restored(manifest=manifest, trail=trail or "whole", is_altered=is_altered, identifiers=identifiers)


async def _mark(store: Store, manifest: Manifest, before: Restoration | None, path: Path) -> None:
    """Marks the database as one that is half restored.

    Raises:
        ConflictError: It is, with another backup, or it is not empty any more.
    """
    digest = hashlib.sha256(msgspec.json.encode(manifest)).hexdigest()
    if before is not None and before.backup != digest:
        raise ConflictError(
            f"The restoration of another backup than {path} was broken off here. Go on with that one, or "
            "name an empty store."
        )

    if before is None:
        await store.database.migrate(partial(backup.begin_restoring, digest=digest))


async def _put(store: Store, home: Path, path: Path, manifest: Manifest, *, is_begun: bool) -> None:
    """Writes the files, then the tables; where that fails all is as it was, unless it was begun before.

    Where it is interrupted threads may still write, and commit: what they leave can be gone on with.
    """
    written: list[Path] = []
    try:
        await asyncio.to_thread(_put_files, home, path, manifest, written)
        await _fill(store, path, manifest)
    except Exception:
        if not is_begun:
            await _take_back(store, written)
        raise


async def _fill(store: Store, path: Path, manifest: Manifest) -> None:
    """Makes the tables, and puts the rows of a backup into them, in one transaction."""
    await store.database.migrate(
        partial(
            backup.restore,
            parts=table_parts(path),
            revision=manifest.revision,
            counters=manifest.counters,
            counts=manifest.tables,
        )
    )


async def _take_back(store: Store, written: Sequence[Path]) -> None:
    """Leaves nothing; all stays, to be gone on with, where the tables are whole or the database is away."""
    with suppress(StorageError):
        now = await store.read(restoration.under_way)
        if now is not None and not now.is_filled:
            for file in written:
                file.unlink(missing_ok=True)
            await store.write(restoration.end)


async def _see_trail(
    store: Store, settings: Settings, clock: Callable[[], datetime]
) -> tuple[str | None, bool]:
    """What is wrong with the audit trail, or why that cannot be seen; and whether it was altered."""
    try:
        keys: AuditKeys = await open_trail(store, settings, clock=clock)
    except ConfigurationError as wrong:
        return wrong.detail, False
    except (StorageError, *UNREADABLE):
        keys = AuditKeys(settings)  # the head row is damaged, or gone: no chain can be opened
    found = await store.read(verify, keys)
    if not found.is_whole:
        first = (*found.before, *found.breaks)[0]
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


def _put_files(home: Path, path: Path, manifest: Manifest, written: list[Path]) -> None:
    """Writes the files of a backup, and brings them to disk; what is there stays.

    A file has its name once it is whole, so what is there after this was killed is whole, too.

    Args:
        home: HELTIG_HOME.
        path: The backup.
        manifest: Its manifest.
        written: Takes the files that were written.

    Raises:
        StorageError: They cannot be.
    """
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
            draft = file.with_name(f".{file.name}.restoring")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
                written.append(draft)
                shutil.copyfileobj(source, target, _AT_ONCE)
                target.flush()
                os.fsync(target.fileno())
            draft.rename(file)
            written[-1] = file
        for folder in {file.parent for file in written}:
            sync_folder(folder)
    except OSError as wrong:
        raise StorageError(f"{home} cannot be written: {wrong.strerror}.") from wrong
