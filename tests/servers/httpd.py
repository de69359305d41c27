"""A loopback server that asks a function for each answer, with or without TLS, and keeps connections open."""

import asyncio
import inspect
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from servers.scripted import answer


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        method: `GET`, `POST` …
        target: Path and query, as they were sent.
        headers: By name in lower case.
        body: All of it.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


Handler = Callable[[Asked], bytes | Awaitable[bytes]]
"""Gives the bytes of an answer, such as `servers.scripted.answer` makes; none of them hangs up."""


@dataclass
class Httpd:
    """A running one.

    Attributes:
        root: Its address, without a slash at the end.
        requests: What it was asked.
    """

    root: str
    requests: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def httpd(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Httpd]:
    """Runs a server for as long as it is needed."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            connections.add(task)
        try:
            while asked := await _read(reader):
                running.requests.append(asked)
                given = handler(asked)
                if inspect.isawaitable(given):
                    given = await given
                if not given:
                    break
                writer.write(given)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    running = Httpd(root=f"{'https' if tls else 'http'}://127.0.0.1:{port}")
    try:
        yield running
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)


@dataclass
class TokenEndpoint:
    """What answers at a token endpoint: token after token, each taken by its archive until it is revoked.

    Attributes:
        asked: The requests for a token.
        life: What it says of a token's life, in seconds.
        refusal: What it answers instead of a token.
        revoked: Tokens that its archive does not take any more.
        untaken: Its archive takes no token at all.
    """

    asked: list[Asked] = field(default_factory=list)
    life: float | str | None = 3600
    refusal: bytes | None = None
    revoked: set[str] = field(default_factory=set)
    untaken: bool = False

    def __call__(self, asked: Asked) -> bytes:
        """Answers at `/token` as the endpoint, elsewhere as the archive: `200 []`, or 401."""
        if asked.path == "/token":
            self.asked.append(asked)
            return self.refusal or self._token()
        given = asked.headers.get("authorization", "").removeprefix("Bearer ")
        known = {f"token-{number}" for number in range(1, len(self.asked) + 1)}
        if self.untaken or given not in known - self.revoked:
            return answer(b"who are you?", status=401)
        return answer(b"[]", headers={"Content-Type": "application/dicom+json"})

    def _token(self) -> bytes:
        life = {} if self.life is None else {"expires_in": self.life}
        token = {"access_token": f"token-{len(self.asked)}", "token_type": "Bearer", **life}
        return answer(json.dumps(token).encode(), headers={"Content-Type": "application/json"})
