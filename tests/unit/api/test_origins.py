"""Where requests are from, behind proxies and without."""

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from unit.api.service import in_one_task, running

from heltig.api.origins import Origins

PROXIES = ("10.0.0.0/8", "2001:db8::/32")


async def seen(
    headers: Mapping[str, str], *, peer: str = "10.1.1.1", believes_hosts: bool = True
) -> tuple[str, str, str] | int:
    """The client, scheme and host that the service sees; a status where it sees nothing."""
    found: list[tuple[str, str, str]] = []

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        hosts = [value.decode() for name, value in scope["headers"] if name == b"host"]
        found.append((scope["client"][0], scope["scheme"], ",".join(hosts)))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    origins = Origins(app, PROXIES, believes_hosts=believes_hosts)
    transport = httpx.ASGITransport(origins, client=(peer, 1))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://us") as client:
        answer = await client.get("/", headers=headers)
    return found[0] if found else answer.status_code


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ("10.1.1.1", "http", "us")),
        ({"X-Forwarded-For": "192.0.2.1"}, ("192.0.2.1", "http", "us")),
        # What a client wrote itself stands left of what the proxy saw.
        ({"X-Forwarded-For": "198.51.100.9, 192.0.2.1, 10.2.2.2"}, ("192.0.2.1", "http", "us")),
        ({"X-Forwarded-For": "192.0.2.1:4711"}, ("192.0.2.1", "http", "us")),
        ({"X-Forwarded-For": "::ffff:192.0.2.1"}, ("192.0.2.1", "http", "us")),
        ({"X-Forwarded-For": "192.0.2.1, unknown"}, ("10.1.1.1", "http", "us")),
        ({"X-Forwarded-For": "10.3.3.3"}, ("10.3.3.3", "http", "us")),
        ({"X-Forwarded-Proto": "https"}, ("10.1.1.1", "https", "us")),
        ({"X-Forwarded-Proto": "javascript"}, ("10.1.1.1", "http", "us")),
        ({"X-Forwarded-Host": "heltig.example"}, ("10.1.1.1", "http", "heltig.example")),
        ({"X-Forwarded-Host": "a/b"}, 400),
        (
            {"Forwarded": 'for="[2001:470::1]:80";proto=https;host=heltig.example'},
            ("2001:470::1", "https", "heltig.example"),
        ),
        ({"Forwarded": "for=192.0.2.1", "X-Forwarded-For": "192.0.2.1"}, ("192.0.2.1", "http", "us")),
        ({"Forwarded": "for=192.0.2.1", "X-Forwarded-For": "192.0.2.2"}, 400),
        ({"Host": "a@b"}, 400),
    ],
)
async def test_what_a_trusted_proxy_says(headers: dict[str, str], expected: object) -> None:
    assert await seen(headers) == expected


async def test_nobody_else_is_believed() -> None:
    headers = {"X-Forwarded-For": "10.1.1.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}
    assert await seen(headers, peer="192.0.2.7") == ("192.0.2.7", "http", "us")
    mapped = await seen({"X-Forwarded-For": "192.0.2.1"}, peer="::ffff:10.1.1.1")
    assert mapped == ("192.0.2.1", "http", "us")


async def test_where_our_name_is_all_that_is_asked_for_no_proxy_says_it() -> None:
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "localhost"}
    assert await seen(headers, believes_hosts=False) == ("192.0.2.1", "http", "us")


async def test_the_audit_trail_has_who_asked(tmp_path: Path) -> None:
    settings = {"auth_mode": "api-key", "trusted_proxies": ("127.0.0.1",)}
    async with in_one_task(running(tmp_path / "home", **settings)) as service:
        await service.get("/api/v1/studies", headers={"X-Forwarded-For": "192.0.2.1"})
        (entry,) = await service.audit("request.refuse")
        assert entry.origin == "192.0.2.1"
