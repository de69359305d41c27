from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.audit.trails import Trail, opened
from unit.store.databases import database_url


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with database_url(tmp_path) as made:
        yield made


@pytest.fixture
async def trail(url: str, tmp_path: Path) -> AsyncIterator[Trail]:
    """Entry 1 says that the chain began; 2 to 10 are a to i."""
    made = await opened(url, tmp_path)
    await made.write(*"abcdefghi")
    yield made
    await made.store.close()
