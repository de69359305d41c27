"""`heltig archives` and `heltig pull` as people use and misuse them."""

import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from servers.dicomweb import running_loopback, study
from unit.store.databases import sqlite_database

from heltig.cli import heltig
from heltig.cli.pull_display import Display, display_for
from heltig.demo.answer import Faults
from heltig.errors import (
    ArchiveError,
    ConfigurationError,
    ConflictError,
    HeltigError,
    NotFoundError,
    UsageError,
)
from heltig.pipeline.pull.run import PulledStudy


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """Its database has all tables: to make them takes longer than most commands."""
    folder = tmp_path / "home"
    folder.mkdir()
    await sqlite_database(folder)
    return folder


def run(home: Path, *arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(
        heltig, arguments, env={"HELTIG_HOME": str(home), "HELTIG_WORKERS": "1", **environ}
    )


def test_archives_are_added_listed_and_removed(home: Path) -> None:
    assert "no archive yet" in run(home, "archives", "list").stdout
    added = run(
        home, "archives", "add", "main", "http://pacs.example/dicom-web/", "--bearer-secret", "env:TOKEN"
    )
    assert added.exit_code == 0
    assert run(home, "archives", "list").stdout.startswith("main  http://pacs.example/dicom-web  (")
    assert isinstance(run(home, "archives", "add", "main", "http://x.example").exception, ConflictError)
    assert "verdicts" in run(home, "archives", "remove", "main").stdout
    assert isinstance(run(home, "archives", "remove", "main").exception, NotFoundError)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["Main", "http://pacs.example"], UsageError),
        (["a/b", "http://pacs.example"], UsageError),
        (["main", "pacs.example"], UsageError),
        (["main", "http://169.254.169.254/latest"], UsageError),
        (["main", "http://pacs.example", "--hours", "mon 8-9"], UsageError),
        (["main", "http://pacs.example", "--timezone", "Mars"], UsageError),
        (["main", "http://pacs.example", "--concurrency", "0"], UsageError),
        (["main", "http://pacs.example", "--profile", "nobodys"], UsageError),
        (["main", "http://pacs.example", "--profile", "/dev/zero"], UsageError),
        (["main", "http://pacs.example", "--ca-bundle", "/dev/zero"], UsageError),
        (["main", "http://pacs.example", "--certificate", "/none"], UsageError),
        (["main", "http://127.0.0.1:99999"], UsageError),
        (["main", "http://pacs.example", "--title", "Main\x07"], UsageError),
        (["main", "http://pacs.example", "--key", "/none"], UsageError),
        (["main", "http://pacs.example", "--token-url", "https://t", "--client-id", "x"], UsageError),
        (["main", "http://user:s3cret@pacs.example"], UsageError),
        (["main", "http://pacs.example", "--user", "u"], UsageError),
        (["main", "http://pacs.example", "--password-secret", "env:P"], UsageError),
        (["main", "http://pacs.example", "--user", "u", "--password-secret", "s3cret"], UsageError),
        (["main", "http://pacs.example", "--bearer-secret", "s3cret"], UsageError),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(
    home: Path, arguments: list[str], error: type[HeltigError]
) -> None:
    refused = run(home, "archives", "add", *arguments)
    assert isinstance(refused.exception, error)
    assert "s3cret" not in refused.output + str(refused.exception)
    assert "no archive yet" in run(home, "archives", "list").stdout


def test_a_secret_that_is_not_there_is_named_by_its_reference(home: Path) -> None:
    run(home, "archives", "add", "main", "http://pacs.example", "--bearer-secret", "env:NO_SUCH_TOKEN")
    for command in (("archives", "test", "main"), ("pull", "main")):
        failed = run(home, *command)
        assert isinstance(failed.exception, ConfigurationError)
        assert "env:NO_SUCH_TOKEN" in failed.exception.detail


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nobody"], NotFoundError),
        (["main", "--study", "1.2", "--from", "2026-01-01"], UsageError),
        (["main", "--study", " "], UsageError),
        (["main", "--from", "2026-02-01", "--to", "2026-01-01"], UsageError),
    ],
)
def test_a_pull_that_makes_no_sense_is_refused(
    home: Path, arguments: list[str], error: type[HeltigError]
) -> None:
    assert isinstance(run(home, "pull", *arguments).exception, error)


