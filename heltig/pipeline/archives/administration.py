"""The remote archives of a site: added, changed, paused, removed."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from heltig import audit
from heltig.audit import Outcome
from heltig.errors import ConflictError, NotFoundError, PreconditionFailedError, UsageError
from heltig.pipeline.archives.form import ArchiveForm, entry_of, etag_of, form_of, patched
from heltig.settings import Settings
from heltig.store import archives, breakers, claims, cursors, gate_studies
from heltig.store.archives import Archive, location_of
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

_CONNECTION: Final = ("qido_url", "wado_url", "stow_url", "feed_url")
_WATCHED: Final = ("qido_url", "feed_url")


def found_archive(entry: Archive | None, name: str) -> Archive:
    """What was looked for.

    Raises:
        NotFoundError: It was not found.
    """
    if entry is None:
        raise NotFoundError(f"There is no archive {name}. `heltig archives list` names them.")
    return entry


async def find_archive(store: Store, name: str) -> Archive:
    """An archive's entry.

    Raises:
        NotFoundError: There is none of that name.
    """
    return found_archive(await store.look_up(archives.find, name), name)


async def add_archive(store: Store, entry: Archive, *, at: datetime, actor: str, origin: str) -> None:
    """Adds an archive's entry.

    Raises:
        ConflictError: There is one of that name.
    """

    def add(transaction: WriteTransaction) -> None:
        archives.add(transaction, entry)
        _share_work(transaction, entry)
        _record(transaction, "archive.add", entry.name, at=at, actor=actor, origin=origin)

    await store.write_durably(add)


async def change_archive(
    store: Store,
    settings: Settings,
    name: str,
    patch: Mapping[str, Any],
    *,
    if_match: str | None = None,
    from_afar: bool = False,
    at: datetime,
    actor: str,
    origin: str,
) -> Archive:
    """Changes an archive's entry; it is tried anew, whatever failed before.

    Args:
        store: Where it is.
        settings: What addresses and files may be named.
        name: The archive.
        patch: What is to be another, as JSON Merge Patch of an `ArchiveForm`.
        if_match: The `etag_of` the entry that is to be changed; any where there is nothing.
        from_afar: See `entry_of`.
        at: The time.
        actor: Who changes it, for the audit trail.
        origin: From where.

    Raises:
        NotFoundError: There is none of that name.
        PreconditionFailedError: It is another one by now.
        UsageError: Something in it makes no sense, or would lose what is stored and cannot be read.
    """

    def change(transaction: WriteTransaction, form: ArchiveForm, given: Archive) -> Archive | None:
        before = found_archive(archives.find(transaction, name), name)
        _insist_on(if_match, before)
        if form_of(before) != form:
            return None  # somebody else was quicker
        after = replace(given, capabilities=before.capabilities, probed=before.probed, paused=before.paused)
        if any(getattr(after, root) != getattr(before, root) for root in _CONNECTION):
            after = replace(after, capabilities=None, probed=None)
        changed = [
            field
            for field in form.__struct_fields__
            if getattr(form_of(after), field) != getattr(form, field)
        ]
        archives.change(transaction, after)
        if any(getattr(after, root) != getattr(before, root) for root in _WATCHED):
            _forget_cursors(transaction, name)
        _try_anew(transaction, after)
        _record(
            transaction,
            "archive.change",
            name,
            at=at,
            actor=actor,
            origin=origin,
            detail={"changed": changed},
        )
        return after

    while True:
        known = await find_archive(store, name)
        _insist_on(if_match, known)
        form = form_of(known)
        _insist_on_what_cannot_be_read(known, patch)
        wanted = patched(form, {**patch, "name": name})
        given = await asyncio.to_thread(entry_of, wanted, settings, before=form, from_afar=from_afar)
        after = await store.write_durably(change, form, given)
        if after is not None:
            return after


async def pause_archive(
    store: Store, name: str, *, paused: bool, at: datetime, actor: str, origin: str
) -> Archive:
    """Pauses an archive, so that it is asked for nothing, or resumes it: then it is tried anew.

    Raises:
        NotFoundError: There is none of that name.
    """

    def change(transaction: WriteTransaction) -> Archive:
        after = replace(found_archive(archives.find(transaction, name), name), paused=paused)
        archives.change(transaction, after)
        if not paused:
            _try_anew(transaction, after)
        action: audit.Action = "archive.pause" if paused else "archive.resume"
        _record(transaction, action, name, at=at, actor=actor, origin=origin)
        return after

    return await store.write_durably(change)


async def remove_archive(store: Store, name: str, *, at: datetime, actor: str, origin: str) -> None:
    """Removes an archive's entry; verdicts on its studies stay.

    Raises:
        NotFoundError: There is none of that name.
        ConflictError: Its gate keeps objects that nobody else has.
    """

    def remove(transaction: WriteTransaction) -> None:
        archives.remove(transaction, name)
        kept = gate_studies.kept_objects(transaction, Location("gate", name))
        if kept:
            raise ConflictError(
                f"The gate of {name} keeps {kept:,} objects that wait to be forwarded, or for a person. Wait "
                "until they are, or decide about them (heltig quarantine), before the archive is removed."
            )
        breakers.forget(transaction, location_of(name))
        _forget_cursors(transaction, name)
        _record(transaction, "archive.remove", name, at=at, actor=actor, origin=origin)

    await store.write_durably(remove)


async def record_test(
    store: Store, name: str, *, outcome: Outcome, at: datetime, actor: str, origin: str
) -> None:
    """Writes down that somebody tested an archive; where it answered it is tried anew.

    Args:
        store: Where the archive is configured.
        name: The archive.
        outcome: `success` or `failure`.
        at: The time.
        actor: Who tested it.
        origin: From where.
    """

    def write(transaction: WriteTransaction) -> None:
        if outcome == "success":
            _try_anew(transaction, found_archive(archives.find(transaction, name), name))
        _record(transaction, "archive.test", name, at=at, actor=actor, origin=origin, outcome=outcome)

    await store.write_durably(write)


def _insist_on(if_match: str | None, entry: Archive) -> None:
    if if_match not in (None, "*", etag_of(entry)):
        raise PreconditionFailedError(
            f"Archive {entry.name} was changed meanwhile. Read it again, and send your change with its ETag."
        )


def _insist_on_what_cannot_be_read(entry: Archive, patch: Mapping[str, Any]) -> None:
    """Who changes something else does not know that credentials, or hours, would become the default ones."""
    options = patch.get("options", {})
    for field in entry.unreadable:
        part, _, name = field.partition(".")
        given = (
            part in patch if not name or options is None else isinstance(options, Mapping) and name in options
        )
        if not given:
            raise UsageError(
                f"{field}: what is stored cannot be read, and would be lost. Give it anew; null gives it "
                "its default."
            )


def _share_work(transaction: WriteTransaction, entry: Archive) -> None:
    """Says how much of all workers an archive gets."""
    group = str(location_of(entry.name))
    options = entry.options
    claims.set_group(transaction, group, weight=options.weight, most=options.concurrency, not_before=None)


def _try_anew(transaction: WriteTransaction, entry: Archive) -> None:
    breakers.forget(transaction, location_of(entry.name))
    _share_work(transaction, entry)


def _forget_cursors(transaction: WriteTransaction, name: str) -> None:
    """What was read of an archive says nothing of another one."""
    location = location_of(name)
    for cursor in cursors.every(transaction):
        if cursor.location == location:
            cursors.remove(transaction, location, cursor.name)


def _record(
    transaction: WriteTransaction,
    action: audit.Action,
    name: str,
    *,
    at: datetime,
    actor: str,
    origin: str,
    outcome: Outcome = "success",
    detail: Mapping[str, Any] | None = None,
) -> None:
    audit.record(
        transaction,
        at=at,
        actor=actor,
        action=action,
        subject=f"archive:{name}",
        outcome=outcome,
        origin=origin,
        detail=detail,
    )
