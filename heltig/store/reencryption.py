"""Encrypts what is stored with the key that writes now, some rows at a time, while others work.

Each row is changed by itself, and reads the same before and after. What was done stays done: whoever begins
again passes over it.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Table, and_, bindparam, func, select, tuple_, update
from sqlalchemy.types import LargeBinary

from heltig.errors import StorageError
from heltig.store.encrypted_rows import (
    ANALYSES,
    COMMENTS,
    CONSENTS,
    FINDINGS,
    VERDICTS,
    WAIVERS,
    EncryptedColumns,
)
from heltig.store.encryption import HEAD, PLAIN_ID, Cipher, Identity, key_of
from heltig.store.lookups import identity_of
from heltig.store.tables import (
    analyses,
    comments,
    consents,
    contents,
    findings,
    lookups,
    snapshots,
    verdicts,
    waivers,
)
from heltig.store.transaction import ReadTransaction, WriteTransaction

Keys = tuple[Any, ...]
"""The primary key of a row."""


class _Rows(ABC):
    """A table of which something is encrypted."""

    def __init__(self, table: Table, value: str, *, at_once: int) -> None:
        self.table: Final = table
        self.at_once: Final = at_once
        self.value: Final = table.c[value]
        self._key: Final = list(table.primary_key.columns)

    def page(self, transaction: ReadTransaction, after: Keys | None, limit: int) -> list[tuple[Keys, str]]:
        """Some rows by their keys, each with the id of the key that it is encrypted with."""
        head = func.substr(self.value, 1, HEAD, type_=LargeBinary).label("head")
        query = select(*self._key, head).order_by(*self._key).limit(limit)
        if after is not None:
            query = query.where(tuple_(*self._key) > tuple_(*after))
        found = transaction.connection.execute(query)
        return [(tuple(row[:-1]), key_of(row.head) or PLAIN_ID) for row in found]

    def rewrite(self, transaction: WriteTransaction, keys: Sequence[Keys]) -> tuple[int, str | None]:
        """Encrypts some rows anew.

        Returns:
            How many, and why others could not be read.
        """
        named = tuple_(*self._key).in_(keys)
        query = select(self.table).where(named).order_by(*self._key).with_for_update(key_share=True)
        changed, wrong = [], None
        for row in transaction.connection.execute(query):
            try:
                values = self.values(transaction.cipher, row)
            except StorageError as unreadable:
                wrong = unreadable.detail
                continue
            key = {f"of_{column.name}": row._mapping[column.name] for column in self._key}
            changed.append(key | {f"to_{name}": value for name, value in values.items()})
        if changed:
            names = [name.removeprefix("to_") for name in changed[0] if name.startswith("to_")]
            statement = (
                update(self.table)
                .where(and_(*(column == bindparam(f"of_{column.name}") for column in self._key)))
                .values({name: bindparam(f"to_{name}") for name in names})
            )
            transaction.connection.execute(statement, changed)
        return len(changed), wrong

    @abstractmethod
    def values(self, cipher: Cipher, row: Any) -> dict[str, Any]:
        """What a row is to have."""


class _Values(_Rows):
    """A table with one encrypted value."""

    def __init__(
        self, table: Table, value: str, identity: Callable[[Any], Identity], *, at_once: int
    ) -> None:
        super().__init__(table, value, at_once=at_once)
        self._identity = identity

    def values(self, cipher: Cipher, row: Any) -> dict[str, Any]:
        name, identity = str(self.table.name), self._identity(row)
        plain = cipher.decrypt(name, identity, row._mapping[self.value.name])
        return {str(self.value.name): cipher.encrypt(name, identity, plain)}


class _Columns(_Rows):
    """A table whose columns are encrypted into one."""

    def __init__(self, table: Table, columns: EncryptedColumns, *, at_once: int) -> None:
        super().__init__(table, "encrypted", at_once=at_once)
        self._columns = columns

    def values(self, cipher: Cipher, row: Any) -> dict[str, Any]:
        plain = self._columns.get(cipher, row)
        names = (*self._columns.identity, *self._columns.columns)
        stored = self._columns.put(cipher, {name: getattr(plain, name) for name in names})
        return {name: stored[name] for name in (*self._columns.columns, "encrypted")}


def _answer(row: Any) -> Identity:
    return identity_of(row.study_key, row.location, row.version, row.verdict_id)


_TABLES: Final = {
    rows.table.name: rows
    for rows in (
        _Values(contents, "body", lambda row: (row.address.hex(),), at_once=20),
        _Values(snapshots, "facts", lambda row: (row.snapshot,), at_once=100),
        _Columns(verdicts, VERDICTS, at_once=50),
        _Columns(findings, FINDINGS, at_once=200),
        _Columns(waivers, WAIVERS, at_once=100),
        _Columns(comments, COMMENTS, at_once=100),
        _Columns(consents, CONSENTS, at_once=100),
        _Columns(analyses, ANALYSES, at_once=100),
        _Values(lookups, "body", _answer, at_once=100),
    )
}
TABLES: Final = tuple(_TABLES)
"""The names of the tables of which something is encrypted."""

PAGE: Final = 2000
"""Rows that are looked at together."""


class Page(msgspec.Struct, frozen=True):
    """Some rows of a table.

    Attributes:
        last: The key of the last one, None where there are none.
        by_key: How many are encrypted with each key.
        others: Those that are not encrypted with the key that writes, some for each transaction.
    """

    last: Keys | None
    by_key: Counter[str]
    others: list[list[Keys]]


def page(transaction: ReadTransaction, table: str, after: Keys | None) -> Page:
    """Looks at some rows of a table.

    Args:
        transaction: Any.
        table: One of `TABLES`.
        after: The key of the last row of the page before.
    """
    rows = _TABLES[table]
    found = rows.page(transaction, after, PAGE)
    wanted = writing_id(transaction.cipher)
    others = [key for key, encrypted_with in found if encrypted_with != wanted]
    return Page(
        last=found[-1][0] if found else None,
        by_key=Counter(encrypted_with for _, encrypted_with in found),
        others=[others[start : start + rows.at_once] for start in range(0, len(others), rows.at_once)],
    )


def rewrite(transaction: WriteTransaction, table: str, keys: Sequence[Keys]) -> tuple[int, str | None]:
    """Encrypts some rows of a table with the key that writes now.

    Args:
        transaction: Any that writes.
        table: One of `TABLES`.
        keys: The primary keys of the rows; those that are gone are passed over.

    Returns:
        How many rows were changed; and why others cannot be read, None where all can.
    """
    return _TABLES[table].rewrite(transaction, keys)


def writing_id(cipher: Cipher) -> str:
    """The id of the key that a cipher writes with; `plain` without one."""
    key = cipher.keys().writes
    return PLAIN_ID if key is None else key.id
