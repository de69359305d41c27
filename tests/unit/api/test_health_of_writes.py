"""The service is not ready while what it does now and then fails."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
from unit.api.service import Service

from heltig.app import create_app
from heltig.settings import Settings


async def test_not_ready_while_its_heartbeat_cannot_be_written(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", workers=1)
    async with create_app(settings).lifespan():
        pass
    with closing(sqlite3.connect(settings.home / "heltig.db")) as database:
        database.execute(  # it is heard of once, or it would not start
            "CREATE TRIGGER full BEFORE UPDATE ON workers BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        database.commit()
    app = create_app(settings)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8042") as client,
        asyncio.timeout(60),
    ):
        service = Service(app, client, settings.home)
        while (answer := await service.get("/health/ready")).status_code == 200:
            pass
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/storage")
        assert (await service.get("/health")).status_code == 200
