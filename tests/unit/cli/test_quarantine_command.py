"""`heltig quarantine`: what waits for a person, and what they decide."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from integration.gated import files_of, uid_of
from unit.pipeline.test_custody import GATE, NOW, Upstream, site_before

from heltig.cli import heltig
from heltig.cli.database import open_database
from heltig.errors import NotFoundError, UsageError
from heltig.settings import Settings
from heltig.store import audit_trail, comments, jobs, owners

STUDY = uid_of("two-patient-ids")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A site whose gate keeps a study back."""
    home = tmp_path / "home"

    async def keep_back() -> None:
        async with (
            open_database(Settings(home=home)) as store,
            site_before(Upstream(), store, home / "spool") as site,
        ):
            await site.take(site.gate("hold"), files_of("two-patient-ids"))
            await site.work()

    asyncio.run(keep_back())
    return home


def run(home: Path, *arguments: str, answer: str | None = None, profile: str = "default") -> Result:
    environment = {"HELTIG_HOME": str(home), "HELTIG_PROFILE": profile}
    return CliRunner().invoke(heltig, ("quarantine", *arguments), env=environment, input=answer)


def number_of(home: Path) -> str:
    (found,) = json.loads(run(home, "list", "--format", "json").stdout)
    return str(found["study"]["id"])


def files(home: Path) -> list[Path]:
    return sorted((home / "spool" / "gate").rglob("*.dcm"))


def test_comments_of_the_study(home: Path) -> None:
    async def say() -> None:
        async with open_database(Settings(home=home)) as store:
            await store.write(comments.add, GATE, STUDY, author="user:anna", text="One\n\x1b[2JTwo", at=NOW)
            await store.write(owners.put, GATE, STUDY, "user:bob", by="user:anna", at=NOW)

    asyncio.run(say())
    told = CliRunner().invoke(heltig, ("comments", STUDY), env={"HELTIG_HOME": str(home)}).stdout
    for text in ("Owner at gate:main: user:bob", "user:anna", "        One\n", "        \ufffd[2JTwo"):
        assert text in told, told
    unknown = CliRunner().invoke(heltig, ("comments", "9.9"), env={"HELTIG_HOME": str(home)})
    assert isinstance(unknown.exception, NotFoundError)


def test_a_second_person_is_asked_for(home: Path, tmp_path: Path) -> None:
    profile = tmp_path / "two.toml"
    profile.write_text('second_person = ["discard"]')
    number = number_of(home)
    told = run(home, "discard", number, "--reason", "A phantom.", "--yes", profile=str(profile)).stdout
    assert "a second person has to consent to request 1" in told
    assert files(home)
    assert "Request 1: cli:" in run(home, "show", number).stdout
    assert "is withdrawn" in run(home, "decline", number, "1", "--reason", "No.").stdout
    assert "(discard): withdrawn by cli:" in run(home, "show", number).stdout


def test_listed_and_shown(home: Path) -> None:
    listed = run(home, "list", "--archive", "main").stdout
    assert STUDY in listed
    assert "It is BLOCKED." in listed
    assert "No study" in run(home, "list", "--archive", "another").stdout
    shown = run(home, "show", number_of(home)).stdout
    assert shown.count("quarantined") == len(files_of("two-patient-ids"))
    assert isinstance(run(home, "show", "4711").exception, NotFoundError)


def test_released(home: Path) -> None:
    number = number_of(home)
    assert isinstance(run(home, "release", number, "--reason", "  ").exception, UsageError)
    assert run(home, "release", number).exit_code == 2  # no reason
    told = run(home, "release", number, "--reason", "Both are hers.")
    assert told.exit_code == 0, told.output
    assert "No study" in run(home, "list").stdout

    async def look() -> None:
        async with open_database(Settings(home=home)) as store:
            (job,) = await store.read(jobs.newest, kind="forward")
            assert job.state == "queued"
            (entry,) = await store.read(audit_trail.entries, action="quarantine.release")
            assert entry.actor.startswith("cli:")

    asyncio.run(look())
    assert files(home)


def test_discarded_after_a_question(home: Path) -> None:
    number = number_of(home)
    assert run(home, "discard", number, "--reason", "A phantom.", answer="n\n").exit_code == 1
    assert files(home)
    assert run(home, "discard", number, "--reason", "A phantom.", answer="y\n").exit_code == 0
    assert not files(home)
    assert isinstance(
        run(home, "discard", number, "--reason", "A phantom.", "--yes").exception, NotFoundError
    )
