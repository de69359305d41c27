"""Deliveries to a real receiver: taken, refused, late, gone, and what becomes of those behind them."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from servers.receiver import Receiver, receiver
from servers.scripted import answer
from unit.clock import Clock
from unit.store.samples import NOW, judge, snapshot

from heltig import http_client, http_notice
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.telling.delivering import GIVEN_UP, RETRIES, DeliveryDesk
from heltig.store import audit_trail, deliveries, webhooks
from heltig.store.deliveries import KIND, Delivery
from heltig.store.engine import Store
from heltig.store.webhooks import FAILURES, Webhook, WebhookOptions

T = TypeVar("T")

SECRET = "0123456789abcdef0123"
ENVIRON = {"HELTIG_SECRET_HOOK": SECRET, "HELTIG_SECRET_NEXT": "another-secret-of-24-chars"}
SOON = timedelta(milliseconds=20)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
async def receives() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


async def hook(store: Store, url: str, *, name: str = "ris", **options: Any) -> Webhook:
    given = {"secrets": ("env:HELTIG_SECRET_HOOK",), **options}
    await store.write(webhooks.add, Webhook(name=name, url=url, options=WebhookOptions(**given)))
    return await store.read(webhooks.find, name)


@asynccontextmanager
async def telling(
    store: Store, clock: Callable[[], datetime], environ: Mapping[str, str] = ENVIRON
) -> AsyncIterator[DeliveryDesk]:
    """What makes deliveries, as in a service."""
    queue = JobQueue(store, clock=clock)
    store.on_jobs(queue.ring)
    desk = DeliveryDesk(store, clock=clock, environ=environ)
    runner = Runner(queue, {KIND: desk.run}, places=4, retries=RETRIES, poll=SOON)
    task = asyncio.create_task(runner.run())
    try:
        yield desk
    finally:
        await runner.stop(grace=timedelta(0))
        await task
        await desk.close()


async def until(read: Callable[[], Awaitable[T]], is_so: Callable[[T], bool]) -> T:
    """What is read, once something is so of it."""
    async with asyncio.timeout(60):
        while True:
            found = await read()
            if is_so(found):
                return found
            await asyncio.sleep(0.01)


async def stands(store: Store, webhook: Webhook, is_so: Callable[[list[Delivery]], bool]) -> list[Delivery]:
    """The deliveries, oldest first, once something is so of them."""

    async def read() -> list[Delivery]:
        return (await store.read(deliveries.newest, webhook))[::-1]

    return await until(read, is_so)


async def becomes(store: Store, is_so: Callable[[Webhook], bool]) -> Webhook:
    """The webhook, once something is so of it."""
    return await until(lambda: store.read(webhooks.find, "ris"), is_so)


def are(*states: str) -> Callable[[list[Delivery]], bool]:
    return lambda found: [delivery.state for delivery in found] == list(states)


def rest(found: list[Delivery]) -> bool:
    """Whether nothing is being sent."""
    return all(delivery.state != "sending" for delivery in found)


def was_tried(attempts: int, found: list[Delivery]) -> bool:
    return found[0].attempts == attempts and found[0].state != "sending"


def signs(header: str, body: bytes, secret: str) -> bool:
    at = header.partition(",")[0].removeprefix("t=")
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"v1={made}" in header.split(",")


async def test_a_change_is_told_as_the_feed_tells_it(store: Store, clock: Clock, receives: Receiver) -> None:
    webhook = await hook(store, receives.url)
    published = await judge(store, snapshot())
    async with telling(store, clock):
        found = await stands(store, webhook, are("delivered"))
    assert (found[0].status, found[0].attempts) == (200, 1)
    [asked] = receives.got
    assert (asked.method, asked.target) == ("POST", "/hooks/heltig?token=t0p")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["heltig-event"] == "verdict"
    assert asked.headers["heltig-delivery"] == found[0].delivery
    assert signs(asked.headers["heltig-signature"], asked.body, SECRET)
    assert published.verdict is not None
    assert receives.bodies[0] == {
        "sequence": 1,
        "at": "2026-03-01T12:00:00Z",
        "studyInstanceUID": "1.2.840.99.1",
        "key": "1.2.840.99.1",
        "location": "archive:main",
        "state": "JUDGED",
        "readiness": "READY",
        "revision": 1,
        "verdict": published.verdict.verdict.id,
    }


async def test_two_secrets_both_sign(store: Store, clock: Clock, receives: Receiver) -> None:
    webhook = await hook(store, receives.url, secrets=("env:HELTIG_SECRET_NEXT", "env:HELTIG_SECRET_HOOK"))
    await judge(store, snapshot())
    async with telling(store, clock):
        await stands(store, webhook, are("delivered"))
    header, body = receives.got[0].headers["heltig-signature"], receives.got[0].body
    assert all(signs(header, body, secret) for secret in ENVIRON.values())


async def test_what_is_no_uid_is_not_told(store: Store, clock: Clock, receives: Receiver) -> None:
    """A broken study may have a name where its UID should be."""
    webhook = await hook(store, receives.url)
    await judge(store, snapshot(study="Doe^Jane 1970"))
    async with telling(store, clock):
        await stands(store, webhook, are("delivered"))
    assert b"Doe" not in receives.got[0].body
    assert receives.bodies[0]["sequence"] == 1


async def test_a_refused_one_is_tried_again_as_the_same(
    store: Store, clock: Clock, receives: Receiver
) -> None:
    receives.answering = lambda asked: answer(b"oops", status=500 if len(receives.got) == 1 else 204)
    webhook = await hook(store, receives.url)
    await judge(store, snapshot())
    async with telling(store, clock):
        [waiting] = await stands(store, webhook, lambda found: found[0].error is not None)
        assert waiting.state == "waiting"
        assert waiting.error == "127.0.0.1: it answers 500."
        clock.now += RETRIES.first
        [done] = await stands(store, webhook, are("delivered"))
    assert (done.attempts, done.status) == (2, 204)
    assert receives.deliveries == [done.delivery, done.delivery]
    assert receives.got[0].body == receives.got[1].body
    known = await store.read(webhooks.find, "ris")
    assert (known.failures, known.failing_since, known.error) == (0, None, None)


async def test_retry_after_holds_for_all_that_wait(store: Store, clock: Clock, receives: Receiver) -> None:
    later = answer(status=429, headers={"Retry-After": "7200"})
    receives.answering = lambda asked: later if len(receives.got) == 1 else answer()
    webhook = await hook(store, receives.url)
    for number in range(3):
        await judge(store, snapshot(study=f"1.2.{number}"))
    async with telling(store, clock):
        await stands(store, webhook, lambda found: rest(found) and found[0].error is not None)
        assert (await store.read(webhooks.find, "ris")).closed_until == NOW + timedelta(hours=2)
        clock.now += timedelta(minutes=20)  # longer than any group is closed
        await stands(store, webhook, lambda found: rest(found) and all(one.not_before for one in found))
        assert len(receives.got) == 1
        clock.now += timedelta(hours=2)
        found = await stands(store, webhook, are("delivered", "delivered", "delivered"))
    assert [delivery.attempts for delivery in found] == [2, 1, 1]


async def test_a_receiver_that_is_gone_pauses_its_webhook(
    store: Store, clock: Clock, receives: Receiver
) -> None:
    receives.answering = lambda asked: answer(status=410)
    webhook = await hook(store, receives.url)
    await judge(store, snapshot())
    await judge(store, snapshot(study="1.2.3"))
    async with telling(store, clock):
        known = await becomes(store, lambda known: known.paused)
        await stands(store, webhook, are("waiting", "waiting"))
        assert "gone" in known.reason
        assert [entry.action for entry in await store.read(audit_trail.entries)][-1] == "webhook.pause"
        await judge(store, snapshot(study="1.2.4"))
        clock.now += timedelta(hours=1)
        assert len(receives.got) == 1
        receives.answering = lambda asked: answer()
        await store.write(webhooks.stand, known, paused=False)
        found = await stands(store, webhook, are("delivered", "delivered"))
    assert [delivery.about for delivery in found] == [1, 2]
    assert [delivery.attempts for delivery in found] == [1, 1]


async def test_a_redirect_is_not_followed(store: Store, clock: Clock, receives: Receiver) -> None:
    receives.answering = lambda asked: answer(status=307, headers={"Location": f"{receives.root}/other"})
    webhook = await hook(store, receives.url)
    await judge(store, snapshot())
    async with telling(store, clock):
        [found] = await stands(store, webhook, lambda found: found[0].error is not None)
    assert found.error == "127.0.0.1: a redirect, which is not followed."
    assert [asked.path for asked in receives.got] == ["/hooks/heltig"]


async def test_an_answer_without_end_is_not_read(store: Store, clock: Clock, receives: Receiver) -> None:
    head = b"HTTP/1.1 200 -\r\nContent-Length: 1000000000000\r\n\r\n"
    receives.answering = lambda asked: head + b"x" * 1_000_000
    webhook = await hook(store, receives.url)
    await judge(store, snapshot())
    await judge(store, snapshot(study="1.2.3"))
    async with telling(store, clock):
        found = await stands(store, webhook, are("delivered", "delivered"))
    assert [delivery.status for delivery in found] == [200, 200]


@pytest.mark.parametrize(
    ("answering", "said"),
    [
        (b"", "its answer breaks off, or is not HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "its answer breaks off, or is not HTTP"),
        (b"HTTP/1.1 200 -\r\nX-Long: ", "no answer in"),
    ],
)
async def test_what_is_no_answer(
    store: Store,
    clock: Clock,
    receives: Receiver,
    answering: bytes,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_notice, "SECONDS", 0.5)
    receives.answering = lambda asked: answering
    webhook = await hook(store, receives.url)
    await judge(store, snapshot())
    async with telling(store, clock):
        [found] = await stands(store, webhook, lambda found: found[0].error is not None)
    assert found.error is not None
    assert said in found.error
    assert "t0p" not in found.error


async def test_nobody_there(store: Store, clock: Clock) -> None:
    async with receiver() as gone:
        url = gone.url
    webhook = await hook(store, url)
    await judge(store, snapshot())
    async with telling(store, clock):
        [found] = await stands(store, webhook, lambda found: found[0].error is not None)
    assert found.error is not None
    assert "no connection" in found.error


async def test_a_dead_receiver_keeps_nobody_else_waiting(
    store: Store, clock: Clock, receives: Receiver
) -> None:
    silent = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await hook(store, f"http://127.0.0.1:{port}/", name="dead")
    webhook = await hook(store, receives.url)
    for number in range(10):
        await judge(store, snapshot(study=f"1.2.{number}"))
    async with telling(store, clock):
        await silent.wait()
        await stands(store, webhook, are(*["delivered"] * 10))
    server.close()
    assert [body["sequence"] for body in receives.bodies] == list(range(1, 11))


async def test_a_receiver_that_fails_is_left_alone(store: Store, clock: Clock, receives: Receiver) -> None:
    receives.answering = lambda asked: answer(status=503)
    webhook = await hook(store, receives.url)
    for number in range(20):
        await judge(store, snapshot(study=f"1.2.{number}"))
    async with telling(store, clock):
        known = await becomes(store, lambda known: known.closed_until is not None)
        await stands(store, webhook, rest)  # a clock that jumps would end their leases
        assert len(receives.got) == FAILURES
        assert known.closed_until == NOW + timedelta(seconds=30)
        clock.now += timedelta(seconds=31)  # one is tried
        known = await becomes(store, lambda known: known.openings == 2)
        await stands(store, webhook, rest)
        assert len(receives.got) == FAILURES + 1
        assert known.closed_until == clock.now + timedelta(seconds=60)
        receives.answering = lambda asked: answer()
        clock.now += timedelta(seconds=61)
        await stands(store, webhook, are(*["delivered"] * 20))
    assert len(receives.got) == FAILURES + 1 + 20


async def test_what_cannot_be_made_for_a_day_is_dead_and_can_be_retried(
    store: Store, clock: Clock, receives: Receiver
) -> None:
    receives.answering = lambda asked: answer(status=500)
    webhook = await hook(store, receives.url)
    await judge(store, snapshot())
    async with telling(store, clock) as desk:
        for attempt in range(1, RETRIES.attempts + 1):
            is_over = partial(was_tried, attempt)
            await stands(store, webhook, is_over)
            clock.now += timedelta(hours=1, seconds=1)
        [dead] = await stands(store, webhook, are("dead"))
        assert dead.attempts == RETRIES.attempts
        await judge(store, snapshot(study="1.2.3"))
        await stands(store, webhook, lambda found: found[1].error is not None)
        await store.write(webhooks.stand, webhook, paused=True)  # else it may be tried while this sweeps
        clock.now += GIVEN_UP
        await desk.sweep()
        await stands(store, webhook, are("dead", "dead"))
        receives.answering = lambda asked: answer()
        await store.write(webhooks.stand, webhook, paused=False)
        assert await store.write(deliveries.try_again, webhook) == 2
        await stands(store, webhook, are("delivered", "delivered"))


async def test_a_secret_that_is_missing_is_said(store: Store, clock: Clock, receives: Receiver) -> None:
    webhook = await hook(store, receives.url)
    await judge(store, snapshot())
    async with telling(store, clock, {}):
        [found] = await stands(store, webhook, lambda found: found[0].error is not None)
    assert found.error is not None
    assert "HELTIG_SECRET_HOOK" in found.error
    assert receives.got == []


async def test_an_address_that_leads_to_a_metadata_service(
    store: Store, clock: Clock, receives: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await hook(store, receives.url.replace("127.0.0.1", "localhost"))
    await judge(store, snapshot())
    for module in (http_client, http_notice):
        monkeypatch.setattr(module, "is_link_local", lambda host: host in ("127.0.0.1", "::1"))
    async with telling(store, clock):
        [found] = await stands(store, webhook, lambda found: found[0].error is not None)
    assert found.error is not None
    assert "link-local" in found.error
    assert receives.got == []


async def test_a_removed_webhook_is_told_nothing(store: Store, clock: Clock, receives: Receiver) -> None:
    webhook = await hook(store, receives.url)
    await judge(store, snapshot())
    await store.write(webhooks.remove, webhook)
    async with telling(store, clock):
        [found] = await stands(store, webhook, are("delivered"))
    assert (found.status, receives.got) == (None, [])


async def test_one_delivery_at_a_time_or_as_many_as_it_says(store: Store, clock: Clock) -> None:
    at_work = most = 0
    done = asyncio.Event()
    left = 12

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_work, most, left
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        await reader.readexactly(length)
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.02)
        at_work -= 1
        left -= 1
        if not left:
            done.set()
        writer.write(b"HTTP/1.1 200 -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    webhook = await hook(store, url)
    for number in range(12):
        await judge(store, snapshot(study=f"1.2.{number}"))
    async with telling(store, clock), asyncio.timeout(60):
        await done.wait()
        await stands(store, webhook, are(*["delivered"] * 12))
    server.close()
    assert most == 1
