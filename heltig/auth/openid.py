"""Logins of people at the OpenID provider: the code flow with PKCE, state and nonce (OpenID Core 3.1).

All that a login has to remember is one random secret, which the browser keeps in a cookie: state, nonce and
PKCE verifier are made of it. Nothing is stored for somebody who only begins to log in.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus, urlencode

import msgspec

from heltig import http
from heltig.auth.provider import Provider
from heltig.auth.role_mapping import RoleMapping
from heltig.auth.signed import LEEWAY, Signed, UnprovenError, check_claims, name_of, subject_of, verified
from heltig.errors import ProviderError
from heltig.http_answer import NOT_JSON
from heltig.secret import Secret
from heltig.setting_types import is_safe_address

_ERROR_CODE: Final = re.compile(r"[a-z_]{1,40}")
_LONGEST_CODE: Final = 4096
_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who logged in.

    Attributes:
        subject: Who, the same for good at the provider.
        name: What they are called.
        granted: The values of the role claim that give a role.
        provider_session: Their session at the provider (`sid`); empty where it does not say.
    """

    subject: str
    name: str
    granted: tuple[str, ...]
    provider_session: str


class LoggedOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a logout token says.

    Attributes:
        subject: Who logged out; empty where only their session is named.
        provider_session: The session at the provider that is over; empty where all of theirs are.
        id: The token's (`jti`).
        until: Until when it is good, in seconds since 1970.
    """

    subject: str
    provider_session: str
    id: str
    until: float


class _TokenAnswer(msgspec.Struct):
    id_token: str = ""
    access_token: str = ""
    error: str = ""


class Logins:
    """Sends people to the provider, and finds out who comes back."""

    def __init__(
        self,
        provider: Provider,
        mapping: RoleMapping,
        *,
        client_id: str,
        client_secret: Secret | None,
        scopes: tuple[str, ...],
        algorithms: Collection[str],
        name_claim: str,
        public_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        """Makes it.

        Args:
            provider: Where people log in.
            mapping: Roles by the claims of their ID token.
            client_id: Our client there.
            client_secret: Its secret; None for a public client.
            scopes: What is asked for.
            algorithms: Those that ID tokens may be signed with.
            name_claim: The claim that names a person.
            public_url: Where browsers reach us.
            clock: Gives the time, in UTC.
        """
        self.provider = provider
        self._mapping = mapping
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = scopes
        self._algorithms = frozenset(algorithms)
        self._name_claim = name_claim
        self._root = public_url.rstrip("/")
        self._clock = clock

    async def address(self, secret: str) -> str:
        """Where to send a browser that keeps a secret from `new_secret`.

        Raises:
            ProviderError: The provider does not answer.
        """
        # Here: only sites with a provider need it.
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
        from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

        metadata = await self.provider.metadata(at_login=True)
        if not metadata.authorization_endpoint or not metadata.token_endpoint:
            raise ProviderError("The OpenID provider lets nobody log in: it names no endpoint for it.")
        return str(
            prepare_grant_uri(
                metadata.authorization_endpoint,
                client_id=self._client_id,
                response_type="code",
                redirect_uri=self._redirect_uri,
                scope=self._scopes,
                state=_derived(secret, "state"),
                nonce=_derived(secret, "nonce"),
                code_challenge=create_s256_code_challenge(_derived(secret, "verifier")),
                code_challenge_method="S256",
            )
        )

    async def person(self, secret: str, answer: Mapping[str, str]) -> Person:
        """Who comes back.

        Args:
            secret: That of the browser; empty where it has none.
            answer: What the provider sent along, by parameter.

        Raises:
            UnprovenError: It is not the answer to this browser's login, or does not prove who it is.
            ProviderError: The provider does not answer.
        """
        if not secret or not hmac.compare_digest(
            answer.get("state", "").encode("utf-8", "replace"), _derived(secret, "state").encode()
        ):
            raise UnprovenError(
                "login-state",
                "This is not the answer to a login of this browser, or that login is over. Log in again.",
            )
        metadata = await self.provider.metadata()
        issuer = answer.get("iss")
        if issuer != self.provider.issuer and (
            issuer is not None or metadata.authorization_response_iss_parameter_supported
        ):
            raise UnprovenError("login-issuer", "This answer is of another provider (RFC 9207).")
        if "error" in answer:
            raise UnprovenError(
                "login-provider", f"The provider did not let you log in{_reason(answer['error'])}."
            )
        code = answer.get("code", "")
        if not code or len(code) > _LONGEST_CODE:
            raise UnprovenError("login-code", "The provider's answer has no code. Log in again.")
        tokens = await self._redeemed(code, _derived(secret, "verifier"))
        signed = await self._for_us(tokens.id_token)
        if signed.type not in ("", "jwt"):
            raise UnprovenError("token-type", "What the provider gave is no ID token.")
        self._check_id_token(signed, _derived(secret, "nonce"), tokens.access_token)
        sid = signed.claims.get("sid")
        return Person(
            subject=subject_of(signed.claims),
            name=name_of(signed.claims, self._name_claim),
            granted=self._mapping.granted(signed.claims),
            provider_session=sid if isinstance(sid, str) else "",
        )

    async def logout_address(self) -> str:
        """Where to log out of the provider, too (RP-Initiated Logout 1.0, 2); empty where it has none.

        No ID token goes along as a hint, since none is kept: a provider may ask the person.
        """
        try:
            endpoint = (await self.provider.metadata()).end_session_endpoint
        except ProviderError:
            return ""
        if not is_safe_address(endpoint.partition("?")[0]):
            return ""
        query = urlencode({"client_id": self._client_id, "post_logout_redirect_uri": f"{self._root}/login"})
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    async def logged_out(self, token: str) -> LoggedOut:
        """Who logged out at the provider, by its logout token (Back-Channel Logout 1.0, 2.6).

        Whether it was told before `Sessions.end_at_provider` knows.

        Raises:
            UnprovenError: It is no such token for us.
            ProviderError: The provider's keys cannot be had.
        """
        signed = await self._for_us(token)
        claims = signed.claims
        events = claims.get("events")
        if (
            signed.type not in ("", "jwt", "logout+jwt")
            or not isinstance(events, dict)
            or _LOGOUT_EVENT not in events
            or "nonce" in claims
        ):
            raise UnprovenError("token-type", "This is no logout token.")
        subject, sid = (
            value if isinstance(value := claims.get(name), str) else "" for name in ("sub", "sid")
        )
        if not subject and not sid:
            raise UnprovenError("token-subject", "This logout token does not say whom it is about.")
        told, expires = claims.get("jti"), claims["exp"]
        if not isinstance(told, str) or not told or "iat" not in claims:
            raise UnprovenError("token-claims", "This logout token has no id (jti) or no time (iat).")
        return LoggedOut(subject=subject, provider_session=sid, id=told, until=float(expires) + LEEWAY)

    @property
    def _redirect_uri(self) -> str:
        return f"{self._root}/login/return"

    async def _for_us(self, token: str) -> Signed:
        signed = await verified(token, self.provider, algorithms=self._algorithms)
        check_claims(
            signed.claims,
            issuer=self.provider.issuer,
            audience=(self._client_id,),
            now=self._clock().timestamp(),
        )
        return signed

    def _check_id_token(self, signed: Signed, nonce: str, access_token: str) -> None:
        """What only ID tokens have (OpenID Core 3.1.3.7): nonce, authorised party, the other token's hash."""
        # Likewise.
        from authlib.oidc.core.claims import CodeIDToken  # type: ignore[import-untyped]
        from joserfc.errors import JoseError

        params = {"nonce": nonce, "client_id": self._client_id, "access_token": access_token}
        claims = CodeIDToken(signed.claims, signed.header, params=params)
        try:
            claims.validate(now=int(self._clock().timestamp()), leeway=int(LEEWAY))
        except (JoseError, ValueError, TypeError) as wrong:
            claim = getattr(wrong, "claim", None) or "claims"
            raise UnprovenError(
                "token-nonce" if claim == "nonce" else "token-claims",
                f"This ID token is not the answer to this login ({claim}). Log in again.",
            ) from wrong

    async def _redeemed(self, code: str, verifier: str) -> _TokenAnswer:
        """The tokens that a code stands for (OpenID Core 3.1.3)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        auth: http.Auth | None = None
        methods = (await self.provider.metadata()).token_endpoint_auth_methods_supported
        if self._client_secret is None:
            form["client_id"] = self._client_id
        elif "client_secret_basic" in methods or "client_secret_post" not in methods:
            # Each encoded as in a form before it becomes part of the header (RFC 6749 2.3.1).
            auth = http.BasicAuth(quote_plus(self._client_id), quote_plus(self._client_secret.value))
        else:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret.value}
        head, body = await self.provider.token(form, auth=auth)
        try:
            answer = msgspec.json.decode(body, type=_TokenAnswer)
        except NOT_JSON:
            answer = _TokenAnswer()
        if head.status == 200 and answer.id_token:
            return answer
        if answer.error == "invalid_grant":
            raise UnprovenError("login-code", "The provider does not take this code any more. Log in again.")
        raise ProviderError(
            f"{head.place}: it answers {head.status}{_reason(answer.error)} and gives no ID token. "
            "Check client id, secret and scopes (HELTIG_OIDC_…)."
        )


def new_secret() -> str:
    """What a browser keeps while somebody logs in."""
    return secrets.token_urlsafe(32)


def _derived(secret: str, purpose: str) -> str:
    """Something that only who knows the secret can tell; it does not tell the secret, nor the others."""
    digest = hmac.digest(secret.encode("utf-8", "replace"), purpose.encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _reason(code: object) -> str:
    return f" ({code})" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
