"""The audit trail as it stands, whatever somebody did to it: a row that is damaged is named, not failed at.

Values are read as the driver gives them, and looked at before anything is made of them: whoever can write to
the database can put text in place of bytes, or of a time.
"""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace
from sqlalchemy import Executable, bindparam, func, select, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

from heltig.store import audit_chain, audit_damaged
from heltig.store.audit_chain import FIELDS, Head
from heltig.store.audit_checkpoints import Checkpoint
from heltig.store.audit_checkpoints import last as last_checkpoint
from heltig.store.tables import audit
from heltig.store.transaction import ReadTransaction

_AT_ONCE: Final = 2000
NUMBER: Final = type_coerce(audit.c.sequence, NullType()).label("sequence")
IS_NUMBER: Final = audit.c.sequence <= 2**63 - 1
"""On SQLite text and bytes can stand there, and come after all numbers: not even they can be read then."""

_NUMBERS: Final = (
    select(NUMBER)
    .where(audit.c.sequence > bindparam("after"), IS_NUMBER)
    .order_by(audit.c.sequence)
    .limit(bindparam("most"))
)
COLUMNS: Final = tuple(type_coerce(audit.c[name], NullType()).label(name) for name in (*FIELDS, "tag"))
"""All of an entry, as the driver gives it."""

_ROWS: Final = (
    select(*COLUMNS)
    .where(audit.c.sequence > bindparam("after"))
    .order_by(audit.c.sequence)
    .limit(bindparam("most"))
)
_BELOW: Final = select(NUMBER).where(audit.c.sequence < 1).order_by(audit.c.sequence).limit(bindparam("most"))
_COUNT: Final = select(func.count()).select_from(audit)

_STRANGE: Final = (
    f"a table or view {audit_damaged.NAME} is there that no restoration made: keep a copy of the database, "
    "and drop it"
)

UNREADABLE: Final = (ValueError, TypeError, OverflowError, AttributeError, MemoryError)
"""What becomes of values that are not what they ought to be."""

OF_DRIVER: Final = (*UNREADABLE, sqlite3.Error, DBAPIError)


class Row(msgspec.Struct, frozen=True):
    """An entry.

    Attributes:
        fields: What its tag covers, the `FIELDS` of `audit_chain`.
        tag: Its tag.
        is_aside: It stands in the table of rows that no entry can be (`audit_damaged`).
    """

    sequence: int
    action: str
    key_id: str | None
    fields: tuple[Any, ...]
    tag: bytes | None
    is_aside: bool = False


class Damaged(msgspec.Struct, frozen=True):
    """A row that cannot be an entry.

    Attributes:
        sequence: Its number; 0 where it has none.
        why: What is wrong with it.
    """

    sequence: int
    why: str


Found: TypeAlias = Row | Damaged


def stored(transaction: ReadTransaction, *, after: Any = 0) -> Iterator[Found]:
    """All rows after a number, in order, a few at a time."""
    while after is not None:
        found, after = page(transaction, after, _AT_ONCE)
        yield from found


def page(transaction: ReadTransaction, after: Any, most: int) -> tuple[list[Found], Any]:
    """Some rows after a number, in order, with those that a restoration put aside.

    Args:
        transaction: Any.
        after: The number.
        most: The most rows, without those that were put aside.

    Returns:
        The rows, and the number of the last, after which others are; None where there are no more.
    """
    rows = _page(transaction, after, most)
    last = rows[-1][0] if rows and isinstance(rows[-1][0], int | float) else None
    found = [(_place(row), seen(row)) for row in rows]
    aside = [seen(row) for row in audit_damaged.between(transaction, after, last)]
    found += [(row.sequence, replace(row, is_aside=True) if isinstance(row, Row) else row) for row in aside]
    if aside:
        found.sort(key=itemgetter(0))
    return [row for _, row in found], last


