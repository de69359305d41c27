"""A study that somebody asks to be pulled now."""

from datetime import timedelta

from unit.store import pulling
from unit.store.samples import NOW

from heltig.jobs.queue import JobQueue
from heltig.pipeline.pull.asked import ask_for_study
from heltig.store import claims, jobs, leases
from heltig.store.engine import Store
from heltig.store.jobs import Job
from heltig.store.transaction import WriteTransaction

MINUTE = timedelta(minutes=1)


async def test_a_pull_that_was_put_back_starts_when_somebody_asks_for_the_study(store: Store) -> None:
    await pulling.add_archive(store, "main")
    queue = JobQueue(store, clock=lambda: NOW)

    async def ask() -> Job:
        return await ask_for_study(queue, "main", "1.2.3", actor="user:anna", origin="127.0.0.1")

    asked = await ask()

    def put_back(transaction: WriteTransaction) -> None:
        claims.claim(transaction, kinds=["pull"], owner="me", now=NOW, until=NOW + MINUTE)
        leases.put_back(transaction, asked.id, owner="me", not_before=NOW + 10 * MINUTE, attempts=0)

    await store.write(put_back)
    waiting = await store.read(jobs.find, asked.id)
    assert waiting is not None
    assert waiting.not_before == NOW + 10 * MINUTE
    again = await ask()
    assert (again.id, again.not_before) == (asked.id, None)
