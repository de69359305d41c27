"""A receiver of webhooks on loopback, which answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from servers.httpd import Asked, httpd
from servers.scripted import answer

Answering = Callable[[Asked], bytes]


def takes(asked: Asked) -> bytes:
    return answer(b"thank you")


@dataclass
class Receiver:
    """A running one.

    Attributes:
        root: Its address.
        got: All requests, in their order.
        answering: What it answers; takes all by default.
    """

    root: str = ""
    got: list[Asked] = field(default_factory=list)
    answering: Answering = takes
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.root}/hooks/heltig?token=t0p"

    @property
    def events(self) -> list[str]:
        return [asked.headers["heltig-event"] for asked in self.got]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(asked.body) for asked in self.got]

    @property
    def deliveries(self) -> list[str]:
        return [asked.headers["heltig-delivery"] for asked in self.got]

    async def asked(self, number: int) -> None:
        """Waits for so many requests."""
        async with asyncio.timeout(60):
            while len(self.got) < number:
                self._news.clear()
                await self._news.wait()

    def __call__(self, asked: Asked) -> bytes:
        self.got.append(asked)
        self._news.set()
        return self.answering(asked)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Runs one for as long as it is needed."""
    made = Receiver()
    async with httpd(made) as running:
        made.root = running.root
        yield made
