"""`heltig upload FILE.zip`: have a server judge the studies in a ZIP."""

import http.client
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import click

from heltig.cli.check import EXIT_CODES
from heltig.errors import (
    AuthenticationError,
    AuthorisationError,
    HeltigError,
    InputError,
    StorageError,
    UsageError,
)
from heltig.secret import read_secret
from heltig.settings import Settings, load_settings

_BLOCK: Final = 256 * 1024
_SECONDS: Final = 600.0
"""How long a server may take to judge; it answers earlier, with the job, when it takes longer."""


class ServerError(HeltigError):
    """The server does not answer, or answers what we do not understand."""

    exit_code = 8


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--server",
    metavar="URL",
    help="Its root; without it HELTIG_UPLOAD_URL, without that the server of this machine at HELTIG_PORT.",
)
@click.option(
    "--key",
    "key",
    metavar="REF",
    help="Where an API key lies: env:NAME or file:PATH; for HELTIG_UPLOAD_URL without it HELTIG_UPLOAD_KEY.",
)
@click.option("--target", default="", metavar="ARCHIVE", help="The archive that the studies are meant for.")
@click.option("--async", "queue", is_flag=True, help="Do not wait for the verdicts.")
def upload(file: Path, server: str | None, key: str | None, target: str, queue: bool) -> None:
    """Have a server judge the studies in a ZIP.

    Exit code: 0 all studies are READY, 10 one NEEDS_REVIEW, 20 one is BLOCKED; 2 wrong usage, 3 the ZIP is
    refused, 6 we may not, 8 the server does not answer.
    """
    if server is None:
        server, default_key = _server_of(load_settings())
        key = key or default_key
    path = f"/api/v1/jobs/upload{'/async' if queue else ''}"
    answer = _post(server, f"{path}?target={quote(target, safe='')}" if target else path, file, key=key)
    given, job = answer["upload"], answer["job"]
    again = ", sent before" if given["repeat"] else ""
    click.echo(f"{given['location']} (job {job['id']}, {job['state']}{again})")
    if "studies" not in answer:
        click.echo(f"Ask for it: {server.rstrip('/')}/api/v1/jobs/{job['id']}")
        return
    for uploaded in answer["studies"]:
        study = uploaded["study"]
        rules = ", ".join(dict.fromkeys(f["rule"] for f in uploaded["findings"] if f["severity"] != "note"))
        click.echo(f"{study['lastReadiness'] or study['state']:<12}  {study['key']}  {rules}".rstrip())
    sys.exit(EXIT_CODES[answer["readiness"]])


def _server_of(settings: Settings) -> tuple[str, str | None]:
    """The server that is set to be uploaded to, with where its key lies, or the one of this machine.

    Raises:
        UsageError: The server of this machine takes any free port.
    """
    if settings.upload_url:
        return settings.upload_url, settings.upload_key
    if not settings.port:
        raise UsageError("HELTIG_PORT is 0, so nobody knows where the server is. Say it: --server URL.")
    host = "127.0.0.1" if settings.host in _EVERY_ADDRESS else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}", None


_EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - listened on, not connected to


def _post(server: str, path: str, file: Path, *, key: str | None) -> dict[str, Any]:
    """Sends a file and gives the answer.

    Raises:
        ServerError: There is no answer, or none of ours.
        HeltigError: What the server says is wrong.
    """
    root = urlsplit(server)
    if root.scheme not in ("http", "https") or not root.hostname:
        raise UsageError(f"{server}: not a server's address. Give http(s)://HOST[:PORT].")
    headers = {"Content-Type": "application/zip", "Content-Length": str(file.stat().st_size)}
    if key:
        headers["Authorization"] = f"Bearer {read_secret(key)}"
    kind = http.client.HTTPSConnection if root.scheme == "https" else http.client.HTTPConnection
    connection = kind(root.hostname, root.port, timeout=_SECONDS, blocksize=_BLOCK)
    place = f"{root.scheme}://{root.netloc}"
    try:
        with file.open("rb") as body:
            with suppress(BrokenPipeError):  # refused before all was sent: the answer says why
                connection.request("POST", root.path.rstrip("/") + path, body=body, headers=headers)
            response = connection.getresponse()
            status, text = response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(f"{place} does not answer ({type(error).__name__}). Is it running?") from error
    finally:
        connection.close()
    try:
        answer: dict[str, Any] = json.loads(text)
        if status < 300:
            return answer
        detail = f"{answer['title']}: {answer['detail']}"
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(f"{place} answers {status}, and not as Heltig does. Is it one?") from error
    raise _ERRORS.get(status, ServerError)(detail)


_ERRORS: Final[dict[int, type[HeltigError]]] = {
    400: UsageError,
    401: AuthenticationError,
    403: AuthorisationError,
    404: UsageError,
    413: InputError,
    415: UsageError,
    422: InputError,
    503: StorageError,
}
