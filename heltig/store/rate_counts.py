"""How often somebody did something in a minute, and what may happen once: counted over all processes."""

from functools import cache
from typing import Any

from sqlalchemy import Executable, delete
from sqlalchemy.dialects import postgresql, sqlite

from heltig.store.tables import rate_counts
from heltig.store.transaction import WriteTransaction

_LAST_MINUTE = 2**31 - 1
"""That the database can hold, in the year 6053."""

_KEY = (rate_counts.c.minute, rate_counts.c.rule, rate_counts.c.who)


def add(transaction: WriteTransaction, *, rule: str, who: str, minute: int, count: int) -> int:
    """Adds to a count, and says what it comes to. Counts of earlier minutes are forgotten.

    Args:
        transaction: Of `Store.write`.
        rule: What is counted.
        who: Of whom: 64 hex digits.
        minute: Minutes since 1970, UTC.
        count: How much is added.
    """
    old = delete(rate_counts).where(rate_counts.c.minute < minute)
    transaction.connection.execute(old)
    added = _adding(transaction.connection.dialect.name)
    row = {"minute": minute, "rule": rule, "who": who, "count": count}
    return int(transaction.connection.execute(added, row).scalar_one())


def is_first(transaction: WriteTransaction, *, rule: str, who: str, until: float) -> bool:
    """Whether something happens for the first time; that it did is known until a time, at least.

    Args:
        transaction: Of a write.
        rule: What may happen once.
        who: Of whom: 64 hex digits.
        until: When it is impossible anyway, in seconds since 1970.
    """
    minute = min(int(until // 60) + 1, _LAST_MINUTE)
    return transaction.insert_or_ignore(rate_counts, {"minute": minute, "rule": rule, "who": who, "count": 1})


@cache
def _adding(dialect: str) -> Executable:
    inserted: Any = (sqlite if dialect == "sqlite" else postgresql).insert(rate_counts)
    adding: Executable = inserted.on_conflict_do_update(
        index_elements=[column.name for column in _KEY],
        set_={"count": rate_counts.c.count + inserted.excluded["count"]},
    ).returning(rate_counts.c.count)
    return adding
