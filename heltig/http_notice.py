"""Sends a notice to a receiver that an administrator named: once, without following it anywhere.

What the receiver answers is not looked at but for its status and Retry-After. Texts of errors name neither
path nor query of its address, in which receivers have secrets.
"""

import asyncio
import re
import socket
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from heltig.errors import ArchiveAccessError, ArchiveError, ConfigurationError, HeltigError
from heltig.http_client import Client, Response, checked_root, client, head_of, received, send
from heltig.link_local import is_link_local
from heltig.tls import Tls, is_ended_handshake, tls_reason

SECONDS: Final = 10.0
"""How long a receiver may take for a notice, from connecting to the head of its answer."""

CONNECT_SECONDS: Final = 5.0

DROPPED_BYTES: Final = 16 * 1024
"""So much of an answer's body is read and dropped, to use the connection again; one with more is closed."""

_NO_ADDRESS: Final = "This is no receiver's address. Give http(s)://HOST/PATH, without user."
_WRITTEN: Final = re.compile(r"[!-~]+")
_REASONS: Final = {
    "ConnectTimeout": "no connection in time",
    "ConnectError": "no connection. Check its address, port and firewall, and whether it runs",
    "ReadTimeout": "no answer in time",
    "WriteTimeout": "it does not take what is sent",
    "TimeoutError": "no answer in time",
    "RemoteProtocolError": "its answer breaks off, or is not HTTP",
    "UnicodeError": "no such host",
}


class ReceiverError(HeltigError):
    """A receiver did not take a notice.

    Attributes:
        answered: The status of its answer, where there was one.
    """

    exit_code = 8
    status = 502
    problem_type = "/problems/receiver"
    title = "Receiver did not take it"

    def __init__(self, detail: str, *, retry_after: float | None = None, answered: int | None = None) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.answered = answered


class Taken(msgspec.Struct, frozen=True):
    """A receiver took a notice.

    Attributes:
        status: What it answered: 2xx.
    """

    status: int


def checked_address(url: str) -> SplitResult:
    """The address of a receiver, in its parts.

    Raises:
        ConfigurationError: It is none, or a link-local one, where clouds tell secrets.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if (
        not is_address
        or "@" in parts.netloc
        or parts.fragment
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise ConfigurationError(_NO_ADDRESS)
    if is_link_local(parts.hostname or ""):
        raise ConfigurationError("A receiver has no link-local address: clouds keep secrets there.")
    try:
        checked_root(f"{parts.scheme}://{parts.netloc}", allow_link_local=True)
    except ConfigurationError as wrong:  # its text is about archives
        raise ConfigurationError(_NO_ADDRESS) from wrong
    return parts


def receiver(url: str, *, tls: Tls | None = None) -> Client:
    """Makes the client of a receiver; close it.

    Raises:
        ConfigurationError: The address is none, or the authorities cannot be read.
    """
    parts = checked_address(url)
    return client(
        f"{parts.scheme}://{parts.netloc}", tls=tls, connect_seconds=CONNECT_SECONDS, read_seconds=SECONDS
    )


async def notify(to: Client, url: str, body: bytes, headers: Mapping[str, str]) -> Taken:
    """Sends a notice once.

    Args:
        to: From `receiver`.
        url: The receiver's address.
        body: JSON.
        headers: Beside the client's own.

    Raises:
        ReceiverError: It did not take it.
    """
    try:
        parts = checked_address(url)
    except ConfigurationError as wrong:  # what is refused may have changed since it was made
        raise ReceiverError(wrong.detail) from wrong
    target = parts._replace(scheme="", netloc="", path=parts.path or "/").geturl()
    given = {"Content-Type": "application/json", "Accept": "*/*", **headers}
    request = to.build_request("POST", target, content=body, headers=given)
    try:
        async with asyncio.timeout(SECONDS):
            await _insist_on_its_host(parts)
            response = await send(to, request)
    except TimeoutError as wrong:
        raise ReceiverError(f"{parts.hostname}: no answer in {SECONDS:g} s.") from wrong
    except ArchiveError as wrong:
        raise ReceiverError(f"{parts.hostname}: {_reason(wrong)}.") from wrong
    head = head_of(response)
    await _drop(response)
    if response.is_success:
        return Taken(head.status)
    said = "a redirect, which is not followed" if response.is_redirect else f"it answers {head.status}"
    raise ReceiverError(f"{parts.hostname}: {said}.", retry_after=head.retry_after, answered=head.status)


async def _insist_on_its_host(parts: SplitResult) -> None:
    """Looks where a name leads before anything is sent there; `send` looks again where it was sent."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as wrong:
        raise ReceiverError(f"{parts.hostname}: no such host. Check its address.") from wrong
    if any(is_link_local(str(address[0])) for *_, address in found):
        raise ReceiverError(f"{parts.hostname}: not told, since its name leads to a link-local address.")


async def _drop(response: Response) -> None:
    """Ends an answer whose body nobody wants."""
    try:
        async with asyncio.timeout(1.0), aclosing(received(response)) as pieces:
            size = 0
            async for piece in pieces:
                size += len(piece)
                if size > DROPPED_BYTES:
                    break
    except (TimeoutError, ArchiveError):
        pass  # its status is known
    finally:
        await response.aclose()


def _reason(error: ArchiveError) -> str:
    if isinstance(error, ArchiveAccessError):
        reason = tls_reason(error)
        return f"TLS fails ({reason})" if reason else "not listened to, since its address is link-local"
    name = type(error.__cause__).__name__
    if name == "ConnectError" and error.__cause__ and is_ended_handshake(error.__cause__):
        return "the server ended the TLS handshake and does not say why"
    return _REASONS.get(name, f"the connection fails ({name})")
