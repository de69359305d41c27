"""What is known of how an archive behaves: found out when it is first asked, and again every day."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from connectors.base import Archive as ArchivePort
from connectors.base import Capabilities
from heltig.errors import ArchiveAccessError, ArchiveCredentialsError
from heltig.store import archives
from heltig.store.archives import Archive
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

PROBE_HOLDS: Final = timedelta(days=1)


async def probe_archive(
    store: Store, entry: Archive, archive: ArchivePort, *, clock: Callable[[], datetime]
) -> Capabilities:
    """Finds out how an archive behaves, and remembers it.

    Whether its metadata is a summary stays as it was where it cannot be told now: verdicts depend on it.

    Raises:
        ArchiveError: It does not answer.
    """
    found = await archive.probe()
    if found.all_attributes is None and (known := last_capabilities(entry)):
        found = replace(found, all_attributes=known.all_attributes, compared=known.compared)
    await store.write(_keep, entry, msgspec.to_builtins(found), clock())
    return found


async def known_capabilities(
    store: Store, entry: Archive, archive: ArchivePort, *, clock: Callable[[], datetime]
) -> Capabilities:
    """What the last probe of an archive found; it is probed where that was never or is a day ago.

    Nothing new is known of an archive that keeps the study that a probe tries to itself; it may give others.

    Raises:
        ArchiveError: It does not answer, or does not believe who we are.
    """
    known = last_capabilities(entry)
    if known and entry.probed and clock() - entry.probed < PROBE_HOLDS:
        return known
    try:
        return await probe_archive(store, entry, archive, clock=clock)
    except ArchiveCredentialsError:
        raise
    except ArchiveAccessError:
        return known or Capabilities()


def last_capabilities(entry: Archive) -> Capabilities | None:
    """What an earlier probe found; nothing where another version of Heltig wrote it in another way."""
    with suppress(msgspec.ValidationError):
        return msgspec.convert(entry.capabilities, Capabilities | None)
    return None


def _keep(transaction: WriteTransaction, probed: Archive, found: dict[str, Any], at: datetime) -> None:
    """Keeps what was found, unless the archive is by now another one."""
    now = archives.find(transaction, probed.name)
    if now is not None and now.qido_url == probed.qido_url and now.wado_url == probed.wado_url:
        archives.change(transaction, replace(now, capabilities=found, probed=at))
