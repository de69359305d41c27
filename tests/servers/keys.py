"""API keys of a server that runs in a process of its own, made as an administrator makes them."""

from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner

from heltig.auth.principal import ROLES
from heltig.cli import heltig

NOBODY = "nobody"


def key(home: Path, role: str, *options: str, name: str = "") -> str:
    """A new key of a role; called by it, if not otherwise."""
    words = ("keys", "create", name or role, "--role", role, *options)
    made = CliRunner().invoke(heltig, words, env={"HELTIG_HOME": str(home)})
    return next(word for word in made.stdout.split() if word.startswith("hk_"))


def keys(home: Path) -> Mapping[str, dict[str, str]]:
    """What each role sends to say who it is, and what nobody sends."""
    return {NOBODY: {}, **{role: {"Authorization": f"Bearer {key(home, role)}"} for role in ROLES}}
