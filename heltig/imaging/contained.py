"""Programs that are not trusted to end: run within limits, and taken down with all that they started.

    ended = run(["TotalSegmentator", "-i", "in.nii"], limits=Limits(seconds=3600), environment=environment())
    ended = await running([sys.executable, "-m", "heltig.imaging.case"], limits=..., on_line=told, ...)

Each program gets a session, a process group and an environment of its own: only what it is given, no setting
and no secret of the process that runs it. Everything in it is killed when the program ends, at the end of its
time, when the caller is cancelled or raises, and when the calling process dies, however that happens. POSIX
only. It imports nothing but the standard library, so that the service may use it.
"""

import asyncio
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import IO, Final, Literal, NamedTuple, TypeAlias

Cause: TypeAlias = Literal["exit", "timeout", "stopped"]

LONGEST_LINE: Final = 1 << 16
"""Bytes of a line; the rest of a longer one is left out."""

_BLOCK: Final = 1 << 16
_GRACE_S: Final = 5.0
"""How long everything may take to be gone once it is killed."""

_SUPERVISOR: Final = str(Path(__file__).with_name("supervisor.py"))
_INHERITED: Final = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")


class Limits(NamedTuple):
    """What a program may use.

    Attributes:
        seconds: Of wall-clock time, for all of it.
        memory_bytes: Address space, of each of its processes; None for as much as the caller has. A program
            that contains others may give them more than it has.
        cpu_seconds: Processor time, of each of its processes; None for any.
        file_bytes: The largest file it may write; None for any.
        output_bytes: How much is kept of each of its output streams: the end of it.
    """

    seconds: float
    memory_bytes: int | None = None
    cpu_seconds: int | None = None
    file_bytes: int | None = None
    output_bytes: int = 1 << 16


class Ended(NamedTuple):
    """How a program ended.

    Attributes:
        cause: `exit`: by itself, or by a signal that was not ours. `timeout`: its time was over. `stopped`:
            the caller stopped it.
        exit_code: What it exited with, or the negative number of the signal that ended it.
        output: The end of its standard output.
        errors: The end of its standard error. May show what was in its input: not for logs.
        seconds: How long it ran.
    """

    cause: Cause
    exit_code: int
    output: bytes
    errors: bytes
    seconds: float


def environment(**more: str) -> dict[str, str]:
    """The environment of a contained program: where programs are, language, time zone, and what is given."""
    found = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"LANG": "C.UTF-8", **found, **more}


def run(
    command: Sequence[str],
    *,
    limits: Limits,
    environment: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    on_line: Callable[[str], None] | None = None,
) -> Ended:
    """Run a program and wait for its end.

    Args:
        command: The program and its arguments. No shell is between.
        limits: What it may use.
        environment: All of its environment; `environment()` begins one.
        cwd: Its working folder.
        stdin: Its standard input.
        on_line: Is given each line of its standard output, as soon as it is there, without its end.

    Raises:
        OSError: It could not be started.
    """
    return _Run(command, limits, environment, cwd, stdin, on_line).wait()


async def running(
    command: Sequence[str],
    *,
    limits: Limits,
    environment: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    on_line: Callable[[str], None] | None = None,
) -> Ended:
    """As `run`, without blocking the event loop, in whose thread lines are given.

    When it is cancelled, the program is killed, and all of it is gone before this returns.

    Raises:
        OSError: The program could not be started.
    """
    loop = asyncio.get_running_loop()

    def hand_over(line: str) -> None:
        if on_line:
            loop.call_soon_threadsafe(on_line, line)

    executor = ThreadPoolExecutor(1, thread_name_prefix="contained")
    started = _Run(command, limits, environment, cwd, stdin, hand_over if on_line else None)
    waiting = loop.run_in_executor(executor, started.wait)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        started.stop()
        await asyncio.wait([waiting])
        raise
    finally:
        started.stop()
        # What is done leaves a thread that has only to end; who cancels twice waits for nothing.
        executor.shutdown(wait=waiting.done())


