"""Deliveries by several processes: each is made once, and again where nobody knows whether it was."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from servers.receiver import Receiver, receiver
from servers.scripted import answer
from unit.store.databases import render
from unit.store.samples import judge, snapshot

from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.telling.delivering import RETRIES, DeliveryDesk
from heltig.store import deliveries, webhooks
from heltig.store.deliveries import KIND, Delivery
from heltig.store.engine import Store
from heltig.store.webhooks import Webhook, WebhookOptions

PROGRAM = Path(__file__).with_name("telling_worker.py")
SECRET = {"HELTIG_SECRET_HOOK": "a secret that nobody guesses"}
BEGINS = b"HTTP/1.1 200 -\r\nX-Long: "


async def hook(store: Store, receives: Receiver, *, concurrency: int = 1) -> Webhook:
    options = WebhookOptions(secrets=("env:HELTIG_SECRET_HOOK",), concurrency=concurrency)
    await store.write(webhooks.add, Webhook(name="ris", url=receives.url, options=options))
    return await store.read(webhooks.find, "ris")


async def all_delivered(store: Store, webhook: Webhook, number: int) -> list[Delivery]:
    async with asyncio.timeout(120):
        while True:
            found = await store.read(deliveries.newest, webhook, state="delivered", limit=number + 1)
            if len(found) == number:
                return found
            await asyncio.sleep(0.05)


@asynccontextmanager
async def process(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Makes deliveries in a process of its own."""
    tests = str(Path(__file__).parents[2])
    environ = {**os.environ, **SECRET, "PYTHONPATH": tests}
    started = await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), url, env=environ)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


@asynccontextmanager
async def worker(url: str) -> AsyncIterator[None]:
    """Makes deliveries with connections of its own."""
    store = await Store.open(url, render=render)
    queue = JobQueue(store)
    desk = DeliveryDesk(store, clock=queue.clock, environ=SECRET)
    poll = timedelta(milliseconds=20)
    runner = Runner(queue, {KIND: desk.run}, places=4, retries=RETRIES, poll=poll)
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        await runner.stop(grace=timedelta(seconds=10))
        await task
        await desk.close()
        await store.close()


async def test_a_delivery_whose_process_is_killed_is_made_again_as_the_same(store: Store, url: str) -> None:
    async with receiver() as receives:
        receives.answering = lambda asked: BEGINS if len(receives.got) == 1 else answer()
        webhook = await hook(store, receives)
        await judge(store, snapshot())
        async with process(url) as first:
            await receives.asked(1)
            first.kill()
            await first.wait()
        async with process(url):
            [told] = await all_delivered(store, webhook, 1)
    assert receives.deliveries == [told.delivery, told.delivery]
    assert receives.got[0].body == receives.got[1].body


async def test_two_workers_make_each_delivery_once(store: Store, url: str) -> None:
    async with receiver() as receives:
        webhook = await hook(store, receives, concurrency=4)
        async with worker(url), worker(url):
            for number in range(30):
                await judge(store, snapshot(study=f"1.2.{number}"))
            found = await all_delivered(store, webhook, 30)
    assert {one.attempts for one in found} == {1}
    assert sorted(body["sequence"] for body in receives.bodies) == list(range(1, 31))
    assert len(set(receives.deliveries)) == 30


async def test_verdicts_given_at_the_same_time_are_all_told(store: Store, url: str) -> None:
    """On PostgreSQL their transactions run side by side."""
    others = [await Store.open(url, render=render) for _ in range(4)]
    await judge(store, snapshot(study="1.1"))
    async with receiver() as receives:
        webhook = await hook(store, receives)

        async def several(of: Store, place: int) -> None:
            for number in range(5):
                await judge(of, snapshot(study=f"1.2.{place}.{number}"))

        work: list[Awaitable[None]] = [several(of, place) for place, of in enumerate(others)]
        await asyncio.gather(*work)
        queued = await store.read(deliveries.newest, webhook)
        for other in others:
            await other.close()
    assert sorted(one.about for one in queued) == list(range(2, 22))
