"""What is installed in Python environments of their own, read from their folders: nothing is started."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

OF_THE_CLASSIFIER: Final = (("totalsegmentator",), ("xgboost", "xgboost_cpu"), ("scikit_learn",))
"""What the contrast phase classifier needs: one distribution of each of these."""


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


def missing_distribution(program: Path, needed: Sequence[Sequence[str]]) -> str:
    """What the environment of a program lacks: the first of names of which it has none; empty if nothing."""
    return next(
        (names[0] for names in needed if not any(map(partial(distribution_version, program), names))), ""
    )


def site_packages(program: Path) -> Sequence[Path]:
    """Where the environment of a program has its distributions; see `distribution_version`."""
    return sorted(program.parent.parent.glob("lib/python3*/site-packages"))
