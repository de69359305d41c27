"""The processes that work jobs off, as far as they were heard of."""

from datetime import datetime

import msgspec
from sqlalchemy import bindparam, delete, select, text, update

from heltig.store.tables import jobs, workers
from heltig.store.tables.operations import RUNNING
from heltig.store.transaction import ReadTransaction, WriteTransaction


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that works jobs off.

    Attributes:
        owner: As leases have it.
        version: Of Heltig.
        heard: When it last said that it works.
    """

    owner: str
    host: str
    version: str
    started: datetime
    heard: datetime


_HEARD = update(workers).where(workers.c.owner == bindparam("worker")).values(heard=bindparam("heard_now"))
_EVERY = select(workers).where(workers.c.heard >= bindparam("since")).order_by(workers.c.started)
_AT_WORK = (
    select(jobs.c.lease_owner)
    .where(text(RUNNING), jobs.c.lease_until > bindparam("now"), jobs.c.group == bindparam("group"))
    .distinct()
)
_FORGET = delete(workers).where(workers.c.heard < bindparam("before"))


def hear(transaction: WriteTransaction, worker: Worker) -> None:
    """Writes down that a worker works."""
    parameters = {"worker": worker.owner, "heard_now": worker.heard}
    if not transaction.connection.execute(_HEARD, parameters).rowcount:
        transaction.insert_or_ignore(workers, msgspec.structs.asdict(worker))


def leave(transaction: WriteTransaction, owner: str) -> None:
    """Writes down that a worker has ended."""
    transaction.connection.execute(delete(workers).where(workers.c.owner == owner))


def forget(transaction: WriteTransaction, *, before: datetime) -> int:
    """Deletes those that were not heard of since; returns their number."""
    return transaction.connection.execute(_FORGET, {"before": before}).rowcount


def heard_of(transaction: ReadTransaction, *, since: datetime) -> list[Worker]:
    """Those that were heard of since then, the oldest first."""
    return [Worker(**row._mapping) for row in transaction.connection.execute(_EVERY, {"since": since})]


def at_work(transaction: ReadTransaction, group: str, *, now: datetime) -> set[str]:
    """The owners of the jobs of a group that are worked on."""
    return set(transaction.connection.execute(_AT_WORK, {"now": now, "group": group}).scalars())
