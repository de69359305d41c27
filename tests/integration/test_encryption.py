"""A service with a key: evidence is encrypted, the key changed while it works, and none starts without it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner, Result
from integration.test_marked_data import package
from servers.heltig_server import HeltigServer, heltig_server

from heltig.cli import heltig
from heltig.demo.part10 import part10
from heltig.demo.studies import make_study

COMMENT, CODE = "ZQXCOMMENT", "zqx;odd;code"
STUDY = make_study("ct-chest", 31)


def files() -> list[bytes]:
    """A study with a comment, and with a code that a finding shows."""
    more = {
        "00180015": {"vr": "CS", "Value": [CODE]},
        "00204000": {"vr": "LT", "Value": [COMMENT]},
    }
    return [part10(dict(sorted({**one, **more}.items())), {}) for one in STUDY.datasets[:3]]


def run(home: Path, *arguments: str, **environ: str) -> Result:
    """A command beside the service."""
    return CliRunner().invoke(heltig, arguments, env={"HELTIG_HOME": str(home), **environ})


def refusal(home: Path, **environ: str) -> str:
    """What `heltig serve` says that does not start."""
    ran = subprocess.run(
        [sys.executable, "-m", "heltig", "serve"],
        env={"PATH": "", "HELTIG_HOME": str(home), "HELTIG_PORT": "0", **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode not in (0, 1), ran.stderr
    return ran.stdout + ran.stderr


def findings_of(server: HeltigServer) -> list[dict[str, Any]]:
    uid = STUDY.datasets[0]["0020000D"]["Value"][0]
    answer = httpx.get(f"{server.url}/api/v1/studies/{uid}/findings", timeout=60).raise_for_status()
    found: list[dict[str, Any]] = answer.json()["items"]
    assert httpx.get(f"{server.url}/dicom-web/studies/{uid}/readiness", timeout=60).status_code == 200
    return found


def readable_in(home: Path) -> list[str]:
    """The files of the database in which a mark can be read."""
    return [
        path.name
        for path in sorted(home.glob("heltig.db*"))
        if any(mark.encode() in path.read_bytes() for mark in (COMMENT, CODE))
    ]


def test_from_plain_to_a_key_to_another_and_back(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "key"
    given = {"HELTIG_ENCRYPTION_KEY": f"file:{file}"}
    with heltig_server(home) as server:
        sent = httpx.post(f"{server.url}/api/v1/jobs/upload", content=package(*files()), timeout=120)
        sent.raise_for_status()
        told = findings_of(server)
        assert CODE in [one["observed"] for one in told]
        assert server.stop() == 0
    assert readable_in(home) == ["heltig.db"]

    refused = run(home, "encryption", "rewrite")
    assert "names no key" in str(refused.exception)
    file.write_text("0f" * 32)
    file.chmod(0o600)
    with heltig_server(home, encryption_key=f"file:{file}") as server:
        assert findings_of(server) == told
        counted = run(home, "encryption", "rewrite", "--dry-run", **given)
        assert "plain" in counted.stdout
        assert "older rows may be plain" in run(home, "doctor", "--offline", **given).stdout
        done = run(home, "encryption", "rewrite", "--vacuum", **given)
        assert done.exit_code == 0, done.output
        assert findings_of(server) == told
        rotated = run(home, "encryption", "rotate-key", **given)
        assert rotated.exit_code == 0, rotated.output
        assert (file.read_text().count(","), file.stat().st_mode & 0o777) == (1, 0o600)
        done = run(home, "encryption", "rewrite", "--format", "json", **given)
        made = json.loads(done.stdout)
        assert made["key"] in rotated.stdout
        assert made["count"] > 0
        assert findings_of(server) == told
        assert server.stop() == 0
    assert readable_in(home) == []

    file.write_text(file.read_text().partition(",")[0])  # nothing needs the older one any more
    well = run(home, "doctor", "--offline", **given).stdout
    assert f"Evidence is encrypted with the key {made['key']}." in well
    said = refusal(home)
    assert f"encrypted with the key {made['key']}" in said
    assert "HELTIG_ENCRYPTION_KEY" in said
    wrong = {"HELTIG_ENCRYPTION_KEY": "env:HELTIG_SECRET_KEY", "HELTIG_SECRET_KEY": "0f" * 32}
    examined = run(home, "doctor", "--offline", **wrong)
    assert examined.exit_code != 0
    assert made["key"] in examined.stdout

    file.write_text(f"plain,{file.read_text()}")
    assert "Say --plain" in str(run(home, "encryption", "rewrite", **given).exception)
    done = run(home, "encryption", "rewrite", "--plain", **given)
    assert done.exit_code == 0, done.output
    with heltig_server(home) as server:
        assert findings_of(server) == told


def test_what_is_no_key_is_told_before_anything_is_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    said = refusal(home, HELTIG_ENCRYPTION_KEY="env:HELTIG_SECRET_KEY", HELTIG_SECRET_KEY="0f")
    assert "HELTIG_ENCRYPTION_KEY" in said
    assert not (home / "heltig.db").exists()
