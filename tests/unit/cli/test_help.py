"""`heltig --help`: what it says, and what it need not load for that."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from heltig.cli import heltig
from heltig.cli.listed import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_by_the_first_sentence_of_its_help(name: str) -> None:
    command = heltig.get_command(click.Context(heltig), name)
    assert command is not None
    assert COMMANDS[name].does == command.get_short_help_str(limit=200)


def test_every_command_is_listed() -> None:
    told = CliRunner().invoke(heltig, ["--help"], terminal_width=120).output
    for name, listed in COMMANDS.items():
        assert f"  {name:<12} {listed.does}\n" in told


def test_help_loads_no_command() -> None:
    """Whoever asks for it waits for it."""
    program = "import sys; from heltig.cli import main; sys.argv = ['heltig', '--help']\ntry: main()\n"
    program += "finally: print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    loaded = set(told.splitlines()[-1].split())
    assert "click" in loaded
    assert not loaded & {"heltig.cli.check", "heltig.store", "sqlalchemy", "litestar"}
