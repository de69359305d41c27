"""Both databases, and both ways to learn of work."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from servers.redis import Redis, RedisNotInstalledError, running_redis
from unit.store.databases import postgresql_database, render, sqlite_database

from heltig.jobs.queue import JobQueue
from heltig.store.engine import Store


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A new database with all tables."""
    if request.param == "sqlite":
        yield await sqlite_database(tmp_path)
    else:
        async with postgresql_database(request.getfixturevalue("postgresql").url) as made:
            yield made


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = await Store.open(url, render=render)
    yield store
    await store.close()


@pytest.fixture
def queue(store: Store) -> JobQueue:
    """The queue of a process that works nothing off."""
    return JobQueue(store)


@pytest.fixture(scope="session")
def any_redis() -> Iterator[Redis]:
    try:
        with running_redis() as server:
            yield server
    except RedisNotInstalledError as missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture(params=["looks", "is rung for"])
def redis_url(request: pytest.FixtureRequest) -> str:
    """The Redis that wakes workers; empty where they look for work."""
    if request.param == "looks":
        return ""
    server: Redis = request.getfixturevalue("any_redis")
    server.command("FLUSHALL")
    return server.url
