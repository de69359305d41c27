"""Headers of answers that no route made, and of sites with TLS; tests/contract has those of all others."""

import re
from pathlib import Path
from typing import Any

import httpx
from unit.api.service import in_one_task, running

from heltig.api.headers import SafeHeaders, sealed


async def test_where_people_come_by_https_they_are_told_to_stay(tmp_path: Path) -> None:
    async with in_one_task(running(tmp_path / "home", public_url="https://heltig.example/x")) as service:
        for path in ("/health", "/nothing", "/"):
            answer = await service.get(path)
            assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_fault_before_the_routes_is_a_problem_like_others() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("Doe^John")

    transport = httpx.ASGITransport(SafeHeaders(broken, https=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://us") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.headers["x-frame-options"] == "DENY"
    assert "strict-transport-security" not in answer.headers
    assert "Doe" not in answer.text


async def test_nothing_that_is_said_further_in_weakens_them() -> None:
    async def weak(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"X-Frame-Options", b"ALLOWALL"), (b"x-content-type-options", b"")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    transport = httpx.ASGITransport(SafeHeaders(weak, https=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://us") as client:
        answer = await client.get("/")
    assert answer.headers.get_list("x-frame-options") == ["DENY"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


def test_a_page_that_stands_alone_has_its_own_style_sheets_and_no_other() -> None:
    # echo -n 'a{color:red}' | openssl dgst -sha256 -binary | base64
    policy = sealed("<style>a{color:red}</style><p style='color:red'>")
    assert re.findall("style-src ([^;]*)", policy) == [
        "'sha256-6hWWMOcF+mJesSJGYhmK2lkIIEw9Xc5XKGLPVzh8yxs='"
    ]
    assert "style-src 'none'" in sealed("<p>")
