"""Encrypts what is stored with the newest key, or decrypts it, while the service works."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from heltig import audit
from heltig.errors import UsageError
from heltig.store import reencryption
from heltig.store.encryption import SETTING
from heltig.store.encryption_in_use import forget_keys, key_ids
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

_PASSES: Final = 5
"""How often everything is looked at: a server that still had an older key wrote meanwhile."""


class Found(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What there is.

    Attributes:
        key: The id of the key that writes; `plain` without one.
        rows: Of each table how many rows are encrypted with each key.
    """

    key: str
    rows: dict[str, dict[str, int]]

    @property
    def others(self) -> int:
        """Rows that are not encrypted with the key that writes."""
        return sum(count for keys in self.rows.values() for key, count in keys.items() if key != self.key)


class Rewritten(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was done.

    Attributes:
        key: The id of the key that everything is encrypted with now; `plain` without one.
        count: Rows that were rewritten.
        left: Rows that could not be read, or were written by somebody who has another first key.
        wrong: Why the last of those cannot be read.
    """

    key: str
    count: int
    left: int
    wrong: str | None


async def look(store: Store) -> Found:
    """Counts the rows by the key that they are encrypted with. Nothing is changed."""
    rows: dict[str, dict[str, int]] = {}
    for table in reencryption.TABLES:
        counts: Counter[str] = Counter()
        after = None
        while (page := await store.read(reencryption.page, table, after)).last is not None:
            counts += page.by_key
            after = page.last
        rows[table] = dict(sorted(counts.items()))
    return Found(key=reencryption.writing_id(store.cipher), rows=rows)


def insist_on_meaning(store: Store, *, plain: bool) -> None:
    """Insists that what is asked for is what the keys say.

    Raises:
        UsageError: It is not.
    """
    keys, where = store.cipher.keys(), store.cipher.where
    if not keys.by_id:
        raise UsageError(
            f"{SETTING} names no key, so nothing is encrypted. docs/encryption.md says how to begin."
        )
    if plain and keys.writes is not None:
        raise UsageError(
            f"--plain: first put `plain,` before the keys that {where} holds, on every server. Else what is "
            "written goes on being encrypted."
        )
    if not plain and keys.writes is None:
        raise UsageError(
            f"{where} begins with `plain`: nothing is encrypted any more. Say --plain if everything that is "
            "stored is to be decrypted, too."
        )


async def rewrite(
    store: Store,
    *,
    clock: Callable[[], datetime],
    actor: str,
    origin: str,
    progress: Callable[[str, int], None] = lambda table, count: None,
) -> Rewritten:
    """Encrypts everything with the key that writes; decrypts it where none does.

    Broken off and begun again, it goes on. Others read and write meanwhile: it rests as long as it works.

    Args:
        store: The database.
        clock: Gives the time, in UTC.
        actor: Who asked for it.
        origin: From where.
        progress: Told of each table how many rows of it are done, now and then.

    Raises:
        ConfigurationError: A key is missing, or the keys cannot be read.
        StorageError: The database failed. What was done until then stays.
    """
    store.cipher.reread()
    key = reencryption.writing_id(store.cipher)
    older = [one for one in await store.read(key_ids) if one != key]
    await store.write_durably(_record, key, {"state": "begun"}, at=clock(), actor=actor, origin=origin)
    count = 0
    for _ in range(_PASSES):
        found = await _pass(store, progress)
        count += found.done
        if not found.done:
            break
    await store.write(forget_keys, [one for one in older if one not in found.keys])
    await store.write_durably(
        _record,
        key,
        {"state": "incomplete" if found.left else "done", "rows": count, "left": found.left},
        at=clock(),
        actor=actor,
        origin=origin,
    )
    return Rewritten(key=key, count=count, left=found.left, wrong=found.wrong)


class _Pass(msgspec.Struct):
    """What was found when everything was looked at once.

    Attributes:
        done: Rows that were rewritten.
        left: Rows that could not be read.
        wrong: Why the last of them could not.
        keys: The ids of the keys that rows were encrypted with before.
    """

    done: int = 0
    left: int = 0
    wrong: str | None = None
    keys: set[str] = msgspec.field(default_factory=set)


async def _pass(store: Store, progress: Callable[[str, int], None]) -> _Pass:
    found = _Pass()
    for table in reencryption.TABLES:
        of_table, after = 0, None
        while (page := await store.read(reencryption.page, table, after)).last is not None:
            after = page.last
            found.keys.update(page.by_key)
            for some in page.others:
                began = time.monotonic()
                changed, wrong = await store.write(reencryption.rewrite, table, some)
                of_table += changed
                found.done += changed
                if wrong is not None:
                    found.left += len(some) - changed
                    found.wrong = wrong
                progress(table, of_table)
                await asyncio.sleep(time.monotonic() - began)
    return found


def _record(
    transaction: WriteTransaction,
    key: str,
    detail: dict[str, str | int],
    *,
    at: datetime,
    actor: str,
    origin: str,
) -> None:
    audit.record(
        transaction,
        at=at,
        actor=actor,
        action="encryption.rewrite",
        subject=f"encryption-key:{key}",
        outcome="success",
        origin=origin,
        detail=detail,
    )
