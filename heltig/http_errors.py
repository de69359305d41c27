"""What is told of a connection to an archive that fails."""

import ssl
from typing import Final

import httpx

from heltig.errors import (
    ArchiveCredentialsError,
    ArchiveError,
    ArchiveSilentError,
    ArchiveUnavailableError,
)
from heltig.tls import is_ended_handshake, tls_reason

_NO_HANDSHAKE: Final = (
    "the server ended the TLS handshake and does not say why. It may want a client certificate (certificate, "
    "key), or speak no TLS on this port, or only versions before 1.2. Check these, and its log"
)
_NO_ANSWER: Final = (
    "Over TLS 1.3 a server may so refuse a client certificate, or the lack of one (certificate, key)"
)


def transport_error(
    error: httpx.TransportError | ssl.SSLError, place: str, *, is_begun: bool = False
) -> ArchiveError:
    """What is told of a request that failed on its way.

    Args:
        error: Why.
        place: Its address, without what names a patient.
        is_begun: Its answer has begun to come.
    """
    may_be_tls = place.startswith("https:") and not is_begun
    reason = tls_reason(error)
    if reason:
        return ArchiveCredentialsError(
            f"{place}: TLS fails ({reason}). Give the archive's CA bundle or our client certificate."
        )
    match error:
        case httpx.ConnectError() if may_be_tls and is_ended_handshake(error):
            return ArchiveUnavailableError(f"{place}: {_NO_HANDSHAKE}.").having_done_nothing()
        case httpx.ConnectTimeout() | httpx.ConnectError():
            text = "no connection. Check address, port and firewall, and whether the archive runs"
            return ArchiveUnavailableError(f"{place}: {text}.").having_done_nothing()
        case httpx.ReadTimeout():
            text = "the archive stays silent. Try again later, or wait longer (HELTIG_ARCHIVE_READ_SECONDS)"
            return ArchiveSilentError(f"{place}: {text}.")
        case httpx.PoolTimeout():
            text = "all our connections to the archive are in use"
            return ArchiveUnavailableError(f"{place}: {text}.").having_done_nothing()
        case httpx.RemoteProtocolError():
            text = "the answer breaks off, or is not HTTP. Try again; where it stays, check scheme and port"
        case _:
            text = f"the connection fails ({type(error).__name__}). Try again later"
    if may_be_tls and isinstance(error, httpx.ReadError | httpx.RemoteProtocolError):
        text = f"{text}. {_NO_ANSWER}"
    return ArchiveUnavailableError(f"{place}: {text}.")
