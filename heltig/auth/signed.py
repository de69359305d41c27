"""Signed tokens (JWT, RFC 7519) of the provider: what has to hold for all of them, whatever they are for."""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from heltig.auth.provider import Provider
from heltig.errors import AuthenticationError
from heltig.http_answer import NOT_JSON

LEEWAY: Final = 30.0
"""Seconds by which the provider's clock may differ from ours."""

LONGEST: Final = 16 * 1024
"""Characters of a token."""

LONGEST_NAME: Final = 200

_LATEST: Final = 1e12
"""Seconds since 1970, in the year 33658."""


class UnprovenError(AuthenticationError):
    """What was shown does not prove who is asking.

    Attributes:
        rule: The rule that refused it, in a word; docs/identity.md lists them.
    """

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule


class Signed(msgspec.Struct, frozen=True):
    """A token whose signature is the provider's.

    Attributes:
        type: What it says it is (`typ`), in lower case, without `application/`; empty where it does not say.
        header: Its header.
        claims: What it says.
    """

    type: str
    header: dict[str, Any]
    claims: dict[str, Any]


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None
    typ: str = ""


async def verified(token: str, provider: Provider, *, algorithms: Collection[str]) -> Signed:
    """Checks a token's signature.

    Args:
        token: As it was sent.
        provider: Who has to have signed it.
        algorithms: Those that it may be signed with. The token has no say in it.

    Raises:
        UnprovenError: It is no token, or not signed by the provider.
        ProviderError: The provider's keys cannot be had.
    """
    header = _header(token)
    if header.alg not in algorithms:
        raise UnprovenError(
            "token-algorithm", f"This token is not signed with one of {', '.join(sorted(algorithms))}."
        )
    key = await provider.key(header.kid, header.alg)
    if key is None:
        raise UnprovenError(
            "token-key", "This token is signed with a key that the provider does not publish for it."
        )
    from joserfc import jwt  # here: only sites with a provider need it
    from joserfc.errors import JoseError

    try:
        read = jwt.decode(token, key, algorithms=[header.alg])
    except (JoseError, ValueError, TypeError, RecursionError) as wrong:
        raise UnprovenError("token-signature", "This token's signature is not the provider's.") from wrong
    return Signed(header.typ.lower().removeprefix("application/"), read.header, read.claims)


def check_claims(claims: Mapping[str, Any], *, issuer: str, audience: Collection[str], now: float) -> None:
    """Checks from whom a token is, for whom, and when it is good.

    Args:
        claims: What it says.
        issuer: Who has to have issued it.
        audience: For whom it has to be, for one of them.
        now: Seconds since 1970.

    Raises:
        UnprovenError: It is of another issuer, for another audience, or not good now.
    """
    if claims.get("iss") != issuer:
        raise UnprovenError("token-issuer", "This token is not of HELTIG_OIDC_ISSUER.")
    meant = claims.get("aud")
    if not any(
        one in audience for one in (meant if isinstance(meant, list) else [meant]) if isinstance(one, str)
    ):
        raise UnprovenError("token-audience", f"This token is not for {' or '.join(audience)}.")
    expires = _seconds(claims, "exp")
    if expires is None or now >= expires + LEEWAY:
        raise UnprovenError("token-expired", "This token has expired, or does not say when it does.")
    for name in ("nbf", "iat"):
        begins = _seconds(claims, name)
        if name in claims and (begins is None or now < begins - LEEWAY):
            raise UnprovenError("token-not-yet", "This token is not good yet: compare the clocks.")


def subject_of(claims: Mapping[str, Any]) -> str:
    """Whom a token is about: the same for good at one issuer, and nobody else's.

    Raises:
        UnprovenError: It does not say.
    """
    subject = claims.get("sub")
    if not _is_name(subject):
        raise UnprovenError("token-subject", "This token does not say whom it is about (sub).")
    return str(subject)


def name_of(claims: Mapping[str, Any], claim: str) -> str:
    """What to call whom a token is about; `sub` where the claim is missing or no name.

    Raises:
        UnprovenError: As `subject_of`.
    """
    name = claims.get(claim)
    return str(name) if _is_name(name) else subject_of(claims)


def _header(token: str) -> _Header:
    first, dot, _ = token.partition(".")
    try:
        if not dot or len(token) > LONGEST or not token.isascii():
            raise ValueError
        return msgspec.json.decode(urlsafe_b64decode(first + "=" * (-len(first) % 4)), type=_Header)
    except (ValueError, binascii.Error, *NOT_JSON) as wrong:
        raise UnprovenError("token-form", "This is neither an API key nor a signed token.") from wrong


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < _LATEST else None  # NaN is not, either


def _is_name(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_NAME
        and value.isprintable()
        and value == value.strip()
    )
