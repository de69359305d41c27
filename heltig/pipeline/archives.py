"""The remote archives of a site: configured, opened, probed."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from connectors.base import Archive as ArchivePort
from connectors.base import Capabilities
from heltig import audit, http
from heltig.credentials import NO_AUTH, ArchiveAuth, BasicAuth, BearerAuth
from heltig.errors import ArchiveAccessError, NotFoundError, UsageError
from heltig.store import archives
from heltig.store.archives import Archive, ArchiveOptions
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

PROBE_HOLDS: Final = timedelta(days=1)

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def new_archive(
    name: str,
    url: str,
    *,
    user: str | None = None,
    password_secret: str | None = None,
    bearer_secret: str | None = None,
    ca_bundle: Path | None = None,
) -> Archive:
    """An archive's entry, checked as far as that is possible without asking the archive.

    Args:
        name: Its id: lower case letters, digits, `-` and `_`.
        url: The root of its QIDO-RS and WADO-RS.
        user: For basic authentication, with `password_secret`.
        password_secret: Reference to the password, `env:NAME` or `file:PATH`.
        bearer_secret: Reference to a bearer token.
        ca_bundle: PEM file of the only authorities to trust.

    Raises:
        UsageError: Name and credentials make no sense.
        ConfigurationError: The URL is none, or the CA bundle cannot be read.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name}: no name for an archive. Use up to 64 of a-z, 0-9, - and _.")
    if bool(user) != bool(password_secret) or (user and bearer_secret):
        raise UsageError("Give --user together with --password-secret, or --bearer-secret, or none of them.")
    secret = password_secret or bearer_secret
    if secret and not secret.startswith(("env:", "file:")):
        # Not shown: it may be the secret itself.
        raise UsageError("A secret is not given itself: give env:NAME or file:PATH.")
    auth: ArchiveAuth = NO_AUTH
    if user and password_secret:
        auth = BasicAuth(username=user, secret=password_secret)
    elif bearer_secret:
        auth = BearerAuth(secret=bearer_secret)
    root = url.rstrip("/")
    # Made for its checks; it opens no connection that would have to be closed.
    http.client(root, tls=http.Tls(ca_bundle=ca_bundle))
    options = ArchiveOptions(ca_bundle=str(ca_bundle.absolute()) if ca_bundle else None)
    return Archive(name=name, qido_url=root, wado_url=root, auth=auth, options=options)


async def find_archive(store: Store, name: str) -> Archive:
    """An archive's entry.

    Raises:
        NotFoundError: There is none of that name.
    """
    entry = await store.read(archives.find, name)
    if entry is None:
        raise NotFoundError(f"There is no archive {name}. `heltig archives list` names them.")
    return entry


async def add_archive(store: Store, entry: Archive, *, at: datetime, actor: str, origin: str) -> None:
    """Adds an archive's entry.

    Raises:
        ConflictError: There is one of that name.
    """

    def add(transaction: WriteTransaction) -> None:
        archives.add(transaction, entry)
        _record(transaction, "archive.add", entry.name, at=at, actor=actor, origin=origin)

    await store.write_durably(add)


async def remove_archive(store: Store, name: str, *, at: datetime, actor: str, origin: str) -> None:
    """Removes an archive's entry; verdicts on its studies stay.

    Raises:
        NotFoundError: There is none of that name.
    """

    def remove(transaction: WriteTransaction) -> None:
        archives.remove(transaction, name)
        _record(transaction, "archive.remove", name, at=at, actor=actor, origin=origin)

    await store.write_durably(remove)


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
        found = msgspec.structs.replace(found, all_attributes=known.all_attributes)
    probed = msgspec.structs.replace(entry, capabilities=msgspec.to_builtins(found), probed=clock())
    await store.write(archives.change, probed)
    return found


async def known_capabilities(
    store: Store, entry: Archive, archive: ArchivePort, *, clock: Callable[[], datetime]
) -> Capabilities:
    """What the last probe of an archive found; it is probed where that was never or is a day ago.

    Nothing new is known of an archive that keeps the study that a probe tries to itself; it may give others.

    Raises:
        ArchiveError: It does not answer.
    """
    known = last_capabilities(entry)
    if known and entry.probed and clock() - entry.probed < PROBE_HOLDS:
        return known
    try:
        return await probe_archive(store, entry, archive, clock=clock)
    except ArchiveAccessError:
        return known or Capabilities()


def last_capabilities(entry: Archive) -> Capabilities | None:
    """What an earlier probe found; nothing where another version of Heltig wrote it in another way."""
    with suppress(msgspec.ValidationError):
        return msgspec.convert(entry.capabilities, Capabilities | None)
    return None


def _record(
    transaction: WriteTransaction, action: str, name: str, *, at: datetime, actor: str, origin: str
) -> None:
    audit.record(
        transaction,
        at=at,
        actor=actor,
        action=action,
        subject=f"archive:{name}",
        outcome="success",
        origin=origin,
    )
