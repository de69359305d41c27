"""`heltig encryption`: a new key for evidence in the database, and all that is stored rewritten with it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import click
import msgspec

from heltig import audit
from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.database import open_database
from heltig.cli.purge import about
from heltig.errors import StorageError, UsageError
from heltig.pipeline.reencrypting import Found, Rewritten, insist_on_meaning, look
from heltig.pipeline.reencrypting import rewrite as rewrite_all
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings
from heltig.settings import Settings
from heltig.store.encryption import PLAIN_ID, SETTING
from heltig.store.encryption_keys import EncryptionKeys
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

T = TypeVar("T")

_TOLD: Final = 10_000
"""Rows of a table after which progress is told again."""


@click.group()
def encryption() -> None:
    """Change the key that evidence is encrypted with, and rewrite what is stored.

    docs/encryption.md says what is encrypted, and how a key is changed while the service works.
    """


@encryption.command("rotate-key")
def rotate_key() -> None:
    """Encrypt what is written from now on with a new key.

    The new key is put before the old ones in the file that HELTIG_ENCRYPTION_KEY names; processes that run on
    this machine read it again. Where other servers have files of their own, docs/encryption.md says in which
    order they get it. What is stored stays readable by the old keys: `heltig encryption rewrite` rewrites it.
    """
    settings = load_settings()
    if settings.encryption_key is None:
        raise UsageError(
            f"{SETTING} names no key, so nothing is encrypted. docs/encryption.md says how to begin."
        )
    keys = EncryptionKeys(settings.encryption_key)
    made = _run(settings, lambda store: _rotated(store, keys))
    click.echo(
        f"What is written from now on is encrypted with the key {made}. {keys.where} holds it, and the "
        "old ones."
    )
    click.echo("Back that file up, apart from backups of the database. Then: heltig encryption rewrite")


@encryption.command()
@click.option(
    "--dry-run", is_flag=True, help="Change nothing; count rows by the key that they are encrypted with."
)
@click.option("--plain", is_flag=True, help="Decrypt everything, where `plain` stands before the keys.")
@click.option(
    "--vacuum",
    is_flag=True,
    help="Write the database's file anew afterwards, so that nothing of older rows is left in it (SQLite): "
    "others wait meanwhile.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def rewrite(dry_run: bool, plain: bool, vacuum: bool, form: str) -> None:
    """Encrypt everything that is stored with the first of the keys that HELTIG_ENCRYPTION_KEY names.

    The service goes on meanwhile. Broken off and begun again, it goes on where it was. Afterwards no older
    key is needed for the database; backups that were made before need theirs.

    Exit code: 7 when a row could not be read; the others are rewritten.
    """
    settings = load_settings()
    if dry_run:
        found = _run(settings, look)
        _show(found, form, _counts(found))
        return
    done = _run(settings, lambda store: _rewritten(store, plain=plain, progress=_Progress()))
    what = "is plain" if done.key == PLAIN_ID else f"is encrypted with the key {done.key}"
    _show(done, form, [f"{counted(done.count, 'row')} rewritten. Everything that could be read {what}."])
    if done.left:
        raise StorageError(f"{counted(done.left, 'row')} could not be read. {done.wrong}")
    if vacuum:
        freed = _run(settings, lambda store: store.compact())
        click.echo(f"The database's file was written anew; it is {about(freed)} smaller.", err=form == "json")


async def _rotated(store: Store, keys: EncryptionKeys) -> str:
    before = keys.keys().writes
    made = keys.add()

    def record(transaction: WriteTransaction) -> None:
        audit.record(
            transaction,
            at=now(),
            actor=ACTOR,
            action="encryption.rotate-key",
            subject=f"encryption-key:{made}",
            outcome="success",
            origin=ORIGIN,
            detail={"from": PLAIN_ID if before is None else before.id},
        )

    await store.write_durably(record)
    return made


async def _rewritten(store: Store, *, plain: bool, progress: "_Progress") -> Rewritten:
    insist_on_meaning(store, plain=plain)
    return await rewrite_all(store, clock=now, actor=ACTOR, origin=ORIGIN, progress=progress)


class _Progress:
    """Tells how many rows of a table are done, when it begins and now and then."""

    def __init__(self) -> None:
        self._table = ""
        self._count = 0

    def __call__(self, table: str, count: int) -> None:
        if table != self._table or count >= self._count + _TOLD:
            click.echo(f"{table:<10} {count:>12,} rows", err=True)
            self._table, self._count = table, count


def _counts(found: Found) -> list[str]:
    lines = [
        f"{table:<10} {count:>12,} {'plain' if key == PLAIN_ID else f'encrypted with {key}'}"
        for table, keys in found.rows.items()
        for key, count in keys.items()
    ]
    wanted = "plain" if found.key == PLAIN_ID else f"encrypted with {found.key}"
    return [*lines, f"{counted(found.others, 'row')} would be rewritten, to be {wanted}."]


def _show(found: Found | Rewritten, form: str, lines: list[str]) -> None:
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        for line in lines:
            click.echo(line)


def _run(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(settings) as store:
            return await work(store)

    return asyncio.run(run())
