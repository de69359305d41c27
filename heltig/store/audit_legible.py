"""Entries of the audit trail for whoever reads them, whatever somebody did to their rows.

What is damaged is shown with what can be read of it: one edited cell must not hide the rest of the trail.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, select

from heltig.store import audit_rows
from heltig.store.audit_chain import FIELDS
from heltig.store.audit_rows import COLUMNS, IS_NUMBER, NUMBER, OF_DRIVER, UNREADABLE, Damaged
from heltig.store.tables import audit
from heltig.store.transaction import ReadTransaction

_TEXTS: Final = FIELDS[2:7]
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Legible(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it can be read.

    Attributes:
        at: None where what stands there is no time; text that is damaged is as far as it can be read.
        detail: JSON: the very text that was sealed, an object; of a damaged one a string.
        damaged: What is wrong with the row; empty where nothing is. `heltig audit verify` says more: a row
            that was changed into something that makes sense looks sound here.
    """

    sequence: int
    at: datetime | None
    actor: str
    action: str
    subject: str
    outcome: str
    origin: str
    detail: str
    key_id: str | None
    tag: str | None
    damaged: str

    @property
    def details(self) -> dict[str, Any]:
        """The detail; none where it is damaged."""
        return {} if self.detail.startswith('"') else _decode(self.detail)


def legible(
    transaction: ReadTransaction,
    conditions: Sequence[ColumnElement[bool]],
    *,
    limit: int,
    newest_first: bool = False,
) -> list[Legible]:
    """Entries that match.

    Args:
        transaction: Any.
        conditions: All of them.
        limit: The most entries.
        newest_first: Else the oldest come first.
    """
    order = audit.c.sequence.desc() if newest_first else audit.c.sequence
    numbers = select(NUMBER).where(IS_NUMBER, *conditions).order_by(order).limit(limit)
    try:
        query = select(*COLUMNS).where(*conditions).order_by(order).limit(limit)
        rows: Iterable[Any] = transaction.connection.execute(query).all()
    except OF_DRIVER:
        rows = [_one(transaction, number) for (number,) in transaction.connection.execute(numbers).all()]
    return [_legible(row) for row in rows]


def _one(transaction: ReadTransaction, number: Any) -> Sequence[Any]:
    """A row, or its number alone where the driver cannot read it."""
    try:
        return transaction.connection.execute(select(*COLUMNS).where(audit.c.sequence == number)).one()
    except OF_DRIVER:
        return (number,)


def _legible(row: Sequence[Any]) -> Legible:
    found = audit_rows.seen(row)
    cells = dict(zip((*FIELDS, "tag"), row, strict=False))
    detail, wrong = _detail(cells.get("detail"))
    at = None
    with suppress(*UNREADABLE):
        at = audit_rows.time_of(cells.get("at"))
    tag, key_id = cells.get("tag"), cells.get("key_id")
    return Legible(
        sequence=found.sequence,
        at=at,
        **{name: _text(cells.get(name)) for name in _TEXTS},
        detail=detail,
        key_id=None if key_id is None else _text(key_id),
        tag=tag.hex() if isinstance(tag, bytes) else None if tag is None else _text(tag),
        damaged=found.why if isinstance(found, Damaged) else wrong,
    )


def _detail(cell: Any) -> tuple[str, str]:
    """The detail as JSON on one line, and what is wrong with it."""
    if isinstance(cell, str) and "\n" not in cell and "\r" not in cell:
        try:
            _decode(cell)
        except (msgspec.DecodeError, ValueError, RecursionError):
            pass
        else:
            return cell, ""
    return msgspec.json.encode(_text(cell)).decode(), "has a detail that is no JSON object on one line"


def _text(cell: Any) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return "" if cell is None else str(cell)
