"""Remote archives, as an administrator configured them."""

from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, delete, select, update

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
        broken: Why its entry cannot be read as it is stored, in a sentence; empty where it can. It is asked
            for nothing until it is changed; what could not be read has its default here.
        unreadable: The fields of which that is so: `auth`, `options`, or single ones such as `options.hours`.
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
    broken: str = ""
    unreadable: tuple[str, ...] = ()


_SELECT = select(archives, locations.c.name).join(locations, locations.c.id == archives.c.location_row)
_FIND = _SELECT.where(locations.c.kind == "archive", locations.c.name == bindparam("named"))
_EVERY = _SELECT.order_by(locations.c.name)


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
    row = transaction.first(_FIND, {"named": name})
    return None if row is None else _archive(row)


def every(transaction: ReadTransaction) -> list[Archive]:
    """Every archive, by name; those too whose entries cannot be read (`broken`)."""
    return [_archive(row) for row in transaction.rows(_EVERY)]


def _columns(archive: Archive) -> dict[str, Any]:
    columns = {
        "title": archive.title,
        "qido_url": archive.qido_url,
        "wado_url": archive.wado_url,
        "stow_url": archive.stow_url,
        "feed_url": archive.feed_url,
        "capabilities": None if archive.capabilities is None else to_json(archive.capabilities),
        "probed": archive.probed,
        "paused": archive.paused,
    }
    if archive.broken:  # what could not be read stays for whoever mends it
        return columns
    return {**columns, "auth": to_json(archive.auth), "options": to_json(archive.options)}


@lru_cache(maxsize=1024)
def _archive(row: Row[Any]) -> Archive:
    """An entry; the same object as long as nothing of it changes, since every job asks for it."""
    wrong: dict[str, str] = {}
    auth, options = _auth(row.auth, wrong), _options(row.options, wrong)
    broken = "; ".join(wrong.values())
    return Archive(
        name=row.name,
        title=row.title,
        qido_url=row.qido_url,
        wado_url=row.wado_url,
        stow_url=row.stow_url,
        feed_url=row.feed_url,
        auth=auth,
        options=options,
        capabilities=_capabilities(row.capabilities),
        probed=row.probed,
        paused=row.paused,
        broken=f"Its entry cannot be read: {broken}. Change it, or remove it." if wrong else "",
        unreadable=tuple(wrong),
    )


def _auth(text: str, wrong: dict[str, str]) -> ArchiveAuth:
    try:
        auth: ArchiveAuth = msgspec.json.decode(text, type=ArchiveAuth)
    except ValueError:
        wrong["auth"] = "auth is none"  # no more of it: there might be a secret
        return NO_AUTH
    return auth


def _options(text: str, wrong: dict[str, str]) -> ArchiveOptions:
    """The options; where some cannot be read, the others."""
    try:
        return from_json(text, ArchiveOptions)
    except ValueError:
        pass
    try:
        given = from_json(text, dict[str, Any])
    except ValueError:
        wrong["options"] = "options are no JSON object"
        return ArchiveOptions()
    readable: dict[str, Any] = {}
    for name, value in given.items():
        try:
            msgspec.convert({**readable, name: value}, ArchiveOptions)
        except ValueError as error:
            wrong[f"options.{name}"] = f"options.{name}: {str(error).partition(' - at ')[0]}"
        else:
            readable[name] = value
    return msgspec.convert(readable, ArchiveOptions)


def _capabilities(text: str | None) -> dict[str, Any] | None:
    """What a probe found; the next one finds it again where it cannot be read."""
    with suppress(ValueError):
        return None if text is None else from_json(text, dict[str, Any])
    return None
