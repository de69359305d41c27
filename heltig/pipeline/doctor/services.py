"""What Heltig uses beside its database: Redis, packages that are extras, and who is let in."""

from importlib.util import find_spec

from heltig.jobs.doorbell import UNREACHABLE, look
from heltig.pipeline.doctor.check import Check, failed, ok, skipped, warning
from heltig.settings import Settings


async def redis(settings: Settings) -> Check:
    """Whether workers can be woken."""
    if settings.redis_url is None:
        return skipped("redis", "None is set: workers look for jobs every five seconds.")
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
