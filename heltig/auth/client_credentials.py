"""Access tokens by the OAuth 2.0 client credentials grant (RFC 6749 4.4), for requests to one archive.

A token is obtained once for all who need it at the same time, again shortly before it expires, and once more
where the archive refuses one that it took before. What the token endpoint writes is not shown but for the
error codes of RFC 6749 5.2: descriptions name accounts.
"""

import asyncio
import base64
import re
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus, urlsplit
from uuid import uuid4

import msgspec

from heltig import http
from heltig.credentials import ClientCredentials
from heltig.errors import ArchiveCredentialsError, ArchiveUnavailableError, ConfigurationError
from heltig.http_answer import NOT_JSON, Head
from heltig.secret import Secret
from heltig.tls import Tls

MOST_BYTES: Final = 64 * 1024
EARLY_SECONDS: Final = 60.0
"""A token is not used any more so long before it expires, or half its life where that is less."""
DEFAULT_LIFE: Final = 300.0
"""Seconds that a token is used whose endpoint does not say how long it lives."""
ASSERTION_SECONDS: Final = 300

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,40}")


class _Token(msgspec.Struct):
    """A token; whether the archive ever took it is noted as it does."""

    text: str
    expires: float
    is_taken: bool = False


class ClientCredentialsAuth(http.Auth):
    """Puts an access token on each request."""

    def __init__(
        self,
        credentials: ClientCredentials,
        *,
        environ: Mapping[str, str],
        tls: Tls,
        proxy: str | None = None,
        allow_link_local: bool = False,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Makes it; no token is obtained yet.

        Args:
            credentials: Who we are, and where tokens come from.
            environ: Where `env:` looks.
            tls: For the token endpoint, where the credentials name no authorities for it.
            proxy: URL of an HTTP proxy.
            allow_link_local: Whether the endpoint may have a link-local address.
            clock: Seconds that only grow.
            now: Seconds since 1970.

        Raises:
            ConfigurationError: The secret or a certificate cannot be read.
        """
        self._credentials = credentials
        self._clock = clock
        self._now = now
        self._key = _Key(credentials) if credentials.proof == "private_key_jwt" else None
        self._secret = None if self._key else Secret(credentials.secret, environ)
        self._connect: dict[str, Any] = {
            "tls": msgspec.structs.replace(tls, ca_bundle=Path(credentials.ca_bundle))
            if credentials.ca_bundle
            else tls,
            "proxy": proxy,
            "allow_link_local": allow_link_local,
        }
        self._token: _Token | None = None
        self._obtaining: asyncio.Task[_Token] | None = None
        url = urlsplit(credentials.token_url)
        self._root = f"{url.scheme}://{url.netloc}/"
        http.client(self._root, **self._connect)  # for its checks; it opens no connection

    async def async_auth_flow(self, request: http.Request) -> AsyncGenerator[http.Request, http.Response]:
        """Sends a request with a token; once more with another where the archive took the first before."""
        token = await self._current()
        request.headers["Authorization"] = f"Bearer {token.text}"
        response = yield request
        if response.status_code != 401:
            token.is_taken = True
            return
        if token is self._token:
            self._token = None
        if not token.is_taken:
            return  # another one would be refused likewise
        token = await self._current()
        request.headers["Authorization"] = f"Bearer {token.text}"
        response = yield request
        if response.status_code != 401:
            token.is_taken = True
        elif token is self._token:
            self._token = None

    async def _current(self) -> _Token:
        """A token that is still good; who asks while one is obtained waits for that one."""
        if self._token is not None and self._clock() < self._token.expires:
            return self._token
        if self._obtaining is None:
            self._obtaining = asyncio.create_task(self._obtain())
            self._obtaining.add_done_callback(self._obtained)
        # One who is cancelled does not take it away from the others.
        return await asyncio.shield(self._obtaining)

    def _obtained(self, task: asyncio.Task[_Token]) -> None:
        self._obtaining = None
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    async def _obtain(self) -> _Token:
        ours = self._credentials
        form = {"grant_type": "client_credentials"}
        form |= {name: value for name in ("scope", "audience") if (value := getattr(ours, name))}
        basic: http.Auth | None = None
        if self._key:
            form |= {
                "client_id": ours.client_id,
                "client_assertion_type": _ASSERTION_TYPE,
                "client_assertion": self._key.assertion(int(self._now())),
            }
        elif self._secret and ours.proof == "client_secret_post":
            form |= {"client_id": ours.client_id, "client_secret": self._secret.value}
        elif self._secret:
            # Each encoded as in a form before it becomes part of the header (RFC 6749 2.3.1).
            basic = http.BasicAuth(quote_plus(ours.client_id), quote_plus(self._secret.value))
        asked = self._clock()
        async with http.client(self._root, auth=basic, **self._connect) as client:
            head, body = await http.post_form(client, ours.token_url, form, max_bytes=MOST_BYTES)
        return _token(head, body, asked)


class _Key:
    """Our private key, which the token endpoint knows (RFC 7523 2.2)."""

    def __init__(self, credentials: ClientCredentials) -> None:
        self._credentials = credentials
        self._key, algorithm = _private_key(credentials.secret.removeprefix("file:"))
        self._header = {"alg": algorithm, "typ": "JWT"}
        if credentials.key_id:
            self._header["kid"] = credentials.key_id
        if credentials.certificate:
            # Entra wants this thumbprint beside PS256 only.
            self._header["alg"] = algorithm.replace("RS256", "PS256")
            self._header["x5t#S256"] = _thumbprint(credentials.certificate)

    def assertion(self, now: int) -> str:
        from joserfc import jwt  # here: only clients that prove themselves by a key need it

        client = self._credentials.client_id
        claims = {
            "iss": client,
            "sub": client,
            "aud": self._credentials.token_url,
            "jti": uuid4().hex,
            "iat": now,
            "nbf": now,
            "exp": now + ASSERTION_SECONDS,
        }
        return jwt.encode(self._header, claims, self._key, algorithms=[self._header["alg"]])


def _private_key(path: str) -> tuple[Any, str]:
    """A private key, and the algorithm that it signs with (RFC 7518 3.1)."""
    from joserfc.errors import JoseError  # likewise
    from joserfc.jwk import ECKey, RSAKey

    unreadable = ConfigurationError(f"file:{path}: not readable as a private key, RSA or EC, in PEM.")
    try:
        pem = Path(path).read_text(encoding="ascii")
    except (OSError, ValueError) as wrong:
        raise unreadable from wrong
    for kind in (RSAKey, ECKey):
        with suppress(ValueError, TypeError, JoseError):  # of the other kind, or none
            key = kind.import_key(pem)
            if key.is_private:
                return key, "RS256" if kind is RSAKey else _CURVES[str(key.as_dict()["crv"])]
    raise unreadable


def _thumbprint(certificate: str) -> str:
    """By which an endpoint finds the certificate (RFC 7515 4.1.8)."""
    try:
        pem = Path(certificate).read_text(encoding="ascii")
        start = pem.index("-----BEGIN CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(
            pem[start : pem.index("-----END", start)] + "-----END CERTIFICATE-----"
        )
    except (OSError, ValueError) as wrong:
        raise ConfigurationError(f"{certificate}: not readable as a certificate in PEM.") from wrong
    return base64.urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode()


def _token(head: Head, body: bytes, asked: float) -> _Token:
    """The token in an answer.

    Raises:
        ArchiveUnavailableError: The endpoint has none for us now.
        ArchiveCredentialsError: It has none for us at all.
    """
    try:
        answer = msgspec.json.decode(body, type=dict[str, Any])
    except NOT_JSON:
        answer = {}
    place = f"{head.place}: the token endpoint"
    if head.status in (408, 429) or head.status >= 500:
        raise ArchiveUnavailableError(
            f"{place} answers {head.status}: not now. Try again later.", retry_after=head.retry_after
        )
    if head.status != 200:
        code = answer.get("error")
        reason = f" ({code})" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
        raise ArchiveCredentialsError(
            f"{place} answers {head.status}{reason}. Check client id, secret and scope."
        )
    text, kind, life = (answer.get(name) for name in ("access_token", "token_type", "expires_in"))
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not text or " " in text:
        raise ArchiveCredentialsError(f"{place} gives no access token. Check its address (tokenUrl).")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ArchiveCredentialsError(f"{place} gives a token of another type than Bearer.")
    try:
        seconds = float(life) if life is not None else DEFAULT_LIFE  # some write the number as text
    except (TypeError, ValueError):
        seconds = DEFAULT_LIFE
    return _Token(text, asked + max(seconds - EARLY_SECONDS, seconds / 2))
