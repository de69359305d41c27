"""What proves who we are to an archive, made of its credentials.

Secrets are read again when their file changes: whoever renews a token or a password there need not tell us.
"""

import os
import time
from collections.abc import Callable, Generator, Mapping

from heltig import http
from heltig.auth.client_credentials import ClientCredentialsAuth
from heltig.credentials import ArchiveAuth, BasicAuth, BearerAuth, ClientCredentials, NoAuth
from heltig.errors import ConfigurationError
from heltig.secret import Secret
from heltig.tls import Tls


def auth_for(
    credentials: ArchiveAuth,
    *,
    environ: Mapping[str, str] = os.environ,
    tls: Tls | None = None,
    proxy: str | None = None,
    allow_link_local: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> http.Auth | None:
    """Makes what a client of `heltig.http` proves itself with; None where there is nothing to prove.

    Args:
        credentials: Those of the archive's entry.
        environ: Where `env:` looks.
        tls: For the token endpoint, where the credentials name no authorities for it.
        proxy: URL of an HTTP proxy before the token endpoint.
        allow_link_local: Whether the token endpoint may have a link-local address.
        clock: Seconds that only grow.

    Raises:
        ConfigurationError: A secret cannot be read or sent.
    """
    match credentials:
        case NoAuth():
            return None
        case BasicAuth(username=username, secret=reference):
            return _Basic(username, Secret(reference, environ))
        case BearerAuth(secret=reference):
            return _Bearer(Secret(reference, environ))
        case ClientCredentials():
            return ClientCredentialsAuth(
                credentials,
                environ=environ,
                tls=tls or Tls(),
                proxy=proxy,
                allow_link_local=allow_link_local,
                clock=clock,
            )


class _Basic(http.Auth):
    def __init__(self, username: str, password: Secret) -> None:
        self._username = username
        self._password = password

    def auth_flow(self, request: http.Request) -> Generator[http.Request, http.Response, None]:
        yield from http.BasicAuth(self._username, self._password.value).auth_flow(request)


class _Bearer(http.Auth):
    def __init__(self, token: Secret) -> None:
        self._token = token
        self._header()

    def auth_flow(self, request: http.Request) -> Generator[http.Request, http.Response, None]:
        request.headers["Authorization"] = self._header()
        yield request

    def _header(self) -> str:
        token = self._token.value
        if not token.isascii() or " " in token:
            raise ConfigurationError("A bearer token has only ASCII characters and no space.")
        return f"Bearer {token}"
