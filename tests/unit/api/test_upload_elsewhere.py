"""Several servers with one database, each with a spool of its own."""

import asyncio

from unit.api.service import Service

from heltig.store import jobs
from heltig.store.jobs import NewJob


async def test_an_upload_is_left_to_the_server_that_has_its_file(service: Service) -> None:
    store, queue = service.services.store, service.services.queue
    new = NewJob(kind="upload", payload={"upload": "20260301-0123456789ab", "spool": "of another server"})
    number = await store.write(queue.enqueue, new)
    async with asyncio.timeout(60):
        while True:
            job = await store.read(jobs.find, number)
            assert job is not None
            if job.not_before is not None:
                break
    assert (job.state, job.attempts, job.error) == ("queued", 0, None)
