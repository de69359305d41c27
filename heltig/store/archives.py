"""Remote archives, as an administrator configured them."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, select, update

from heltig.credentials import NO_AUTH, ArchiveAuth
from heltig.errors import ConflictError, NotFoundError
from heltig.store.archive_options import ArchiveOptions
from heltig.store.locations import ensure, row_of
from heltig.store.records import Location
from heltig.store.tables import archives, locations
from heltig.store.text import from_json, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction

__all__ = ["Archive", "ArchiveOptions", "add", "change", "every", "find", "location_of", "remove"]


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """A remote DICOMweb service, as an administrator configured it.

    Attributes:
        name: Its id, which callers use.
        qido_url: Root of QIDO-RS; `wado_url` and `stow_url` likewise.
        feed_url: Root of what tells of changes, where that is beside DICOMweb.
        auth: How to authenticate; secrets by reference (`env:NAME`, `file:PATH`) only.
        options: Limits, hours and quirks.
        capabilities: What the last probe found, None before the first.
        paused: Nothing is pulled from it for now.
    """

    name: str
    qido_url: str
    wado_url: str
    stow_url: str | None = None
    feed_url: str | None = None
    title: str = ""
    auth: ArchiveAuth = NO_AUTH
    options: ArchiveOptions = ArchiveOptions()
    capabilities: dict[str, Any] | None = None
    probed: datetime | None = None
    paused: bool = False


_SELECT = select(archives, locations.c.name).join(locations, locations.c.id == archives.c.location_row)


def location_of(name: str) -> Location:
    """The location that an archive is."""
    return Location("archive", name)


def add(transaction: WriteTransaction, archive: Archive) -> None:
    """Adds an archive.

    Raises:
        ConflictError: There is one of that name.
    """
    row = ensure(transaction, location_of(archive.name))
    if find(transaction, archive.name) is not None:
        raise ConflictError(f"There is an archive {archive.name} already.")
    transaction.insert_row(archives, {"location_row": row, **_columns(archive)})


def change(transaction: WriteTransaction, archive: Archive) -> None:
    """Makes an archive what it is to be from now on.

    Raises:
        NotFoundError: There is none of that name.
    """
    row = row_of(transaction, location_of(archive.name))
    changed = update(archives).where(archives.c.location_row == row).values(_columns(archive))
    if not transaction.connection.execute(changed).rowcount:
        raise NotFoundError(f"There is no archive {archive.name}.")


def remove(transaction: WriteTransaction, name: str) -> None:
    """Removes an archive. Verdicts on its studies stay.

    Raises:
        NotFoundError: There is none of that name.
    """
    row = row_of(transaction, location_of(name))
    if not transaction.connection.execute(delete(archives).where(archives.c.location_row == row)).rowcount:
        raise NotFoundError(f"There is no archive {name}.")


def find(transaction: ReadTransaction, name: str) -> Archive | None:
    """An archive by its name."""
    row = transaction.connection.execute(_SELECT.where(*_is(name))).one_or_none()
    return None if row is None else _archive(row)


def every(transaction: ReadTransaction) -> list[Archive]:
    """Every archive, by name."""
    return [_archive(row) for row in transaction.connection.execute(_SELECT.order_by(locations.c.name))]


def _is(name: str) -> tuple[Any, Any]:
    return locations.c.kind == "archive", locations.c.name == name


def _columns(archive: Archive) -> dict[str, Any]:
    return {
        "title": archive.title,
        "qido_url": archive.qido_url,
        "wado_url": archive.wado_url,
        "stow_url": archive.stow_url,
        "feed_url": archive.feed_url,
        "auth": to_json(archive.auth),
        "options": to_json(archive.options),
        "capabilities": None if archive.capabilities is None else to_json(archive.capabilities),
        "probed": archive.probed,
        "paused": archive.paused,
    }


def _archive(row: Row[Any]) -> Archive:
    return Archive(
        name=row.name,
        title=row.title,
        qido_url=row.qido_url,
        wado_url=row.wado_url,
        stow_url=row.stow_url,
        feed_url=row.feed_url,
        auth=msgspec.json.decode(row.auth, type=ArchiveAuth),
        options=from_json(row.options, ArchiveOptions),
        capabilities=None if row.capabilities is None else from_json(row.capabilities, dict[str, Any]),
        probed=row.probed,
        paused=row.paused,
    )
