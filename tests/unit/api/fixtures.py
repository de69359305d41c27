"""Services for tests of what answers over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service without authentication, of which no test that it is given to changes anything."""
    home = tmp_path_factory.mktemp("shared") / "home"
    async with in_one_task(running(home, limit_changes=0, limit_refused=0)) as made:
        yield made
