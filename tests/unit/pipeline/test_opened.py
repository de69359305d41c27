"""Archives kept open between jobs: when they may be asked, at what pace, and when they are opened anew."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from servers.certificates import Authority
from servers.httpd import Asked, Httpd, TokenEndpoint, httpd
from servers.scripted import answer
from unit.store.samples import NOW

from heltig.credentials import ArchiveAuth, BearerAuth, ClientCredentials
from heltig.errors import (
    ArchiveClosedError,
    ArchiveCredentialsError,
    ArchiveError,
    ArchivePausedError,
    ArchiveRestingError,
    ConfigurationError,
    NotFoundError,
)
from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.archives.sharers import Sharers
from heltig.settings import Settings
from heltig.store import archives, breakers, claims, workers
from heltig.store.archives import Archive, ArchiveOptions, location_of
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.transaction import WriteTransaction

NOTHING = answer(b"[]", headers={"Content-Type": "application/dicom+json"})
KNOWN: dict[str, Any] = {"offset": True, "metadata": "study"}


class Measured:
    """Counts outcomes by operation."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[str, str, str]]()

    def record(self, archive: str, operation: str, *, outcome: str, seconds: float, received: int) -> None:
        assert seconds >= 0
        self.counts[archive, operation, outcome] += 1


class World:
    """A store with one archive, and a process that asks it."""

    def __init__(self, store: Store, **environ: str) -> None:
        self.store = store
        self.now = NOW
        self.measured = Measured()
        self.archives = OpenArchives(
            store,
            Settings(archive_wait_seconds=0),
            environ=environ,
            clock=lambda: self.now,
            measurements=self.measured,
        )

    async def has(
        self, root: str, *, auth: ArchiveAuth | None = None, options: ArchiveOptions | None = None
    ) -> Archive:
        entry = Archive(
            name="main",
            qido_url=root,
            wado_url=root,
            options=options or ArchiveOptions(),
            capabilities=KNOWN,
            probed=NOW,
        )
        if auth is not None:
            entry = replace(entry, auth=auth)
        await self.store.write(archives.add, entry)
        return entry

    async def search(self) -> int:
        async with self.archives.use("main") as opened:
            return len(await opened.archive.search_studies({}, limit=5, offset=0))


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    world = World(store, TOKEN="t0ken", HELTIG_SECRET_CLIENT="s3cret")
    yield world
    await world.archives.close()


@pytest.fixture
async def server() -> AsyncIterator[Httpd]:
    async with httpd(lambda asked: NOTHING) as running:
        yield running


async def test_connections_are_kept_and_made_anew_when_the_entry_changes(world: World, server: Httpd) -> None:
    entry = await world.has(server.root)
    async with world.archives.use("main") as first, world.archives.use("main") as second:
        assert first.dicomweb is second.dicomweb
        changed = replace(entry, auth=BearerAuth(secret="env:TOKEN"))
        await world.store.write(archives.change, changed)
        await world.search()
        assert server.requests[-1].headers["authorization"] == "Bearer t0ken"
        await first.archive.search_studies({}, limit=5, offset=0)  # who began with the old one ends with it
        assert "authorization" not in server.requests[-1].headers
    await world.store.write(archives.change, replace(changed, capabilities={}, probed=NOW))
    async with world.archives.use("main") as third:
        assert third.dicomweb is not first.dicomweb
        probed_again = third.dicomweb
    async with world.archives.use("main") as fourth:
        assert fourth.dicomweb is probed_again


async def test_what_may_not_be_asked_now(world: World, server: Httpd) -> None:
    with pytest.raises(NotFoundError):
        await world.search()
    hours = ArchiveOptions(hours=("mon-fri 19:00-06:00",), timezone="Europe/Berlin")
    entry = await world.has(server.root, options=hours)
    world.now = datetime.fromisoformat("2026-03-02T12:00Z")
    with pytest.raises(ArchiveClosedError, match="2026-03-02 18:00 UTC") as closed:
        await world.search()
    assert closed.value.retry_after == 6 * 3600
    world.now = datetime.fromisoformat("2026-03-02T18:00Z")
    assert await world.search() == 0
    await world.store.write(archives.change, replace(entry, paused=True))
    with pytest.raises(ArchivePausedError, match="resume main"):
        await world.search()
    assert len(server.requests) == 1


