"""`heltig restore`, killed at each of its steps: what is there is refused, and the same command goes on."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from integration.gated import files_of
from unit.pipeline.test_custody import Upstream, site_before
from unit.store.samples import judge, snapshot

from heltig.cli import heltig
from heltig.cli.database import open_database
from heltig.errors import ConflictError, StorageError
from heltig.settings import Settings

KILLED = -9  # SIGKILL
STEPS = {
    "in the middle of a file": KILLED,
    "when some rows are there": KILLED,
    "interrupted when some rows are there": 130,
    "before it is recorded": KILLED,
}
"""Where it ends, and its exit code."""

PROGRAM = Path(__file__).with_name("dying_restore.py")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home)})


def back_up(home: Path, file: Path, study: str) -> Path:
    """A backup of a site with a verdict, objects in custody, a profile and secrets."""

    async def fill() -> None:
        async with (
            open_database(Settings(home=home)) as store,
            site_before(Upstream(), store, home / "spool") as site,
        ):
            await judge(store, snapshot(study=study))
            await site.take(site.gate("hold"), files_of("two-patient-ids"))

    asyncio.run(fill())
    (home / "spool.name").write_text("here")
    (home / "profiles").mkdir()
    (home / "profiles" / "site.toml").write_text('extends = "default"\n' * 1000)
    assert run(home, "backup", str(file), "--with-secrets").exit_code == 0
    return file


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backup")
    return back_up(folder / "home", folder / "heltig.backup", "1.2.3")


@pytest.fixture(scope="module")
def other_backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    return back_up(folder / "home", folder / "heltig.backup", "4.5.6")


def files(home: Path) -> dict[str, bytes]:
    """All files of a home but its database, and the anchor of its trail, which has the time of the act."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.startswith(("heltig.db", "audit-anchor"))
    }


def killed(step: str, home: Path, backup: Path) -> None:
    process = subprocess.run(
        [sys.executable, str(PROGRAM), "restore", str(backup)],
        env={**os.environ, "HELTIG_HOME": str(home), "HELTIG_TEST_DIES": step},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == STEPS[step], process.stderr.decode()


@pytest.mark.parametrize("step", STEPS)
def test_what_is_half_restored_is_refused_and_gone_on_with(
    step: str, backup: Path, other_backup: Path, tmp_path: Path
) -> None:
    broken_off = tmp_path / "new"
    killed(step, broken_off, backup)
    refused = run(broken_off, "keys", "list")
    assert isinstance(refused.exception, StorageError)
    assert "heltig restore FILE" in refused.exception.detail
    assert "broken off" in run(broken_off, "doctor", "--offline").stdout
    refused = run(broken_off, "restore", str(other_backup))
    assert isinstance(refused.exception, ConflictError)
    assert "another backup" in refused.exception.detail

    gone_on = run(broken_off, "restore", str(backup))
    assert "It is restored. Its audit trail is whole." in gone_on.stdout, gone_on
    whole = tmp_path / "whole"
    assert run(whole, "restore", str(backup)).exit_code == 0
    assert files(broken_off) == files(whole)
    assert any(name.startswith("spool/gate/") for name in files(whole))
    with (
        closing(sqlite3.connect(broken_off / "heltig.db")) as one,
        closing(sqlite3.connect(whole / "heltig.db")) as other,
    ):
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        names = [name for (name,) in one.execute(tables)]
        assert names == [name for (name,) in other.execute(tables)]
        for name in ("studies", "verdicts", "lookups", "jobs", "gate_studies"):
            rows = f"SELECT * FROM {name}"  # noqa: S608 - names of our own tables
            assert sorted(map(repr, one.execute(rows))) == sorted(map(repr, other.execute(rows)))
        recorded = "SELECT count(*) FROM audit WHERE action = 'backup.restore'"
        assert one.execute(recorded).fetchone() == other.execute(recorded).fetchone() == (1,)
    assert run(broken_off, "keys", "list").exit_code == 0
    assert run(broken_off, "audit", "verify").exit_code == 0


def test_what_fails_leaves_an_empty_store(tmp_path: Path, backup: Path) -> None:
    home = tmp_path / "new"
    home.mkdir()
    (home / "profiles").write_text("no folder")
    assert isinstance(run(home, "restore", str(backup)).exception, StorageError)
    (home / "profiles").unlink()
    assert not [name for name in files(home) if name.startswith("spool/")]
    assert run(home, "restore", str(backup)).exit_code == 0
