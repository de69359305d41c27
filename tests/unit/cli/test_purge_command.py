"""`heltig purge`."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner, Result
from msgspec.structs import replace
from unit.store.samples import MAIN, judge, snapshot

from heltig.cli import heltig
from heltig.cli.database import open_database
from heltig.errors import NotFoundError, UsageError
from heltig.settings import Settings
from heltig.store import states, studies


def run(home: Path, *arguments: str) -> Result:
    environment = {"HELTIG_HOME": str(home), "HELTIG_KEEP_WITHDRAWN": "30", "HELTIG_KEEP_JOBS": "forever"}
    return CliRunner().invoke(heltig, ("purge", *arguments), env=environment)


def test_purge(tmp_path: Path) -> None:
    async def fill() -> None:
        async with open_database(Settings(home=tmp_path)) as store:
            gone = datetime.now(UTC) - timedelta(days=40)
            for study in ("1.1", "1.2"):
                await judge(store, replace(snapshot(study=study), received=gone))
            await store.write_durably(states.withdraw, MAIN, "1.1", at=gone)

    asyncio.run(fill())
    assert "withdrawn             1 would be removed, about" in run(tmp_path, "--dry-run").stdout
    found = json.loads(run(tmp_path, "--format", "json").stdout)
    assert found["kinds"]["withdrawn"]["count"] == 1
    assert "withdrawn             0 removed  (kept 30 days, HELTIG_KEEP_WITHDRAWN)" in run(tmp_path).stdout
    assert isinstance(run(tmp_path, "--study", "1.1", "--reason", "wrong").exception, NotFoundError)
    assert isinstance(run(tmp_path, "--study", "1.2").exception, UsageError)
    assert isinstance(run(tmp_path, "--study", "1.2", "--dry-run").exception, UsageError)
    removed = run(tmp_path, "--study", "1.2", "--location", "archive:main", "--reason", "wrong", "--vacuum")
    assert "Study 1.2 of archive:main is removed. It was READY." in removed.stdout
    assert "room" in removed.stdout or "smaller" in removed.stdout

    async def left() -> int:
        async with open_database(Settings(home=tmp_path)) as store:
            return len(await store.read(studies.find_everywhere, "1.2"))

    assert asyncio.run(left()) == 0
