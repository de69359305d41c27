"""Whole archives pulled by real processes that are killed, and two Orthancs compared after a migration."""

import asyncio
import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from integration.fleet.test_watched import worker_process
from integration.test_orthanc_pull import series
from servers.fault_archive import FaultArchive, many, running_fault_archive
from servers.orthanc import Orthanc, OrthancNotInstalledError, running_orthanc
from unit.store.databases import sqlite_url

from heltig.cli import heltig
from heltig.demo.answer import Faults
from heltig.pipeline.publish import render
from heltig.store import backfill_studies, backfills, changes
from heltig.store.engine import Store

STUDIES = 40
OVER = (0, 10, 20)
"""Exit codes of a backfill that came to its end."""


@dataclass
class Home:
    """An installation.

    Attributes:
        folder: Its HELTIG_HOME.
        secret: What `env:HELTIG_SECRET_PACS` is.
    """

    folder: Path
    secret: str = ""

    @property
    def own(self) -> dict[str, str]:
        return {"HELTIG_HOME": str(self.folder), "HELTIG_WORKERS": "1", "HELTIG_SECRET_PACS": self.secret}

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, **self.own}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command in a process of its own, to be killed or watched."""
        command = [sys.executable, "-m", "heltig", *arguments]
        return subprocess.Popen(command, env=self.environ, stdout=subprocess.PIPE, text=True)

    async def run(self, *arguments: str) -> tuple[int, str]:
        """A command in this process, which has imported everything: that takes longer than most commands."""
        runner = CliRunner(env=self.own)
        done = await asyncio.to_thread(runner.invoke, heltig, arguments, catch_exceptions=False)
        return done.exit_code, done.stdout

    async def outcomes(self) -> list[dict[str, int]]:
        """Of each backfill, the oldest first."""
        store = await Store.open(sqlite_url(self.folder / "heltig.db"), render=render)
        found = await store.read(backfills.newest)
        counts = [await store.read(backfill_studies.counts, one.id, now=one.started) for one in found]
        await store.close()
        return [dict(one.outcomes) for one in reversed(counts)]

    async def judged(self) -> list[str]:
        """The studies of all verdicts that were given."""
        store = await Store.open(sqlite_url(self.folder / "heltig.db"), render=render)
        said = await store.read(changes.since, 0, limit=10_000)
        await store.close()
        return [change.study_key for change in said if change.readiness]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def server() -> Iterator[FaultArchive]:
    with running_fault_archive() as made:
        yield made


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(180):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


def pulled(archive: FaultArchive) -> int:
    return len({one.path for one in list(archive.requests) if one.path.endswith("/metadata")})


async def test_a_command_that_is_killed_goes_on_where_it_was(server: FaultArchive, home: Home) -> None:
    server.begin_anew(many(STUDIES, undated=5))
    server.habits.search_cap = 25
    server.faults = Faults(status=429, times=3)
    assert (await home.run("archives", "add", "main", server.url, "--strategy", "none"))[0] == 0
    for share in (3, 2):
        process = home.start("pull", "main", "--backfill")
        await until(lambda share=share: pulled(server) >= STUDIES // share)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.communicate()
    output = home.folder / "report.csv"
    code, told = await home.run("pull", "main", "--backfill", "--output", str(output))
    assert code in OVER, told
    assert "Going on with backfill 1" in told
    (outcomes,) = await home.outcomes()
    listed = sum(outcomes.values())
    assert outcomes == {"judged": listed}
    assert listed == STUDIES
    assert sorted(await home.judged()) == sorted(f"1.{n}" for n in range(STUDIES))
    total = next(csv.DictReader(output.read_text().splitlines()))
    assert (total["studies"], total["instances"]) == (str(listed), str(listed))


async def test_workers_that_are_killed_are_watched_to_the_end(server: FaultArchive, home: Home) -> None:
    server.begin_anew(many(STUDIES))
    added = ("archives", "add", "main", server.url, "--strategy", "none", "--quiet-seconds", "0")
    assert (await home.run(*added))[0] == 0
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_process(home.environ)) for _ in range(2)]
        await until((home.folder / "heltig.db.host").exists)
        command = home.start("pull", "main", "--backfill")
        await until(lambda: pulled(server) >= STUDIES // 3)
        workers[0].kill()
        told, _ = await asyncio.to_thread(command.communicate, timeout=300)
        assert workers[1].poll() is None
    assert command.returncode in OVER, told
    assert (await home.outcomes()) == [{"judged": STUDIES}]
    assert sorted(await home.judged()) == sorted(f"1.{n}" for n in range(STUDIES))


@pytest.mark.orthanc
async def test_a_migration_from_one_orthanc_to_another(orthanc: Orthanc, home: Home, tmp_path: Path) -> None:
    home.secret = orthanc.password
    studies = {uid: series(uid, 3, StudyDate="20260102") for uid in ("1.2.3.1", "1.2.3.2", "1.2.3.3")}
    with ExitStack() as stack:
        try:
            new = stack.enter_context(running_orthanc(_made(tmp_path / "new")))
        except OrthancNotInstalledError as missing:
            pytest.skip(f"needs {missing}")
        for name, one in (("old", orthanc), ("new", new)):
            access = ("--user", one.username, "--password-secret", "env:HELTIG_SECRET_PACS")
            assert (await home.run("archives", "add", name, one.root, *access, "--strategy", "none"))[0] == 0
        for files in studies.values():
            orthanc.store(files)
        new.store(studies["1.2.3.1"])
        new.store(studies["1.2.3.2"][:2])
        for name in ("old", "new"):
            code, told = await home.run("pull", name, "--backfill")
            assert code in OVER, told
        code, told = await home.run("compare", "old", "new", "--format", "csv", "--all")
        assert code == 10
        found = {row["study"]: row for row in csv.DictReader(told.splitlines())}
        assert {uid: row["status"] for uid, row in found.items()} == {
            "1.2.3.1": "equal",
            "1.2.3.2": "different",
            "1.2.3.3": "only-source",
        }
        assert found["1.2.3.2"]["only_source"] == "1"

        new.store([*studies["1.2.3.2"][2:], *studies["1.2.3.3"]])
        code, told = await home.run("pull", "new", "--backfill")
        assert code in OVER, told
        code, told = await home.run("compare", "old", "new")
        assert (code, told) == (0, "3 studies: 3 equal.\n")
    first, second, third = await home.outcomes()
    assert (first, second) == ({"judged": 3}, {"judged": 2})
    assert third == {"known": 1, "judged": 2}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
