"""`heltig listen`: objects that are sent by C-STORE, taken for a gate or for a server elsewhere."""

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from heltig import __version__
from heltig.cli.options import profile_option
from heltig.errors import UsageError
from heltig.rules.profile import Profile
from heltig.setting_sources import load_settings
from heltig.setting_types import Address
from heltig.settings import Settings

if TYPE_CHECKING:
    from heltig.listening import Listening


@click.command()
@click.argument("archive", required=False)
@profile_option
@click.option(
    "--server",
    is_flag=False,
    flag_value="",
    metavar="[URL]",
    help="Without a store here: upload finished studies there; HELTIG_UPLOAD_URL where no URL is given.",
)
@click.option("--key", metavar="REF", help="Where an API key for it lies (HELTIG_UPLOAD_KEY).")
@click.option("--list", "lists", is_flag=True, help="Show what waits to be uploaded, and what was refused.")
@click.option("--retry", multiple=True, metavar="NAME", help="Have a package uploaded now; `all` for all.")
def listen(
    archive: str | None,
    profile: Profile,
    server: str | None,
    key: str | None,
    lists: bool,
    retry: tuple[str, ...],
) -> None:
    """Take objects by C-STORE for the gate before ARCHIVE, or for a server elsewhere.

    It does with them what the gate's mode says, as the gate does with what comes by STOW-RS, and answers
    C-ECHO and storage commitment requests. ARCHIVE may be left out where only one has a gate. `heltig
    settings` shows its AE title, where it listens, and who may send (HELTIG_AE_TITLE, HELTIG_DICOM_...). It
    runs on the server's host and with its HELTIG_HOME, with or without `heltig serve` beside it.

    With --server it needs no database: it groups objects by study, and when nothing of a study came for
    HELTIG_IDLE_SECONDS (30), packs and uploads it. What a server refuses is kept (--list, --retry); what it
    cannot take now is tried again.

    On Ctrl-C or SIGTERM it ends its associations, and exits with 0. It exits with 2 when a setting is wrong,
    4 when there is no such gate, and 7 when the database cannot be opened.
    """
    settings = load_settings()
    if lists or retry:
        _packages(settings, retry)
        return
    _insist_on_library()
    from heltig.logs import configure_logging

    configure_logging(settings.log_format)
    if server is not None:
        server = server or settings.upload_url
        if not server:
            raise UsageError("Say where to upload: --server URL, or HELTIG_UPLOAD_URL.")
        if archive is not None:
            raise UsageError("Give an ARCHIVE with a gate here, or a server elsewhere: one of them.")
        _relay(settings, server, key or settings.upload_key)
        return
    from heltig import listening  # the database and all that works: not for `heltig --help`

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


def _relay(settings: Settings, server: str, key: str | None) -> None:
    from heltig.relay.files import folder_of
    from heltig.relay.running import relay

    def announce(address: Address) -> None:
        click.echo(f"Heltig {__version__} listens as {settings.ae_title} at {address}")
        click.echo(f"  server    {server}\n  data      {folder_of(settings)}")

    asyncio.run(relay(settings, server, key=key, started=announce))


def _packages(settings: Settings, retry: tuple[str, ...]) -> None:
    from heltig.relay.files import folder_of
    from heltig.relay.outbox import Outbox
    from heltig.relay.receiving import under_way

    outbox = Outbox(folder_of(settings))
    if retry:
        for package in outbox.retry(() if "all" in retry else retry):
            click.echo(f"{package.name}: tried again")
        return
    for stage, studies in (
        ("coming", under_way(folder_of(settings))),
        ("to pack", outbox.to_be_packed()),
    ):
        for study, objects in studies:
            click.echo(f"{stage:<8} {study}  {objects} objects")
    for state in ("waiting", "failed"):
        for package in outbox.packages(state):
            tried = f"tried {package.tries} times: {package.error}" if package.tries else ""
            click.echo(f"{state:<8} {package.name}  {package.instances} objects  {tried}".rstrip())
