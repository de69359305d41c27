"""Looks at patient data in the audit trail: collected in memory, and written once a second by one writer.

A look waits for no disk. What a process holds when it is killed is lost: a second of looks at most. So many
can be held; whoever looks when there is no more room waits for the trail, and is not shown anything when it
cannot be written.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec

from heltig import audit
from heltig.audit import Action, Outcome
from heltig.errors import StorageError
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

logger = logging.getLogger(__name__)

EVERY: Final = timedelta(seconds=1)
"""How often looks are written."""

MOST: Final = 10_000
"""Studies and keys that are held, each for who, from where and route."""

STUDIES: Final = 200
"""Studies in one entry; more of them make more entries."""


class Kind(msgspec.Struct, frozen=True):
    """What looks have in common that become one entry.

    Attributes:
        actor: Who looks.
        origin: From where.
        action: What they do.
        route: At what: the route.
        outcome: Whether they were shown anything.
    """

    actor: str
    origin: str
    action: Action
    route: str
    outcome: Outcome


class _Looks:
    """Some looks of one kind."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.count = 0
        self.studies: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()

    def details(self) -> Iterator[dict[str, Any]]:
        """What the entries say; the first counts the looks."""
        first: dict[str, Any] = {"count": self.count}
        if self.keys:
            first["keys"] = dict(sorted(self.keys.items()))
        studies = sorted(self.studies.items())
        for start in range(0, max(len(studies), 1), STUDIES):
            named = dict(studies[start : start + STUDIES])
            yield ({"studies": named} if named else {}) | (first if start == 0 else {"continued": True})


_Held: TypeAlias = dict[Kind, _Looks]


class Reads:
    """Collects looks at patient data."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        """Makes it; `flush` has to be called now and then, and at the end.

        Args:
            store: Where the trail is.
            clock: Gives the time, in UTC.
        """
        self._store = store
        self._clock = clock
        self._held: _Held = {}
        self._size = 0
        self._writing: asyncio.Task[None] | None = None

    async def make_room(self) -> None:
        """Has to be called before somebody is let look; waits only where much is held.

        Raises:
            StorageError: There is no room for more, since the trail cannot be written.
        """
        if self._size >= MOST:
            await self.flush()

    def note(self, kind: Kind, *, study: str = "", keys: Iterable[str] = ()) -> None:
        """Notes a look.

        Args:
            kind: Who looks at what.
            study: At which study; empty for several.
            keys: The keys that studies were searched by, without their values.
        """
        looks = self._held.get(kind)
        if looks is None:
            looks = self._held[kind] = _Looks(self._clock())
            self._size += 1
        looks.count += 1
        if study:
            self._size += study not in looks.studies
            looks.studies[study] += 1
        for key in keys:
            self._size += key not in looks.keys
            looks.keys[key] += 1

    async def flush(self) -> None:
        """Writes what is held, in one transaction; what cannot be written stays.

        Raises:
            StorageError: It cannot be written.
        """
        while self._writing is not None:  # whoever began it may have been cancelled: it goes on
            await asyncio.wait([self._writing])
        if not self._held:
            return
        held, self._held, self._size = self._held, {}, 0
        self._writing = asyncio.create_task(self._write(held))
        await asyncio.shield(self._writing)

    async def close(self) -> None:
        """Does as `flush`, at the end of a process: what cannot be written then is lost, as the log says."""
        try:
            await self.flush()
        except StorageError as error:
            count = sum(looks.count for looks in self._held.values())
            logger.error("%s looks at patient data are not in the audit trail: %s", count, error)

    async def _write(self, held: _Held) -> None:
        try:
            await self._store.write_durably(_record, held)
        except BaseException:
            self._put_back(held)
            raise
        finally:
            self._writing = None

    def _put_back(self, held: _Held) -> None:
        for kind, looks in held.items():
            later = self._held.get(kind)
            if later is not None:
                looks.count += later.count
                looks.studies += later.studies
                looks.keys += later.keys
            self._held[kind] = looks
        self._size = sum(1 + len(looks.studies) + len(looks.keys) for looks in self._held.values())


def _record(transaction: WriteTransaction, held: _Held) -> None:
    for kind, looks in held.items():
        for detail in looks.details():
            audit.record(
                transaction,
                at=looks.at,
                actor=kind.actor,
                action=kind.action,
                subject=kind.route,
                outcome=kind.outcome,
                origin=kind.origin,
                detail=detail,
            )
