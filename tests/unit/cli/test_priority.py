"""Commands that work beside a service let it go first."""

import os
import subprocess
import sys

import pytest

HERE = os.getpriority(os.PRIO_PROCESS, 0)

RUN = """
import atexit, os, sys
sys.argv[0] = "heltig"
atexit.register(lambda: print("nice", os.getpriority(os.PRIO_PROCESS, 0)))
from heltig.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX priorities")
@pytest.mark.parametrize(("command", "steps_back"), [("pull", True), ("worker", True), ("serve", False)])
def test_who_pulls_steps_back(command: str, *, steps_back: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, command, "--help"], capture_output=True, text=True, check=True
    )
    nice = int(done.stdout.rpartition("nice ")[2])
    assert nice == (max(10, HERE) if steps_back else HERE)
    assert "Usage: heltig" in done.stdout
