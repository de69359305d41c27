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

DEFAULT_SERVER = "http://127.0.0.1:8042"
_BLOCK: Final = 256 * 1024
_SECONDS: Final = 600.0
"""How long a server may take to judge; it answers earlier, with the job, when it takes longer."""


class ServerError(HeltigError):
    """The server does not answer, or answers what we do not understand."""

    exit_code = 8


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--server", default=DEFAULT_SERVER, show_default=True, metavar="URL", help="Its root.")
@click.option("--key", "key", metavar="REF", help="Where an API key lies: env:NAME or file:PATH.")
@click.option("--target", default="", metavar="ARCHIVE", help="The archive that the studies are meant for.")
@click.option("--async", "queue", is_flag=True, help="Do not wait for the verdicts.")
def upload(file: Path, server: str, key: str | None, target: str, queue: bool) -> None:
    """Have a server judge the studies in a ZIP.

    Exit code: 0 all studies are READY, 10 one NEEDS_REVIEW, 20 one is BLOCKED; 2 wrong usage, 3 the ZIP is
    refused, 6 we may not, 8 the server does not answer.
    """
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
