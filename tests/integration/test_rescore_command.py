"""`heltig rescore` beside a server: verdicts follow a profile without any archive being asked."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner, Result
from servers.heltig_server import heltig_server
from unit.api.service import study_zip, values
from unit.store.databases import sqlite_url
from unit.store.samples import judge, snapshot

from heltig.audit.trail import open_trail
from heltig.cli import heltig
from heltig.errors import NotFoundError
from heltig.jobs.queue import utc_now
from heltig.pipeline.publish import render
from heltig.settings import Settings
from heltig.store.engine import Store
from heltig.store.migrations import upgrade


def run(home: Path, *arguments: str) -> Result:
    """A command beside the server."""
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home), "HELTIG_WORKERS": "1"})


def rescore(home: Path, *arguments: str) -> Result:
    return run(home, "rescore", *arguments)


def report(home: Path, *arguments: str) -> Any:
    done = rescore(home, "--format", "json", *arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_verdicts_follow_a_profile(tmp_path: Path) -> None:
    home, profile = tmp_path / "home", tmp_path / "lenient.toml"
    profile.write_text('off = ["PAT-ID-CONFLICT"]', "utf-8")
    with heltig_server(home) as server:
        assert "another ruleset" not in server.output
        sent = httpx.post(
            f"{server.url}/api/v1/jobs/upload",
            content=study_zip("two-patient-ids", "dx-hand"),
            timeout=120,
        )
        assert sent.status_code == 201
        dry = report(home, "--dry-run", "--profile", str(profile))
        assert (dry["dryRun"], dry["studies"], dry["moved"]) == (True, 2, 1)
        [move] = dry["moves"]
        assert (move["before"], "PAT-ID-CONFLICT" in move["beforeRules"]) == ("BLOCKED", True)
        address = f"{server.url}/dicom-web/studies/{move['study']}/readiness"
        assert httpx.get(address).headers["heltig-readiness"] == "BLOCKED"

        told = rescore(home, "--profile", str(profile))
        assert told.exit_code == 0, told.output
        assert "1 have another verdict" in " ".join(told.stdout.split())
        assert "PAT-ID-CONFLICT" in told.stdout
        now = httpx.get(address)
        assert now.headers["heltig-readiness"] == move["after"]
        assert values(now.json(), "00991008") == [2]
        assert report(home, "--profile", str(profile))["unchanged"] == 2

    for unknown in (("--archive", "nowhere"), ("--study", "9.9"), ("--rule", "NOPE")):
        refused = rescore(home, *unknown)
        assert isinstance(refused.exception, NotFoundError)
        assert (refused.exception.exit_code, refused.stdout) == (4, "")


def test_a_server_says_how_many_verdicts_are_of_another_ruleset(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()

    async def add_an_old_verdict() -> None:
        store = await Store.open(sqlite_url(home / "heltig.db"), render=render)
        await upgrade(store)
        await open_trail(store, Settings(home=home), clock=utc_now)
        await judge(store, snapshot())
        await store.close()

    asyncio.run(add_an_old_verdict())
    with heltig_server(home) as server:
        assert "1 verdict is of another ruleset; `heltig rescore` judges their studies again" in server.output


def test_studies_that_go_by_their_archives_profile_are_told_apart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    added = run(home, "archives", "add", "main", "http://127.0.0.1:9/dicom-web", "--profile", "strict")
    assert added.exit_code == 0, added.output

    async def add_a_verdict() -> None:
        store = await Store.open(sqlite_url(home / "heltig.db"), render=render)
        await open_trail(store, Settings(home=home), clock=utc_now)
        await judge(store, snapshot())
        await store.close()

    asyncio.run(add_a_verdict())
    own = rescore(home, "--dry-run").stdout.splitlines()[0]
    assert own.startswith("1 study under ruleset ")
    assert own.endswith(", profile default, 1 of them under their archives' own")
    assert rescore(home, "--dry-run", "--profile", "google").stdout.splitlines()[0].endswith("profile google")
