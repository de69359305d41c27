"""A load that does not wait for answers: so many requests a second, whatever the server does.

    python tests/bench/lookups_load.py URL KEY --rate 1000 --seconds 10 --studies 1000000

Prints JSON: percentiles of the milliseconds from when a request was due, not from when it was sent, so that
a server that stalls does not hide behind requests that were never made (coordinated omission).
"""

import argparse
import asyncio
import json
import random
from collections import deque
from urllib.parse import urlsplit

from lookups_filled import uid

CONNECTIONS = 64


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._due = 0.0
        self._left = -1
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def ask(self, request: bytes, due: float) -> None:
        self._due, self._left, self._head = due, -1, b""
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(head.decode())
            self._left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            data = body
        self._left -= len(data)
        if not self._left:
            self._load.answered(self, self._due)


class Load:
    """Requests that are due, and the connections that are free."""

    def __init__(self, rate: float, seconds: float, *, studies: int, key: str) -> None:
        self.milliseconds: list[float] = []
        self._rate, self._number = rate, int(rate * seconds)
        self._form = (
            "GET /dicom-web/studies/%s/readiness HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        )
        self._form += f"{key}\r\nAccept: application/dicom+json\r\n\r\n"
        self._studies = studies
        self._free: list[Connection] = []
        self._waiting: deque[float] = deque()
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()

    def answered(self, connection: Connection, due: float) -> None:
        self.milliseconds.append((self._loop.time() - due) * 1e3)
        if self._waiting:
            self._ask(connection, self._waiting.popleft())
        else:
            self._free.append(connection)
        if len(self.milliseconds) == self._number:
            self._done.set()

    async def run(self, host: str, port: int) -> None:
        for _ in range(CONNECTIONS):
            _, made = await self._loop.create_connection(lambda: Connection(self), host, port)
            self._free.append(made)
        began = self._loop.time()
        for number in range(self._number):
            due = began + number / self._rate
            if (left := due - self._loop.time()) > 0:
                await asyncio.sleep(left)
            if self._free:
                self._ask(self._free.pop(), due)
            else:
                self._waiting.append(due)
        await self._done.wait()

    def _ask(self, connection: Connection, due: float) -> None:
        connection.ask((self._form % uid(random.randrange(1, self._studies))).encode(), due)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--studies", type=int, default=1_000_000)
    given = parser.parse_args()
    at = urlsplit(given.url)
    load = Load(given.rate, given.seconds, studies=given.studies, key=given.key)
    await load.run(at.hostname or "", at.port or 80)
    times = sorted(load.milliseconds)
    print(json.dumps({f"p{p}": round(times[int(len(times) * p / 100)], 2) for p in (50, 90, 99, 99.9)}))


if __name__ == "__main__":
    asyncio.run(main())
