"""The service is not ready while what it does now and then fails."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from unit.api.service import running


@pytest.mark.skipif("HELTIG_TEST_POSTGRES" in os.environ, reason="breaks an SQLite database by hand")
async def test_not_ready_while_nothing_can_be_written(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with running(home):
        pass
    with closing(sqlite3.connect(home / "heltig.db")) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON workers BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
        database.commit()
    async with running(home) as service, asyncio.timeout(10):
        while (answer := await service.get("/health/ready")).status_code == 200:
            pass
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/storage")
        assert (await service.get("/health")).status_code == 200
