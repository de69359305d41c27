"""`heltig worker`: one more process that works jobs off."""

import asyncio
import os
import signal
from datetime import timedelta
from functools import partial
from typing import Final

import click

from heltig import __version__
from heltig.cli.options import profile_option
from heltig.errors import HeltigError
from heltig.rules.profile import Profile
from heltig.setting_sources import load_settings
from heltig.settings import Settings

GRACE: Final = timedelta(seconds=20)
"""How long jobs at work get to finish; service managers wait thirty seconds, as a rule."""


@click.command()
@profile_option
def worker(profile: Profile) -> None:
    """Pull and judge studies beside the server, on any number of hosts.

    With PostgreSQL (HELTIG_DATABASE_URL) start as many as there is work for, wherever they reach the database
    and the archives. With SQLite they run on the server's host and with its HELTIG_HOME; elsewhere they
    refuse to start. HELTIG_REDIS_URL has them woken when there is work; without it they look every five
    seconds.

    On SIGTERM or Ctrl-C a worker takes no more jobs, gives those at work 20 seconds to finish, puts the
    others back and exits with 0; a second signal ends it at once. It may be killed at any moment: its jobs
    are found again. It exits with 2 when a setting is wrong, and with 7 when the database cannot be opened.
    """
    from heltig.logs import configure_logging

    settings = load_settings()
    configure_logging(settings.log_format)
    asyncio.run(work(settings, profile=profile))


async def work(settings: Settings, *, profile: Profile) -> None:
    """Work until told to stop.

    Args:
        settings: The site's settings.
        profile: What studies are judged with.

    Raises:
        ConfigurationError: The database is SQLite, and in use on another host.
        StorageError: The database cannot be opened.
        HeltigError: Jobs are not worked off any more; the log says why.
    """
    from heltig.desks import PLACES, Does
    from heltig.jobs.queue import utc_now  # the database and all that works: not for `heltig --help`
    from heltig.working import working

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, partial(_told, stop, number))
    # What was uploaded is a file on the server's host.
    is_server_host = settings.database.startswith("sqlite")
    does: Does = "all" if is_server_host else "all but uploads"
    async with working(
        settings, profile=profile, clock=utc_now, does=does, kind="worker", grace=GRACE
    ) as parts:
        most = PLACES * settings.workers
        click.echo(f"Heltig {__version__} works jobs off, up to {most} studies of an archive at a time.")
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait([waiting, parts.runner], return_when=asyncio.FIRST_COMPLETED)
        has_failed = not waiting.done()
        waiting.cancel()
    if has_failed:
        raise HeltigError("Jobs are not worked off any more. The log says why.")


def _told(stop: asyncio.Event, number: int) -> None:
    if stop.is_set():
        os._exit(128 + number)
    stop.set()
