"""`heltig listen`: objects that are sent by C-STORE, taken for a gate or for a server elsewhere."""

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from heltig import __version__
from heltig.cli.options import profile_option
from heltig.errors import UsageError
from heltig.rules.profile import Profile
from heltig.settings import Settings, load_settings

if TYPE_CHECKING:
    from heltig.listening import Listening


@click.command()
@click.argument("archive", required=False)
@profile_option
def listen(archive: str | None, profile: Profile) -> None:
    """Take objects by C-STORE for the gate before ARCHIVE.

    It does with them what the gate's mode says, as the gate does with what comes by STOW-RS, and answers
    C-ECHO and storage commitment requests. ARCHIVE may be left out where only one has a gate. `heltig
    settings` shows its AE title, where it listens, and who may send (HELTIG_AE_TITLE, HELTIG_DICOM_...). It
    runs on the server's host and with its HELTIG_HOME, with or without `heltig serve` beside it.

    On Ctrl-C or SIGTERM it ends its associations, and exits with 0. It exits with 2 when a setting is wrong,
    4 when there is no such gate, and 7 when the database cannot be opened.
    """
    settings = load_settings()
    _insist_on_library()
    from heltig import listening  # the database and all that works: not for `heltig --help`
    from heltig.logs import configure_logging

    configure_logging(settings.log_format)
    asyncio.run(
        listening.listen(settings, archive, profile=profile, started=lambda found: _announce(settings, found))
    )


def _insist_on_library() -> None:
    if find_spec("pynetdicom") is None:
        raise UsageError("heltig listen needs pynetdicom: pip install 'heltig[dimse]'.")


def _announce(settings: Settings, listening: "Listening") -> None:
    click.echo(f"Heltig {__version__} listens as {settings.ae_title} at {listening.address}")
    lines = {
        "gate": f"{listening.archive} ({listening.mode})",
        "senders": ", ".join(settings.dicom_peers) or "everybody on this machine (HELTIG_DICOM_PEERS)",
        "TLS": "yes" if settings.dicom_certificate else "no (HELTIG_DICOM_CERTIFICATE)",
        "data": str(settings.home),
    }
    if listening.recovered:
        lines["recovered"] = f"{listening.recovered} objects that were taken before a process died"
    for name, value in lines.items():
        click.echo(f"  {name:<9} {value}")
