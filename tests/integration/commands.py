"""Commands of Heltig from their entry point on, in this process: a start takes longer than most of them."""

import sys
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

from heltig.cli import main


class Ran(NamedTuple):
    """What a command ended with, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object, **environ: str) -> Ran:
    """Runs `heltig` with some arguments, and variables of the environment beside those that are there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["heltig", *map(str, arguments)])
        ran = CliRunner().invoke(click.Command("heltig", callback=main), env=environ)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.output
    return Ran(ran.exit_code, ran.stdout, ran.stderr)
