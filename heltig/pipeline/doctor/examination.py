"""Everything that the doctor looks at, in the order in which it has to be there."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime

from heltig.errors import StorageError
from heltig.pipeline.doctor.archives import every_archive
from heltig.pipeline.doctor.check import Check
from heltig.pipeline.doctor.database import database, open_store, unusable
from heltig.pipeline.doctor.encryption import encryption, keys
from heltig.pipeline.doctor.host import host
from heltig.pipeline.doctor.identifiers import identifiers
from heltig.pipeline.doctor.provider import provider
from heltig.pipeline.doctor.research import research
from heltig.pipeline.doctor.services import access, dimse, proxies, redis
from heltig.pipeline.doctor.trail import trail, trail_key
from heltig.settings import Settings
from heltig.store import archives
from heltig.store.encryption import PLAIN
from heltig.store.migrations import HEAD, version


async def examine(
    settings: Settings, *, environ: Mapping[str, str], clock: Callable[[], datetime], asks: bool
) -> AsyncIterator[Check]:
    """Looks at one thing after the other. It changes nothing, and makes nothing that is not there.

    Args:
        settings: The site's settings.
        environ: Where `env:` looks for secrets.
        clock: Gives the time, in UTC.
        asks: Whether archives and the OpenID provider are asked over the network.
    """
    for check in host(settings):
        yield check
    cipher, wrong_keys = keys(settings, environ=environ)
    if wrong_keys is not None:
        yield wrong_keys
    store, answer = await open_store(settings, cipher or PLAIN)
    yield answer
    sends_by_dimse = False
    if store is not None:
        try:
            async for check in database(store, now=clock()):
                yield check
            if await store.read(version) == HEAD:
                entries = await store.read(archives.every)
                sends_by_dimse = any(one.options.dimse_host for one in entries)
                if cipher is not None:
                    async for check in encryption(store, settings):
                        yield check
                yield await trail_key(store, settings, environ=environ)
                yield await trail(store, settings, environ=environ)
                yield await identifiers(store, settings, environ=environ)
                async for check in every_archive(store, settings, environ=environ, now=clock(), asks=asks):
                    yield check
        except StorageError as error:  # it was opened, and is damaged or away all the same
            yield unusable(error)
        finally:
            await store.close()
    yield await redis(settings)
    yield dimse(sends=sends_by_dimse)
    yield access(settings)
    async for check in provider(settings, environ=environ, clock=clock, asks=asks):
        yield check
    yield proxies(settings)
    async for check in research(settings):
        yield check
