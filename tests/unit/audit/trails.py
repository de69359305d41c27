"""Audit trails that are sealed, and people who may do anything with a database but have no key."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from unit.store.databases import render

from heltig import audit
from heltig.audit.anchors import Anchor
from heltig.audit.keys import AuditKeys
from heltig.audit.trail import open_trail
from heltig.audit.verify import verify
from heltig.audit.walk import Verified
from heltig.settings import Settings
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction, WriteTransaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Trail:
    """A database with a sealed trail."""

    def __init__(self, store: Store, keys: AuditKeys, url: str) -> None:
        self.store = store
        self.keys = keys
        self.url = url

    async def write(self, *subjects: str) -> None:
        """Adds an entry a subject, each in a transaction of its own."""
        for number, subject in enumerate(subjects):
            await self.store.write_durably(record, subject, at=NOW + timedelta(microseconds=number))

    async def verified(self, *anchors: Anchor) -> Verified:
        return await self.store.read(verify, self.keys, anchors=anchors)

    async def tamper(self, *statements: str, **parameters: Any) -> None:
        """Does what whoever owns the database can do: first they drop the triggers."""

        def work(transaction: WriteTransaction) -> None:
            postgresql = transaction.connection.dialect.name == "postgresql"
            for table in ("audit", "audit_checkpoints"):
                for act in ("update", "delete"):
                    on = f" ON {table}" if postgresql else ""
                    transaction.connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_refuse_{act}{on}"))
            for statement in statements:
                names = {name: value for name, value in parameters.items() if f":{name}" in statement}
                transaction.connection.execute(text(statement), names)

        await self.store.write(work)

    async def rewrite(self, keys: AuditKeys | bytes, *, of: Sequence[str] = ()) -> None:
        """Computes every tag anew, as docs/audit.md says, and sets the head: with a key of their own."""

        def rows(transaction: ReadTransaction) -> list[Any]:
            query = "SELECT sequence, at, actor, action, subject, outcome, origin, detail, key_id FROM audit"
            return list(transaction.connection.execute(text(f"{query} ORDER BY sequence")))

        tag = bytes(32)
        for row in await self.store.read(rows):
            at = row.at if isinstance(row.at, datetime) else datetime.fromisoformat(row.at)
            tag = tag_of([row.sequence, at.replace(tzinfo=UTC), *row[2:]], tag, keys)
            await self.tamper("UPDATE audit SET tag = :t WHERE sequence = :s", t=tag, s=row.sequence)
        await self.tamper("UPDATE sequences SET tag = :t WHERE name = 'audit'", t=tag)


def tag_of(fields: list[Any], before: bytes, key: bytes | AuditKeys) -> bytes:
    """The tag of an entry by the means of Python's library alone."""
    fields[1] = fields[1].isoformat(timespec="microseconds")
    message = before + json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    return (
        key.mac(fields[-1], message)
        if isinstance(key, AuditKeys)
        else hmac.digest(key, message, hashlib.sha256)
    )


def record(
    transaction: WriteTransaction, subject: str = "archive:main", *, at: datetime = NOW, **other: Any
) -> None:
    fields: dict[str, Any] = {
        "actor": "key:ops",
        "action": "archive.add",
        "outcome": "success",
        "origin": "10.0.0.7",
    }
    audit.record(transaction, at=at, subject=subject, **{**fields, **other})


async def opened(url: str, home: Path, **settings: Any) -> Trail:
    """A trail whose chain has begun."""
    store = await Store.open(url, render=render)
    try:
        keys = await open_trail(store, Settings(home=home, **settings), clock=lambda: NOW)
    except BaseException:
        await store.close()
        raise
    return Trail(store, keys, url)
