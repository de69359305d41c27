"""`heltig backup` and `heltig restore`."""

import asyncio
import json
import stat
from pathlib import Path

from click.testing import CliRunner, Result
from unit.store.samples import judge, snapshot

from heltig.cli import heltig
from heltig.cli.database import open_database
from heltig.errors import ConflictError, InputError, UsageError
from heltig.settings import Settings


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home)})


def test_a_backup_is_made_proven_and_restored(tmp_path: Path) -> None:
    async def fill() -> None:
        async with open_database(Settings(home=tmp_path / "home")) as store:
            await judge(store, snapshot())

    asyncio.run(fill())
    file = tmp_path / "heltig.backup"
    made = run(tmp_path / "home", "backup", str(file), "--with-secrets")
    assert made.exit_code == 0
    assert "1 study, 1 verdict," in made.stdout
    assert "secrets   in it" in made.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert isinstance(run(tmp_path / "home", "backup", str(file)).exception, UsageError)
    assert "The backup is whole" in run(tmp_path / "none", "restore", "--check", str(file)).stdout
    assert not (tmp_path / "none").exists()
    assert isinstance(run(tmp_path / "home", "restore", str(file)).exception, ConflictError)
    refused = tmp_path / "refused"
    (tmp_path / "other").write_bytes(b"no backup")
    assert isinstance(run(refused, "restore", str(tmp_path / "other")).exception, InputError)
    assert list(refused.iterdir()) == []  # no database that looks like one of an empty site
    new = run(tmp_path / "new", "restore", str(file))
    assert "Its audit trail is whole." in new.stdout
    assert new.stderr == ""
    environ = {
        "HELTIG_HOME": str(tmp_path / "hashed"),
        "HELTIG_IDENTIFIERS": "hashed",
        "HELTIG_AUTH_MODE": "api-key",
    }
    hashed = CliRunner().invoke(heltig, ["restore", str(file)], env=environ)
    assert (hashed.exit_code, "heltig identifiers rewrite" in hashed.stderr) == (0, True)
    entries = run(tmp_path / "home", "audit", "export").stdout.splitlines()
    actions = [json.loads(line)["action"] for line in entries if line.startswith("{")]
    assert "backup.make" in actions
    file.write_bytes(file.read_bytes()[:-300])
    assert isinstance(run(tmp_path / "none", "restore", "--check", str(file)).exception, InputError)
