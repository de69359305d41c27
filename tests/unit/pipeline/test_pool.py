import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heltig.errors import StorageError, UnreadableInputError
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.upload.package import examine_package


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[JudgingPool]:
    pool = JudgingPool(2, scratch=tmp_path)
    yield pool
    await pool.close()


async def test_work_in_other_processes(pool: JudgingPool, tmp_path: Path) -> None:
    assert await pool.run(os.getpid) != os.getpid()
    assert await pool.run(tempfile.gettempdir) == str(tmp_path)
    with pytest.raises(UnreadableInputError, match="not a ZIP"):
        await pool.run(examine_package, Path(__file__), None)


async def test_a_process_that_dies_is_an_error_and_replaced(pool: JudgingPool) -> None:
    await pool.start()
    beside = asyncio.ensure_future(pool.run(time.sleep, 60))
    with pytest.raises(StorageError, match="HELTIG_WORKERS"):
        await pool.run(os._exit, 9)
    with pytest.raises(StorageError):
        await beside
    assert await pool.run(os.getpid)


async def test_closing_does_not_wait_for_what_is_at_work(tmp_path: Path) -> None:
    pool = JudgingPool(1, scratch=tmp_path)
    await pool.start()
    work = asyncio.ensure_future(pool.run(time.sleep, 60))
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await pool.close()
        with pytest.raises(StorageError):
            await work


async def test_closing_tells_those_whose_turn_has_not_come(tmp_path: Path) -> None:
    pool = JudgingPool(1, scratch=tmp_path)
    await pool.start()
    waiting = [asyncio.ensure_future(pool.run(time.sleep, 60)) for _ in range(6)]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await pool.close()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ended] == [StorageError] * 6
