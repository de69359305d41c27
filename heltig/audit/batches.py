"""What happens too often for an entry each: collected in memory, written to the trail once a second.

These are looks at patient data, and instances that gates take. None of them waits for the disk; each process
has one writer. A process that is killed loses what it holds, a second of it at most. Only so much is held:
whoever comes when there is no more room waits for the trail, and is turned away when it cannot be written.
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
"""How often they are written."""

MOST: Final = 10_000
"""Studies and keys that are held, each for who, from where and what."""

STUDIES: Final = 200
"""Studies in one entry; more of them make more entries."""


class Kind(msgspec.Struct, frozen=True):
    """What acts have in common that become one entry.

    Attributes:
        actor: Who acts.
        origin: From where.
        action: What they do.
        subject: To what: the route, the gate.
        outcome: Whether it was done.
    """

    actor: str
    origin: str
    action: Action
    subject: str
    outcome: Outcome


class _Acts:
    """Some acts of one kind."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.count = 0
        self.studies: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()

    def details(self) -> Iterator[dict[str, Any]]:
        """What the entries say; the first has how many acts."""
        first: dict[str, Any] = {"count": self.count}
        if not self.count:
            first = {"continued": True}  # what a long answer shows later
        if self.keys:
            first["keys"] = dict(sorted(self.keys.items()))
        studies = sorted(self.studies.items())
        for start in range(0, max(len(studies), 1), STUDIES):
            named = dict(studies[start : start + STUDIES])
            yield ({"studies": named} if named else {}) | (first if start == 0 else {"continued": True})


_Held: TypeAlias = dict[Kind, _Acts]


class Batches:
    """Collects acts that happen often."""

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
        """Has to be called before an act; waits only where much is held.

        Raises:
            StorageError: There is no room for more, since the trail cannot be written.
        """
        if self._size >= MOST:
            await self.flush()

    def note(self, kind: Kind, *, study: str = "", keys: Iterable[str] = (), count: int = 1) -> None:
        """Notes an act.

        Args:
            kind: Who does what.
            study: To which study; empty for several, which `name` names.
            keys: The keys that studies were searched by, without their values.
            count: How often; of instances how many.
        """
        acts = self._of(kind)
        acts.count += count
        if study:
            self._size += study not in acts.studies
            acts.studies[study] += count
        for key in keys:
            self._size += key not in acts.keys
            acts.keys[key] += 1

    def name(self, kind: Kind, studies: Iterable[str]) -> None:
        """Notes studies that an act is about, which `note` has counted."""
        acts = self._of(kind)
        known = len(acts.studies)
        acts.studies.update(studies)
        self._size += len(acts.studies) - known

    def _of(self, kind: Kind) -> _Acts:
        acts = self._held.get(kind)
        if acts is None:
            acts = self._held[kind] = _Acts(self._clock())
            self._size += 1
        return acts

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
            count = sum(acts.count for acts in self._held.values())
            logger.error("%s acts are not in the audit trail: %s", count, error)

    async def _write(self, held: _Held) -> None:
        try:
            await self._store.write_durably(_record, held)
        except BaseException:
            self._put_back(held)
            raise
        finally:
            self._writing = None

    def _put_back(self, held: _Held) -> None:
        for kind, acts in held.items():
            later = self._held.get(kind)
            if later is not None:
                acts.count += later.count
                acts.studies += later.studies
                acts.keys += later.keys
            self._held[kind] = acts
        self._size = sum(1 + len(acts.studies) + len(acts.keys) for acts in self._held.values())


def _record(transaction: WriteTransaction, held: _Held) -> None:
    for kind, acts in held.items():
        for detail in acts.details():
            audit.record(
                transaction,
                at=acts.at,
                actor=kind.actor,
                action=kind.action,
                subject=kind.subject,
                outcome=kind.outcome,
                origin=kind.origin,
                detail=detail,
            )
