"""`heltig sessions`: who is logged in, and an end of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner, Result
from unit.store.databases import sqlite_url

from heltig.auth.openid import Person
from heltig.auth.role_mapping import RoleMapping
from heltig.auth.sessions import Sessions
from heltig.cli import heltig
from heltig.cli.database import open_database
from heltig.errors import NotFoundError
from heltig.setting_types import SecretUrl
from heltig.settings import Settings


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, ("sessions", *arguments), env={"HELTIG_HOME": str(home)})


async def begin(home: Path, *names: str) -> None:
    settings = Settings(home=home, database_url=SecretUrl(sqlite_url(home / "heltig.db")))
    async with open_database(settings) as store:
        sessions = Sessions(
            store,
            RoleMapping("roles", ["readers=reader"]),
            issuer="https://login.example",
            idle=timedelta(hours=1),
            longest=timedelta(hours=10),
            clock=lambda: datetime.now(UTC),
        )
        for number, name in enumerate(names):
            person = Person(subject=name, name=name, granted=("readers",), provider_session="")
            await sessions.begin(person, login=f"login {number}", replaces="", origin="10.1.2.3")


def test_sessions_are_listed_and_ended(tmp_path: Path) -> None:
    assert run(tmp_path, "list").stdout == "Nobody is logged in.\n"
    asyncio.run(begin(tmp_path, "anna", "ben", "anna"))
    listed = run(tmp_path, "list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["anna", "anna", "ben"]
    assert listed[0].endswith("UTC  (readers)")
    assert run(tmp_path, "end", "anna").stdout == "2 sessions are ended.\n"
    assert isinstance(run(tmp_path, "end", "anna").exception, NotFoundError)
    assert run(tmp_path, "end").exit_code == run(tmp_path, "end", "ben", "--everybody").exit_code == 2
    assert run(tmp_path, "end", "--everybody").stdout == "1 session is ended.\n"
    assert run(tmp_path, "list").stdout == "Nobody is logged in.\n"
