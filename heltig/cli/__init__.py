"""The commands of Heltig. Each lives in a module of its own, imported when it is called."""

import errno
import gc
import importlib
import os
import sys
from typing import Any, Final

import click

from heltig import __version__
from heltig.cli.listed import COMMANDS
from heltig.errors import HeltigError, StorageError

INTERRUPTED = 130
"""The exit code of a command that was ended by Ctrl-C, as shells have it: 128 and SIGINT's number.

Services, `serve` and `worker`, are told to stop by it: once at work they end with 0.
"""


class _Commands(click.Group):
    """A group that imports a command when it is needed: `check` must not wait for a web framework."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].where.partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name].where} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, listed.does) for name, listed in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; click alone would end with 1, which has a meaning, when it is interrupted."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("heltig: interrupted.", err=True)
            ctx.exit(INTERRUPTED)


_STEP_BACK: Final = ("pull", "worker")
"""Commands that work beside a service: it answers first, and so does a database on the same host."""

_NICE: Final = 10


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="heltig")
def heltig() -> None:
    """Tells an imaging archive whether a study is fit to be stored, before it is stored.

    Operational quality assurance of metadata; not for diagnosis.
    """


def _step_back() -> None:
    """Has this process, and those that it starts, wait where others want the processor, too."""
    if sys.platform != "win32":
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICE, os.getpriority(os.PRIO_PROCESS, 0)))


def main() -> None:
    """Run the command line; errors of Heltig's own end with their exit code and one clear line."""
    gc.set_threshold(50_000, 20, 20)  # tables are large and free of cycles: looking for some costs a third
    if sys.argv[1:2] and sys.argv[1] in _STEP_BACK:
        _step_back()
    try:
        try:
            heltig(standalone_mode=True)
        finally:
            if sys.stdout is not None:  # closed by whoever started us, as a service may be
                sys.stdout.flush()
    except HeltigError as error:
        click.echo(f"heltig: {error.detail}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EPIPE) or sys.stdout is None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would be tried again
        click.echo(f"heltig: standard output cannot be written: {error.strerror}.", err=True)
        sys.exit(StorageError.exit_code)
