"""Imaging is an extra: the gate starts without it, and the service without the libraries it needs."""

import subprocess
import sys

import pytest

LIBRARIES = {"highdicom", "nibabel", "numpy", "scipy", "PIL"}


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import heltig.gate, heltig.pipeline.gate.custody", {"heltig.imaging", *LIBRARIES}),
        ("import heltig.app, heltig.cli, heltig.working", LIBRARIES),
    ],
    ids=["the gate", "the service"],
)
def test_nothing_of_it_is_imported_at_start(program: str, absent: set[str]) -> None:
    told = f"{program}; import sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, timeout=120)
    modules = set(ran.stdout.decode().split())
    assert "heltig.errors" in modules
    assert not absent & modules
