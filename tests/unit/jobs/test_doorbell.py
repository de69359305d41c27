"""The doorbell, and a Redis that takes connections and never answers."""

import asyncio
from pathlib import Path

from heltig.jobs.doorbell import Doorbell


async def test_who_is_cancelled_while_redis_is_silent_leaves_no_connection(tmp_path: Path) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def be_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            asked.set()
        writer.close()
        closed.set()

    async with await asyncio.start_unix_server(be_silent, tmp_path / "redis"):
        doorbell = Doorbell(f"unix://{tmp_path / 'redis'}")
        running = asyncio.create_task(doorbell.run())
        doorbell.ring("pull")
        await asyncio.wait_for(asked.wait(), 30)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        await asyncio.wait_for(closed.wait(), 30)


async def test_who_is_cancelled_at_any_moment_ends(tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while commands := (await reader.read(1000)).count(b"*"):
            writer.write(b"-ERR no\r\n" * commands)
        writer.close()

    async with await asyncio.start_unix_server(refuse, tmp_path / "redis"):
        for steps in range(80):
            doorbell = Doorbell(f"unix://{tmp_path / 'redis'}")
            running = asyncio.create_task(doorbell.run())
            doorbell.ring("pull")
            for _ in range(steps):
                await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait([running], timeout=30)
            assert running.cancelled(), f"after {steps} steps"