def test_a_pull_prints_a_line_a_study_and_exits_with_the_worst(home: Path) -> None:
    with running_loopback([*study("1.2.1", series=1), *study("1.2.2")]) as loopback:
        run(home, "archives", "add", "main", loopback.url)
        loopback.faults = Faults(withheld=frozenset({"1.2.2.1.1"}))
        first = run(home, "pull", "main")
        loopback.faults = Faults(status=403, only=r"1\.2\.2/series")
        failing = run(home, "pull", "main")
    lines = sorted(first.stdout.splitlines())
    assert first.exit_code == 20
    assert "1.2.2  2 series, 5 instances  SRC-" in "".join(lines)
    assert "2 studies: 1 BLOCKED, 1 " in "".join(lines)
    assert isinstance(failing.exception, ArchiveError)
    assert failing.exception.exit_code == 8
    assert any(line.startswith("failed") and "403" in line for line in failing.stdout.splitlines())
    assert "1 failed" in failing.stdout


def test_a_study_that_is_nowhere_is_not_found_and_one_that_was_here_is_gone(home: Path) -> None:
    with running_loopback(study("1.2.1")) as loopback:
        run(home, "archives", "add", "main", loopback.url)
        nowhere = run(home, "pull", "main", "--study", "9.9")
        run(home, "pull", "main")
        loopback.remove("1.2.1")
        gone = run(home, "pull", "main", "--study", "1.2.1")
    assert isinstance(nowhere.exception, NotFoundError)
    assert nowhere.stdout.splitlines() == [
        "not found     9.9  Archive main does not have this study.",
        "1 study: 1 not found.",
    ]
    assert gone.exit_code == 0
    assert gone.stdout.startswith("gone          1.2.1  ")


def test_what_is_not_listed_any_more_is_asked_for_and_withdrawn(home: Path) -> None:
    everything = [one for n in range(1, 5) for one in study(f"1.2.{n}")]
    with running_loopback(everything) as loopback:
        run(home, "archives", "add", "main", loopback.url)
        run(home, "pull", "main")
        loopback.remove("1.2.3")
        without = run(home, "pull", "main")
        again = run(home, "pull", "main")
        for n in (1, 2, 4):
            loopback.remove(f"1.2.{n}")
        empty = run(home, "pull", "main")
    lines = without.stdout.splitlines()
    assert lines[0] == "note: The archive does not list 1 of 4 known studies: each is asked for by its UID."
    assert "gone          1.2.3  the archive has it no more: withdrawn" in lines
    assert lines[-1].startswith("4 studies: ")
    assert lines[-1].endswith(" 3 unchanged, 1 gone from the archive.")
    assert again.stdout.splitlines()[-1].startswith("3 studies: ")
    assert "far fewer studies than before: 3 of 3 known studies are missing" in empty.stdout
    assert "gone" not in empty.stdout


def test_what_may_pass_ends_with_8_and_advice_and_leaves_the_verdict(home: Path) -> None:
    with running_loopback([*study("1.2.1"), *study("1.2.2")]) as loopback:
        run(home, "archives", "add", "main", loopback.url)
        run(home, "pull", "main")
        loopback.faults = Faults(status=500, only=r"1\.2\.2/.*metadata$")
        failing = run(home, "pull", "main")
        loopback.faults = Faults()
        after = run(home, "pull", "main")
    assert isinstance(failing.exception, ArchiveError)
    assert "1 of 2 studies" in failing.exception.detail
    (line,) = (line for line in failing.stdout.splitlines() if line.startswith("failed"))
    assert "answers 500" in line
    assert "Try again later" in line
    assert after.stdout.splitlines()[-1].endswith("2 unchanged.")


