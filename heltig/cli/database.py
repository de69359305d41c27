"""The database for commands that work beside the server, or without one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from heltig.audit.trail import open_trail
from heltig.jobs.queue import utc_now
from heltig.pipeline.identifiers.key import open_identifiers
from heltig.pipeline.publish import render
from heltig.settings import Settings
from heltig.store.encryption_in_use import insist_on_keys
from heltig.store.encryption_keys import cipher_of
from heltig.store.engine import Store
from heltig.store.migrations import upgrade


@asynccontextmanager
async def open_database(settings: Settings, *, as_it_is: bool = False) -> AsyncIterator[Store]:
    """The database of the settings, made or brought up to date if need be.

    Args:
        settings: The site's.
        as_it_is: In whatever form identifiers stand in it: nobody may judge then.

    Raises:
        ConfigurationError: A key is not here that something is encrypted with, or identifiers stand in it
            otherwise than the settings say.
        StorageError: It cannot be opened, or a newer Heltig wrote it.
    """
    if settings.database_url is None:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = await Store.open(settings.database, render=render, cipher=cipher_of(settings))
    try:
        await upgrade(store)
        await store.read(insist_on_keys)
        if not as_it_is:
            await open_identifiers(store, settings, clock=utc_now)
        await open_trail(store, settings, clock=utc_now, writes=False)
        yield store
    finally:
        await store.close()
