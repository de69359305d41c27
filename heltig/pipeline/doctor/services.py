"""What Heltig uses beside its database: Redis, packages that are extras, and who is let in."""

import ipaddress
from importlib.util import find_spec
from typing import Final

from heltig.pipeline.doctor.check import Check, failed, ok, skipped, warning
from heltig.settings import Settings

_LEAST_PREFIX_4: Final = 8
_LEAST_PREFIX_6: Final = 32


async def redis(settings: Settings) -> Check:
    """Whether workers can be woken."""
    if settings.redis_url is None:
        return skipped("redis", "None is set: workers look for jobs every five seconds.")
    from heltig.jobs.doorbell import UNREACHABLE, look  # brings arq, which those without Redis do not need

    try:
        version = await look(settings.redis_url.secret)
    except UNREACHABLE as error:
        return failed(
            "redis",
            f"It does not answer ({type(error).__name__}).",
            "See to it, or to HELTIG_REDIS_URL. Nothing is lost meanwhile: workers look for themselves.",
        )
    return ok("redis", f"Redis {version} answers.")


def dimse(*, sends: bool) -> Check:
    """The package that DIMSE needs.

    Args:
        sends: An archive takes objects by C-STORE.
    """
    if find_spec("pynetdicom") is not None:
        return ok("dimse", "pynetdicom is installed: `heltig listen` works.")
    if sends:
        return failed(
            "dimse",
            "An archive takes objects by C-STORE, and pynetdicom is missing.",
            "pip install 'heltig[dimse]'",
        )
    return skipped("dimse", "pynetdicom is not installed; `heltig listen` and C-STORE need it.")


def access(settings: Settings) -> Check:
    """Who is let in."""
    if settings.auth_mode == "off":
        return warning(
            "access",
            f"Whoever is on this machine may do everything at {settings.host}:{settings.port}.",
            "HELTIG_AUTH_MODE=api-key, oidc or hybrid, where it is more than one person's machine.",
        )
    return ok("access", f"HELTIG_AUTH_MODE is {settings.auth_mode}.")


def proxies(settings: Settings) -> Check:
    """Who is believed of whom requests are from."""
    if wide := [one for one in settings.trusted_proxies if _is_wide(one)]:
        return warning(
            "proxies",
            f"Whoever is in {', '.join(wide)} may say that a request is from anybody.",
            "HELTIG_TRUSTED_PROXIES with the addresses of the proxies alone.",
        )
    if settings.trusted_proxies:
        return ok("proxies", f"Believed of who asks: {', '.join(settings.trusted_proxies)}.")
    if (settings.public_url or "").startswith("https://"):
        return warning(
            "proxies",
            "HELTIG_PUBLIC_URL says https, so a proxy stands before us, and none is trusted: everybody has "
            "its address, in the audit trail and where limits go by address.",
            "HELTIG_TRUSTED_PROXIES with its address, such as 127.0.0.1 where it runs on this machine.",
        )
    return skipped("proxies", "None is trusted, and HELTIG_PUBLIC_URL does not say that there is one.")


def _is_wide(network: str) -> bool:
    """More than any site's own network."""
    found = ipaddress.ip_network(network)
    return found.prefixlen < (_LEAST_PREFIX_4 if found.version == 4 else _LEAST_PREFIX_6)
