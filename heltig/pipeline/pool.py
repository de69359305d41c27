"""The processes that judge, so that the one that answers requests stays free to answer."""

import asyncio
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import ParamSpec, TypeVar

from heltig.errors import StorageError

P = ParamSpec("P")
T = TypeVar("T")


class JudgingPool:
    """Some processes, started when first needed; one that dies is replaced."""

    def __init__(self, workers: int, *, scratch: Path) -> None:
        """Makes it.

        Args:
            workers: The most processes.
            scratch: Where they unpack what has to be unpacked.
        """
        self._workers = workers
        self._scratch = scratch
        self._executor: ProcessPoolExecutor | None = None

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function of a module in one of the processes.

        Raises:
            StorageError: The process died, likely for want of memory.
        """
        executor = self._executor = self._executor or self._start()
        try:
            return await asyncio.wrap_future(executor.submit(work, *args, **kwargs))
        except BrokenProcessPool as error:
            if self._executor is executor:
                self._executor = None
            executor.shutdown(wait=False, cancel_futures=True)
            raise StorageError(
                "A process that judges died; the system may be short of memory. Set HELTIG_WORKERS lower, or "
                "send less at a time."
            ) from error

    async def close(self) -> None:
        """Ends the processes; work that has not begun is dropped."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        # Not by fork: this process has threads.
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(str(self._scratch),),
        )


def _start_worker(scratch: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its processes
    tempfile.tempdir = scratch
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A server that is killed cannot end its processes, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
