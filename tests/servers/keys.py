"""API keys of a server that runs in a process of its own, made as an administrator makes them."""

from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner

from heltig.auth.principal import ROLES
from heltig.cli import heltig

NOBODY = "nobody"


def key(home: Path, role: str, *options: str, name: str = "", **settings: str) -> str:
    """A new key of a role; called by it, if not otherwise. Settings are without prefix, in lower case."""
    words = ("keys", "create", name or role, "--role", role, *options)
    environ = {f"HELTIG_{setting.upper()}": value for setting, value in settings.items()}
    made = CliRunner().invoke(heltig, words, env={"HELTIG_HOME": str(home), **environ})
    return next(word for word in made.stdout.split() if word.startswith("hk_"))


def keys(home: Path, **settings: str) -> Mapping[str, dict[str, str]]:
    """What each role sends to say who it is, and what nobody sends."""
    made = {role: {"Authorization": f"Bearer {key(home, role, **settings)}"} for role in ROLES}
    return {NOBODY: {}, **made}
