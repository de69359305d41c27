"""A service whose people and programs an OpenID provider knows, and a browser of one of its people."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from servers.openid import AUDIENCE, CLIENT, SECRET, OpenIDProvider, openid_provider
from unit.api.service import LATER, Service, running
from unit.clock import Clock

SITE = "https://heltig.example"
SESSION = "__Host-heltig-session"
LOGIN = "__Host-heltig-login"
SAME = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Site:
    """A running one: the service, its provider and their clock."""

    service: Service
    provider: OpenIDProvider
    clock: Clock

    def browser(self) -> httpx.AsyncClient:
        """A browser without cookies. It follows nothing by itself."""
        transport = httpx.ASGITransport(
            self.service.app,  # type: ignore[arg-type]
            raise_app_exceptions=False,
            client=("10.1.2.3", 50000),
        )
        return httpx.AsyncClient(transport=transport, base_url=SITE, headers={"Accept": "text/html"})

    async def answer(self, browser: httpx.AsyncClient, to: str = "") -> str:
        """Has a browser log in at the provider; returns where that sends it."""
        start = await browser.get("/login/start", params={"to": to} if to else {})
        assert start.status_code == 303, start.text
        async with httpx.AsyncClient(trust_env=False) as network:
            sent = await network.get(start.headers["location"])
        return sent.headers["location"]

    async def log_in(self, browser: httpx.AsyncClient, to: str = "") -> httpx.Response:
        return await browser.get(await self.answer(browser, to))

    async def ask(self, token: str, path: str = "/consult/studies/1.2") -> httpx.Response:
        """What a program with a token gets."""
        await asyncio.sleep(0)
        return await self.service.get(path, headers={"Authorization": f"Bearer {token}"})


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


@asynccontextmanager
async def openid_site(home: Path, **settings: Any) -> AsyncIterator[Site]:
    """Runs one.

    Args:
        home: The folder of its data.
        **settings: Other than those that every one has.
    """
    clock = Clock(LATER)
    secret = home.parent / "client-secret"
    await asyncio.to_thread(secret.write_text, SECRET)
    async with openid_provider(clock) as (provider, _):
        given: dict[str, Any] = {
            "auth_mode": "hybrid",
            "public_url": SITE,
            "oidc_issuer": provider.issuer,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": f"file:{secret}",
            "oidc_audience": (AUDIENCE,),
            "oidc_roles": ("heltig-readers=reader", "heltig-admins=admin", "heltig-archive=archive"),
            **settings,
        }
        async with running(home, clock=clock, server=SITE, **given) as service:
            yield Site(service, provider, clock)
