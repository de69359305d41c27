"""A server that is stopped answers those who still wait."""

import asyncio
from typing import Any

import httpx
import pytest
from unit.api.service import Service

from heltig.api.headers import SafeHeaders
from heltig.api.stopping import Stopping

WAITING: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/dicom-web/studies/1.2.3/readiness",
    "raw_path": b"/dicom-web/studies/1.2.3/readiness",
    "query_string": b"wait=60",
    "root_path": "",
    "headers": [(b"host", b"localhost")],
    "client": ("127.0.0.1", 50000),
    "server": ("127.0.0.1", 8042),
}


class Client:
    """Says nothing more, and takes what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.asked = asyncio.Event()

    async def receive(self) -> Any:
        self.asked.set()
        return await asyncio.Future()

    async def send(self, message: Any) -> None:
        self.sent.append(message)


async def test_who_waits_is_told_to_ask_again(service: Service) -> None:
    client = Client()
    waiting = asyncio.create_task(service.app({**WAITING}, client.receive, client.send))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    waiting.cancel()  # as uvicorn does three seconds after it was told to stop
    await waiting
    start, body = client.sent
    headers = dict(start["headers"])
    assert (start["status"], headers[b"content-type"]) == (503, b"application/problem+json")
    assert int(headers[b"retry-after"]) > 0
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"/problems/stopping" in body["body"]


async def test_an_answer_that_has_begun_is_cut() -> None:
    begun = asyncio.Event()

    async def streaming(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        await asyncio.Future()

    client, served = Client(), SafeHeaders(Stopping(streaming), https=False)
    waiting = asyncio.create_task(served({**WAITING}, client.receive, client.send))  # type: ignore[arg-type]
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(client.sent) == 1


async def test_others_are_answered_as_ever(service: Service) -> None:
    answer: httpx.Response = await service.get("/health")
    assert answer.status_code == 200
