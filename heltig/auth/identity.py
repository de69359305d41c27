"""Who is asking: the one place where it is found out, whatever door somebody comes in by."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from heltig.auth.keys import PREFIX, KeyRing
from heltig.auth.openid import Logins
from heltig.auth.principal import Principal
from heltig.auth.provider import Provider
from heltig.auth.role_mapping import RoleMapping
from heltig.auth.sessions import Sessions
from heltig.auth.signed import UnprovenError
from heltig.auth.tokens import AccessTokens
from heltig.errors import named
from heltig.secret import Secret
from heltig.settings import Settings
from heltig.store.engine import Store
from heltig.tls import Tls


class Identity:
    """API keys, access tokens and sessions, those that the settings take.

    Attributes:
        logins: By which people log in; None where nobody can.
        sessions: Of those who did; None likewise.
    """

    def __init__(
        self,
        *,
        keys: KeyRing | None,
        provider: Provider | None = None,
        tokens: AccessTokens | None = None,
        logins: Logins | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        """Made by `identity_of`; what is None is not taken."""
        self.logins = logins
        self.sessions = sessions
        self._keys = keys
        self._provider = provider
        self._tokens = tokens

    async def bearer(self, shown: str) -> Principal:
        """Who sends an API key or an access token.

        Raises:
            UnprovenError: It is not good, or not taken here.
            ProviderError: A token cannot be checked now.
            StorageError: The database could not be asked who holds a key.
        """
        if shown.startswith(PREFIX) or self._tokens is None:
            principal = await self._keys.principal(shown) if self._keys else None
            if principal is None:
                raise UnprovenError("identity", self._why_not(shown))
            return principal
        return await self._tokens.principal(shown)

    async def session(self, shown: str, *, is_there: bool) -> Principal:
        """Who is in the session that a browser shows.

        Args:
            shown: What it shows.
            is_there: Somebody is there, who is not idle; else a page asks by itself.

        Raises:
            UnprovenError: There is none, or it is over.
            StorageError: The database could not be asked.
        """
        principal = await self.sessions.principal(shown, is_there=is_there) if self.sessions else None
        if principal is None:
            raise UnprovenError("session", "This session is over. Log in again.")
        return principal

    async def close(self) -> None:
        """Ends what goes on in the background."""
        if self._provider is not None:
            await self._provider.close()

    def _why_not(self, shown: str) -> str:
        if self._keys is None and shown.startswith(PREFIX):
            return "API keys are not taken here (HELTIG_AUTH_MODE=oidc): send an access token."
        if self._keys is None:
            return "Access tokens are not taken here, since HELTIG_OIDC_AUDIENCE names nobody: log in."
        return "This API key is unknown, expired or revoked."


def identity_of(
    settings: Settings,
    store: Store,
    *,
    clock: Callable[[], datetime],
    environ: Mapping[str, str] = os.environ,
) -> Identity:
    """What the settings take; the provider is not asked yet.

    Args:
        settings: The site's settings.
        store: Keeps keys and sessions.
        clock: Gives the time, in UTC.
        environ: Where `env:` looks.

    Raises:
        ConfigurationError: A role is none, or a secret or a certificate cannot be read.
    """
    keys = KeyRing(store, clock=clock) if settings.auth_mode in ("api-key", "hybrid") else None
    if settings.auth_mode not in ("oidc", "hybrid"):
        return Identity(keys=keys)
    issuer = settings.oidc_issuer or ""
    provider = provider_of(settings, clock=clock)
    mapping = RoleMapping(settings.oidc_role_claim, settings.oidc_roles)
    tokens = logins = sessions = None
    if settings.oidc_audience:
        tokens = AccessTokens(
            provider,
            mapping,
            audience=settings.oidc_audience,
            algorithms=settings.oidc_algorithms,
            name_claim=settings.oidc_name_claim,
            clock=clock,
        )
    if settings.oidc_client_id:
        logins = Logins(
            provider,
            mapping,
            client_id=settings.oidc_client_id,
            client_secret=client_secret_of(settings, environ),
            scopes=settings.oidc_scopes,
            algorithms=settings.oidc_algorithms,
            name_claim=settings.oidc_name_claim,
            public_url=settings.public_url or "",
            clock=clock,
        )
        sessions = Sessions(
            store,
            mapping,
            issuer=issuer,
            idle=timedelta(seconds=settings.session_idle_seconds),
            longest=timedelta(hours=settings.session_hours),
            clock=clock,
        )
    return Identity(keys=keys, provider=provider, tokens=tokens, logins=logins, sessions=sessions)


def provider_of(settings: Settings, *, clock: Callable[[], datetime]) -> Provider:
    """The OpenID provider of the settings; nothing is asked yet.

    Raises:
        ConfigurationError: The issuer is no address, or the authorities cannot be read.
    """
    with named("HELTIG_OIDC_CA_BUNDLE"):  # all else of it was checked when it was read
        return Provider(
            settings.oidc_issuer or "",
            clock=clock,
            tls=Tls(ca_bundle=settings.oidc_ca_bundle),
            proxy=settings.oidc_proxy.secret if settings.oidc_proxy else None,
        )


def client_secret_of(settings: Settings, environ: Mapping[str, str]) -> Secret | None:
    """The secret of our client at the provider; None for a public client.

    Raises:
        ConfigurationError: It cannot be read.
    """
    if not settings.oidc_client_secret:
        return None
    with named("HELTIG_OIDC_CLIENT_SECRET"):
        return Secret(settings.oidc_client_secret, environ)