class _Run:
    """One run of a program: its supervisor, the channel to it, and what was read so far."""

    def __init__(
        self,
        command: Sequence[str],
        limits: Limits,
        environment: Mapping[str, str],
        cwd: Path | None,
        stdin: bytes,
        on_line: Callable[[str], None] | None,
    ) -> None:
        self._limits = limits
        self._input = memoryview(stdin)
        self._on_line = on_line
        self._output, self._errors, self._line, self._said = (bytearray() for _ in range(4))
        self._started = monotonic()
        self._channel, theirs = socket.socketpair()
        try:
            self._supervisor = subprocess.Popen(  # noqa: S603 - no shell; the caller says what runs
                [sys.executable, "-I", "-S", _SUPERVISOR, _rlimits(limits), str(theirs.fileno()), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                cwd=cwd,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        except BaseException:
            self._channel.close()
            raise
        finally:
            theirs.close()
        self._selector = selectors.DefaultSelector()
        stdin_pipe, stdout, stderr = self._pipes
        os.set_blocking(stdin_pipe.fileno(), False)
        self._selector.register(stdin_pipe, selectors.EVENT_WRITE, self._feed)
        self._selector.register(stdout, selectors.EVENT_READ, self._take_output)
        self._selector.register(stderr, selectors.EVENT_READ, self._take_errors)
        self._selector.register(self._channel, selectors.EVENT_READ, self._listen)

    @property
    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        found = self._supervisor.stdin, self._supervisor.stdout, self._supervisor.stderr
        assert all(found)  # noqa: S101 - PIPE was asked for
        return found  # type: ignore[return-value]  # see above

    def stop(self) -> None:
        """Have everything killed. May be called from any thread, at any time."""
        with suppress(OSError):  # over already
            self._channel.shutdown(socket.SHUT_WR)

    def wait(self) -> Ended:
        """Read until everything is gone.

        Raises:
            OSError: The program could not be started.
        """
        in_time = False
        try:
            in_time = self._serve(self._started + self._limits.seconds)
            if self._line:
                self._give_line()
        finally:
            self._on_line = None
            self.stop()
            if not in_time:
                self._serve(monotonic() + _GRACE_S)
            self._close()
        said = self._words
        if "errno" in said:
            raise OSError(said["errno"], os.strerror(said["errno"] or 0))
        exit_code = said.get("exit")
        cause: Cause = "exit" if exit_code is not None else "stopped" if in_time else "timeout"
        return Ended(
            cause,
            -signal.SIGKILL if exit_code is None else exit_code,
            bytes(self._output),
            bytes(self._errors),
            monotonic() - self._started,
        )

    def _serve(self, deadline: float) -> bool:
        """Serve all streams until they end; whether that was before the deadline."""
        while self._selector.get_map():
            left = deadline - monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(left):
                if key.data(key.fd):
                    continue
                self._selector.unregister(key.fileobj)
                if key.fileobj is self._channel:  # what is not gone now will not be
                    deadline = min(deadline, monotonic() + _GRACE_S)
                elif key.fileobj is self._pipes[0]:
                    self._pipes[0].close()  # the program sees the end of its input
        return True

    def _close(self) -> None:
        self._supervisor.kill()
        self._kill_group()
        self._selector.close()
        for pipe in self._pipes:
            with suppress(OSError):  # of what was never written
                pipe.close()
        self._supervisor.wait()
        self._channel.close()

    # -- the supervisor

    @property
    def _words(self) -> dict[str, int | None]:
        """What the supervisor said so far."""
        found: dict[str, int | None] = {}
        for line in self._said.splitlines(keepends=True):
            if line.endswith(b"\n"):
                found |= json.loads(line)
        return found

    def _listen(self, fd: int) -> bool:
        block = os.read(fd, _BLOCK)
        self._said += block
        if not block:
            self._kill_group()
        return bool(block)

    def _kill_group(self) -> None:
        """Do what a supervisor that was killed cannot do any more."""
        said = self._words
        group = said.get("group")
        if group and "exit" not in said:
            with suppress(OSError):
                os.killpg(group, signal.SIGKILL)

    # -- streams; each says whether there is more

    def _feed(self, fd: int) -> bool:
        try:
            self._input = self._input[os.write(fd, self._input[:_BLOCK]) :]
        except BlockingIOError:
            return True
        except OSError:  # it does not read to the end
            self._input = self._input[:0]
        return bool(self._input)

    def _take_output(self, fd: int) -> bool:
        block = os.read(fd, _BLOCK)
        self._keep(self._output, block)
        if self._on_line:
            *whole, rest = block.split(b"\n")
            for part in whole:
                self._line += part[: LONGEST_LINE - len(self._line)]
                self._give_line()
            self._line += rest[: LONGEST_LINE - len(self._line)]
        return bool(block)

    def _take_errors(self, fd: int) -> bool:
        block = os.read(fd, _BLOCK)
        self._keep(self._errors, block)
        return bool(block)

    def _keep(self, kept: bytearray, block: bytes) -> None:
        kept += block
        del kept[: -self._limits.output_bytes]

    def _give_line(self) -> None:
        line = self._line.decode(errors="replace")
        self._line.clear()
        if self._on_line:
            self._on_line(line)


def _rlimits(limits: Limits) -> str:
    """The limits that the kernel watches over, as the supervisor takes them."""
    found = {
        "RLIMIT_AS": limits.memory_bytes,
        "RLIMIT_CPU": limits.cpu_seconds,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_CORE": 0,
    }
    return json.dumps({name: value for name, value in found.items() if value is not None})
