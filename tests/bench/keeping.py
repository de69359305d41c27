"""Purging and backing up a large SQLite database: seconds, and how long others wait at most.

    python tests/bench/keeping.py [STUDIES]

Each study has two verdicts of three findings and two snapshots of one series; of half of them all is old.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
from msgspec.structs import replace
from unit.store.databases import render
from unit.store.samples import finding, judge, series, snapshot

from heltig.cli.database import open_database
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.backup.making import back_up
from heltig.pipeline.backup.restoring import restore
from heltig.pipeline.retention.ages import Retention
from heltig.pipeline.retention.purge import KIND, PurgeDesk
from heltig.settings import Settings
from heltig.store.engine import Store

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=1000)


def now() -> datetime:
    return NOW


async def fill(home: Path, count: int) -> None:
    """One study by the ways of the service, and as many copies of its rows."""
    async with open_database(Settings(home=home)) as store:
        for number in (1, 2):
            new = snapshot([series(content=f"{number} {'x' * 20_000}")], study="1")
            await judge(store, replace(new, received=OLD), *[finding(f"RULE-{n}", "note") for n in range(3)])
    with sqlite3.connect(home / "heltig.db", isolation_level=None) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("BEGIN")
        database.execute("CREATE TEMP TABLE n (n INTEGER)")
        database.executemany("INSERT INTO n VALUES (?)", ((number,) for number in range(1, count)))
        _copy(database, "studies", "id", "t.id = 1")
        for table in ("verdicts", "snapshots", "series", "lookups", "study_patients"):
            _copy(database, table, "study_row", "t.study_row = 1")
        _copy(database, "findings", "verdict_row", "t.verdict_row <= 2", step=2)
        _copy(database, "snapshot_series", "snapshot_row", "t.snapshot_row <= 2", step=2)
        old, new = (time.strftime("%Y-%m-%d %H:%M:%S.%f") for time in (OLD, NOW - timedelta(days=5)))
        for table, column in (("verdicts", "judged"), ("snapshots", "received")):
            database.execute(f"DROP TRIGGER {table}_refuse_update")
            database.execute(
                f"UPDATE {table} SET {column} = iif(study_row % 2, ?, ?)",  # noqa: S608
                (new, old),
            )
        database.execute("COMMIT")


def _copy(database: sqlite3.Connection, table: str, key: str, which: str, *, step: int = 1) -> None:
    """Copies rows of the first study, each with keys of its own."""
    changed = {key: f"t.{key} + {step} * n.n", "study_key": "'1.' || n.n"}
    if key == "study_row":
        changed["id"] = f"t.id + {2 if table in ('verdicts', 'snapshots') else 1} * n.n"
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changed.get(column, f't."{column}"') for column in columns)
    database.execute(f"INSERT INTO {table} SELECT {values} FROM {table} t, n WHERE {which}")  # noqa: S608


async def timed(what: str, work: Awaitable[Any]) -> Any:
    began, cpu = time.perf_counter(), time.process_time()
    result = await work
    print(f"{what:<12} {time.perf_counter() - began:8.1f} s wall {time.process_time() - cpu:8.1f} s CPU")
    return result


def longest_write(store: Store) -> Callable[[], float]:
    write = store.database.write
    longest = 0.0

    async def measured(*args: Any, **kwargs: Any) -> Any:
        nonlocal longest
        began = time.perf_counter()
        try:
            return await write(*args, **kwargs)
        finally:
            longest = max(longest, time.perf_counter() - began)

    store.database.write = measured  # type: ignore[method-assign]
    return lambda: longest


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, there = Path(folder) / "home", Path(folder) / "there"
        home.mkdir()
        there.mkdir()
        await fill(home, count)
        file = home / "heltig.db"
        print(f"{count:,} studies, {file.stat().st_size / 1e6:,.0f} MB")
        async with open_database(Settings(home=home)) as store:
            backup = Path(folder) / "backup"
            await timed("backup", back_up(store, home, backup, with_secrets=True, clock=now))
            print(f"  {backup.stat().st_size / 1e6:,.0f} MB")
            other = await Store.open(f"sqlite+aiosqlite:///{there / 'heltig.db'}", render=render)
            await timed(
                "restore", restore(other, Settings(home=there), backup, clock=now, actor="b", origin="")
            )
            await other.close()
            queue = JobQueue(store, clock=now)
            desk = PurgeDesk(queue, Retention.of(Settings(home=home)), clock=now)
            report = await timed("dry run", desk.would_purge())
            await desk.start(dry_run=False, actor="bench", origin="")
            longest = longest_write(store)
            await timed("purge", Runner(queue, {KIND: desk.run}, places=1).drain())
            gone = {kind: one.count for kind, one in report.kinds.items() if one.count}
            print(f"  {gone}; the longest transaction {longest() * 1000:.0f} ms")
            freed = await timed("vacuum", store.compact())
            print(f"  {freed / 1e6:,.0f} MB freed")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
