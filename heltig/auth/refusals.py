"""Refusals in the audit trail: each kind at most once a minute, with how often it happened before."""

import logging
from datetime import datetime, timedelta
from typing import Final, Literal

from heltig import audit
from heltig.auth.policy import Refusal
from heltig.errors import StorageError
from heltig.store.engine import Store

EVERY: Final = timedelta(minutes=1)
_MOST_KINDS: Final = 10_000

logger = logging.getLogger(__name__)


class Refusals:
    """Writes down who was refused what. Somebody who keeps trying cannot fill the trail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[tuple[str, str, str, str], tuple[datetime, int]] = {}

    async def note(
        self,
        refusal: Refusal,
        *,
        actor: str,
        origin: str,
        route: str,
        at: datetime,
        action: Literal["request.refuse", "session.refuse"] = "request.refuse",
    ) -> None:
        """Notes a refusal; that the trail cannot be written does not turn it into another answer."""
        kind = (actor, origin, route, refusal.rule)
        last, unwritten = self._seen.get(kind, (None, 0))
        if last is not None and at - last < EVERY:
            self._seen[kind] = (last, unwritten + 1)
            return
        if len(self._seen) >= _MOST_KINDS:
            self._seen.clear()
        self._seen[kind] = (at, 0)
        try:
            await self._store.write_durably(
                audit.record,
                at=at,
                actor=actor,
                action=action,
                subject=route,
                outcome="refused",
                origin=origin,
                detail={"rule": refusal.rule, "refused_before": unwritten},
            )
        except StorageError as error:
            logger.error("A refusal could not be written to the audit trail: %s", error)
