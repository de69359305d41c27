"""A loopback server that answers with the next bytes of a script: for what real archives rarely do."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


class Drip(bytes):
    """In a script: the beginning of an answer that goes on for ever, a byte at a time."""


# In a script: the connection is closed without an answer, stays open without one, or has one that never
# ends to begin.
HANG_UP = b""
STAY_SILENT = None
DRIP = Drip(b"HTTP/1.1 200 -\r\nX-Long: ")

_DRIP_SECONDS = 0.01
_LENGTH = re.compile(r"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


def answer(
    body: bytes = b"", *, status: int = 200, headers: dict[str, str] | None = None, length: int | None = None
) -> bytes:
    """One HTTP answer. `length` is the Content-Length where it is not the body's."""
    given = {"Content-Length": str(len(body) if length is None else length), **(headers or {})}
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@dataclass
class ScriptedServer:
    """A running one.

    Attributes:
        root: Its address.
        requests: The heads of the requests it has got, as text.
    """

    root: str
    requests: list[str] = field(default_factory=list)


@asynccontextmanager
async def scripted_server(
    script: Sequence[bytes | None], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    """Runs a server that closes the connection after each answer; past the end of its script it hangs up."""
    left = list(script)
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            connections.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        running.requests.append(head)
        if length := _LENGTH.search(head):
            with suppress(asyncio.IncompleteReadError):  # of a client that goes
                await reader.readexactly(int(length[1]))
        following = left.pop(0) if left else HANG_UP
        if following is STAY_SILENT:
            await reader.read()  # until the client goes
        else:
            writer.write(following)
        if isinstance(following, Drip):
            await drip(writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def drip(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(_DRIP_SECONDS)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    running = ScriptedServer(root=f"{'https' if tls else 'http'}://127.0.0.1:{port}/dicom-web")
    async with server:
        yield running
    await asyncio.gather(*connections)
