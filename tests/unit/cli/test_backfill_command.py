"""`heltig pull --backfill` as people use and misuse it."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from servers.dicomweb import running_loopback, study

from heltig.cli import heltig
from heltig.demo.answer import Faults
from heltig.errors import ArchiveError, NotFoundError, UsageError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home), "HELTIG_WORKERS": "1"})


def test_it_goes_on_after_the_archive_failed_and_tells_what_it_came_to(home: Path, tmp_path: Path) -> None:
    instances = [one for n in range(8) for one in study(f"1.2.{n}", series=1, patient=f"P{n}")]
    table = tmp_path / "out.csv"
    with running_loopback(instances) as loopback:
        run(home, "archives", "add", "main", loopback.url, "--strategy", "none")
        loopback.faults = Faults(status=403, only=r"1\.2\.[1-7]/metadata$")
        failing = run(home, "pull", "main", "--backfill", "--output", str(table))
        assert isinstance(failing.exception, ArchiveError)
        assert failing.exception.exit_code == 8
        assert "failed  1.2." in failing.stdout
        total = next(csv.DictReader(table.read_text().splitlines()))
        assert int(total["without_verdict"]) >= 7  # five that fail one after the other end the run

        loopback.faults = Faults()
        again = run(home, "pull", "main", "--backfill", "--output", str(table))
        assert again.exit_code in (0, 10, 20)
        assert "8 of 8 studies" in again.stdout
        total = next(csv.DictReader(table.read_text().splitlines()))
        assert (total["studies"], total["without_verdict"], total["instances"]) == ("8", "0", "24")

        page = tmp_path / "out.html"
        third = run(home, "pull", "main", "--backfill", "--from", "2026-01-02", "--output", str(page))
        assert third.exit_code == again.exit_code
        assert "Backfill of main" in page.read_text()
        assert "P1" not in page.read_text() + table.read_text() + third.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nobody", "--backfill"], NotFoundError),
        (["main", "--backfill", "--study", "1.2"], UsageError),
        (["main", "--backfill", "--profile", "default"], UsageError),
        (["main", "--backfill", "--output", "report.pdf"], UsageError),
        (["main", "--backfill", "--output", "/nowhere/report.html"], UsageError),
        (["main", "--backfill", "--from", "2026-02-01", "--to", "2026-01-01"], UsageError),
        (["main", "--again"], UsageError),
        (["main", "--output", "report.html"], UsageError),
    ],
)
def test_what_makes_no_sense_is_refused(home: Path, arguments: list[str], error: type[Exception]) -> None:
    run(home, "archives", "add", "main", "http://127.0.0.1:9")
    assert isinstance(run(home, "pull", *arguments).exception, error)