def below(transaction: ReadTransaction, *, most: int) -> list[Damaged]:
    """Rows that are numbered as no entry is: from 0 down; and what somebody made in their place."""
    found: list[Any] = list(transaction.connection.execute(_BELOW, {"most": most}))
    why = "is there, though entries are numbered from 1"
    numbers: list[int] = [row[0] for row in found]
    numbers += audit_damaged.below(transaction, most=most)
    strange = [Damaged(0, _STRANGE)] if audit_damaged.is_strange(transaction) else []
    return [*(Damaged(number, why if number else f"entry 0 {why}") for number in numbers), *strange]


def count(transaction: ReadTransaction) -> int:
    """How many rows there are, with those that have no number, and with all that `below` gives."""
    aside = audit_damaged.count(transaction) + audit_damaged.is_strange(transaction)
    return int(transaction.connection.execute(_COUNT).scalar() or 0) + aside


def checkpoint(transaction: ReadTransaction) -> Checkpoint | Damaged | None:
    """The newest checkpoint."""
    if audit_damaged.count(transaction, "audit_checkpoints"):
        return Damaged(0, "the checkpoint is damaged, which says what was purged")
    try:
        found = last_checkpoint(transaction)
        if found is None:
            return None
        _ = found.message
        is_sound = all(isinstance(one, int) for one in (found.through, found.count)) and isinstance(
            found.key_id, str
        )
    except UNREADABLE:
        is_sound = False
    return found if is_sound else Damaged(0, "the checkpoint is damaged, which says what was purged")


def _place(row: Any) -> float:
    return row[0] if isinstance(row[0], int | float) else math.inf


def _page(transaction: ReadTransaction, after: Any, most: int) -> list[Any]:
    """Rows, or the number alone of one that the driver cannot read."""
    try:
        return _fetched(transaction, _ROWS, after, most)
    except OF_DRIVER:
        found: list[Any] = []
        for (number,) in _fetched(transaction, _NUMBERS, after, most):
            try:
                found += _fetched(transaction, _ROWS, after, 1)
            except OF_DRIVER:
                found.append((number,))
            after = number
        return found


def _fetched(transaction: ReadTransaction, query: Executable, after: Any, most: int) -> list[Any]:
    return list(transaction.rows(query, {"after": after, "most": most}))


def seen(row: Any) -> Found:
    """What a row is: its cells are those of `COLUMNS`, or the number alone."""
    number, *rest = row
    if isinstance(number, bool) or not isinstance(number, int):
        return Damaged(0, "a row is there that has no whole number for its sequence")
    if not rest:
        return Damaged(number, "cannot be read")
    try:
        at = time_of(rest[0])
    except UNREADABLE:
        return Damaged(number, "has no time")
    texts, key_id, tag = rest[1:7], rest[7], rest[8]
    for name, text in zip(FIELDS[2:8], texts, strict=True):
        if not isinstance(text, str):
            return Damaged(number, f"has no text for its {name}")
    if not isinstance(key_id, str | None) or not isinstance(tag, bytes | None):
        return Damaged(number, "has a tag, or a key's id, of another kind than was written")
    fields = (number, at, *texts, key_id)
    return Row(sequence=number, action=texts[1], key_id=key_id, fields=fields, tag=tag)


def time_of(cell: Any) -> datetime:
    """A time as the driver gives it; raises one of `UNREADABLE` where it is none."""
    at = cell if isinstance(cell, datetime) else datetime.fromisoformat(cell)
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)


def end(transaction: ReadTransaction) -> Head | None:
    """The end of the trail; of a head row that is gone or damaged only what the last entry says."""
    with suppress(*UNREADABLE):
        head = audit_chain.head(transaction)
        if head and isinstance(head.sequence, int) and isinstance(head.tag, bytes | None):
            return head
    last = transaction.connection.execute(select(func.max(NUMBER))).scalar()
    return Head(last, None, None) if isinstance(last, int) else None
