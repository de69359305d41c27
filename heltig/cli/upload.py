"""`heltig upload PATH...`: have a server judge studies in files, folders and ZIPs."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from heltig import http
from heltig.auth.archives import auth_for
from heltig.cli.check import EXIT_CODES
from heltig.cli.upload_display import display_for
from heltig.credentials import NO_AUTH, BearerAuth
from heltig.errors import ConfigurationError, ConflictError, StorageError, UnreadableInputError, UsageError
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings
from heltig.settings import Settings
from heltig.uploading.client import ENDED, Patience, Uploader, of_a_server
from heltig.uploading.packing import Zip, is_one_zip, measured, pack

_EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - listened on, not connected to


@click.command()
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH..."
)
@click.option(
    "--server",
    metavar="URL",
    help="Its root; without it HELTIG_UPLOAD_URL, without that the server of this machine at HELTIG_PORT.",
)
@click.option(
    "--key",
    "key",
    metavar="REF",
    help="Where an API key lies: env:NAME or file:PATH; without it HELTIG_UPLOAD_KEY, for HELTIG_UPLOAD_URL.",
)
@click.option("--target", default="", metavar="ARCHIVE", help="The archive that the studies are meant for.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the verdicts.")
def upload(paths: tuple[Path, ...], server: str | None, key: str | None, target: str, no_wait: bool) -> None:
    """Have a server judge the studies in files, folders and ZIPs.

    A ZIP is sent as it is; all else is packed into one first, in the folder for temporary files. What breaks
    off is tried again where the server has it. After Ctrl-C or a crash the same command goes on there, for a
    day.

    Exit code: 0 all studies are READY, 10 one NEEDS_REVIEW, 20 one is BLOCKED; with --no-wait 0 once the
    server has all of it. 2 wrong usage, 3 it is refused or cannot be read, 4 there is no such archive, 5 its
    job was cancelled, 6 we may not, 7 a disk is full, 8 the server does not answer.
    """
    settings = load_settings()
    server, key = _server(settings, server, key)
    client = _client(server, key)  # before anything is packed: what is wrong with it is said at once
    try:
        if is_one_zip(paths):
            said = asyncio.run(_send(measured(paths[0]), client, target=target, wait=not no_wait))
        else:
            with tempfile.TemporaryDirectory(prefix="heltig-") as scratch:
                package = _packed(paths, Path(scratch) / "upload.zip")
                said = asyncio.run(_send(package, client, target=target, wait=not no_wait))
    except OSError as error:
        if error.filename is not None and Path(error.filename) in paths:
            raise UnreadableInputError(f"{error.filename} cannot be read: {error.strerror}.") from error
        raise StorageError(
            f"{tempfile.gettempdir()}: {error.strerror}. TMPDIR names another folder."
        ) from error
    _show(said, server)
    if no_wait:
        return
    if said["readiness"] is None:
        raise ConflictError(f"There is no verdict yet: job {said['job']['id']} is {said['job']['state']}.")
    sys.exit(EXIT_CODES[said["readiness"]])


def _packed(paths: Sequence[Path], into: Path) -> Zip:
    with into.open("xb") as file:
        files = pack(paths, file)
    package = measured(into)
    click.echo(f"{counted(files, 'file')} packed: {package.size:,} bytes", err=True)
    return package


def _client(server: str, key: str | None) -> http.Client:
    try:
        return http.client(server, auth=auth_for(BearerAuth(secret=key) if key else NO_AUTH))
    except ConfigurationError as error:
        raise UsageError(of_a_server(error.detail)) from error


async def _send(package: Zip, client: http.Client, *, target: str, wait: bool) -> dict[str, Any]:
    with display_for(sys.stderr, size=package.size) as display:
        async with client:
            return await Uploader(client, patience=Patience(), progress=display).send(
                package, target=target, wait=wait
            )


def _show(said: dict[str, Any], server: str) -> None:
    given, job = said["upload"], said["job"]
    again = ", sent before" if given["repeat"] else ""
    click.echo(f"{given['location']} (job {job['id']}, {job['state']}{again})")
    if job["state"] not in ENDED:
        click.echo(f"Ask for it: {server.rstrip('/')}/api/v1/jobs/{job['id']}")
    for uploaded in said["studies"]:
        study = uploaded["study"]
        rules = ", ".join(dict.fromkeys(f["rule"] for f in uploaded["findings"] if f["severity"] != "note"))
        click.echo(f"{study['lastReadiness'] or study['state']:<12}  {study['key']}  {rules}".rstrip())


def _server(settings: Settings, server: str | None, key: str | None) -> tuple[str, str | None]:
    """The server that is named or set, else the one of this machine, with where its key lies.

    Raises:
        UsageError: The server of this machine takes any free port.
    """
    if server is not None or settings.upload_url:
        chosen = server or settings.upload_url or ""
        is_its = settings.upload_url in (None, chosen)  # no other server is shown the key
        return chosen, key or (settings.upload_key if is_its else None)
    if not settings.port:
        raise UsageError("HELTIG_PORT is 0, so nobody knows where the server is. Say it: --server URL.")
    host = "127.0.0.1" if settings.host in _EVERY_ADDRESS else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}", key
