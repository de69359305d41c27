"""Connections beneath the HTTP client: more than fits at once, and other sides that close."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from socket import AF_INET, SO_LINGER, SOCK_STREAM, SOL_SOCKET

import pytest
import uvloop

from heltig import http
from heltig.errors import ArchiveUnavailableError
from heltig.retry import Retry

LARGE = 6 * 1024 * 1024
ONCE = Retry(attempts=1)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def client_of(serve: Serve) -> AsyncIterator[http.Client]:
    """A client of a server that does so with each connection."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, http.client(f"http://127.0.0.1:{port}", read_seconds=5) as client:
        yield client


def head(length: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length


async def test_a_body_that_is_read_more_slowly_than_it_comes_comes_whole() -> None:
    sent = bytes(range(256)) * (LARGE // 256)
    waits = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waits
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head(LARGE))
        for at in range(0, LARGE, 65536):
            writer.write(sent[at : at + 65536])
            waits += writer.transport.get_write_buffer_size() > 0
            await writer.drain()

    async with (
        client_of(serve) as client,
        http.stream(client, "/", accept="*/*", max_bytes=2 * LARGE) as (_, body),
    ):
        got = bytearray()
        async for chunk in body:
            got += chunk
            for _ in range(20):
                await asyncio.sleep(0)  # the server goes on meanwhile, as far as it can
    assert got == sent
    assert waits  # it could not send all before somebody read


async def test_a_form_larger_than_what_the_other_side_takes_at_once_arrives_whole() -> None:
    taken = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        start = await reader.readuntil(b"\r\n\r\n")
        length = int(start.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while taken < length:
            taken += len(await reader.read(4096))
        writer.write(head(2) + b"{}")
        await writer.drain()

    async with client_of(serve) as client:
        _, body = await http.post_form(client, "/", {"a": "x" * LARGE}, max_bytes=10)
    assert (body, taken) == (b"{}", LARGE + 2)


async def test_a_connection_that_the_other_side_closed_meanwhile_is_not_used_again() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head(2) + b"[]")  # and closes, without saying so

    async with client_of(serve) as client:
        for _ in range(3):
            _, body = await http.get(client, "/", accept="*/*", max_bytes=10, retry=ONCE)
            assert body == b"[]"
            for _ in range(20):
                await asyncio.sleep(0)  # the server closes
    assert connections == 3


@pytest.mark.parametrize("sent", [b"", head(10) + b"[1,"])
async def test_a_connection_that_is_reset_breaks_off(sent: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with client_of(serve) as client:
        with pytest.raises(ArchiveUnavailableError):
            await http.get(client, "/", accept="*/*", max_bytes=10, retry=ONCE)


async def test_several_requests_at_a_time_share_few_connections() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while not reader.at_eof():
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            writer.write(head(2) + b"[]")
            await writer.drain()

    async with client_of(serve) as client:
        for _ in range(5):
            await asyncio.gather(*(http.get(client, "/", accept="*/*", max_bytes=10) for _ in range(3)))
    assert connections == 3


async def test_a_connection_that_is_closed_just_when_it_is_used_again_is_replaced() -> None:
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(head(2) + b"[]")
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")  # and closes without an answer

    async with client_of(serve) as client:
        for _ in range(3):
            _, body = await http.get(client, "/", accept="*/*", max_bytes=10, retry=ONCE)
            assert body == b"[]"
        with pytest.raises(ArchiveUnavailableError):
            await http.post_form(client, "/", {"a": "1"}, max_bytes=10)  # it may have been done
    assert len(heads) == 3


async def test_an_answer_that_ends_with_its_connection_is_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n[1,")
        await writer.drain()
        writer.write(b"2]")

    async with client_of(serve) as client:
        for _ in range(2):
            _, body = await http.get(client, "/", accept="*/*", max_bytes=10, retry=ONCE)
            assert body == b"[1,2]"


async def test_a_refusal_that_comes_before_all_is_sent_is_the_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        while await reader.read(65536):  # else the answer is lost with the connection
            pass

    async with client_of(serve) as client:
        answer, _ = await http.post_form(client, "/", {"a": "x" * LARGE}, max_bytes=10)
    assert answer.status == 413


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_no_answer(sent: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        await reader.read()

    async with client_of(serve) as client:
        with pytest.raises(ArchiveUnavailableError):
            await http.get(client, "/", accept="*/*", max_bytes=10, retry=ONCE)


async def test_a_request_that_is_cancelled_leaves_its_connection_to_nobody() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        if connections == 1:
            asked.set()
            await reader.read()  # until it is closed
            closed.set()
        else:
            writer.write(head(2) + b"[]")
            await writer.drain()

    asked, closed = asyncio.Event(), asyncio.Event()
    async with client_of(serve) as client:
        first = asyncio.create_task(http.get(client, "/", accept="*/*", max_bytes=10, retry=ONCE))
        await asked.wait()
        first.cancel()
        await closed.wait()
        _, body = await http.get(client, "/", accept="*/*", max_bytes=10, retry=ONCE)
    assert (body, connections, first.cancelled()) == (b"[]", 2, True)


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(head(2) + b"[]")
    await writer.drain()


async def test_an_address_that_does_not_answer_keeps_nobody_from_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    name = "two.example"

    async def resolved(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        addresses = (
            ["192.0.2.1", "127.0.0.1"] if host == name else [host]
        )  # TEST-NET-1 is nobody's (RFC 5737)
        return [(AF_INET, SOCK_STREAM, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(loop, "getaddrinfo", resolved)
    async with client_of(answers) as client:
        async with http.client(str(client.base_url).replace("127.0.0.1", name), connect_seconds=2) as by_name:
            _, body = await http.get(by_name, "/", accept="*/*", max_bytes=10, retry=ONCE)
            assert body == b"[]"
        async with http.client(f"http://{name}:9", connect_seconds=2) as nobody:
            with pytest.raises(ArchiveUnavailableError, match="no connection"):
                await http.get(nobody, "/", accept="*/*", max_bytes=10, retry=ONCE)


def test_it_is_the_same_on_the_event_loop_of_the_service() -> None:
    async def ask() -> bytes:
        async with client_of(answers) as client:
            _, body = await http.get(client, "/", accept="*/*", max_bytes=10, retry=ONCE)
        return body

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask()) == b"[]"
