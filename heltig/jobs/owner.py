"""Who holds a lease: one runner in one process on one host."""

import hashlib
import itertools
import os
import secrets
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

_PROCESS = secrets.token_hex(4)
_RUNNERS = itertools.count(1)


class Owner(msgspec.Struct, frozen=True):
    """A runner. As text `HOST/PID/PROCESS/RUNNER`.

    Attributes:
        host: The host's name, and of which of its process tables `pid` is a number: containers may share the
            name, not the table.
        pid: The process' number, which another may have had before: in a container each has the same.
        process: A random text that only this process has.
        runner: Tells the runners of one process apart.
    """

    host: str
    pid: int
    process: str
    runner: int

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.process}/{self.runner}"

    @classmethod
    def here(cls) -> "Owner":
        """Another one in this process."""
        return cls(_host(), os.getpid(), _PROCESS, next(_RUNNERS))

    def outlived(self, other: str) -> bool:
        """Whether another owner is gone for sure: it was on this host, and its process is no more."""
        match other.split("/"):
            case [host, pid, process, _] if host == self.host and pid.isdigit():
                return process != self.process if int(pid) == self.pid else not _is_alive(int(pid))
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether it has ended and its parent did not ask how: in a container without an init nobody does."""
    with suppress(OSError):  # there is no such file but on Linux
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]
        return state in (b"Z", b"X")
    return False


@cache
def _host() -> str:
    name = socket.gethostname().replace("/", "-")
    with suppress(OSError):  # there is neither but on Linux
        kernel = Path("/proc/sys/kernel/random/boot_id").read_bytes()
        table = Path("/proc/self/ns/pid").stat().st_ino
        return f"{name}-{hashlib.sha256(b'%s %d' % (kernel, table)).hexdigest()[:8]}"
    return name
