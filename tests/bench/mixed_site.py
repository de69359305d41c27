"""A `heltig serve` that is ended under load and started again, and the workers beside it."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mixed_world import World
from pull_service import use_of

sys.path.append(str(Path(__file__).parents[1]))
from servers.heltig_server import HeltigServer


class Site:
    """A server that is ended and started again, and the workers beside it.

    Attributes:
        port: Where it listens, each time.
        used: CPU seconds and MiB resident of the server, every few seconds.
    """

    def __init__(self, home: Path, port: int, environ: dict[str, str], workers: int) -> None:
        self.port = port
        self.used: list[tuple[float, float]] = []
        self.output: list[str] = []
        self._home, self._environ = home, environ
        self._workers = workers
        self.start()

    def start(self) -> None:
        program = ("-m", "heltig")
        self.server = HeltigServer(self._home, {**self._environ, "HELTIG_PORT": str(self.port)}, program)

    @contextmanager
    def workers(self) -> Iterator[None]:
        """Runs `heltig worker`s on other folders, as on other hosts."""
        running = []
        try:
            for _ in range(self._workers):
                home = Path(tempfile.mkdtemp(prefix="worker-", dir=self._home.parent))
                (home / "secrets").mkdir(mode=0o700)
                key = home / "secrets" / "audit-key"
                key.write_bytes((self._home / "secrets" / "audit-key").read_bytes())
                key.chmod(0o600)
                environ = {**os.environ, **self._environ, "HELTIG_HOME": str(home), "HELTIG_WORKERS": "1"}
                command = [sys.executable, "-m", "heltig", "worker"]
                running.append(
                    subprocess.Popen(
                        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                    )
                )
            yield
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(60)

    def end(self, number: int) -> None:
        if number == signal.SIGKILL:
            self.server.kill()
        else:
            code = self.server.stop(number)
            assert code == 0, f"it ended with {code}"
        self.output.append(self.server.output)

    async def watch(self, world: World) -> None:
        while not world.is_over:
            self.used.append(use_of(self.server.process.pid))
            await asyncio.sleep(5)

    async def restart(self, world: World, every: float, until: float) -> int:
        """Ends it again and again, by turns gently and not; returns how often."""
        times = 0
        while time.monotonic() + every < until:
            await asyncio.sleep(every * random.uniform(0.5, 1.5))
            world.is_down = True
            await asyncio.to_thread(self.end, (signal.SIGKILL, signal.SIGTERM)[times % 2])
            world.epoch += 1
            await asyncio.to_thread(self.start)
            world.is_down = False
            times += 1
        return times


def loopback_port() -> int:
    """A free port, the same after each start."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