async def test_a_stream_ends_when_its_archive_is_not_to_be_asked_any_more(world: World) -> None:
    body = answer(b"x" * 2_000_000, headers={"Content-Type": "application/dicom+json"})
    async with httpd(lambda asked: body) as large:
        entry = await world.has(large.root, options=ArchiveOptions(hours=("daily 10:00-14:00",)))
        world.now = datetime.fromisoformat("2026-03-02T12:00Z")

        async def read(end: Callable[[], Awaitable[object]]) -> None:
            async with (
                world.archives.use("main") as opened,
                aclosing(opened.archive.retrieve_metadata("1.2")) as chunks,
            ):
                await anext(chunks)
                await end()
                world.now += timedelta(seconds=1)
                async for _ in chunks:
                    pass

        async def pass_hours() -> None:
            world.now += timedelta(hours=2)

        with pytest.raises(ArchiveRestingError):
            await read(pass_hours)
        world.now = datetime.fromisoformat("2026-03-02T12:00Z")
        paused = replace(entry, paused=True)
        with pytest.raises(ArchivePausedError):
            await read(lambda: world.store.write(archives.change, paused))
        await world.store.write(archives.change, entry)
        with pytest.raises(NotFoundError, match="removed"):
            await read(lambda: world.store.write(archives.remove, "main"))


async def test_an_open_breaker_is_seen_before_anything_is_asked(world: World) -> None:
    await world.has("http://127.0.0.1:9")
    await world.store.write(
        breakers.put,
        location_of("main"),
        breakers.Breaker(
            operation="metadata",
            state="open",
            failures=5,
            openings=1,
            until=NOW + timedelta(seconds=30),
            error="Nobody answers.",
            changed=NOW,
        ),
    )
    with pytest.raises(ArchiveClosedError, match="Nobody answers"):
        async with world.archives.use("main"):
            pytest.fail("it may not be asked")


async def test_requests_at_the_same_time_and_a_stream_that_asks_in_between(world: World) -> None:
    under_way = most = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        while await reader.readline():
            while await reader.readline() != b"\r\n":
                pass
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1
            writer.write(NOTHING)
        writer.close()

    running = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with running:
        root = f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}"
        await world.has(root, options=ArchiveOptions(concurrency=2))
        await asyncio.gather(*(world.search() for _ in range(10)))
        assert most == 2
        async with world.archives.use("main") as opened:

            async def nested() -> int:
                found = 0
                async for _ in opened.archive.retrieve_metadata("1.2"):
                    found += len(await opened.archive.search_studies({}, limit=5, offset=0)) + 1
                return found

            async with asyncio.timeout(60):
                assert await asyncio.gather(nested(), nested(), nested()) == [1, 1, 1]
        await world.archives.close()


async def test_an_archive_is_searched_while_it_is_read(world: World) -> None:
    body = answer(b"x" * 2_000_000, headers={"Content-Type": "application/dicom+json"})
    async with httpd(lambda asked: body if "metadata" in asked.path else NOTHING) as large:
        await world.has(large.root, options=ArchiveOptions(concurrency=1))
        async with (
            world.archives.use("main") as opened,
            aclosing(opened.archive.retrieve_metadata("1.2")) as chunks,
        ):
            await anext(chunks)
            async with asyncio.timeout(60):
                assert await asyncio.gather(*(world.search() for _ in range(3))) == [0, 0, 0]
                assert sum([len(chunk) async for chunk in chunks])
        await world.archives.close()


async def at_work(store: Store, owner: str, *, now: datetime, archive: str = "main") -> None:
    """Has a worker work on a job of an archive for half a minute."""

    def begin(transaction: WriteTransaction) -> None:
        JobQueue(store, clock=lambda: now).enqueue(
            transaction, NewJob(kind="pull", group=str(location_of(archive)))
        )
        until = now + timedelta(seconds=30)
        assert claims.claim(transaction, kinds=["pull"], owner=owner, now=now, until=until)

    await store.write(begin)


