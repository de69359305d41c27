"""A service process that is killed (SIGKILL, by itself) at a stage of its work, for a test to start.

Arguments: the database, the stage, and which time it is reached.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from typing import Any

from servers.dicomweb import study
from unit.clock import Clock
from unit.pipeline.watched import BEGIN, QUIET, Site

from connectors.base import InMemoryArchive
from heltig.pipeline.publish import render
from heltig.store import observations
from heltig.store.engine import Store

STUDIES = 5


def filled() -> InMemoryArchive:
    archive = InMemoryArchive()
    for number in range(STUDIES):
        for one in study(f"1.2.{number}", series=1, instances=2, patient=f"P{number}"):
            archive.store(one)
    return archive


class DyingStore(Store):
    """Dies before or after the commit of a transaction, known by the name of its function."""

    stage = ""
    left = 0

    async def _write(self, work: Any, durable: bool, *args: Any, **kwargs: Any) -> Any:
        name = getattr(work, "func", work).__name__
        self._die(f"before {name}")
        result = await super()._write(work, durable, *args, **kwargs)
        self._die(f"after {name}")
        return result

    def _die(self, stage: str) -> None:
        if stage == self.stage:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, stage: str, which: int) -> None:
    store = await DyingStore.open(url, render=render)
    assert isinstance(store, DyingStore)
    store.stage, store.left = stage, which
    if stage == "within observe":
        write = observations.write

        def dying(*args: Any) -> None:
            write(*args)
            os.kill(os.getpid(), signal.SIGKILL)

        observations.write = dying
    site = Site(store, filled(), clock=Clock(BEGIN))
    await site.work()
    await site.pass_time(QUIET + timedelta(minutes=1))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
