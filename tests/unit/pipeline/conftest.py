from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.store.databases import database_url

from heltig.pipeline.publish import render
from heltig.store.engine import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty database, with the answers that Heltig prepares."""
    async with database_url(tmp_path) as url:
        opened = await Store.open(url, render=render)
        yield opened
        await opened.close()
