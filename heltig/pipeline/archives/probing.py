"""What is known of how an archive behaves: found out when it is first asked, and again every day.

What a probe finds of an archive without a study is little, and holds until there is one to try the rest with.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from connectors.base import Archive as ArchivePort
from connectors.base import Capabilities
from heltig.errors import (
    ArchiveAccessError,
    ArchiveCredentialsError,
    ArchiveNotFoundError,
    ArchiveSilentError,
)
from heltig.pipeline.archives.administration import find_archive
from heltig.pipeline.archives.pauses import unless_paused
from heltig.pipeline.archives.probe_waits import (
    PROBE,
    ProbeTurns,
    closed,
    has_failed,
    probed_here,
    put_off,
    wait_of,
)
from heltig.store import archives, breakers
from heltig.store.archives import Archive, location_of
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

PROBE_HOLDS: Final = timedelta(days=1)
UNTRIED_HOLDS: Final = timedelta(minutes=3)
"""How long a probe holds that had no metadata to try."""


async def probe_archive(
    store: Store, entry: Archive, archive: ArchivePort, *, clock: Callable[[], datetime]
) -> Capabilities:
    """Finds out how an archive behaves, and remembers it.

    Whether its metadata is a summary stays as it was where it cannot be told now: verdicts depend on it.

    Raises:
        ArchivePausedError: It was paused meanwhile.
        ArchiveSilentError: It did not answer in time; the next probe of its own accord waits
            (`heltig.pipeline.archives.probe_waits`).
        ArchiveError: It does not answer.
    """
    begun = clock()
    try:
        async with unless_paused(store, entry):
            found = await archive.probe()
    except ArchiveSilentError as error:
        await store.write(put_off, entry, error.detail, clock(), begun=begun)
        raise
    if found.all_attributes is None and (known := last_capabilities(entry)):
        found = replace(found, all_attributes=known.all_attributes, compared=known.compared)
    await store.write(_keep, entry, found, clock())
    return found


async def renew_if_due(
    store: Store, name: str, archive: ArchivePort, *, clock: Callable[[], datetime], turns: ProbeTurns
) -> bool:
    """Probes an archive whose last probe does not hold any more; returns whether it was probed.

    Args:
        store: Where it is configured.
        name: The archive's name.
        archive: To ask it by.
        clock: The time.
        turns: How many archives are probed here at a time.

    Raises:
        ProbeTurnError: It, or others, are probed now.
        ArchiveError: It does not answer; what was known of it stands.
    """
    entry = await store.read(archives.find, name)
    if entry is None or not is_due(entry, clock()):
        return False
    if await store.read(wait_of, name, now=clock()) is not None:
        return False
    is_again = await store.read(has_failed, name)
    with turns.take(name, is_again=is_again):
        async with probed_here(store, entry, clock=clock):
            await probe_archive(store, entry, archive, clock=clock)
    return True


async def capabilities_to_go_by(
    store: Store, entry: Archive, archive: ArchivePort, *, clock: Callable[[], datetime], turns: ProbeTurns
) -> Capabilities:
    """What is known of an archive that is about to be used, however old: `renew_if_due` is for its age.

    It is probed where there is no probe, or none that still holds. One that found no study does not hold once
    there is one: what is pulled is judged by what is known.

    Args:
        store: Where it is configured.
        entry: As it is configured.
        archive: To ask it by.
        clock: The time.
        turns: How many archives are probed here at a time.

    Raises:
        ProbeTurnError: It, or others, are probed now: nobody waits for that in a place of a job.
        ArchiveClosedError: It is not yet time for the next probe after one that came to nothing.
        ArchiveError: It had nothing to try when it was probed, and does not answer now.
    """
    name = entry.name
    if (known := last_capabilities(entry)) and is_tried(known):
        return known
    wait = await store.read(wait_of, name, now=clock())
    if wait is not None:
        if known and has_studies(known):
            return known
        raise closed(entry, wait, now=clock())
    if known and await _holds(known, entry, archive, clock()):
        return known
    is_again = await store.read(has_failed, name)
    with turns.take(name, is_again=is_again):
        async with probed_here(store, entry, clock=clock):
            entry = await find_archive(store, name)
            if (found := last_capabilities(entry)) and is_tried(found):
                return found  # another one was quicker
            return await known_capabilities(store, entry, archive, clock=clock)


async def known_capabilities(
    store: Store, entry: Archive, archive: ArchivePort, *, clock: Callable[[], datetime]
) -> Capabilities:
    """What the last probe of an archive found. Where it does not hold any more it is probed by us, too.

    Nothing new is known of an archive that keeps the study that a probe tries to itself; it may give others.

    Raises:
        ArchiveError: It does not answer, or does not believe who we are.
    """
    known = last_capabilities(entry)
    if known and await _holds(known, entry, archive, clock()):
        return known
    try:
        return await probe_archive(store, entry, archive, clock=clock)
    except ArchiveCredentialsError:
        raise
    except ArchiveAccessError:
        return known or Capabilities()


async def _holds(known: Capabilities, entry: Archive, archive: ArchivePort, now: datetime) -> bool:
    """Whether a probe still holds: one that found no study does not once there is one."""
    return not is_due(entry, now) and (has_studies(known) or not await _has_study(archive))


def last_capabilities(entry: Archive) -> Capabilities | None:
    """What an earlier probe found; nothing where another version of Heltig wrote it in another way."""
    with suppress(msgspec.ValidationError):
        return msgspec.convert(entry.capabilities, Capabilities | None)
    return None


def is_tried(found: Capabilities) -> bool:
    """Whether a probe had metadata to try: else hardly anything is known that studies are judged by."""
    return found.metadata is not None


def has_studies(found: Capabilities) -> bool:
    """Whether a probe found a study, and so what can be told without metadata."""
    return found.offset is not None


def is_due(entry: Archive, now: datetime) -> bool:
    """Whether an archive is to be probed, for its last probe was never, or is too long ago."""
    if entry.probed is None:
        return True
    found = last_capabilities(entry)
    return now - entry.probed >= (PROBE_HOLDS if found is None or is_tried(found) else UNTRIED_HOLDS)


async def _has_study(archive: ArchivePort) -> bool:
    try:
        return bool(await archive.search_studies({}, limit=1, offset=0))
    except ArchiveNotFoundError:
        return False


def _keep(transaction: WriteTransaction, probed: Archive, found: Capabilities, at: datetime) -> None:
    """Keeps what was found, unless the archive is by now another one."""
    now = archives.find(transaction, probed.name)
    if now is None or (now.qido_url, now.wado_url) != (probed.qido_url, probed.wado_url):
        return
    archives.change(transaction, replace(now, capabilities=msgspec.to_builtins(found), probed=at))
    if has_studies(found) and not is_tried(found):
        put_off(transaction, probed, f"Archive {probed.name}: no metadata of its studies could be read.", at)
    else:
        breakers.forget(transaction, location_of(probed.name), PROBE)
