"""`heltig webhooks` and `heltig alerts` as people use them."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from servers.receiver import receiver

from heltig.cli import heltig
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.http_notice import ReceiverError

URL = "https://ris.example/hook"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def run(home: Path, *arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home), **environ})


def test_webhooks_are_added_listed_changed_and_removed(home: Path) -> None:
    assert "no webhook yet" in run(home, "webhooks", "list").stdout
    added = run(home, "webhooks", "add", "ris", URL, "--secret", "file:/etc/ris.secret", "--to", "BLOCKED")
    assert added.exit_code == 0, added.exception
    assert run(home, "webhooks", "list").stdout == f"ris  {URL}  (verdict)\n"
    assert isinstance(
        run(home, "webhooks", "add", "ris", URL, "--secret", "env:HOOK").exception, ConflictError
    )
    changed = run(home, "webhooks", "change", "ris", "--event", "disk-low", "--reset", "to_readiness")
    assert changed.exit_code == 0, changed.exception
    [view] = json.loads(run(home, "webhooks", "list", "--format", "json").stdout)
    assert view["options"] == {"secrets": ["file:/etc/ris.secret"], "events": ["disk-low"]}
    assert run(home, "webhooks", "pause", "ris").exit_code == 0
    assert "(paused, disk-low)" in run(home, "webhooks", "list").stdout
    assert run(home, "webhooks", "resume", "ris").exit_code == 0
    assert "no such delivery" in run(home, "webhooks", "deliveries", "ris").stdout
    assert run(home, "webhooks", "retry", "ris").stdout.startswith("0 dead deliveries of webhook ris queued;")
    assert run(home, "webhooks", "remove", "ris").exit_code == 0
    assert isinstance(run(home, "webhooks", "remove", "ris").exception, NotFoundError)


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "ris", URL),
        ("add", "RIS", URL, "--secret", "env:HOOK"),
        ("add", "ris", "ris.example", "--secret", "env:HOOK"),
        ("add", "ris", "http://169.254.169.254/", "--secret", "env:HOOK"),
        ("add", "ris", URL, "--secret", "hunter2"),
        ("add", "ris", URL, "--secret", "env:HOOK", "--ca-bundle", "/dev/null"),
        ("change", "ris"),
    ],
)
def test_what_makes_no_sense(home: Path, arguments: tuple[str, ...]) -> None:
    refused = run(home, "webhooks", *arguments)
    assert isinstance(refused.exception, UsageError)
    assert "hunter2" not in str(refused.exception)


async def test_a_receiver_is_tried_out(home: Path) -> None:
    async with receiver() as receives:
        added = ("webhooks", "add", "ris", receives.url, "--secret", "env:HOOK")
        assert (await asyncio.to_thread(run, home, *added)).exit_code == 0
        tried = await asyncio.to_thread(run, home, "webhooks", "test", "ris", HOOK="0123456789abcdef")
    assert tried.stdout == "Webhook ris took it (200).\n"
    assert receives.events == ["test"]
    refused = await asyncio.to_thread(run, home, "webhooks", "test", "ris", HOOK="0123456789abcdef")
    assert isinstance(refused.exception, ReceiverError)


def test_no_alerts(home: Path) -> None:
    assert run(home, "alerts").stdout == "There is no alert.\n"
    assert json.loads(run(home, "alerts", "--all", "--format", "json").stdout) == []
