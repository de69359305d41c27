"""`heltig archives status` over a database with archives in it."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from unit.store import pulling
from unit.store.pulling import MINUTE

from heltig.cli import heltig
from heltig.errors import NotFoundError
from heltig.jobs.queue import utc_now
from heltig.pipeline.publish import render
from heltig.store.engine import Store
from heltig.store.migrations import upgrade


async def fill(home: Path) -> None:
    store = await Store.open(f"sqlite+aiosqlite:///{home / 'heltig.db'}", render=render)
    await upgrade(store)
    now = utc_now()
    await pulling.add_archive(store, "main", capabilities={"counts": False})
    await pulling.add_archive(store, "quiet", paused=True)
    await pulling.put_cursor(
        store, "main", covered=now - 2 * MINUTE, finished=now, position="1.2.840.99.4711"
    )
    await pulling.put_breaker(store, "main", "metadata", state="half-open")
    await pulling.put_job(store, "pull", "main", state="dead")
    await pulling.put_answers(store, "main", 0.2, 0.2, at=now)
    await store.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("status") / "home"
    made.mkdir()
    asyncio.run(fill(made))
    return made


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, ["archives", "status", *arguments], env={"HELTIG_HOME": str(home)})


def test_all_archives_in_a_line_each(home: Path) -> None:
    main, quiet, service = run(home).stdout.splitlines()
    assert main.startswith("main   current    lag 12")
    assert main.endswith("1 given up")
    assert quiet == "quiet  paused     never read"
    assert service == "0 workers; jobs: 0 at work, 0 wait, 1 given up"


def test_one_archive_in_full(home: Path) -> None:
    told = run(home, "main").stdout
    for text in (
        "main: current. All that changed in it is known.",
        "  hot: known until",
        "breaker of metadata: half-open until",
        "15 min, metadata: 0.1 a minute, 0.0% errors, p50 0.",
        "Counts no instances",
    ):
        assert text in told
    assert "4711" not in told


def test_as_json_it_is_what_rest_says(home: Path) -> None:
    assert [one["state"] for one in json.loads(run(home, "--json").stdout)["archives"]] == [
        "current",
        "paused",
    ]
    assert json.loads(run(home, "main", "--json").stdout)["queue"]["dead"] == 1


def test_no_such_archive(home: Path) -> None:
    assert isinstance(run(home, "nobody").exception, NotFoundError)
