"""An empty database, and logging as it was, for any unit test."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from unit.store.databases import database_url, render

from heltig.store.engine import Store


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A new database with all tables."""
    async with database_url(tmp_path) as made:
        yield made


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An empty database, with answers prepared in the simplest form."""
    opened = await Store.open(url, render=render)
    yield opened
    await opened.close()


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Lets a test configure logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
