"""`heltig purge`."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from click.testing import CliRunner, Result
from msgspec.structs import replace
from unit.store.samples import MAIN, judge, snapshot

from heltig.cli import heltig
from heltig.cli.database import open_database
from heltig.errors import NotFoundError, UsageError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.retention.ages import Retention
from heltig.pipeline.retention.purge import KIND, PurgeDesk
from heltig.settings import Settings
from heltig.store import claims, jobs, states, studies
from heltig.store.jobs import Job


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


def test_a_purge_that_was_killed_is_gone_on_with_where_no_service_works(tmp_path: Path) -> None:
    async def begin_and_die() -> int:
        settings = Settings(home=tmp_path)
        async with open_database(settings) as store:
            before = datetime.now(UTC) - timedelta(minutes=10)
            desk = PurgeDesk(
                JobQueue(store, clock=lambda: before), Retention.of(settings), clock=lambda: before
            )
            job = await desk.start(dry_run=False, actor="host:me", origin="host")
            until = before + timedelta(minutes=1)
            await store.write(partial(claims.claim, kinds=[KIND], owner="gone", now=before, until=until))
            return job

    job = asyncio.run(begin_and_die())
    assert "withdrawn" in run(tmp_path).stdout

    async def ended() -> Job | None:
        async with open_database(Settings(home=tmp_path)) as store:
            return await store.read(jobs.find, job)

    found = asyncio.run(ended())
    assert found is not None
    assert (found.state, found.attempts) == ("succeeded", 2)
