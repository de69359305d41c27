"""What is installed in Python environments of their own, read from their folders: nothing is started."""

import shutil
from collections.abc import Sequence
from pathlib import Path


def executable(given: Path | None, name: str) -> Path | None:
    """A program: the one that is given, else the one of that name on the path; None if it cannot be run."""
    found = shutil.which(given or name)
    return Path(found) if found else None


def distribution_version(program: Path, name: str) -> str:
    """The version of a Python distribution in the environment that a program belongs to.

    Args:
        program: Something in the `bin` folder of the environment, as its `python`. It is not resolved: in an
            environment it is a link to the python that made it.
        name: Of the distribution, normalised, as `totalsegmentator`.

    Returns:
        The version; empty where the environment does not show it.
    """
    for folder in site_packages(program):
        for entry in folder.glob("*.dist-info"):
            distribution, _, version = entry.name.removesuffix(".dist-info").partition("-")
            if distribution.casefold().replace("-", "_") == name:
                return version
    return ""


def site_packages(program: Path) -> Sequence[Path]:
    """Where the environment of a program has its distributions; see `distribution_version`."""
    return sorted(program.parent.parent.glob("lib/python3*/site-packages"))
