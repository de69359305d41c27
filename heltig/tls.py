"""Whom we trust and who we are, for `https`, and what is said where TLS refuses."""

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from heltig.errors import ConfigurationError


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """Whom we trust and who we are. TLS is of version 1.2 at least.

    Attributes:
        ca_bundle: PEM file of the only authorities to trust; without it, those of the operating system.
        certificate: PEM file of our client certificate, with its chain.
        key: PEM file of its key, where `certificate` does not hold it.
    """

    ca_bundle: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are named."""
        return tuple(file for file in (self.ca_bundle, self.certificate, self.key) if file)


def ssl_context(tls: Tls) -> ssl.SSLContext:
    """What connections are made with; not to be changed, since others may share it.

    Raises:
        ConfigurationError: A file cannot be read, or certificate and key are not of one another.
    """
    if not tls.files:
        return _of_system(state_of_system())
    return _context(tls)


@lru_cache(maxsize=1)
def _of_system(state: tuple[tuple[str, int], ...]) -> ssl.SSLContext:
    """Trust in the operating system's authorities. To read more than a hundred of them takes 20 ms of CPU."""
    return _context(Tls())


def state_of_system() -> tuple[tuple[str, int], ...]:
    """Changes when the operating system's authorities do."""
    paths = ssl.get_default_verify_paths()
    return tuple((path, Path(path).stat().st_mtime_ns) for path in (paths.cafile, paths.capath) if path)


def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_bundle)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate:
            # An empty password: else whoever starts us would be asked for one on the terminal.
            context.load_cert_chain(tls.certificate, tls.key, password="")
    except OSError as wrong:  # ssl.SSLError is one
        files = ", ".join(map(str, tls.files))
        raise ConfigurationError(
            f"{files}: not readable as certificates and key in PEM, or the key is not that of the "
            "certificate, or it needs a password."
        ) from wrong
    return context


def server_context(certificate: Path, key: Path | None, client_ca: Path | None) -> ssl.SSLContext:
    """What a listener of ours speaks TLS with, of version 1.2 at least.

    Args:
        certificate: PEM file of its certificate, with its chain.
        key: PEM file of its key, where `certificate` does not hold it.
        client_ca: PEM file of the authorities that a client's certificate has to be of; None asks for none.

    Raises:
        ConfigurationError: As `ssl_context` does.
    """
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key, password="")
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as wrong:
        files = ", ".join(str(file) for file in (certificate, key, client_ca) if file)
        raise ConfigurationError(
            f"{files}: not readable as certificates and key in PEM, or the key is not that of the "
            "certificate, or it needs a password."
        ) from wrong
    return context


def tls_reason(error: BaseException) -> str:
    """Why TLS refuses; empty where it does not. A connection that ends without a goodbye is no refusal."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return ""
        if isinstance(cause, ssl.SSLError):
            return getattr(cause, "verify_message", "") or cause.reason or "refused"
        cause = cause.__cause__ or cause.__context__
    return ""


_ENDED: Final = frozenset({"EndOfStream", "BrokenResourceError"})
"""What anyio raises where the other side is gone."""


def is_ended_handshake(error: BaseException) -> bool:
    """Whether the server ended a connection in the handshake, without an alert that says why.

    Args:
        error: Why no connection came about.
    """
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ssl.SSLError | ConnectionResetError | BrokenPipeError):
            return True
        if type(cause).__name__ in _ENDED:
            return True
        cause = cause.__cause__ or cause.__context__
    return False
