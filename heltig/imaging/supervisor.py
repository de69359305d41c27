"""Runs one program and takes everything down with it: started by `heltig.imaging.contained`, by its path.

    python -I -S supervisor.py LIMITS FD PROGRAM ARGUMENT...

LIMITS is JSON, an RLIMIT_ name and its value each. FD is a socket to whoever ordered the program. The first
line on it is the group of the program, or why it did not start; the last one is how it ended. Once the other
end is closed, also because that process died, or on SIGTERM, everything is killed.

The program and all that it starts are one process group. Processes that leave the group become children of
this one when their parents end (Linux), and are killed too. It imports nothing but the standard library, as
it runs before each program.
"""

import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_SET_PDEATHSIG: Final = 1
_SET_CHILD_SUBREAPER: Final = 36
"""Of prctl(2)."""

_FAILED: Final = 127


def main(arguments: Sequence[str]) -> None:
    """Run the program of the arguments until it ends or has to."""
    limits, channel = json.loads(arguments[0]), socket.socket(fileno=int(arguments[1]))
    channel.set_inheritable(False)
    prctl = _prctl()
    prctl(_SET_CHILD_SUBREAPER, 1)
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _nothing)
    program = _start(arguments[2:], limits, prctl)
    if isinstance(program, int):
        _say(channel, {"errno": program})
        return
    group = program[0]
    _say(channel, {"group": group})
    status = _wait(group, channel, woken)
    _sweep(group)
    _say(channel, {"exit": status})


def _nothing(_number: int, _frame: Any) -> None:
    """A signal that only wakes."""


def _prctl() -> Callable[[int, int], Any]:
    """prctl(2), or nothing where there is none."""
    if sys.platform != "linux":
        return lambda _option, _value: None
    call = ctypes.CDLL(None).prctl
    return lambda option, value: call(option, ctypes.c_ulong(value), 0, 0, 0)


def _start(
    command: Sequence[str], limits: Mapping[str, int], prctl: Callable[[int, int], Any]
) -> tuple[int] | int:
    """The process that runs the command; or the number of the error why none does."""
    failing, fails = os.pipe()  # closed by a successful exec
    pid = os.fork()
    if not pid:
        _become(command, limits, prctl, fails)
    with suppress(OSError):
        os.setpgid(pid, pid)
    os.close(fails)
    error = os.read(failing, 16)
    os.close(failing)
    if error:
        os.waitpid(pid, 0)
        return int(error)
    return (pid,)


def _become(
    command: Sequence[str], limits: Mapping[str, int], prctl: Callable[[int, int], Any], fails: int
) -> None:
    """Turn the forked process into the program. Does not return."""
    try:
        os.setpgid(0, 0)
        prctl(_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        for name, value in limits.items():
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            # A program that contains others may give them more memory than it has itself.
            resource.setrlimit(kind, (most, hard if name == "RLIMIT_AS" else most))
        os.execvp(command[0], list(command))  # noqa: S606 - to run a program is what this is for
    except OSError as problem:
        os.write(fails, str(problem.errno).encode())
    finally:
        os._exit(_FAILED)


def _wait(program: int, channel: socket.socket, woken: int) -> int | None:
    """How the program ended; None where it has to be killed."""
    while True:
        status = _reap(program)
        if status is not None:
            return status
        ready, _, _ = select.select([channel.fileno(), woken], [], [])
        if woken in ready and {signal.SIGTERM, signal.SIGHUP} & set(os.read(woken, 64)):
            return None
        if channel.fileno() in ready:  # nothing is ever sent on it: it was closed
            return None


def _reap(program: int) -> int | None:
    """Take in all children that ended; how the program ended, if it is one of them."""
    found = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid == program:
                found = os.waitstatus_to_exitcode(status)
    return found


def _sweep(group: int) -> None:
    """Kill the group, then whatever became a child of this process, until there is none."""
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            for pid in _children():
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    """Children of this process; none where the system does not list them."""
    with suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    return []


def _say(channel: socket.socket, what: Mapping[str, int | None]) -> None:
    with suppress(OSError):  # nobody listens any more
        channel.sendall(json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
