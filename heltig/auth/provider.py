"""The OpenID provider: what it publishes of itself, and the keys that its tokens are signed with.

Both are kept. A key that is not known has them asked for again, but only so often: tokens with
made-up key ids must not become a flood at the provider. While it is away, tokens are checked with the keys
that are known.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from heltig import http
from heltig.auth.kept import Kept
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

SEEN_AT_LOGIN: Final = timedelta(minutes=1)
"""Nobody is sent to log in at a provider that has not answered for so long, or does not answer now."""


class Metadata(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says when it is looked at.

    Attributes:
        metadata: Of itself.
        keys: Those that signatures can be checked with.
        published: How many keys it publishes, of whatever kind.
        skew: Seconds that its clock is ahead of ours, as Date shows it; None where it does not say.
    """

    metadata: Metadata
    keys: tuple[PublicKey, ...]
    published: int
    skew: float | None


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
        self._clock = clock
        self._metadata = Kept(self._fetch_metadata, clock)
        self._keys = Kept(self._fetch_keys, clock)

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

    async def look(self) -> Look:
        """Asks for all that it publishes, whatever is known.

        Raises:
            ProviderError: It does not say, or it is not this provider.
        """
        head, metadata = await self._metadata_now()
        _, key_set = await self._get(metadata.jwks_uri, dict[str, Any])
        listed = key_set.get("keys")
        return Look(
            metadata=metadata,
            keys=public_keys(key_set),
            published=len(listed) if isinstance(listed, list) else 0,
            skew=_skew(head, self._clock()),
        )

    async def close(self) -> None:
        """Ends what is asked in the background."""
        await self._metadata.close()
        await self._keys.close()

    async def _fetch_metadata(self) -> Metadata:
        return (await self._metadata_now())[1]

    async def _metadata_now(self) -> tuple[Head, Metadata]:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        head, found = await self._get(url, Metadata)
        if found.issuer != self.issuer:
            raise ProviderError(
                f"{url}: it names another issuer. Give HELTIG_OIDC_ISSUER as it stands there, to the letter."
            )
        for name in ("jwks_uri", "authorization_endpoint", "token_endpoint"):
            address = getattr(found, name)
            if address and not is_safe_address(address.partition("?")[0]):
                raise ProviderError(f"{url}: its {name} is no https:// address.")
        return head, found

    async def _fetch_keys(self) -> tuple[PublicKey, ...]:
        url = (await self.metadata()).jwks_uri
        return public_keys((await self._get(url, dict[str, Any]))[1])

    async def _get(self, url: str, type_: type[T]) -> tuple[Head, T]:
        try:
            async with http.client(_root(url), **self._connect) as client:
                head, body = await http.get(
                    client, url, accept="application/json", max_bytes=MOST_BYTES, retry=Retry(attempts=1)
                )
        except ArchiveError as error:
            raise _provider_error(error, url) from error
        except ConfigurationError as wrong:
            raise ProviderError(
                f"{_place(url)}: not asked, since this is no address of a provider."
            ) from wrong
        try:
            return head, msgspec.json.decode(body, type=type_)
        except NOT_JSON as wrong:
            raise ProviderError(
                f"{_place(url)}: what it answers is not what a provider publishes."
            ) from wrong


def _skew(head: Head, now: datetime) -> float | None:
    """Seconds that the clock of whoever answered is ahead; None where Date is none."""
    try:
        theirs = parsedate_to_datetime(head.headers.get("date", ""))
        return (theirs - now).total_seconds()
    except (ValueError, TypeError):
        return None


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
