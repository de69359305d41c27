"""Who holds a lease: one runner in one process on one host."""

import itertools
import os
import secrets
import socket

import msgspec

_PROCESS = secrets.token_hex(4)
_RUNNERS = itertools.count(1)


class Owner(msgspec.Struct, frozen=True):
    """A runner. As text `HOST/PID/PROCESS/RUNNER`.

    Attributes:
        host: The host's name.
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
        return cls(socket.gethostname().replace("/", "-"), os.getpid(), _PROCESS, next(_RUNNERS))

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
        return True
    return True
