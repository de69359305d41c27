"""Looks after alerts: sees what is so, raises what is new, ends what is over, and says so."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from heltig.pipeline.pull import events
from heltig.pipeline.telling.conditions import IN_DATABASE, in_database
from heltig.pipeline.telling.host_conditions import ON_HOST, certificates, disks, host_name
from heltig.pipeline.telling.trail_conditions import OF_TRAIL, TrailWatch
from heltig.setting_types import Size
from heltig.store import alerts, archives
from heltig.store.alert_kinds import AlertKind
from heltig.store.alerts import Condition, Look
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

KEPT: Final = timedelta(days=90)
"""How long alerts are remembered after they ended."""


class AlertDesk:
    """Looks now and then. Any number of processes may do it at the same time."""

    def __init__(
        self,
        store: Store,
        *,
        home: Path,
        disk: Size,
        quarantine: timedelta,
        clock: Callable[[], datetime],
        host: str = "",
        trail: TrailWatch | None = None,
    ) -> None:
        """Makes it.

        Args:
            store: Where alerts are.
            home: `HELTIG_HOME`.
            disk: Room on a disk below which there is an alert.
            quarantine: How long a study may wait in quarantine.
            clock: The time.
            host: The name of this host, for alerts.
            trail: Says whether the audit trail is whole.
        """
        self._store = store
        self._home = home
        self._disk = disk
        self._quarantine = quarantine
        self._clock = clock
        self._host = host or host_name()
        self._trail = trail

    async def look(self) -> None:
        """Raises and ends what is due.

        Raises:
            StorageError: The database failed.
        """
        now = self._clock()
        entries = await self._store.read(archives.every)
        low = await asyncio.to_thread(lambda: list(disks(self._home, host=self._host, least=self._disk)))
        ending, unread = await asyncio.to_thread(certificates, entries, now=now)
        look, is_settled = await self._store.read(self._seen, [*low, *ending], unread, now)
        if is_settled:
            return
        raised, ended = await self._store.write_durably(alerts.settle, look, now=now)
        for alert in raised:
            events.alert(alert, is_raised=True)
        for alert in ended:
            events.alert(alert, is_raised=False)

    async def sweep(self) -> None:
        """Forgets alerts that ended long ago."""
        await self._store.write(alerts.forget, before=self._clock() - KEPT)

    def _seen(
        self, transaction: ReadTransaction, here: list[Condition], unread: list[str], now: datetime
    ) -> tuple[Look, bool]:
        """What is so, and whether alerts say just that."""
        found = in_database(transaction, quarantine=self._quarantine, now=now)
        of_trail = self._trail.conditions(transaction, host=self._host) if self._trail else ()
        look = Look(
            conditions=(*found, *here, *of_trail),
            kinds=IN_DATABASE | ON_HOST | (OF_TRAIL if self._trail else frozenset()),
            of_others=frozenset(self._of_others(transaction, unread)),
        )
        return look, alerts.is_settled(transaction, look, now=now)

    def _of_others(self, transaction: ReadTransaction, unread: list[str]) -> list[tuple[AlertKind, str]]:
        """Alerts of other hosts' disks and trail, and of certificates that only they can read."""
        return [
            (alert.kind, alert.subject)
            for alert in alerts.standing(transaction)
            if (alert.kind in ("disk-low", "audit-broken") and not alert.subject.startswith(f"{self._host} "))
            or (alert.kind == "certificate-expiring" and alert.subject in unread)
        ]