async def test_the_rate_is_shared_by_the_workers_that_ask_the_archive(world: World) -> None:
    """A server that takes uploads only, and workers at other archives, leave their share to those who ask."""
    sharers = Sharers(world.store, "main", clock=lambda: world.now)
    for idle in ("uploads", "idle"):
        worker = workers.Worker(owner=idle, host="h", version="1", started=NOW, heard=NOW)
        await world.store.write(workers.hear, worker)
    assert await sharers.count() == 0
    await at_work(world.store, "a", now=NOW)
    await at_work(world.store, "a", now=NOW)
    await at_work(world.store, "b", now=NOW)
    await at_work(world.store, "c", now=NOW, archive="other")
    assert await sharers.count() == 2
    world.now += timedelta(seconds=40)  # their leases are over: they may be between two jobs
    await at_work(world.store, "d", now=world.now)
    assert await sharers.count() == 3
    world.now += timedelta(seconds=25)
    assert await sharers.count() == 1


async def test_an_archive_is_asked_at_the_share_of_those_at_work(world: World, server: Httpd) -> None:
    for number in range(50):
        await at_work(world.store, f"worker {number}", now=NOW)
    await world.has(server.root, options=ArchiveOptions(requests_per_second=1000))
    begun = time.monotonic()
    async with world.archives.use("main") as opened:
        for _ in range(25):  # of which twenty were saved up
            await opened.archive.search_studies({}, limit=5, offset=0)
    assert time.monotonic() - begun > 0.2


async def test_every_request_is_measured(world: World) -> None:
    answers = [NOTHING, answer(status=404), answer(status=403), answer(status=500)]
    async with httpd(lambda asked: answers.pop(0)) as server:
        await world.has(server.root)
        async with world.archives.use("main") as opened:
            for _ in range(4):
                with suppress(ArchiveError):
                    await opened.archive.search_studies({}, limit=5, offset=0)
        await world.archives.close()
    outcomes = {key[1:]: count for key, count in world.measured.counts.items()}
    assert outcomes == {
        ("search", "ok"): 1,
        ("search", "not-found"): 1,
        ("search", "refused"): 1,
        ("search", "failed"): 1,
    }


async def test_a_probe_is_refused_what_an_archive_does_not_do(world: World) -> None:
    def search_only(asked: Asked) -> bytes:
        return NOTHING if asked.path == "/studies" else answer(status=400)

    async with httpd(search_only) as server:
        await world.has(server.root)
        async with world.archives.use("main") as opened:
            await opened.archive.probe()
            assert not any(outcome == "refused" for _, _, outcome in world.measured.counts)
            assert world.measured.counts["main", "changes", "not-found"]
            with suppress(ArchiveError):
                await opened.archive.search_series("1.2")
        assert world.measured.counts["main", "search", "refused"] == 1


async def test_a_token_is_revoked_in_the_middle_of_a_run_and_then_the_client(world: World) -> None:
    endpoint = TokenEndpoint()
    async with httpd(endpoint) as server:
        auth = ClientCredentials(
            token_url=f"{server.root}/token", client_id="heltig", secret="env:HELTIG_SECRET_CLIENT"
        )
        entry = await world.has(server.root, auth=auth)
        assert await world.search() == 0
        endpoint.revoked.add("token-1")
        assert await world.search() == 0
        endpoint.untaken = True
        with pytest.raises(ArchiveCredentialsError):
            await world.search()
        asked = len(server.requests)
        with pytest.raises(ArchiveClosedError):
            await world.search()
        assert len(server.requests) == asked
        # Another entry is another try: who changes it forgets the breakers, too.
        endpoint.untaken = False
        await world.store.write(breakers.forget, location_of("main"))
        await world.store.write(archives.change, replace(entry, title="mended"))
        assert await world.search() == 0
        await world.archives.close()


async def test_certificates_are_read_again_when_their_files_change(world: World, tmp_path: Path) -> None:
    wrong, right = Authority(tmp_path, "wrong"), Authority(tmp_path, "right")
    async with httpd(lambda asked: NOTHING, tls=right.server_context()) as server:
        await world.has(server.root, options=ArchiveOptions(ca_bundle=str(wrong.certificate)))
        with pytest.raises(ArchiveCredentialsError, match="TLS"):
            await world.search()
        await world.store.write(breakers.forget, location_of("main"))
        wrong.certificate.write_bytes(right.certificate.read_bytes())
        world.now += timedelta(minutes=1)
        assert await world.search() == 0
        wrong.certificate.write_text("nothing")
        with pytest.raises(ConfigurationError, match=r"wrong\.pem"):
            await world.search()
        await world.archives.close()
