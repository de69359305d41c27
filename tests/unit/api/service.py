"""A running service for tests: the real application, asked over ASGI in the test's own event loop."""

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from litestar import Litestar
from synthetic import synthetic_study
from unit.store.databases import database_url
from unit.store.samples import NOW, judge, snapshot

from heltig.api.services import Services
from heltig.app import Routed, create_app, routed
from heltig.auth import keys
from heltig.auth.keys import NewKey
from heltig.auth.principal import Area, Role
from heltig.demo.samples import part10_files
from heltig.demo.studies import SyntheticStudy
from heltig.rules.finding import Finding
from heltig.setting_types import SecretUrl
from heltig.settings import Settings
from heltig.store import audit_trail
from heltig.store.audit_trail import AuditEntry
from heltig.store.records import Published
from heltig.verdict import Readiness

T = TypeVar("T")

together = pytest.mark.asyncio(loop_scope="module")
"""For tests that ask one service, which has the event loop of their module."""

DICOM_JSON = "application/dicom+json"
LATER = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

_idle: list[Routed] = []
"""Routes of services that have ended. To make them takes longer than most tests."""


class Service:
    """The application with a client of it."""

    def __init__(self, app: Litestar, client: httpx.AsyncClient, home: Path) -> None:
        self.app = app
        self.client = client
        self.home = home

    @property
    def services(self) -> Services:
        found: Services = self.app.state["services"]
        return found

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Asks, and lets others have their turn, as a connection would: some answers wait for nothing."""
        await asyncio.sleep(0)
        return await self.client.get(path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.post(path, **options)

    async def judged(
        self, study: str, *findings: Finding, readiness: Readiness = "READY", **of_snapshot: Any
    ) -> Published:
        """A study with a verdict in the store."""
        return await judge(
            self.services.store, snapshot(study=study, **of_snapshot), *findings, readiness=readiness
        )

    async def key(self, role: Role, *areas: Area, name: str = "") -> dict[str, str]:
        """A new key, as the header of a request."""
        new = NewKey(name=name or f"{role}-{'-'.join(areas)}", role=role, areas=areas)
        made = await self.services.store.write_durably(keys.create, new, actor="test", origin="", now=NOW)
        return {"Authorization": f"Bearer {made}"}

    async def audit(self, action: str) -> list[AuditEntry]:
        return await self.services.store.read(audit_trail.entries, action=action)

    def spooled(self) -> list[str]:
        """Every file in the spool, by the name of its folder."""
        return sorted(file.parent.name for file in (self.home / "spool").rglob("*") if file.is_file())


@asynccontextmanager
async def running(
    home: Path,
    *,
    clock: Callable[[], datetime] = lambda: LATER,
    client: tuple[str, int] = ("127.0.0.1", 50000),
    server: str = "http://127.0.0.1:8042",
    **settings: Any,
) -> AsyncIterator[Service]:
    """Runs a service with its data in a folder.

    Args:
        home: The folder.
        clock: The time.
        client: Where requests come from.
        server: What clients call us.
        **settings: Other than the defaults.
    """
    await asyncio.to_thread(home.mkdir, exist_ok=True)
    async with database_url(home) as url:
        if url.startswith("postgresql"):
            settings["database_url"] = SecretUrl(url)
        if redis := os.environ.get("HELTIG_TEST_REDIS_URL"):
            # Of each process of the tests its own: whoever reads a message takes it from all others.
            number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
            settings["redis_url"] = SecretUrl(f"{redis}?db={number}")
        routes = _idle.pop() if _idle else routed()
        app = create_app(Settings(home=home, workers=1, **settings), clock=clock, routes=routes)
        async with app.lifespan():
            transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=client)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url=server) as http:
                yield Service(app, http, home)
        _idle.append(routes)


@asynccontextmanager
async def in_one_task(context: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enters and leaves a context in one task: pytest runs the two halves of a fixture in two."""
    entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def hold() -> None:
        async with context as value:
            entered.set_result(value)
            await leave.wait()

    task = asyncio.create_task(hold())
    await asyncio.wait([task, entered], return_when=asyncio.FIRST_COMPLETED)
    if not entered.done():
        await task
    yield await entered
    leave.set()
    await task


def zip_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as package:
        for name, content in members:
            package.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def synthetic(name: str) -> SyntheticStudy:
    return synthetic_study(name)


def study_zip(*names: str) -> bytes:
    """A ZIP of synthetic studies."""
    return zip_of(
        (f"{name}/{file}", content) for name in names for file, content in part10_files(synthetic(name))
    )


def values(dataset: dict[str, Any], tag: str) -> list[Any]:
    found: list[Any] = dataset[tag].get("Value", [])
    return found
