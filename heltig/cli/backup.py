"""`heltig backup`: the database and what belongs to it in one file, while the service works."""

import asyncio
from pathlib import Path

import click

from heltig import audit
from heltig.audit.trail import open_trail
from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.purge import about
from heltig.errors import HeltigError
from heltig.pipeline.backup.archive_file import Manifest
from heltig.pipeline.backup.making import back_up
from heltig.pipeline.publish import render
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings
from heltig.settings import Settings
from heltig.store import migrations
from heltig.store.encryption import PLAIN_ID
from heltig.store.encryption_keys import cipher_of
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, resolve_path=True))
@click.option(
    "--with-secrets",
    is_flag=True,
    help="The folder `secrets` of HELTIG_HOME goes with it: whoever has the file has them.",
)
def backup(file: Path, with_secrets: bool) -> None:
    """Write a backup of the database, and of the files that only this server has, to FILE.

    The service goes on meanwhile. What the backup shows is one moment: each verdict with its evidence, the
    change feed, the audit trail, and the objects in custody. Without --with-secrets the key of the audit
    trail and other secrets are not in it: keep these apart. FILE gets its name when it is whole; only its
    owner may read it.
    """
    manifest = asyncio.run(_back_up(load_settings(), file, with_secrets=with_secrets))
    for line in lines(manifest):
        click.echo(line)
    click.echo(f"The backup is {file}, {about(file.stat().st_size)}.")
    if manifest.missing:
        click.echo(
            f"heltig: {counted(len(manifest.missing), 'file')} that the database names are not in the spool; "
            f"the first is {manifest.missing[0]}.",
            err=True,
        )


def lines(manifest: Manifest) -> list[str]:
    """What a backup has, for people."""
    rows = manifest.tables
    files = [part for name, part in manifest.parts.items() if not name.startswith("tables/")]
    made = f"{manifest.created:%Y-%m-%d %H:%M:%S} UTC, by Heltig {manifest.heltig} from {manifest.database}"
    studies = counted(rows.get("studies", 0), "study", "studies")
    verdicts = counted(rows.get("verdicts", 0), "verdict")
    entries = counted(rows.get("audit", 0), "audit entry", "audit entries")
    has = f"{counted(len(files), 'file')}, {about(sum(part.size for part in files))}"
    keys = ", ".join(one for one in manifest.encryption_keys if one != PLAIN_ID)
    if manifest.elsewhere:
        has += f"; {manifest.elsewhere:,} objects are in the spools of other servers"
    return [
        f"moment    {made}",
        f"tables    version {manifest.revision}: {counted(sum(rows.values()), 'row')}, of them {studies}, "
        f"{verdicts}, {entries}",
        f"files     {has}",
        f"secrets   {'in it' if manifest.secrets else 'not in it'}",
        *([f"keys      evidence in it is encrypted with {keys}: keep that key apart"] if keys else []),
    ]


async def _back_up(settings: Settings, file: Path, *, with_secrets: bool) -> Manifest:
    store = await Store.open(settings.database, render=render, cipher=cipher_of(settings))
    try:
        manifest = await back_up(store, settings.home, file, with_secrets=with_secrets, clock=now)
        if await store.read(migrations.version) == migrations.HEAD:
            await _record(store, settings, file, with_secrets=with_secrets)
        return manifest
    finally:
        await store.close()


async def _record(store: Store, settings: Settings, file: Path, *, with_secrets: bool) -> None:
    def record(transaction: WriteTransaction) -> None:
        audit.record(
            transaction,
            at=now(),
            actor=ACTOR,
            action="backup.make",
            subject="backup",
            outcome="success",
            origin=ORIGIN,
            detail={"file": str(file), "secrets": with_secrets},
        )

    try:
        await open_trail(store, settings, clock=now)
        await store.write_durably(record)
    except HeltigError as wrong:  # the backup is whole all the same
        click.echo(f"heltig: the audit trail could not be told of it: {wrong.detail}", err=True)
