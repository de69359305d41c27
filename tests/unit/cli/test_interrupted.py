"""Ctrl-C at the command line: an exit code that means nothing else, and no traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no Ctrl-C to be sent")


@pytest.mark.parametrize("command", [["rules"], ["rules", "show", "UID-ROOT"], ["check", "."], ["rescore"]])
def test_every_command_ends_with_130(tmp_path: Path, command: list[str]) -> None:
    profile = tmp_path / "profile.toml"
    os.mkfifo(profile)
    with subprocess.Popen(
        [sys.executable, "-m", "heltig", *command, "--profile", profile],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HELTIG_HOME": str(tmp_path / "home")},
    ) as running:
        assert running.stderr
        with profile.open("w"):  # opens when the command reads it, which then waits for the text
            running.send_signal(signal.SIGINT)
        # Closed now: Python sees no signal that comes just before it begins to wait, until the wait ends.
        told = running.stderr.read()
    assert (running.returncode, told) == (130, "heltig: interrupted.\n")
