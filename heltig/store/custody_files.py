"""The files in a spool that rows name: objects in custody, and uploads that are still to be judged."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import bindparam, func, inspect, or_, select, text

from heltig.store.objects import GateObject, object_of
from heltig.store.tables import jobs, objects
from heltig.store.tables.custody import KEPT
from heltig.store.text import from_json
from heltig.store.transaction import ReadTransaction

_OBJECTS: Final = (
    select(objects.c.id, objects.c.file)
    .where(text(KEPT), objects.c.spool == bindparam("spool"))
    .order_by(objects.c.id)
)
_ELSEWHERE: Final = (
    select(func.count()).select_from(objects).where(text(KEPT), objects.c.spool != bindparam("spool"))
)
_BY_IDS: Final = select(objects).where(objects.c.id.in_(bindparam("ids", expanding=True)))
_AT_ONCE: Final = 500  # keys of a query
_UPLOADS: Final = select(jobs.c.payload).where(
    jobs.c.kind == "upload",
    or_(jobs.c.state == "queued", jobs.c.state == "running", jobs.c.state == "dead"),
)


def objects_kept(transaction: ReadTransaction, spool: str) -> list[tuple[int, str]]:
    """The objects whose files a spool has, each with the file's name below `gate`."""
    if not _has_objects(transaction):
        return []
    return [(row.id, row.file) for row in transaction.rows(_OBJECTS, {"spool": spool})]


def objects_elsewhere(transaction: ReadTransaction, spool: str) -> int:
    """How many objects have their files in other spools."""
    if not _has_objects(transaction):
        return 0
    return int(transaction.scalar(_ELSEWHERE, {"spool": spool}) or 0)


def uploads_kept(transaction: ReadTransaction, spool: str) -> list[str]:
    """The names of uploads whose files a spool has: they are still to be judged, or may be once more."""
    return list(_names(transaction, spool))


def objects_of(transaction: ReadTransaction, ids: Iterable[int]) -> list[GateObject]:
    """Objects by their ids, those of one study one after the other."""
    wanted = sorted(ids)
    found = [
        object_of(row)
        for start in range(0, len(wanted), _AT_ONCE)
        for row in transaction.rows(_BY_IDS, {"ids": wanted[start : start + _AT_ONCE]})
    ]
    return sorted(found, key=lambda one: (one.study, one.id))


def _has_objects(transaction: ReadTransaction) -> bool:
    """Whether there is a table of them: a backup is made of older tables, too."""
    return inspect(transaction.connection).has_table(str(objects.name))


def _names(transaction: ReadTransaction, spool: str) -> Iterator[str]:
    for row in transaction.rows(_UPLOADS):
        payload = from_json(row.payload, dict[str, Any])
        if payload.get("spool", spool) == spool and "upload" in payload:
            yield str(payload["upload"])
