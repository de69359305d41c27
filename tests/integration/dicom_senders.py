"""DCMTK's own senders."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

# An environment with pynetdicom has programs of these names, too: by their whole path they are DCMTK's.
BIN = Path("/usr/bin")


def sent_files(folder: Path, files: Sequence[bytes]) -> Path:
    """Puts files into a folder that a sender sends."""
    folder.mkdir()
    for number, content in enumerate(files):
        (folder / f"{number:04}.dcm").write_bytes(content)
    return folder


def dcmsend(port: int, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Sends a folder; the command insists that everything was stored."""
    done = dcmtk("dcmsend", *options, "-aec", "HELTIG", "+sd", "+r", "127.0.0.1", str(port), str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def dcmtk(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of DCMTK."""
    path = BIN / program
    if not path.exists():
        pytest.skip(f"needs DCMTK: {shutil.which(program) or program} (Debian: dcmtk)")
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False, timeout=300)