def test_an_archive_that_asks_for_time_is_waited_for_aloud_and_not_for_ever(home: Path) -> None:
    with running_loopback(study("1.2.1")) as loopback:
        run(home, "archives", "add", "main", loopback.url)
        loopback.faults = Faults(status=503, retry_after="1", only="metadata", times=1)
        waited = run(home, "pull", "main", "--study", "1.2.1")
        loopback.faults = Faults(status=503, retry_after="3600", only="metadata")
        given_up = run(home, "pull", "main", "--study", "1.2.1")
        loopback.faults = Faults(status=503, retry_after="1", only="metadata")
        none = run(home, "pull", "main", "--study", "1.2.1", HELTIG_ARCHIVE_WAIT_SECONDS="0")
    assert "Archive main asks us to wait 1 s" in waited.stderr
    assert "1 study: " in waited.stdout
    for failed in (given_up, none):
        assert isinstance(failed.exception, ArchiveError)
        assert "HELTIG_ARCHIVE_WAIT_SECONDS" in failed.stdout
    assert "3,600 s" in given_up.stdout


STUDIES = [
    PulledStudy(uid="1.1", outcome="judged", readiness="READY", series=1, instances=1, revision=1),
    PulledStudy(
        uid="1.2",
        outcome="unchanged",
        readiness="BLOCKED",
        series=2,
        instances=1200,
        rules=("PAT-ID-CONFLICT", "A-B", "C-D", "E-F"),
    ),
    PulledStudy(uid="1.3", outcome="gone"),
    PulledStudy(uid="1.4", outcome="failed", error="http://pacs.example: no answer."),
    PulledStudy(uid="1.\x1b[2J\n5", outcome="not found", error="Archive main has no such study."),
]


def test_a_pipe_gets_one_plain_line_a_study() -> None:
    pipe = io.StringIO()
    with display_for(pipe) as display:
        display.listing(200)
        display.begin(len(STUDIES))
        display.note("It ignores offset.")
        for pulled in STUDIES:
            display.show(pulled)
    assert pipe.getvalue().splitlines() == [
        "note: It ignores offset.",
        "READY         1.1  1 series, 1 instance",
        "BLOCKED       1.2  2 series, 1,200 instances, unchanged  PAT-ID-CONFLICT, A-B, C-D and 1 more",
        "gone          1.3  the archive has it no more: withdrawn",
        "failed        1.4  http://pacs.example: no answer.",
        r"not found     1.\x1b[2J\x0a5  Archive main has no such study.",
        "5 studies: 1 BLOCKED, 1 READY, 1 unchanged, 1 gone from the archive, 1 not found, 1 failed.",
    ]


def test_a_terminal_gets_colour_and_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal = io.StringIO()
    with display_for(terminal) as display:
        display.begin(len(STUDIES))
        for pulled in STUDIES:
            display.show(pulled)
    shown = terminal.getvalue()
    assert "\x1b[" in shown
    assert "Pulling" in shown
    assert "5 studies: " in shown


def test_nothing_pulled_is_summed_up_too() -> None:
    pipe = io.StringIO()
    display = Display(Console(file=pipe, color_system=None), None)
    display.summary()
    assert pipe.getvalue() == "0 studies.\n"


def test_the_sum_has_the_last_word_on_studies_that_were_judged_again() -> None:
    pipe = io.StringIO()
    display = Display(Console(file=pipe, color_system=None, width=200), None)
    display.show(PulledStudy(uid="1.2", outcome="unchanged", readiness="NEEDS_REVIEW"))
    display.show(PulledStudy(uid="1.3", outcome="gone"))
    display.show_again(PulledStudy(uid="1.2", outcome="judged", readiness="READY"))
    display.show_again(PulledStudy(uid="1.9", outcome="judged", readiness="BLOCKED"))  # was not pulled
    display.summary()
    assert pipe.getvalue().splitlines()[-1] == "2 studies: 1 READY, 1 unchanged, 1 gone from the archive."
