"""`heltig doctor`: what is wrong is named, with what to do."""

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from servers.dicomweb import running_loopback, study
from servers.redis import Redis

from heltig.cli import heltig
from heltig.cli.database import open_database
from heltig.settings import Settings
from heltig.store.one_host import Host, OneHost

NOWHERE = "http://127.0.0.1:9/dicom-web"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A site that was started once."""
    home = tmp_path / "home"

    async def start() -> None:
        async with open_database(Settings(home=home)):
            pass

    asyncio.run(start())
    return home


def run(home: Path, *arguments: str, exit_code: int = 0) -> None:
    ran = CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home), "HELTIG_WORKERS": "1"})
    assert ran.exit_code == exit_code, ran.output


def doctor(home: Path, *options: str, **environ: str) -> tuple[dict[str, dict[str, Any]], int]:
    """What is said, by what it is about, and the exit code."""
    ran = CliRunner().invoke(
        heltig, ("doctor", "--format", "json", *options), env={"HELTIG_HOME": str(home), **environ}
    )
    found = json.loads(ran.stdout)
    assert all(one["remedy"] for one in found if one["state"] in ("failed", "warning")), found
    return {one["about"]: one for one in found}, ran.exit_code


def states(found: dict[str, dict[str, Any]], *abouts: str) -> list[str]:
    return [found[about]["state"] for about in abouts]


def test_before_the_first_start_nothing_is_made(tmp_path: Path) -> None:
    found, code = doctor(tmp_path / "home")
    assert (states(found, "settings", "folder", "database"), code) == (["ok"] * 3, 0)
    assert not (tmp_path / "home").exists()


def test_a_site_that_is_well(home: Path) -> None:
    with running_loopback(study("1.2.3")) as archive:
        run(home, "archives", "add", "main", archive.url)
        found, code = doctor(home)
        told = CliRunner().invoke(heltig, ["doctor"], env={"HELTIG_HOME": str(home)})
    well = ("folder", "permissions", "disk", "database", "tables", "writing", "clock", "archive main")
    assert (states(found, *well), code) == (["ok"] * len(well), 0)
    assert "ok       archive main: It answers." in told.stdout


def test_wrong_settings_end_it(home: Path) -> None:
    found, code = doctor(home, HELTIG_PORT="eighty")
    assert (list(found), code) == (["settings"], 1)
    assert "HELTIG_PORT" in found["settings"]["found"]


def test_files_that_are_not_there_are_named(home: Path, tmp_path: Path) -> None:
    away = str(tmp_path / "away")
    found, code = doctor(home, "--offline", HELTIG_PROFILE=f"{away}.toml")
    assert (states(found, "profile"), code) == (["failed"], 1)
    found, code = doctor(home, "--offline", HELTIG_DICOM_CERTIFICATE=away)
    assert (states(found, "profile", "files"), code) == (["ok", "failed"], 1)
    assert "HELTIG_DICOM_CERTIFICATE" in found["files"]["found"]


def test_what_others_may_read_is_named(home: Path) -> None:
    secret = home / "secrets" / "pacs"
    secret.parent.mkdir(exist_ok=True, mode=0o700)
    secret.write_text("secret")
    secret.chmod(0o640)
    found, code = doctor(home)
    assert (states(found, "permissions"), code) == (["warning"], 0)
    assert str(secret) in found["permissions"]["found"]
    assert found["permissions"]["remedy"] == f"chmod -R go= {home}"


def test_a_full_disk(home: Path) -> None:
    found, code = doctor(home, HELTIG_GATE_RESERVE="1000TiB")
    assert (states(found, "disk"), code) == (["failed"], 1)
    found, code = doctor(home, HELTIG_ALERT_DISK="1000TiB")
    assert (states(found, "disk"), code) == (["warning"], 0)


@pytest.mark.parametrize(("version", "state"), [("9999", "failed"), ("0001", "warning"), (None, "ok")])
def test_tables_of_another_version(home: Path, version: str | None, state: str) -> None:
    database = sqlite3.connect(home / "heltig.db")
    if version is None:
        database.execute("DROP TABLE alembic_version")
    else:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
    database.commit()
    database.close()
    found, code = doctor(home)
    assert (found["tables"]["state"], code) == (state, int(state == "failed"))
    assert "archives" not in found  # its rows may mean something else


def test_a_file_that_is_no_database(home: Path) -> None:
    (home / "heltig.db").write_bytes(b"something else" * 1000)
    found, code = doctor(home)
    assert (states(found, "database"), code) == (["failed"], 1)
    assert "heltig restore" in found["database"]["remedy"]


@pytest.mark.parametrize("first", [3, 60], ids=["its tables", "what is in them"])
def test_a_damaged_database(home: Path, first: int) -> None:
    """Whether it fails at once or only when something is read, what to do is said."""
    file = home / "heltig.db"
    content = file.read_bytes()
    file.write_bytes(content[: first * 4096] + b"\xff" * (len(content) - first * 4096))
    found, code = doctor(home, "--offline")
    assert (states(found, "database"), code) == (["failed"], 1)
    assert "malformed" in found["database"]["found"]
    assert "heltig restore" in found["database"]["remedy"]
    assert "redis" in found  # the rest is looked at all the same


def test_a_database_that_another_home_uses(home: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    OneHost(home / "heltig.db", Host.here(tmp_path / "other")).take()
    url = f"sqlite+aiosqlite:///{home / 'heltig.db'}"
    found, code = doctor(home, HELTIG_DATABASE_URL=url)
    assert (states(found, "database"), code) == (["failed"], 1)
    assert f"HELTIG_HOME={tmp_path / 'other'}" in found["database"]["found"]
    assert "tables" not in found  # nothing is written into what is another's


def test_keys_that_are_away_are_told_as_such(home: Path, tmp_path: Path) -> None:
    found, code = doctor(home, HELTIG_ENCRYPTION_KEY=f"file:{tmp_path / 'away'}")
    assert states(found, "encryption", "database", "tables", "audit key") == ["failed", "ok", "ok", "ok"]
    assert "HELTIG_ENCRYPTION_KEY" in found["encryption"]["found"]
    assert code == 1
    key = home / "secrets" / "audit-key"
    key.rename(tmp_path / "audit-key")
    found, code = doctor(home)
    assert (states(found, "audit key", "audit trail"), code) == (["failed", "ok"], 1)
    key.write_text("ab" * 32)  # of another database
    found, code = doctor(home)
    assert (states(found, "audit key"), code) == (["failed"], 1)
    assert "copy the file secrets/audit-key" in found["audit key"]["found"]


def test_a_clock_that_was_set_back(home: Path) -> None:
    with running_loopback(study("1.2.3")) as archive:
        run(home, "archives", "add", "main", archive.url)
        run(home, "pull", "main", exit_code=10)
        database = sqlite3.connect(home / "heltig.db")
        later = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None).isoformat(" ")
        (trigger,) = database.execute("SELECT name FROM sqlite_master WHERE name LIKE 'changes_%update'")
        database.execute(f"DROP TRIGGER {trigger[0]}")
        database.execute("UPDATE changes SET at = ?", (later,))
        database.commit()
        database.close()
        found, code = doctor(home, "--offline")
    assert (states(found, "clock"), code) == (["failed"], 1)


def test_archives_that_cannot_be_used(home: Path) -> None:
    run(home, "archives", "add", "away", NOWHERE)
    run(home, "archives", "add", "locked", NOWHERE, "--bearer-secret", "env:HELTIG_SECRET_NONE")
    run(home, "archives", "add", "resting", NOWHERE)
    run(home, "archives", "pause", "resting")
    found, code = doctor(home)
    assert states(found, "archive away", "archive locked", "archive resting") == [
        "failed",
        "failed",
        "skipped",
    ]
    assert "HELTIG_SECRET_NONE" in found["archive locked"]["found"]
    assert code == 1
    found, code = doctor(home, "--offline", HELTIG_SECRET_NONE="known-now")
    assert (states(found, "archive away", "archive locked"), code) == (["skipped"] * 2, 0)


def test_a_redis_that_is_away(home: Path) -> None:
    found, code = doctor(home, HELTIG_REDIS_URL="redis://127.0.0.1:9/0")
    assert (states(found, "redis"), code) == (["failed"], 1)


def test_a_redis_that_answers(home: Path, redis: Redis) -> None:
    found, code = doctor(home, HELTIG_REDIS_URL=redis.url)
    assert (states(found, "redis"), code) == (["ok"], 0)


def test_a_database_that_is_away(home: Path) -> None:
    away = "postgresql+asyncpg://heltig:hunter2@127.0.0.1:9/heltig"
    found, code = doctor(home, HELTIG_DATABASE_URL=away)
    assert (states(found, "database"), code) == (["failed"], 1)
    assert "hunter2" not in json.dumps(found)


def test_analyses(home: Path, tmp_path: Path) -> None:
    found, _ = doctor(home, "--offline")
    assert found["analyses"]["state"] == "skipped"
    switched_on = {"HELTIG_ANALYSIS_ENABLED": "true", "HELTIG_ANALYSIS_USE": "research-only"}
    plan = tmp_path / "plan.toml"
    phase = tmp_path / "phase"
    plan.write_text(
        f'phase_python = "{phase}/bin/python"\n'
        "[segmenters.classical]\n[segmenters.byo-dicom-seg]\n"
        f'[segmenters.totalsegmentator]\nexecutable = "{tmp_path}/TotalSegmentator"\n'
    )
    found, code = doctor(home, "--offline", HELTIG_ANALYSIS_PLAN=str(plan), **switched_on)
    named = ("analyses", "segmenter classical", "segmenter byo-dicom-seg", "segmenter totalsegmentator")
    assert (states(found, *named), code) == (["ok", "ok", "ok", "warning"], 0)
    assert found["contrast phase classifier"]["found"].endswith("no totalsegmentator.")
    for name in ("totalsegmentator-2.18.0", "xgboost_cpu-3.0", "scikit_learn-1.7"):
        (phase / f"lib/python3.12/site-packages/{name}.dist-info").mkdir(parents=True)
    program, weights = tmp_path / "TotalSegmentator", tmp_path / "weights"
    program.touch(0o755)
    for number in (150, 291, 292, 293, 294, 295, 298, 305, 481, 850, 851):
        (weights / f"Dataset{number}_made").mkdir(parents=True)
    switched_on["TOTALSEG_WEIGHTS_PATH"] = str(weights)  # which the case is given, too
    there, _ = doctor(home, "--offline", HELTIG_ANALYSIS_PLAN=str(plan), **switched_on)
    assert there["segmenter totalsegmentator"]["state"] == "ok"
    assert there["contrast phase classifier"]["found"].endswith("2.18.0.")
    assert found["files of analyses"]["found"].startswith("0 folders")

    found, code = doctor(home, "--offline", HELTIG_ANALYSIS_PYTHON=str(tmp_path / "python"), **switched_on)
    assert (found["analyses"]["state"], code) == ("failed", 1)
    assert "heltig[imaging]" in found["analyses"]["remedy"]
    plan.write_text("[segmenters.classical]\npath = 'x'\n")
    found, code = doctor(home, "--offline", HELTIG_ANALYSIS_PLAN=str(plan), **switched_on)
    assert (found["analyses"]["state"], code) == ("failed", 1)
    assert "segmenters.classical" in found["analyses"]["found"]
