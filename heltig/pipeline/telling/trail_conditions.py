"""Whether the audit trail is whole, for alerts: by the anchor of this host, and once a day all of it."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from heltig.audit.breaks import Break
from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.verify import verify
from heltig.settings import Settings
from heltig.store import audit_rows, audit_verified
from heltig.store.alert_kinds import AlertKind
from heltig.store.alerts import Condition
from heltig.store.audit_verified import LastVerified
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

EVERY: Final = timedelta(days=1)
"""How often all of the trail is verified, by one process of all."""

OF_TRAIL: Final[frozenset[AlertKind]] = frozenset({"audit-broken"})

ANCHOR: Final = "anchor"
"""What the alert of a host is called, after the host's name."""

_PAUSE: Final = 0.02
"""Seconds of rest after some hundred entries: look-ups of this process are not to wait for it."""

logger = logging.getLogger(__name__)


class TrailWatch:
    """Looks after the audit trail. Any number of processes may do it at the same time."""

    def __init__(self, store: Store, settings: Settings, *, clock: Callable[[], datetime]) -> None:
        """Makes it.

        Args:
            store: Where the trail is.
            settings: They say where its keys are, and the anchor of this host.
            clock: Gives the time, in UTC.
        """
        self._store = store
        self._settings = settings
        self._clock = clock

    async def sweep(self) -> None:
        """Verifies all of it where that is due.

        Raises:
            ConfigurationError: The keys cannot be read.
            StorageError: The database failed.
        """
        keys = self._keys()
        head = await self._store.read(audit_rows.end)
        key_id = head.key_id if head and head.key_id and keys.knows(head.key_id) else keys.ids[0]
        claimed = await self._store.write(
            audit_verified.claim, seal=keys, key_id=key_id, at=self._clock(), every=EVERY
        )
        if claimed is None:
            return
        if claimed.wrong == audit_verified.NOT_OURS:
            logger.error("audit.broken: %s", claimed.wrong)
        found = LastVerified(0, claimed.wrong)
        try:
            wrong = await self._store.read(self._wrong)
            if wrong:
                logger.error("audit.broken: %s Run `heltig audit verify`.", wrong)
            found = LastVerified(claimed.at, wrong)
        finally:
            await self._store.write(audit_verified.tell, found, seal=keys, key_id=key_id, claimed=claimed.at)

    def conditions(self, transaction: ReadTransaction, *, host: str) -> Iterator[Condition]:
        """What is so now.

        Args:
            transaction: Any.
            host: What this host is called.
        """
        disagreement = OwnAnchor(self._settings).disagreement(transaction, self._keys())
        if disagreement is not None:
            yield Condition(
                kind="audit-broken",
                subject=f"{host} {ANCHOR}",
                detail=f"The audit trail is not the one that {host} knows: {_said(Break(*disagreement))}. "
                "`heltig audit verify` says more; docs/handbook/incidents.md what to do.",
            )
        last = audit_verified.last(transaction, self._keys())
        if last is not None and last.wrong:
            yield Condition(
                kind="audit-broken",
                subject="audit trail",
                detail=f"The audit trail is not what was written: {last.wrong} "
                "`heltig audit verify` says more; docs/handbook/incidents.md what to do.",
            )

    def _wrong(self, transaction: ReadTransaction) -> str:
        """What is wrong with it since somebody last accepted it as it is; empty where nothing is."""
        found = verify(transaction, self._keys(), rest=lambda: time.sleep(_PAUSE))
        return f"{_said(found.breaks[0])}." if found.breaks else ""

    def _keys(self) -> AuditKeys:
        return AuditKeys(self._settings, os.environ)


def _said(wrong: Break) -> str:
    return f"entry {wrong.sequence} {wrong.why}" if wrong.sequence else wrong.why
