"""Imaging is an extra: the gate starts without it, and without the libraries it needs."""

import subprocess
import sys


def test_nothing_of_it_is_imported_at_start() -> None:
    program = "import sys, heltig.app, heltig.cli, heltig.gate; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=120)
    modules = set(ran.stdout.decode().split())
    assert "heltig.gate" in modules
    assert not {"heltig.imaging", "highdicom", "nibabel", "numpy", "scipy"} & modules
