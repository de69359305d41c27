"""The processes that judge, so that the one that answers requests stays free to answer."""

import asyncio
import gc
import importlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from heltig.errors import StorageError

P = ParamSpec("P")
T = TypeVar("T")

_START: Final = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
"""How processes start. Not by fork of this one, which has threads; rather by fork of one that has none.

That one imports what judges once for all, which costs a second, and memory that they then share.
"""

_JUDGES: Final = "heltig.pipeline.upload.package"


class JudgingPool:
    """Some processes, started when first needed; when one dies all are replaced."""

    def __init__(self, workers: int, *, scratch: Path) -> None:
        """Makes it.

        Args:
            workers: The most processes.
            scratch: Where they unpack what has to be unpacked.
        """
        self._workers = workers
        self._scratch = scratch
        self._executor: ProcessPoolExecutor | None = None
        self._starting = asyncio.Lock()
        self._context = multiprocessing.get_context(_START)
        if _START == "forkserver":
            self._context.set_forkserver_preload([_JUDGES])
        self._theirs, self._ours = self._context.Pipe(duplex=False)

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function of a module in one of the processes.

        Raises:
            StorageError: The process died, likely for want of memory; or the pool was closed.
        """
        executor = await self._started()
        try:
            return await asyncio.wrap_future(executor.submit(work, *args, **kwargs))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise StorageError("The processes that judge were ended before they came to this.") from error
        except BrokenProcessPool as error:
            if self._executor is executor:
                self._executor = None
            executor.shutdown(wait=False, cancel_futures=True)
            raise StorageError(
                "A process that judges died; the system may be short of memory. Set HELTIG_WORKERS lower, or "
                "send less at a time."
            ) from error

    async def start(self) -> None:
        """Starts the processes before they are needed."""
        await self._started()

    async def close(self) -> None:
        """Ends the processes, whatever they are at."""
        self._ours.close()
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, cancel_futures=True)
        self._theirs.close()

    async def _started(self) -> ProcessPoolExecutor:
        async with self._starting:
            if self._executor is None:
                self._executor = await asyncio.to_thread(self._start)
            return self._executor

    def _start(self) -> ProcessPoolExecutor:
        executor = ProcessPoolExecutor(
            self._workers,
            mp_context=self._context,
            initializer=_start_worker,
            initargs=(str(self._scratch), self._theirs),
        )
        # All at once: Python does not notice the death of a process that it started while it was waiting for
        # others, until one of those has something to say.
        for _ in range(self._workers):
            executor.submit(_import_what_judges)
        return executor


def _start_worker(scratch: str, pool: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its processes
    tempfile.tempdir = scratch
    threading.Thread(target=_end_with, args=(pool,), daemon=True).start()


def _import_what_judges() -> None:
    importlib.import_module(_JUDGES)
    gc.freeze()  # what was imported stays
    gc.set_threshold(50_000, 20, 20)  # tables are large and free of cycles


def _end_with(pool: Connection) -> None:
    """Ends this process when the other end is closed: by the pool, or because its process was killed.

    Without it the processes of a server that was killed would wait for work for ever.
    """
    try:
        pool.recv_bytes()
    except (EOFError, OSError):
        os._exit(0)
