"""Uploads with what became of them, for the page that lists them."""

from typing import Any

import msgspec
from sqlalchemy import select

from heltig.store.jobs import JobState
from heltig.store.tables import jobs, locations, uploads
from heltig.store.text import from_json
from heltig.store.transaction import ReadTransaction
from heltig.store.uploads import Upload


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An upload with what became of it.

    Attributes:
        row: By which the list goes on.
        state: Of the job that judges it.
        result: What that came to.
        error: Why it did not.
        sender: Who sent it; empty where that was not kept.
    """

    row: int
    upload: Upload
    state: JobState
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: str | None
    sender: str


def newest(transaction: ReadTransaction, *, before: int | None = None, limit: int = 50) -> list[Listed]:
    """Uploads with what became of them, the newest first.

    Args:
        transaction: Any.
        before: Only those before this row.
        limit: The most uploads.
    """
    query = (
        select(
            uploads,
            locations.c.name,
            jobs.c.state,
            jobs.c.progress,
            jobs.c.result,
            jobs.c.error,
            jobs.c.payload,
        )
        .join(locations, locations.c.id == uploads.c.location_row)
        .join(jobs, jobs.c.id == uploads.c.job_row)
        .order_by(uploads.c.location_row.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(uploads.c.location_row < before)
    return [
        Listed(
            row=row.location_row,
            upload=Upload(
                name=row.name,
                digest=row.digest,
                profile_hash=row.profile_hash,
                target=row.target,
                job=row.job_row,
                size=row.size,
                received=row.received,
                purged=row.purged,
            ),
            state=row.state,
            progress=None if row.progress is None else from_json(row.progress, dict[str, Any]),
            result=None if row.result is None else from_json(row.result, dict[str, Any]),
            error=row.error,
            sender=from_json(row.payload, dict[str, Any]).get("actor", ""),
        )
        for row in transaction.connection.execute(query)
    ]
