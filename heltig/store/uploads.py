"""Uploads. The same bytes, profile and target again are the first upload, unless it failed or was purged."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, select, update

from heltig.store.locations import ensure
from heltig.store.records import Location
from heltig.store.tables import jobs, locations, uploads
from heltig.store.transaction import ReadTransaction, WriteTransaction


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """One upload.

    Attributes:
        name: Names its location; ours, not the sender's file name.
        digest: SHA-256 of the bytes as sent.
        profile_hash: What it was to be judged with.
        target: The archive it is meant for; empty for none.
        job: The job that judges it.
        size: In bytes.
        purged: When its bytes and verdicts were removed.
    """

    name: str
    digest: str
    profile_hash: str
    target: str
    job: int
    size: int
    received: datetime
    purged: datetime | None = None


_SELECT = select(uploads, locations.c.name).join(locations, locations.c.id == uploads.c.location_row)
_BAD = ("failed", "dead", "cancelled")


def location_of(name: str) -> Location:
    """The location that an upload is."""
    return Location("upload", name)


def add(transaction: WriteTransaction, upload: Upload) -> None:
    """Adds an upload, after its job."""
    transaction.insert_row(
        uploads,
        {
            "location_row": ensure(transaction, location_of(upload.name)),
            "digest": upload.digest,
            "profile_hash": upload.profile_hash,
            "target": upload.target,
            "job_row": upload.job,
            "size": upload.size,
            "received": upload.received,
            "purged": upload.purged,
        },
    )


def find(transaction: ReadTransaction, name: str) -> Upload | None:
    """An upload by its name."""
    query = _SELECT.where(locations.c.kind == "upload", locations.c.name == name)
    row = transaction.connection.execute(query).one_or_none()
    return None if row is None else _upload(row)


def find_same(transaction: ReadTransaction, *, digest: str, profile_hash: str, target: str) -> Upload | None:
    """The upload that a new one only repeats.

    Args:
        transaction: The one that adds the new upload otherwise.
        digest: SHA-256 of its bytes.
        profile_hash: What it is to be judged with.
        target: The archive it is meant for; empty for none.
    """
    query = (
        _SELECT.join(jobs, jobs.c.id == uploads.c.job_row)
        .where(
            uploads.c.digest == digest,
            uploads.c.profile_hash == profile_hash,
            uploads.c.target == target,
            uploads.c.purged.is_(None),
            jobs.c.state.not_in(_BAD),
        )
        .order_by(uploads.c.location_row)
        .limit(1)
    )
    row = transaction.connection.execute(query).one_or_none()
    return None if row is None else _upload(row)


def mark_purged(transaction: WriteTransaction, name: str, *, at: datetime) -> None:
    """Says that an upload's bytes and verdicts are gone, so that the same bytes are judged anew."""
    row = select(locations.c.id).where(locations.c.kind == "upload", locations.c.name == name)
    changed = update(uploads).where(uploads.c.location_row == row.scalar_subquery()).values(purged=at)
    transaction.connection.execute(changed)


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        name=row.name,
        digest=row.digest,
        profile_hash=row.profile_hash,
        target=row.target,
        job=row.job_row,
        size=row.size,
        received=row.received,
        purged=row.purged,
    )
