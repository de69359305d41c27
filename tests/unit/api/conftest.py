from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.api.service import Service, in_one_task, running


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """A service without authentication."""
    async with in_one_task(running(tmp_path / "home")) as made:
        yield made


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Service]:
    """A service that asks for API keys."""
    async with in_one_task(running(tmp_path / "home", auth_mode="api-key")) as made:
        yield made
