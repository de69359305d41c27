"""Opens the audit trail with its keys, and anchors its end outside the database."""

import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import structlog

from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.own_verification import OwnVerification
from heltig.audit.verify import verify
from heltig.errors import ConfigurationError, ConflictError, StorageError
from heltig.settings import Settings
from heltig.store import audit_chain, audit_trail
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

ACTOR: Final = "audit"
"""Who acts in the trail where it is about itself."""

logger = logging.getLogger(__name__)
"""For what commands have to say, too: it goes to standard error there."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.audit")


async def open_trail(
    store: Store,
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    environ: Mapping[str, str] = os.environ,
    writes: bool = True,
) -> AuditKeys:
    """Has a store seal its entries; begins the chain, and makes its key, where it has not begun.

    A chain that this host knows (`OwnAnchor`) and that is not there any more, or is another, is told in the
    log as an error, and none is begun anew: entries have no tags then, until `accept`.

    Args:
        store: With the newest tables.
        settings: They say where the keys are.
        clock: Gives the time, in UTC.
        environ: Where a reference to the environment looks.
        writes: Entries will be written: the key has to be here. Else it is asked for when one is.

    Raises:
        ConfigurationError: The chain's key is not here, or the keys cannot be read.
        StorageError: The key cannot be made, or the head row of the trail is gone.
    """
    keys = AuditKeys(settings, environ)
    store.seal_with(keys)
    own = OwnAnchor(settings)
    head = await store.read(audit_chain.head)
    wrong = await store.read(own.disagreement, keys)
    if wrong is not None:
        _tell(wrong)
    elif head is not None and head.key_id is None:
        keys.make()
        if head.sequence:
            log.warning(
                "audit.begin", sealed=head.sequence
            )  # once, after an upgrade; else somebody took tags away
        await store.write_durably(_begin, keys, at=clock())
        head = await store.read(audit_chain.head)
    if head is None:
        raise StorageError("The head row of the audit trail is gone: run `heltig audit verify`.")
    if writes and head.key_id is not None and not _holds(keys, head.key_id):
        raise ConfigurationError(keys.missing(head.key_id))
    if wrong is None:
        _keep(own, head)
    return keys


async def accept(
    store: Store, settings: Settings, keys: AuditKeys, *, at: datetime, actor: str, origin: str, reason: str
) -> audit_chain.Head:
    """Takes the trail as it is from now on, and writes that down in it; begins a chain where there is none.

    Raises:
        ConfigurationError: The keys cannot be read.
        StorageError: The database failed, or the anchor cannot be written.
    """
    own = OwnAnchor(settings)
    wrong = await store.read(own.disagreement, keys)
    before = await store.read(audit_chain.head)
    if before is not None and before.key_id is None:
        keys.make()

    def write(transaction: WriteTransaction) -> None:
        _begin(transaction, keys, at=at)
        head = audit_chain.locked_head(transaction)
        found = verify(transaction, keys)  # nobody adds an entry before this one
        last = max(head.sequence, found.last)
        audit_chain.set_head(transaction, audit_chain.Head(last, found.tag, head.key_id))
        audit_trail.append(
            transaction,
            at=at,
            actor=actor,
            action="audit.accept",
            subject="audit",
            outcome="success",
            origin=origin,
            detail={
                "reason": reason,
                "wrong": "" if wrong is None else f"{wrong[0]}: {wrong[1]}",
                **found.damage.as_detail,
            },
        )

    await store.write_durably(write)
    return await know(store, settings)


async def know(store: Store, settings: Settings) -> audit_chain.Head:
    """Has this host know the trail as it is now, whatever it knew before.

    Raises:
        StorageError: The head row is gone, or the anchor cannot be written.
    """
    head = await store.read(audit_chain.head)
    if head is None:
        raise StorageError("The head row of the audit trail is gone: run `heltig audit verify`.")
    OwnAnchor(settings).write(head)
    OwnVerification(settings).forget()  # all of it is verified again
    return head


async def keep_anchor(store: Store, settings: Settings) -> audit_chain.Head | None:
    """Has this host know the end of the trail, unless it knows another trail: that is told in the log."""
    own = OwnAnchor(settings)
    head = await store.read(audit_chain.head)
    wrong = await store.read(own.disagreement, AuditKeys(settings))
    if wrong is not None:
        _tell(wrong)
    elif head is not None:
        _keep(own, head)
    return head


def _keep(own: OwnAnchor, head: audit_chain.Head) -> None:
    try:
        known = own.read()
        if known is None or known.sequence < head.sequence:
            own.write(head)
    except StorageError as wrong:
        logger.error("audit.anchor: %s", wrong.detail)


def _tell(wrong: tuple[int, str]) -> None:
    sequence, why = wrong
    logger.error("audit.broken: entry %s: %s. Run `heltig audit verify`.", sequence, why)


def _holds(keys: AuditKeys, key_id: str) -> bool:
    try:
        return keys.knows(key_id)
    except ConfigurationError as wrong:
        raise ConfigurationError(f"{wrong.detail} {keys.missing(key_id)}") from wrong


def _begin(transaction: WriteTransaction, keys: AuditKeys, *, at: datetime) -> None:
    head = audit_chain.locked_head(transaction)
    if head.key_id is not None:
        return  # another process began it meanwhile
    key_id = keys.ids[0]
    audit_chain.seal_what_is_there(transaction, head, key_id=key_id, seal=keys)
    audit_trail.append(
        transaction,
        at=at,
        actor=ACTOR,
        action="audit.begin",
        subject=f"audit-key:{key_id}",
        outcome="success",
        origin="",
        detail={"sealed": head.sequence},
    )


async def rotate(store: Store, keys: AuditKeys, *, at: datetime, actor: str, origin: str) -> str:
    """Has entries sealed with the newest key from now on; makes one where the newest is in use already.

    Processes that run read their file again when they meet the new key.

    Returns:
        The id of the key.

    Raises:
        UsageError: A new key is needed, and the keys are in the environment.
        ConfigurationError: The keys cannot be read, the one in force is not among them, or the first of them
            was in force before: nobody goes back to a key, which may have leaked.
        ConflictError: This key, or a newer one, was put in force meanwhile.
    """
    head = await store.read(audit_chain.head)
    if head is not None and head.key_id is not None and not _holds(keys, head.key_id):
        raise ConfigurationError(keys.missing(head.key_id))
    newest = keys.ids[0]
    if head is not None and newest == head.key_id:
        newest = keys.add()

    def change(transaction: WriteTransaction) -> None:
        locked = audit_chain.locked_head(transaction)
        if locked.key_id is not None and not _holds(keys, locked.key_id):
            raise ConfigurationError(keys.missing(locked.key_id))  # another host was quicker
        if locked.key_id is not None and newest not in keys.ids[: keys.ids.index(locked.key_id)]:
            raise ConflictError(f"Another rotation was quicker: it put the key {locked.key_id} in force.")
        if audit_chain.has_sealed(transaction, newest):
            raise ConfigurationError(
                f"{keys.where}: its first key, {newest}, was in force before {locked.key_id}. The newest key "
                "stands first: put a new one there (`openssl rand -hex 32`)."
            )
        audit_chain.set_head(transaction, audit_chain.Head(locked.sequence, locked.tag, newest))
        audit_trail.append(
            transaction,
            at=at,
            actor=actor,
            action="audit.rotate-key",
            subject=f"audit-key:{newest}",
            outcome="success",
            origin=origin,
            detail={"from": locked.key_id},
        )

    await store.write_durably(change)
    return newest


async def anchor(store: Store, settings: Settings) -> None:
    """Writes the end of the trail to the log and to a file, where the database's owner does not reach it."""
    head = await keep_anchor(store, settings)
    if head is not None and head.tag is not None:
        log.info("audit.anchor", sequence=head.sequence, tag=head.tag.hex(), key=head.key_id)


async def last_anchor(store: Store, settings: Settings) -> None:
    """Does as `anchor`, at the end of a process, which goes on where the database is away."""
    try:
        await anchor(store, settings)
    except StorageError as error:
        log.error("audit.anchor", error=error.detail)
