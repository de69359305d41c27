"""The OpenID provider: whether it answers, is the one that is set, and has keys to check its tokens by."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Final

from heltig.auth.identity import client_secret_of, provider_of
from heltig.auth.provider import Look
from heltig.auth.public_keys import usable_algorithms
from heltig.auth.role_mapping import RoleMapping
from heltig.auth.signed import LEEWAY
from heltig.errors import ConfigurationError, ProviderError
from heltig.pipeline.doctor.check import Check, failed, ok, skipped, warning
from heltig.settings import Settings

SKEW: Final = LEEWAY / 2
"""Seconds that the provider's clock may differ before it is said; from `LEEWAY` on its tokens are refused."""

_ABOUT: Final = "provider"


async def provider(
    settings: Settings, *, environ: Mapping[str, str], clock: Callable[[], datetime], asks: bool
) -> AsyncIterator[Check]:
    """What there is to say of the OpenID provider.

    Args:
        settings: The site's settings.
        environ: Where `env:` looks for secrets.
        clock: Gives the time, in UTC.
        asks: Whether it is asked over the network.
    """
    if settings.auth_mode not in ("oidc", "hybrid"):
        yield skipped(_ABOUT, f"None is used: HELTIG_AUTH_MODE is {settings.auth_mode}.")
        return
    issuer = settings.oidc_issuer or ""
    try:
        RoleMapping(settings.oidc_role_claim, settings.oidc_roles)
        if settings.oidc_client_id:
            client_secret_of(settings, environ)
        asked = provider_of(settings, clock=clock)
    except ConfigurationError as error:
        yield failed(_ABOUT, error.detail, "Mend the setting: nobody can log in like this.")
        return
    if settings.oidc_client_id:
        yield _way_back(settings.public_url or "")
    if not asks:
        yield skipped(_ABOUT, f"Its settings can be read; {issuer} was not asked.")
        return
    try:
        found = await asked.look()
    except ProviderError as error:
        yield failed(
            _ABOUT, error.detail, "Mend that: nobody can log in, and tokens are taken for a day at most."
        )
        return
    for check in _said(settings, found):
        yield check


def _way_back(public_url: str) -> Check:
    address = f"{public_url.rstrip('/')}/login/return"
    if not address.startswith("https://"):
        return warning(
            "redirect address",
            f"The provider sends people back to {address}, without TLS.",
            "HELTIG_PUBLIC_URL=https://…, where anybody comes from another machine.",
        )
    return ok("redirect address", f"The provider has to know {address} as a redirect URI of our client.")


def _said(settings: Settings, found: Look) -> list[Check]:
    """What a provider that answers says of itself, as checks."""
    checks = [ok(_ABOUT, f"{found.metadata.issuer} answers, and names itself so.")]
    missing = [
        name
        for name in ("authorization_endpoint", "token_endpoint")
        if settings.oidc_client_id and not getattr(found.metadata, name)
    ]
    if missing:
        checks = [
            failed(
                _ABOUT,
                f"It answers and names no {' and no '.join(missing)}: nobody can log in.",
                "Turn the code flow on there, or look whether HELTIG_OIDC_ISSUER is the right one.",
            )
        ]
    return [*checks, _keys(settings, found), *_clock(found)]


def _keys(settings: Settings, found: Look) -> Check:
    wanted = ", ".join(settings.oidc_algorithms)
    usable = usable_algorithms(found.keys, settings.oidc_algorithms)
    if not usable:
        return failed(
            "provider's keys",
            f"{found.metadata.jwks_uri} has {found.published} keys, and none that signs by {wanted}.",
            "Have it sign by one of these with RSA of 2048 bits or EC, or set HELTIG_OIDC_ALGORITHMS to what "
            "it signs by.",
        )
    return ok(
        "provider's keys", f"{len(found.keys)} of {found.published} can be used, by {', '.join(usable)}."
    )


def _clock(found: Look) -> list[Check]:
    if found.skew is None:
        return [skipped("provider's clock", "Its answers have no date.")]
    said = f"Its clock is {found.skew:+,.0f} s from this host's"
    remedy = "Set both by NTP: the times in tokens are compared with this host's."
    if abs(found.skew) >= LEEWAY:
        refused = f"{said}: tokens and logins are refused from {LEEWAY:.0f} s on."
        return [failed("provider's clock", refused, remedy)]
    if abs(found.skew) >= SKEW:
        return [warning("provider's clock", f"{said}.", remedy)]
    return [ok("provider's clock", "It is that of this host.")]
