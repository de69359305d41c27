"""`heltig audit`: verifying the audit trail, exporting it, and changing its key."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO, TypeVar

import click
import msgspec

from heltig import audit as trail
from heltig.audit.anchors import Anchor, in_log
from heltig.audit.breaks import Break
from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.trail import accept, keep_anchor, rotate
from heltig.audit.verify import MOST_BREAKS, verify
from heltig.audit.walk import Verified
from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.database import open_database
from heltig.errors import NotFoundError, StorageError
from heltig.pipeline.publish import render
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings
from heltig.settings import Settings
from heltig.store import audit_chain, audit_trail
from heltig.store.audit_trail import Wanted
from heltig.store.encryption_keys import cipher_of
from heltig.store.engine import Store
from heltig.store.migrations import HEAD, version

T = TypeVar("T")

BROKEN: Final = 9
"""The exit code when the trail is not what was written."""

_AT_ONCE: Final = 1000
_TIMES: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")


@click.group()
def audit() -> None:
    """Verify the audit trail, export it, change its key.

    docs/audit.md says what is recorded, and what a verified trail proves.
    """


@audit.command("verify")
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    metavar="SEQ:TAG",
    help="An entry's tag as the log has it (audit.anchor); can be given several times.",
)
@click.option(
    "--anchors",
    "logs",
    multiple=True,
    type=click.File("r", encoding="utf-8", errors="replace"),
    metavar="LOGFILE",
    help="A log whose lines audit.anchor are compared; - is standard input.",
)
@click.option("--copy", is_flag=True, help="The database is a copy from before: this host knows more of it.")
@click.option(
    "--all", "tells_all", is_flag=True, help=f"Name more than {MOST_BREAKS} entries that are wrong."
)
def verify_command(anchors: tuple[str, ...], logs: tuple[TextIO, ...], copy: bool, tells_all: bool) -> None:
    """Find any entry that was changed, left out, moved or added without the key.

    Reads the database and changes nothing; the service may run meanwhile. It needs the keys that sealed the
    trail (HELTIG_AUDIT_KEY). The trail has to agree with the anchor that this host keeps
    (secrets/audit-anchor in HELTIG_HOME). With anchors from the log it also finds a trail whose end was cut
    off, or that was written anew by somebody who has the key.

    What was wrong when somebody accepted the trail (`heltig audit accept`) is told apart from what is wrong
    since. Of each the first 100 are named, or all of them with --all.

    Exit code: 0 when the trail is whole, 9 when it is not.
    """
    known = [Anchor.parse(anchor) for anchor in anchors]
    known += [anchor for log in logs for anchor in in_log(log)]
    settings = load_settings()
    kind, _, path = settings.database.partition(":///")
    if kind.startswith("sqlite") and not Path(path).exists():  # it would be made
        raise NotFoundError(f"There is no database {path}.")
    own = None if copy else OwnAnchor(settings)
    found = asyncio.run(_verified(settings, known, own, most=sys.maxsize if tells_all else MOST_BREAKS))
    _tell(found, len(known))
    if not found.is_whole:
        raise click.exceptions.Exit(BROKEN)


@audit.command()
@click.option("--since", type=click.DateTime(_TIMES), help="Entries from then on, in UTC.")
@click.option("--until", type=click.DateTime(_TIMES), help="Entries before then, in UTC.")
@click.option("--actor", help="Only what this principal did, such as key:gateway.")
@click.option("--action", help="Only this action, such as patient.look.")
@click.option("--subject", help="Only what was done to this.")
@click.option("--after", type=click.IntRange(0), default=0, help="Only entries with a higher number.")
@click.option(
    "--format", "form", type=click.Choice(["ndjson"]), default="ndjson", show_default=True, help="How."
)
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8", lazy=False),
    default="-",
    metavar="FILE",
    help="Instead of standard output.",
)
def export(
    since: datetime | None,
    until: datetime | None,
    actor: str | None,
    action: str | None,
    subject: str | None,
    after: int,
    form: str,
    output: TextIO,
) -> None:
    """Write the trail out, an entry a line, oldest first.

    That it was exported is recorded in the trail.
    """
    wanted = Wanted(actor=actor, action=action, subject=subject, since=_utc(since), until=_utc(until))
    count = _run(lambda store: _exported(store, wanted, after, output))
    click.echo(f"{counted(count, 'entry', 'entries')} exported.", err=True)


@audit.command("rotate-key")
def rotate_key() -> None:
    """Seal entries with a new key from now on.

    The new key is put before the old ones in the file that holds them; processes that run on this machine
    read it again. The old ones stay there: what they sealed can be verified only with them. Copy the file to
    every other server of this database at once: they write nothing until they have it.
    """
    settings = load_settings()
    keys = AuditKeys(settings)

    async def change(store: Store) -> str:
        made = await rotate(store, keys, at=now(), actor=ACTOR, origin=ORIGIN)
        await keep_anchor(store, settings)  # so that this host takes no entry of the old key from now on
        return made

    made = _run(change, settings)
    click.echo(
        f"Entries are sealed with the key {made} from now on. {keys.where} holds it, and the old ones."
    )


@audit.command("accept")
@click.option("--reason", required=True, help="Why; the audit trail keeps it.")
def accept_command(reason: str) -> None:
    """Go on with a trail that is not the one that this host knew.

    Only after you have found out why: an older copy of the database was put in place, or a new one. Where
    there is no chain, it begins. That it was accepted, and what was wrong, is recorded. Each host that keeps
    an anchor of its own says so for itself.
    """
    settings = load_settings()
    keys = AuditKeys(settings)
    head = _run(
        lambda store: accept(store, settings, keys, at=now(), actor=ACTOR, origin=ORIGIN, reason=reason),
        settings,
    )
    click.echo(f"This host knows the audit trail to entry {head.sequence} from now on.")


async def _verified(
    settings: Settings, anchors: list[Anchor], own: OwnAnchor | None, *, most: int
) -> Verified:
    store = await Store.open(settings.database, render=render, cipher=cipher_of(settings))
    try:
        tables = await store.read(version)
        if tables != HEAD:
            raise StorageError(
                f"The tables have version {tables or 'none'}, this Heltig needs {HEAD}: the trail is sealed "
                "when the service, or any other command, has brought them up to date."
            )
        return await store.read(verify, AuditKeys(settings), anchors=anchors, own=own, most=most)
    finally:
        await store.close()


def _tell(found: Verified, anchors: int) -> None:
    what = f"{counted(found.entries, 'entry', 'entries')}, {found.first} to {found.last}"
    if found.checkpoint:
        purged = found.checkpoint
        click.echo(f"Entries to {purged.through} were purged on {purged.at:%Y-%m-%d %H:%M} UTC (checkpoint).")
    if found.began:
        click.echo(f"Entries to {found.began} are older than the chain: they were sealed when it began.")
    if found.is_whole:
        known = f", and agrees with {counted(anchors, 'anchor', 'anchors')}" if anchors else ""
        click.echo(
            f"The audit trail is whole: {what}, sealed with {', '.join(found.keys) or 'no key'}{known}."
        )
        click.echo(f"Anchor: {found.last}:{found.tag.hex()}")
        return
    click.echo(f"The audit trail is NOT what was written: {what}.", err=True)
    if found.before:
        click.echo(f"Before entry {found.accepted}, by which the trail was accepted as it was:", err=True)
        _tell_breaks(found.before, found.untold_before)
        click.echo("Since then:" if found.breaks else "Since then nothing is wrong.", err=True)
    _tell_breaks(found.breaks, found.untold)


def _tell_breaks(breaks: tuple[Break, ...], untold: int) -> None:
    for one in breaks:
        click.echo(f"entry {one.sequence}: {one.why}" if one.sequence else one.why, err=True)
    if untold:
        click.echo(f"and {untold:,} more: --all names them all.", err=True)


async def _exported(store: Store, wanted: Wanted, after: int, output: TextIO) -> int:
    head = await store.read(audit_chain.head)
    through = head.sequence if head else 0
    filters = {name: value for name, value in msgspec.to_builtins(wanted).items() if value is not None}
    await store.write_durably(
        trail.record,
        at=now(),
        actor=ACTOR,
        action="audit.export",
        subject="audit",
        outcome="success",
        origin=ORIGIN,
        detail={**filters, "after": after, "through": through},
    )
    count = 0
    while found := await store.read(audit_trail.lines, wanted, after=after, limit=_AT_ONCE, through=through):
        output.writelines(f"{msgspec.json.encode(line).decode()}\n" for line in found)
        count, before = count + len(found), after
        after = max(after, *(line.sequence for line in found))
        if after == before:
            break  # rows that have no number
    return count


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


def _run(work: Callable[[Store], Awaitable[T]], settings: Settings | None = None) -> T:
    async def run() -> T:
        async with open_database(settings or load_settings()) as store:
            return await work(store)

    return asyncio.run(run())
