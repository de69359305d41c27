"""`heltig archives`: configured, shown, changed, paused on the command line."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from unit.store.databases import sqlite_database

from heltig.cli import heltig
from heltig.cli.archive_options import reset_choices
from heltig.errors import ArchiveUnavailableError, NotFoundError, UsageError
from heltig.store.archives import ArchiveOptions

ROOT = "http://pacs.example/dicom-web"


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """Its database has all tables: to make them takes longer than most commands."""
    folder = tmp_path / "home"
    folder.mkdir()
    await sqlite_database(folder)
    return folder


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, ("archives", *arguments), env={"HELTIG_HOME": str(home)})


def shown(home: Path, name: str = "main") -> dict[str, Any]:
    ran = run(home, "show", name, "--format", "json")
    assert ran.exit_code == 0, ran.output
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_what_is_added_is_what_is_shown(home: Path) -> None:
    given = [
        *("--token-url", "https://login.example/token", "--client-id", "heltig", "--scope", "dicom"),
        *("--client-secret", "file:/etc/heltig/secret", "--client-proof", "client_secret_post"),
        *("--feed-url", "http://pacs.example", "--title", "Main", "--concurrency", "4"),
        *("--requests-per-second", "2.5", "--bytes-per-second", "1000000", "--strategy", "orthanc"),
        *("--hours", "mon-fri 19:00-06:00", "--hours", "sat,sun 00:00-24:00", "--timezone", "Europe/Berlin"),
    ]
    assert run(home, "add", "main", ROOT + "/", *given).exit_code == 0
    found = shown(home)
    assert (found["qidoUrl"], found["wadoUrl"], found["feedUrl"]) == (ROOT, ROOT, "http://pacs.example")
    assert found["auth"]["kind"] == "oauth2"
    assert found["auth"]["secret"] == "file:/etc/heltig/secret"
    options = found["options"]
    assert (options["concurrency"], options["requestsPerSecond"], options["bytesPerSecond"]) == (
        4,
        2.5,
        10**6,
    )
    assert options["hours"] == ["mon-fri 19:00-06:00", "sat,sun 00:00-24:00"]
    (listed,) = json.loads(run(home, "list", "--format", "json").stdout)
    assert listed["name"] == "main"
    assert "secret" not in listed["auth"]
    text = run(home, "show", "main").stdout
    assert "hours                mon-fri 19:00-06:00, sat,sun 00:00-24:00" in text


def test_changes_and_defaults(home: Path) -> None:
    run(home, "add", "main", ROOT, "--concurrency", "4", "--weight", "3", "--bearer-secret", "env:A")
    changed = run(home, "change", "main", "--weight", "5", "--reset", "concurrency", "--reset", "auth")
    assert changed.exit_code == 0, changed.output
    found = shown(home)
    assert (found["options"]["weight"], found["options"]["concurrency"]) == (5, 2)
    assert found["auth"]["kind"] == "none"
    run(
        home,
        "change",
        "main",
        "--qido-url",
        "http://other.example/web",
        "--stow-url",
        "http://other.example/s",
    )
    found = shown(home)
    assert (found["qidoUrl"], found["wadoUrl"]) == ("http://other.example/web",) * 2
    assert found["stowUrl"] == "http://other.example/s"
    assert isinstance(run(home, "change", "main").exception, UsageError)
    assert isinstance(run(home, "change", "none", "--weight", "5").exception, NotFoundError)


def test_every_option_can_be_given_and_given_its_default(home: Path) -> None:
    flags = {field.name.replace("_", "-") for field in msgspec.structs.fields(ArchiveOptions)}
    text = run(home, "add", "--help").stdout
    assert all(f"--{flag}" in text for flag in flags)
    assert flags <= set(reset_choices())
    run(home, "add", "main", ROOT)
    before = shown(home)
    resets = [part for flag in reset_choices() for part in ("--reset", flag)]
    assert run(home, "change", "main", *resets).exit_code == 0
    assert shown(home) == before


@pytest.mark.parametrize(
    "flag",
    ["settle-seconds", "quiet-seconds", "poll-seconds", "warm-minutes", "cold-hours", "requests-per-second"],
)
@pytest.mark.parametrize("value", ["inf", "nan", "-inf", "1e300"])
def test_a_number_without_end_is_refused(home: Path, flag: str, value: str) -> None:
    field = flag.split("-")[0]
    refused = run(home, "add", "main", ROOT, f"--{flag}={value}")
    assert isinstance(refused.exception, UsageError)
    assert f"options.{field}" in str(refused.exception)
    run(home, "add", "main", ROOT)
    before = shown(home)
    assert isinstance(run(home, "change", "main", f"--{flag}={value}").exception, UsageError)
    assert shown(home) == before


def test_pausing(home: Path) -> None:
    run(home, "add", "main", ROOT)
    assert "resume main" in run(home, "pause", "main").stdout
    assert shown(home)["paused"]
    assert "paused" in run(home, "list").stdout
    run(home, "resume", "main")
    assert not shown(home)["paused"]
    for command in ("pause", "resume", "show", "test", "remove"):
        assert isinstance(run(home, command, "none").exception, NotFoundError)


@pytest.mark.parametrize(
    "given",
    [
        ["--user", "u", "--password-secret", "env:A", "--bearer-secret", "env:B"],
        [
            "--bearer-secret",
            "env:B",
            "--token-url",
            "https://t",
            "--client-id",
            "x",
            "--client-secret",
            "env:C",
        ],
        ["--token-url", "https://t", "--client-id", "x", "--client-secret", "s3cret"],
        ["--token-url", "t", "--client-id", "x", "--client-secret", "env:C"],
    ],
)
def test_credentials_that_contradict_one_another_are_refused(home: Path, given: list[str]) -> None:
    refused = run(home, "add", "main", ROOT, *given)
    assert isinstance(refused.exception, UsageError)
    assert "s3cret" not in str(refused.exception)


def test_a_test_of_an_archive_that_is_not_there(home: Path) -> None:
    run(home, "add", "main", "http://127.0.0.1:9/dicom-web")
    failed = run(home, "test", "main")
    assert isinstance(failed.exception, ArchiveUnavailableError)
    assert failed.exception.exit_code == 8
