"""What people say about studies: added, withdrawn, never edited."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, func, insert, select, update

from heltig.errors import ConflictError, NotFoundError
from heltig.store import studies
from heltig.store.encrypted_rows import COMMENTS
from heltig.store.records import Location
from heltig.store.sequence import next_of
from heltig.store.tables import comments, lookups
from heltig.store.text import TEXT_LENGTH, storable, storable_key
from heltig.store.transaction import ReadTransaction, WriteTransaction

MOST: Final = 500
"""Comments on a study at one location."""


class Comment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A comment on a study.

    Attributes:
        id: Counted from 1.
        location: The study was looked at there.
        author: A principal's name.
        text: Empty once it is withdrawn.
        withdrawn: When, None while it is not; `withdrawn_by` by whom.
    """

    id: int
    location: str
    study_key: str
    author: str
    written: datetime
    text: str
    withdrawn: datetime | None = None
    withdrawn_by: str = ""


_ALL: Final = select(comments, lookups.c.study_key, lookups.c.location).join(
    lookups, lookups.c.study_row == comments.c.study_row
)
_OF_STUDY: Final = _ALL.where(lookups.c.study_key == bindparam("study_key")).order_by(comments.c.id)
_ONE: Final = _ALL.where(lookups.c.study_key == bindparam("study_key"), comments.c.id == bindparam("comment"))
_LOCKED: Final = _ONE.with_for_update(of=comments)
_COUNT: Final = select(func.count()).where(comments.c.study_row == bindparam("row"))
_NUMBERS: Final = (
    select(lookups.c.study_key, lookups.c.location, func.count().label("number"))
    .join(comments, comments.c.study_row == lookups.c.study_row)
    .where(
        lookups.c.study_key.in_(bindparam("keys", expanding=True)),
        comments.c.withdrawn.is_(None),
    )
    .group_by(lookups.c.study_key, lookups.c.location)
)
_WITHDRAW: Final = (
    update(comments)
    .where(comments.c.id == bindparam("comment"))
    .values(
        body="",
        encrypted=None,
        withdrawn=bindparam("at"),
        withdrawn_by=bindparam("by"),
    )
)


def add(
    transaction: WriteTransaction, location: Location, study_key: str, *, author: str, text: str, at: datetime
) -> Comment:
    """Adds a comment.

    Raises:
        NotFoundError: The study was never seen there.
        ConflictError: There are as many as there may be.
    """
    row = studies.row_of(transaction, location, study_key)
    number = next_of(transaction, "comments")
    if int(transaction.scalar(_COUNT, {"row": row}) or 0) >= MOST:
        raise ConflictError(f"A study has {MOST} comments at most.")
    new = {
        "id": number,
        "study_row": row,
        "author": storable(author, TEXT_LENGTH),
        "written": at,
        "body": storable(text),
        "withdrawn": None,
        "withdrawn_by": "",
    }
    transaction.connection.execute(insert(comments), COMMENTS.put(transaction.cipher, new))
    return get(transaction, study_key, number)


def get(transaction: ReadTransaction, study_key: str, comment: int) -> Comment:
    """A comment on a study.

    Raises:
        NotFoundError: There is none with this id on this study.
    """
    return _found(transaction, _ONE, study_key, comment)


def lock(transaction: WriteTransaction, study_key: str, comment: int) -> Comment:
    """A comment that is about to be withdrawn.

    Raises:
        NotFoundError: There is none with this id on this study.
    """
    return _found(transaction, _LOCKED, study_key, comment)


def of_study(transaction: ReadTransaction, study_key: str) -> list[Comment]:
    """All comments on a study, wherever it was looked at, the first one first."""
    rows = transaction.rows(_OF_STUDY, {"study_key": storable_key(study_key)})
    return [_comment(transaction, row) for row in rows]


def numbers(transaction: ReadTransaction, study_keys: Collection[str]) -> dict[tuple[str, str], int]:
    """How many comments stand on studies, by location and key; those without any are left out."""
    if not study_keys:
        return {}
    rows = transaction.rows(_NUMBERS, {"keys": [storable_key(key) for key in study_keys]})
    return {(row.location, row.study_key): row.number for row in rows}


def withdraw(transaction: WriteTransaction, comment: int, *, by: str, at: datetime) -> None:
    """Takes a comment back: its text is gone; who wrote it and who withdrew it stays. It is locked."""
    transaction.run(_WITHDRAW, {"comment": comment, "at": at, "by": storable(by, TEXT_LENGTH)})


def _found(transaction: ReadTransaction, statement: Any, study_key: str, comment: int) -> Comment:
    row = transaction.first(statement, {"study_key": storable_key(study_key), "comment": comment})
    if row is None:
        raise NotFoundError("There is no such comment on this study.")
    return _comment(transaction, row)


def _comment(transaction: ReadTransaction, stored: Any) -> Comment:
    row = COMMENTS.get(transaction.cipher, stored)
    return Comment(
        id=row.id,
        location=row.location,
        study_key=row.study_key,
        author=row.author,
        written=row.written,
        text=row.body,
        withdrawn=row.withdrawn,
        withdrawn_by=row.withdrawn_by,
    )
