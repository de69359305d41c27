"""That a command handed out patient data, in the audit trail, before it does so."""

from heltig import audit
from heltig.cli.archives import ACTOR, ORIGIN, now
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
    detail = {"count": 1, **({"studies": {study: 1}} if study else {"keys": dict.fromkeys(keys, 1)})}
    await store.write_durably(
        audit.record,
        at=now(),
        actor=ACTOR,
        action="patient.look" if study else "patient.search",
        subject=f"heltig {command}",
        outcome="success",
        origin=ORIGIN,
        detail=detail,
    )
