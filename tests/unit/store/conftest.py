from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.store.databases import database_url, render

from heltig.store.engine import Store


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A new database with all tables."""
    async with database_url(tmp_path) as made:
        yield made


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = await Store.open(url, render=render)
    yield store
    await store.close()
