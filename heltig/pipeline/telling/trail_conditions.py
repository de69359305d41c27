"""Whether the audit trail is whole, for alerts: by the anchor of this host, and once a day all of it.

What a host found stands in its own file, not in the database: nobody who can write there alone can say that
the trail was whole, or keep it from being verified.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from heltig.audit.breaks import Break
from heltig.audit.keys import AuditKeys
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.own_verification import LastVerified, OwnVerification
from heltig.audit.verify import verify_in_slices
from heltig.errors import StorageError
from heltig.settings import Settings
from heltig.store.alert_kinds import AlertKind
from heltig.store.alerts import Condition
from heltig.store.audit_rows import OF_DRIVER
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

EVERY: Final = timedelta(days=1)
"""How often each host verifies all of the trail. One that found it broken looks again at each sweep."""

LATE: Final = timedelta(hours=6)
"""How much later that may come before it is told."""

OF_TRAIL: Final[frozenset[AlertKind]] = frozenset({"audit-broken"})

ANCHOR: Final = "anchor"
"""What the alert by the anchor of a host is called, after the host's name."""

TRAIL: Final = "audit trail"
"""What the alert by what a host verified is called, after the host's name."""

_PAUSE: Final = 0.02
"""Seconds of rest after some hundred entries: look-ups of this process are not to wait for it."""

_MORE: Final = "`heltig audit verify` says more; docs/handbook/incidents.md what to do."

logger = logging.getLogger(__name__)


class TrailWatch:
    """Looks after the audit trail. Any number of processes may do it at the same time."""

    def __init__(self, store: Store, settings: Settings, *, clock: Callable[[], datetime]) -> None:
        """Makes it.

        Args:
            store: Where the trail is.
            settings: They say where its keys are, and what this host knows of it.
            clock: Gives the time, in UTC.
        """
        self._store = store
        self._settings = settings
        self._clock = clock
        self._own = OwnVerification(settings)
        self._begun = clock()
        self._unwritten: LastVerified | None = None

    async def sweep(self) -> None:
        """Verifies all of it where that is due, and says in the log what is wrong.

        Raises:
            ConfigurationError: The keys cannot be read.
            StorageError: The database failed.
        """
        if self._is_due():
            await self._verify()
        last, why = self._last()
        if wrong := why or (last.wrong if last else ""):
            logger.error("audit.broken: %s Run `heltig audit verify`.", wrong)

    def conditions(self, transaction: ReadTransaction, *, host: str) -> Iterator[Condition]:
        """What is so now.

        Args:
            transaction: Any.
            host: What this host is called.
        """
        if what := self._disagreement(transaction, host):
            yield Condition(kind="audit-broken", subject=f"{host} {ANCHOR}", detail=f"{what} {_MORE}")
        if what := self._found():
            yield Condition(kind="audit-broken", subject=f"{host} {TRAIL}", detail=f"{what} {_MORE}")

    async def _verify(self) -> None:
        at = self._clock()
        rest = partial(asyncio.sleep, _PAUSE)
        found = await verify_in_slices(self._store, self._keys(), rest=rest)
        said = LastVerified(at, f"{_said(found.breaks[0])}." if found.breaks else "")
        try:
            self._own.write(said)
        except StorageError as wrong:
            logger.error("audit.verified: %s", wrong.detail)
            self._unwritten = said
        else:
            self._unwritten = None

    def _disagreement(self, transaction: ReadTransaction, host: str) -> str:
        """How the trail is another one than this host knows; empty where it is not.

        A table that somebody changed so that it cannot be read keeps no other alert from being raised.
        """
        try:
            with transaction.connection.begin_nested():
                wrong = OwnAnchor(self._settings).disagreement(transaction, self._keys())
        except OF_DRIVER:
            return "The audit trail cannot be read: the log says why."
        return f"The audit trail is not the one that {host} knows: {_said(Break(*wrong))}." if wrong else ""

    def _found(self) -> str:
        """What is wrong with it since somebody last accepted it as it is; empty where nothing is."""
        last, why = self._last()
        if why:
            return f"What this host knows of the audit trail is not there: {why}"
        if last is not None and last.wrong:
            return f"The audit trail is not what was written: {last.wrong}"
        now = self._clock()
        begun = last.at if last else self._begun
        if now - begun > EVERY + LATE and now - self._begun > LATE:
            return f"The audit trail was not verified since {begun:%Y-%m-%d %H:%M} UTC; the log says why."
        return ""

    def _is_due(self) -> bool:
        last, _ = self._last()
        return last is None or bool(last.wrong) or not self._clock() - EVERY < last.at <= self._clock()

    def _last(self) -> tuple[LastVerified | None, str]:
        """What came of it last, and why that cannot be known."""
        try:
            return self._unwritten or self._own.read(), ""
        except StorageError as wrong:
            return None, wrong.detail

    def _keys(self) -> AuditKeys:
        return AuditKeys(self._settings, os.environ)


def _said(wrong: Break) -> str:
    return f"entry {wrong.sequence} {wrong.why}" if wrong.sequence else wrong.why
