"""`heltig compare` over two archives on the network."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from servers.dicomweb import running_loopback, study

from heltig.cli import heltig
from heltig.errors import NotFoundError, UsageError


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home), "HELTIG_WORKERS": "1"})


def test_a_migration_is_compared(tmp_path: Path) -> None:
    before = [*study("1.2.1", series=1), *study("1.2.2", series=1)]
    with running_loopback(before) as old, running_loopback(before) as new:
        run(tmp_path, "archives", "add", "old", old.url)
        run(tmp_path, "archives", "add", "new", new.url)
        assert run(tmp_path, "pull", "old", "--backfill").exit_code in (0, 10, 20)
        half = run(tmp_path, "compare", "old", "new")
        assert half.exit_code == 10
        assert "2 only in old" in half.stdout
        run(tmp_path, "pull", "new", "--backfill")
        whole = run(tmp_path, "compare", "old", "new")
        assert (whole.exit_code, whole.stdout) == (0, "2 studies: 2 equal.\n")
        one = run(tmp_path, "compare", "old", "new", "--study", "1.2.1", "--format", "json")
        assert one.exit_code == 0
        told: list[dict[str, Any]] = [json.loads(line) for line in one.stdout.splitlines()]
        assert told[0]["status"] == "equal"
        assert told[0]["destinationInstances"] == 3
    assert isinstance(run(tmp_path, "compare", "old", "new", "--study", "9").exception, NotFoundError)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["old", "new", "--from", "2026-01-01"], NotFoundError),  # none was pulled
        (["old", "nobody"], NotFoundError),
        (["old", "old"], UsageError),
        (["old", "new", "--study", "1.2", "--from", "2026-01-01"], UsageError),
        (["old", "new", "--from", "2026-02-01", "--to", "2026-01-01"], UsageError),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str], error: type[Exception]) -> None:
    for name in ("old", "new"):
        run(tmp_path, "archives", "add", name, "http://127.0.0.1:9")
    refused = run(tmp_path, "compare", *arguments)
    assert isinstance(refused.exception, error)
    assert refused.stdout in ("", "No study.\n")
