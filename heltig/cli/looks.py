"""That a command handed out patient data, in the audit trail, before it does so."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from heltig import audit
from heltig.audit.batches import STUDIES
from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.reports.verdict_line import VerdictLine
from heltig.store.engine import Store


async def record_look(store: Store, command: str, *, study: str | None, keys: tuple[str, ...] = ()) -> None:
    """Records it; what cannot be recorded is not handed out.

    Args:
        store: Opened for commands.
        command: Which.
        study: The StudyInstanceUID, or its key; None for what was searched.
        keys: What studies were searched by, without values.

    Raises:
        StorageError: It cannot be written.
    """
    named = {"studies": {study: 1}} if study else {"keys": dict.fromkeys(keys, 1)}
    await _record(store, command, {"count": 1, **named}, is_search=study is None)


async def recorded(
    store: Store, command: str, lines: AsyncIterator[VerdictLine]
) -> AsyncIterator[VerdictLine]:
    """What a search found, as it is; whose it is is recorded before, some hundred studies in an entry.

    Raises:
        StorageError: It cannot be written.
    """
    held: list[VerdictLine] = []
    async for line in lines:
        held.append(line)
        if len(held) == STUDIES:
            await _record_found(store, command, held)
            for one in held:
                yield one
            held = []
    if held:
        await _record_found(store, command, held)
    for one in held:
        yield one


async def _record_found(store: Store, command: str, found: list[VerdictLine]) -> None:
    studies = dict(sorted(Counter(line.key for line in found).items()))
    await _record(store, command, {"studies": studies, "continued": True}, is_search=True)


async def _record(store: Store, command: str, detail: dict[str, Any], *, is_search: bool) -> None:
    await store.write_durably(
        audit.record,
        at=now(),
        actor=ACTOR,
        action="patient.search" if is_search else "patient.look",
        subject=f"heltig {command}",
        outcome="success",
        origin=ORIGIN,
        detail=detail,
    )
