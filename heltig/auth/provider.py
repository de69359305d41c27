"""The OpenID provider: what it publishes of itself, and the keys that its tokens are signed with.

Both are kept. A key that is not known has them asked for again, but only so often: tokens with
made-up key ids must not become a flood at the provider. While it is away, tokens are checked with the keys
that are known.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec

from heltig import http
from heltig.auth.public_keys import PublicKey, fitting_key, public_keys
from heltig.errors import (
    ArchiveCredentialsError,
    ArchiveError,
    ArchiveSilentError,
    ArchiveUnavailableError,
    ConfigurationError,
    ProviderError,
)
from heltig.http_answer import NOT_JSON, Head
from heltig.retry import Retry
from heltig.setting_types import is_safe_address
from heltig.tls import Tls

T = TypeVar("T")

MOST_BYTES: Final = 512 * 1024
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0

FRESH_FOR: Final = timedelta(hours=1)
"""After that what is known is still used, and asked for again meanwhile."""

KEYS_GOOD_FOR: Final = timedelta(hours=24)
"""So long keys are used while the provider is away: one that it took back must not be good for ever."""

ASKED_AGAIN_AFTER: Final = timedelta(seconds=30)
"""An unknown key has the provider asked again, at most so often."""

FAILED_FOR: Final = timedelta(seconds=5)
"""So long after the provider did not answer it is not asked again."""

SEEN_AT_LOGIN: Final = timedelta(minutes=1)
"""Nobody is sent to log in at a provider that has not answered for so long, or does not answer now."""

logger = logging.getLogger(__name__)


class Metadata(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """The provider of one issuer."""

    def __init__(
        self, issuer: str, *, clock: Callable[[], datetime], tls: Tls | None = None, proxy: str | None = None
    ) -> None:
        """Makes it; nothing is asked yet.

        Args:
            issuer: Its issuer, to the letter.
            clock: Gives the time, in UTC.
            tls: Whom to trust.
            proxy: URL of an HTTP proxy.

        Raises:
            ConfigurationError: The issuer is no address, or a certificate cannot be read.
        """
        self.issuer = issuer
        self._connect: dict[str, Any] = {
            "tls": tls or Tls(),
            "proxy": proxy,
            "connect_seconds": CONNECT_SECONDS,
            "read_seconds": READ_SECONDS,
        }
        http.client(issuer, **self._connect)  # for its checks; it opens no connection
        self._metadata = _Kept(self._fetch_metadata, clock)
        self._keys = _Kept(self._fetch_keys, clock)

    async def metadata(self, *, at_login: bool = False) -> Metadata:
        """What it says of itself.

        Args:
            at_login: Somebody is to be sent there: it has to answer now.

        Raises:
            ProviderError: It is not known, and the provider does not say.
        """
        known = self._metadata.younger_than(SEEN_AT_LOGIN if at_login else FRESH_FOR)
        if known is not None:
            return known
        try:
            return await self._metadata.asked()
        except ProviderError:
            if at_login or (known := self._metadata.younger_than(KEYS_GOOD_FOR)) is None:
                raise
            return known

    async def key(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """The key that a token says it is signed with; None where the provider has none such.

        Args:
            kid: Its id in the token's header; None where the token does not say.
            algorithm: The algorithm in the token's header.

        Raises:
            ProviderError: No key is known, and the provider does not say.
        """
        known = self._keys.younger_than(KEYS_GOOD_FOR)
        found = fitting_key(known or (), kid, algorithm)
        if found is not None:
            if self._keys.younger_than(FRESH_FOR) is None:
                self._keys.ask()  # not waited for
            return found
        try:
            return fitting_key(await self._keys.asked(), kid, algorithm)
        except ProviderError:
            if known is None:
                raise
            return None

    async def token(self, form: Mapping[str, str], *, auth: http.Auth | None) -> tuple[Head, bytes]:
        """Sends a form to the token endpoint; the answer, whatever its status.

        Raises:
            ProviderError: There is no answer.
        """
        url = (await self.metadata()).token_endpoint
        try:
            async with http.client(_root(url), auth=auth, **self._connect) as client:
                return await http.post_form(client, url, form, max_bytes=MOST_BYTES)
        except ArchiveError as error:
            raise _provider_error(error, url) from error

    async def close(self) -> None:
        """Ends what is asked in the background."""
        await self._metadata.close()
        await self._keys.close()

    async def _fetch_metadata(self) -> Metadata:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = await self._get(url, Metadata)
        if found.issuer != self.issuer:
            raise ProviderError(
                f"{url}: it names another issuer. Give HELTIG_OIDC_ISSUER as it stands there, to the letter."
            )
        for name in ("jwks_uri", "authorization_endpoint", "token_endpoint"):
            address = getattr(found, name)
            if address and not is_safe_address(address.partition("?")[0]):
                raise ProviderError(f"{url}: its {name} is no https:// address.")
        return found

    async def _fetch_keys(self) -> tuple[PublicKey, ...]:
        url = (await self.metadata()).jwks_uri
        return public_keys(await self._get(url, dict[str, Any]))

    async def _get(self, url: str, type_: type[T]) -> T:
        try:
            async with http.client(_root(url), **self._connect) as client:
                _, body = await http.get(
                    client, url, accept="application/json", max_bytes=MOST_BYTES, retry=Retry(attempts=1)
                )
        except ArchiveError as error:
            raise _provider_error(error, url) from error
        except ConfigurationError as wrong:
            raise ProviderError(
                f"{_place(url)}: not asked, since this is no address of a provider."
            ) from wrong
        try:
            return msgspec.json.decode(body, type=type_)
        except NOT_JSON as wrong:
            raise ProviderError(
                f"{_place(url)}: what it answers is not what a provider publishes."
            ) from wrong


class _Kept(Generic[T]):
    """Something that the provider publishes; asked for once for all who need it at the same time."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Callable[[], datetime]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._value: T | None = None
        self._error: ProviderError | None = None
        self._got: datetime | None = None
        self._tried: datetime | None = None
        self._asking: asyncio.Task[T] | None = None

    def younger_than(self, age: timedelta) -> T | None:
        """What is known, unless it is older."""
        return self._value if self._is_within(self._got, age) else None

    async def asked(self) -> T:
        """What the provider says now, or said so recently that it is not asked again.

        Raises:
            ProviderError: It does not say.
        """
        self.ask()
        if self._asking is not None:
            return await asyncio.shield(self._asking)  # one who is cancelled does not take it from the others
        if self._error is not None:
            raise ProviderError(self._error.detail, retry_after=FAILED_FOR.total_seconds())
        if self._value is None:
            raise ProviderError("The OpenID provider was not asked yet. Try again.")
        return self._value

    def ask(self) -> None:
        """Has the provider asked, unless it is being asked or was asked just now."""
        pause = FAILED_FOR if self._error else ASKED_AGAIN_AFTER
        if self._asking is not None or self._is_within(self._tried, pause):
            return
        self._tried = self._clock()
        self._asking = asyncio.ensure_future(self._fetch())
        self._asking.add_done_callback(self._answered)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    def _answered(self, task: "asyncio.Task[T]") -> None:
        self._asking = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._value, self._got, self._error = task.result(), self._clock(), None
        elif isinstance(error, ProviderError):
            self._error = error
            logger.warning("The OpenID provider cannot be asked: %s", error)
        else:
            logger.error("Asking the OpenID provider failed by a fault of our own.", exc_info=error)

    def _is_within(self, then: datetime | None, age: timedelta) -> bool:
        # A clock that was set back makes nothing young.
        return then is not None and timedelta(0) <= self._clock() - then < age


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _place(url: str) -> str:
    return url.partition("?")[0]


def _provider_error(error: ArchiveError, url: str) -> ProviderError:
    """The same without words of archives."""
    match error:
        case ArchiveCredentialsError():
            text = "TLS fails, or it asks who we are. Its authorities are named by HELTIG_OIDC_CA_BUNDLE"
        case ArchiveSilentError():
            text = "no answer in time. Try again later"
        case ArchiveUnavailableError():
            text = "no connection, or it says not now. Try again later"
        case _:
            text = "its answer is not that of an OpenID provider. Check HELTIG_OIDC_ISSUER"
    return ProviderError(f"{_place(url)}: {text}.", retry_after=error.retry_after)
