"""Archives that are pulled from, with cursors, breakers, observations, jobs, workers and answers."""

from datetime import datetime, timedelta
from typing import Any

from unit.store.samples import NOW

from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.measuring import Measurements
from heltig.store import archives, breakers, cursors, states, tables, workers
from heltig.store.archives import Archive
from heltig.store.breakers import Breaker
from heltig.store.cursors import Cursor
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.locations import ensure
from heltig.store.records import Location
from heltig.store.studies import row_of
from heltig.store.transaction import WriteTransaction
from heltig.store.workers import Worker

MINUTE = timedelta(minutes=1)


async def add_archive(store: Store, name: str, **fields: Any) -> None:
    root = f"https://{name}.example/dicom-web"
    values = {"qido_url": root, "wado_url": root, **fields}
    await store.write(archives.add, Archive(name=name, **values))


async def put_cursor(store: Store, name: str, strategy: str = "hot", **fields: Any) -> None:
    values = {"covered": NOW - MINUTE, "finished": NOW - MINUTE, "due": NOW, **fields}
    cursor = Cursor(location=Location("archive", name), name=strategy, **values)
    await store.write(cursors.put, cursor)


async def put_breaker(store: Store, name: str, operation: str = "search", **fields: Any) -> None:
    values = {
        "state": "open",
        "failures": 5,
        "openings": 1,
        "until": NOW + MINUTE,
        "error": "It does not answer.",
        "changed": NOW,
    }
    breaker = Breaker(operation=operation, **values | fields)
    await store.write(breakers.put, Location("archive", name), breaker)


async def put_observation(store: Store, name: str, study: str, *, due: datetime | None) -> None:
    location = Location("archive", name)

    def put(transaction: WriteTransaction) -> None:
        row = {
            "study_row": row_of(transaction, location, study),
            "location_row": ensure(transaction, location),
            "fingerprint": b"f",
            "changed": NOW,
            "unsettled_since": NOW,
            "due": due,
            "priority": 0,
        }
        transaction.insert_row(tables.observations, row)

    await store.write(states.mark_pending, location, study, study_uid=study, at=NOW)
    await store.write(put)


async def put_worker(store: Store, owner: str, *, heard: datetime = NOW) -> None:
    worker = Worker(owner=owner, host="h", version="0.0.9", started=NOW - MINUTE, heard=heard)
    await store.write(workers.hear, worker)


async def put_job(
    store: Store,
    kind: str,
    name: str,
    *,
    state: str = "queued",
    at: datetime = NOW - 5 * MINUTE,
    not_before: datetime | None = None,
    key: str | None = None,
    result: str | None = None,
) -> None:
    queue = JobQueue(store, clock=lambda: at)
    new = NewJob(kind=kind, key=key, group=f"archive:{name}", not_before=not_before)

    def put(transaction: WriteTransaction) -> None:
        job = queue.enqueue(transaction, new)  # in one transaction: a worker would claim it as it is queued
        statement = tables.jobs.update().where(tables.jobs.c.id == job).values(state=state, result=result)
        transaction.connection.execute(statement)

    await store.write(put)


async def put_answers(
    store: Store,
    name: str,
    *seconds: float,
    operation: str = "metadata",
    outcome: Any = "ok",
    at: datetime = NOW,
    received: int = 1000,
) -> None:
    measurements = Measurements(store, clock=lambda: at)
    for one in seconds:
        measurements.record(name, operation, outcome=outcome, seconds=one, received=received)
    await measurements.flush()
