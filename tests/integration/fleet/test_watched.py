"""An archive that is watched by worker processes, some of which are killed at their work."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from servers.dicomweb import study

from heltig.cli import heltig
from heltig.demo.archive import LoopbackArchive
from heltig.pipeline.publish import render
from heltig.store import changes, studies
from heltig.store.archives import location_of
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

STUDIES = 12
UIDS = [f"1.2.826.0.1.{number}" for number in range(STUDIES)]


@contextmanager
def worker_process(environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "heltig", "worker"], env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def states(transaction: ReadTransaction) -> list[str]:
    """Of the studies that are known so far."""
    found = [studies.find(transaction, location_of("main"), uid) for uid in UIDS]
    return [one.state for one in found if one is not None]


def verdicts(transaction: ReadTransaction) -> list[str]:
    """The studies of which a verdict was told, in one query: those who judge need the machine."""
    return [change.study_key for change in changes.since(transaction, 0, limit=1000) if change.readiness]


async def until_judged(store: Store, number: int) -> None:
    async with asyncio.timeout(180):
        while len(set(await store.read(verdicts))) < number:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


# On SQLite, and without Redis, the tests of the killed workers beside this one run each stage.
@pytest.mark.parametrize(("url", "redis_url"), [("postgresql", "is rung for")], indirect=True)
async def test_every_study_is_judged_once_whoever_is_killed(url: str, redis_url: str, tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "HELTIG_HOME": str(tmp_path),
        "HELTIG_DATABASE_URL": url,
        "HELTIG_REDIS_URL": redis_url,
        "HELTIG_WORKERS": "1",
    }
    instances = [part for uid in UIDS for part in study(uid, series=1, instances=2)]
    async with LoopbackArchive(instances) as archive:
        add = ["archives", "add", "main", archive.url, "--strategy", "listing"]
        add += ["--poll-seconds", "1", "--quiet-seconds", "0"]
        runner = CliRunner(env=environ)
        await asyncio.to_thread(runner.invoke, heltig, add, catch_exceptions=False)

        store = await Store.open(url, render=render)
        with ExitStack() as stack:
            first = stack.enter_context(worker_process(environ))
            await until_judged(store, 1)
            first.kill()
            second = stack.enter_context(worker_process(environ))
            await until_judged(store, STUDIES // 2)
            second.kill()
            # Whoever starts on the same host takes back at once what the dead had; others wait for the lease.
            third = stack.enter_context(worker_process(environ))
            await until_judged(store, STUDIES)
            assert await store.read(states) == ["JUDGED"] * STUDIES
            assert third.poll() is None
        said = await store.read(verdicts)
        await store.close()
    assert sorted(said) == sorted(UIDS)
