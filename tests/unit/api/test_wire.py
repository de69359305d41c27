"""Connections that never come to a request; tests/contract/hostile_requests.yml has what is none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from heltig.api import wire

HEAD_SECONDS = 0.2
BODY_SECONDS = 1.0  # a busy machine may let the next piece wait for most of it


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * BODY_SECONDS):
                while (await receive())["type"] != "http.disconnect":  # as an answer in pieces looks for it
                    pass
        await send({"type": "http.response.body", "body": b"two", "more_body": False})
        return
    if scope["path"] == "/later":  # reads nothing for longer than a body may be silent
        await asyncio.sleep(float(scope["query_string"] or 2) * BODY_SECONDS)
    while (said := await receive()).get("more_body"):
        pass
    if said["type"] == "http.disconnect":
        return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: wire.BoundedHttp(config, ServerState(), {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),  # a browser may open one in case
        (b"GET / HTTP/1.1\r\nHo", b"408"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n", b"204"),
    ],
)
async def test_a_connection_that_never_comes_to_a_request_ends(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, status: bytes
) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", HEAD_SECONDS)
    async with connection() as (reader, writer):
        writer.write(sent)
        answered = await reader.read()
    assert answered[9:12] == status
    assert answered.count(b"HTTP/1.1 ") <= 1


POST = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 10\r\n\r\n",
        b"Content-Length: 10\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf",
    ],
)
async def test_a_body_of_which_nothing_comes_is_refused(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(wire, "BODY_SECONDS", BODY_SECONDS)
    async with connection() as (reader, writer):
        writer.write(POST + sent)
        answered = await reader.read()
    assert answered[9:12] == b"408"
    assert answered.count(b"HTTP/1.1 ") == 1


async def test_a_slow_body_has_its_time_anew_with_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "BODY_SECONDS", BODY_SECONDS)
    async with connection() as (reader, writer):
        writer.write(POST + b"Content-Length: 8\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(BODY_SECONDS / 7)
            writer.write(b"x")
        answered = await reader.read()
    assert answered[9:12] == b"204"


async def test_a_body_that_nobody_reads_yet_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "BODY_SECONDS", BODY_SECONDS)
    body = bytes(1_000_000)  # more than is taken before somebody reads it
    async with connection() as (reader, writer):
        writer.write(POST.replace(b" / ", b" /later ") + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answered = await reader.read()
    assert answered[9:12] == b"204"


@pytest.mark.parametrize("times", [b"0.5", b"2"])
async def test_a_client_that_waits_to_be_asked_for_its_body_has_its_time_from_then_on(
    monkeypatch: pytest.MonkeyPatch, times: bytes
) -> None:
    monkeypatch.setattr(wire, "BODY_SECONDS", BODY_SECONDS)
    async with connection() as (reader, writer):
        head = POST.replace(b" / ", b" /later?%s " % times)
        writer.write(head + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        asked = await reader.readuntil(b"\r\n\r\n")
        assert asked.startswith(b"HTTP/1.1 100")
        await asyncio.sleep(0.6 * BODY_SECONDS)
        writer.write(b"body")
        answered = await reader.read()
    assert answered[9:12] == b"204"


async def test_a_body_behind_an_answer_that_goes_on_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "BODY_SECONDS", BODY_SECONDS)
    async with connection() as (reader, writer):
        writer.write(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n" + POST + b"Content-Length: 8\r\n\r\nhalf")
        answered = await reader.readuntil(b"0\r\n\r\n")
        assert answered.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
        assert answered.count(b"HTTP/1.1 ") == 1
        writer.write(b"half")
        answered = await reader.read()
    assert answered[9:12] == b"204"
