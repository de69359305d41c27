"""Access tokens of programs: issued by the provider, for us (RFC 6750, RFC 9068)."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

from heltig.auth.principal import Principal
from heltig.auth.provider import Provider
from heltig.auth.role_mapping import RoleMapping
from heltig.auth.signed import UnprovenError, check_claims, name_of, verified

_OF_ACCESS_TOKENS: Final = frozenset(
    {"scope", "scp", "client_id", "cid", "appid", "azpacr", "gty"}
)  # RFC 9068, Entra, Okta, Auth0
_OF_ID_TOKENS: Final = frozenset({"nonce", "at_hash", "c_hash", "events"})
"""Claims that only ID tokens have, or tokens that tell of an event, such as logout tokens."""


class AccessTokens:
    """Tells who sends an access token. Nothing of a token is kept."""

    def __init__(
        self,
        provider: Provider,
        mapping: RoleMapping,
        *,
        audience: tuple[str, ...],
        algorithms: Collection[str],
        name_claim: str,
        clock: Callable[[], datetime],
    ) -> None:
        """Makes it.

        Args:
            provider: Who issues them.
            mapping: Roles by their claims.
            audience: For whom they have to be.
            algorithms: Those that they may be signed with.
            name_claim: The claim that names who sends them.
            clock: Gives the time, in UTC.
        """
        self._provider = provider
        self._mapping = mapping
        self._audience = audience
        self._algorithms = frozenset(algorithms)
        self._name_claim = name_claim
        self._clock = clock

    async def principal(self, token: str) -> Principal:
        """Who sends a token; without a role where none of its claims gives one.

        Raises:
            UnprovenError: It is not good.
            ProviderError: The provider's keys cannot be had.
        """
        signed = await verified(token, self._provider, algorithms=self._algorithms)
        claims = signed.claims
        now = self._clock().timestamp()
        check_claims(claims, issuer=self._provider.issuer, audience=self._audience, now=now)
        if not _is_access_token(signed.type, claims):
            raise UnprovenError(
                "token-type",
                "This is no access token. An ID token says to a client who logged in; send the access token.",
            )
        if "cnf" in claims:
            raise UnprovenError(
                "token-type",
                "This token is bound to a key of its holder (RFC 7800), which nobody asks for here: send one "
                "that is not.",
            )
        roles = self._mapping.roles(self._mapping.granted(claims))
        return Principal(f"token:{name_of(claims, self._name_claim)}", roles)


def _is_access_token(type_: str, claims: Mapping[str, Any]) -> bool:
    """Whether a token is one to be shown to us.

    Many providers call all their tokens `JWT`. So it is asked what else they say: `at+jwt` (RFC 9068 2.1) is
    enough, Keycloak writes `Bearer`, `ID`, `Refresh` or `Logout` into a claim, and what is left has to have a
    claim that only access tokens have, and none that only others have.
    """
    if type_ == "at+jwt":
        return True
    if type_ not in ("", "jwt"):
        return False
    if "typ" in claims:
        return bool(claims["typ"] == "Bearer")
    return not _OF_ID_TOKENS & claims.keys() and bool(_OF_ACCESS_TOKENS & claims.keys())
