"""`heltig audit`: whether the trail is whole, the trail as lines, and another key."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heltig.cli import heltig
from heltig.errors import ConfigurationError, NotFoundError, UsageError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A database whose trail has four entries."""
    for name in "abc":
        assert run(tmp_path, "keys", "create", name, "--role", "reader").exit_code == 0
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home)})


def tamper(home: Path, *statements: str) -> None:
    with sqlite3.connect(home / "heltig.db") as database:
        for act in ("update", "delete"):
            database.execute(f"DROP TRIGGER audit_refuse_{act}")
        for statement in statements:
            database.execute(statement)


def test_a_whole_trail_gives_an_anchor_that_finds_what_is_cut_off_later(home: Path) -> None:
    whole = run(home, "audit", "verify")
    assert (whole.exit_code, "The audit trail is whole: 4 entries, 1 to 4" in whole.stdout) == (0, True)
    anchor = whole.stdout.splitlines()[-1].removeprefix("Anchor: ")
    assert "agrees with 1 anchor" in run(home, "audit", "verify", "--anchor", anchor).stdout
    tamper(
        home,
        "DELETE FROM audit WHERE sequence = 4",
        "UPDATE sequences SET value = 3, tag = (SELECT tag FROM audit WHERE sequence = 3) "
        "WHERE name = 'audit'",
    )
    assert run(home, "audit", "verify").exit_code == 0
    cut = run(home, "audit", "verify", "--anchor", anchor)
    assert (cut.exit_code, "entry 4 is missing: an anchor knows" in cut.stderr) == (9, True)


def test_the_first_bad_entry_is_named(home: Path) -> None:
    tamper(home, "UPDATE audit SET actor = 'nobody' WHERE sequence = 3")
    found = run(home, "audit", "verify")
    assert (found.exit_code, found.stderr.splitlines()[1][:8]) == (9, "entry 3:")


def test_it_is_said_where_not_all_bad_entries_are_named(home: Path) -> None:
    tamper(
        home,
        "WITH RECURSIVE numbers (n) AS (SELECT 5 UNION ALL SELECT n + 1 FROM numbers WHERE n < 130) "
        "INSERT INTO audit SELECT n, at, actor, action, subject, outcome, origin, detail, tag, key_id "
        "FROM audit, numbers WHERE sequence = 4",
    )
    some, full = run(home, "audit", "verify"), run(home, "audit", "verify", "--all")
    assert (some.exit_code, full.exit_code) == (9, 9)
    assert len(some.stderr.splitlines()) == 102
    assert some.stderr.splitlines()[-1] == "and 27 more: --all names them all."
    assert "entry 130: does not have the tag" in full.stderr
    assert len(full.stderr.splitlines()) == 128


def test_a_damaged_entry_is_exported_as_that(home: Path) -> None:
    tamper(home, "UPDATE audit SET at = 'xxxx' WHERE sequence = 3")
    exported = run(home, "audit", "export")
    lines = [json.loads(line) for line in exported.stdout.splitlines()]
    assert exported.exit_code == 0
    assert [(line["sequence"], line.get("damaged")) for line in lines] == [
        (1, None),
        (2, None),
        (3, "has no time"),
        (4, None),
    ]
    assert (lines[2]["at"], lines[2]["subject"]) == (None, "key:b")


def test_verifying_changes_nothing_and_makes_nothing(home: Path, tmp_path: Path) -> None:
    before = run(home, "audit", "verify").stdout
    assert run(home, "audit", "verify").stdout == before
    assert isinstance(run(home / "none", "audit", "verify").exception, NotFoundError)
    assert not (home / "none").exists()
    url = f"sqlite+aiosqlite:///{home}/nowhere.db"
    other = CliRunner().invoke(
        heltig, ("audit", "verify"), env={"HELTIG_HOME": str(home), "HELTIG_DATABASE_URL": url}
    )
    assert isinstance(other.exception, NotFoundError)
    assert not (home / "nowhere.db").exists()
    (home / "secrets" / "audit-key").unlink()
    assert isinstance(run(home, "audit", "verify").exception, ConfigurationError)
    assert isinstance(run(home, "audit", "verify", "--anchor", "4:xy").exception, UsageError)


def test_an_export_is_in_the_trail_and_not_in_itself(home: Path) -> None:
    exported = run(home, "audit", "export", "--action", "key.create")
    lines = [json.loads(line) for line in exported.stdout.splitlines()]
    assert [(line["sequence"], line["subject"]) for line in lines] == [
        (2, "key:a"),
        (3, "key:b"),
        (4, "key:c"),
    ]
    assert set(lines[0]) == {
        "sequence", "at", "actor", "action", "subject", "outcome", "origin", "detail", "keyId", "tag",
    }  # fmt: skip
    run(home, "audit", "export", "--until", "2020-01-01", "--output", str(home / "out"))
    assert (home / "out").read_text() == ""
    (first, second) = map(
        json.loads, run(home, "audit", "export", "--action", "audit.export").stdout.splitlines()
    )
    assert first["detail"] == {"action": "key.create", "after": 0, "through": 4}
    assert second["detail"]["until"] == "2020-01-01T00:00:00Z"


def test_a_key_is_changed_and_the_trail_stays_whole(home: Path) -> None:
    assert run(home, "audit", "rotate-key").exit_code == 0
    assert run(home, "keys", "create", "d", "--role", "reader").exit_code == 0
    whole = run(home, "audit", "verify")
    assert (whole.exit_code, "6 entries" in whole.stdout, whole.stdout.count(", sealed with ")) == (
        0,
        True,
        1,
    )
