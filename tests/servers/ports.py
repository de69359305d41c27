"""Ports of loopback for servers that have to be told theirs, or that come back at the same one."""

import random
import socket

# Below what a system gives to whoever asks for port 0 (Linux: from 32768): nobody gets one of these by chance
# between the moment that it is chosen and the moment that its server listens.
_CHOICE = range(20_000, 32_768)

_TRIES = 100

# A socket of UDP for each that was given, for as long as this process is there: it keeps the number from the
# other processes that run tests, and the server, which speaks TCP, may have it.
_kept: list[socket.socket] = []


def free_port() -> int:
    """A port of loopback that nobody listens on, and that no other process of the tests is given.

    Raises:
        RuntimeError: A hundred were tried, and all of them are taken.
    """
    for port in random.SystemRandom().sample(_CHOICE, _TRIES):
        if _is_kept(port) and _is_free(port):
            return port
    raise RuntimeError(f"none of {_TRIES} ports between {_CHOICE.start} and {_CHOICE.stop} is free")


def _is_kept(port: int) -> bool:
    keeper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        keeper.bind(("127.0.0.1", port))
    except OSError:
        keeper.close()
        return False
    _kept.append(keeper)
    return True


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
