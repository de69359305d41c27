"""The profiles that Heltig brings along: files in heltig/rules/profiles, to judge under or to build on."""

from functools import cache
from importlib.resources import files
from typing import Final

SHIPPED: Final = (
    "default",
    "strict",
    "migration",
    "deidentified-research",
    "dcm4chee-arc",
    "orthanc",
    "azure",
    "aws-healthimaging",
    "google",
)
"""Their names, in the order in which people read them."""


@cache
def shipped_text(name: str) -> str:
    """The text of a shipped profile.

    Raises:
        KeyError: There is none of this name.
    """
    if name not in SHIPPED:
        raise KeyError(name)
    return (files("heltig.rules") / "profiles" / f"{name}.toml").read_text("utf-8")


def summary(name: str) -> str:
    """What a shipped profile is for: the first sentence of its comment."""
    comment = [line[1:].strip() for line in shipped_text(name).splitlines() if line.startswith("#")]
    return " ".join(comment).partition(". ")[0].rstrip(".")
