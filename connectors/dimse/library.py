"""pynetdicom, set up once a process: it logs nothing, and takes every storage SOP Class, private ones too.

Its log would hold what senders say, in exceptions the data itself.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from pynetdicom import _config
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

_config.LOG_HANDLER_LEVEL = "none"
_config.UNRESTRICTED_STORAGE_SERVICE = True
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)

ESTABLISHED: Final = "Sta6"
"""The state of an association that is open (PS3.8 9.2.1)."""

MAXIMUM_PDU: Final = 128 * 1024
"""Bytes of a PDU that we take: the most that DCMTK sends."""

MOST_PDU: Final = 1024 * 1024
"""A PDU that says it is longer is none: an association request with all that it may hold is shorter."""

REST_SECONDS: Final = 0.02
"""How long a thread of an association that receives waits for data before it looks whether it is to send."""

LOOK_SECONDS: Final = 0.1
"""How often one who waits for an association's thread looks whether that has ended."""

MIN_BYTES_PER_SECOND: Final = 1024
"""A PDU that comes more slowly is not waited for."""


def _shut(transport: Any) -> None:
    """Closes a socket also where it cannot be shut down any more: the library leaves that one open."""
    connection: socket.socket | None = transport.socket
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


setattr(AssociationSocket, "_shutdown_socket", _shut)  # noqa: B010 (mypy refuses an assignment)


def hasten(association: Association, *, silence: float) -> None:
    """Has an association answer without delay, and not wait for ever; to be called when it is connected.

    Many toolkits (DCMTK is one) send a message in two pieces. Nagle's algorithm keeps the second one back
    until the first one is acknowledged, which Linux puts off for 40 ms. So we acknowledge at once, which has
    to be asked for before each read; and our own messages are sent at once.

    Args:
        association: The association.
        silence: Seconds that the peer may be silent in the middle of a PDU.
    """
    transport: Any = association.dul.socket
    connection: socket.socket = transport.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(silence)
    quick = getattr(socket, "TCP_QUICKACK", None)  # Linux has it

    def receive(count: int) -> bytearray:
        connection = transport.socket  # None once it is closed
        if count > MOST_PDU or connection is None:
            raise ConnectionAbortedError("A PDU is longer than any may be, or nobody reads any more.")
        data = bytearray(count)
        view, received = memoryview(data), 0
        deadline = time.monotonic() + silence + count / MIN_BYTES_PER_SECOND
        while received < count:
            if quick is not None:
                connection.setsockopt(socket.IPPROTO_TCP, quick, 1)
            piece = connection.recv_into(view[received:])
            if not piece:
                break
            received += piece
            if time.monotonic() > deadline:
                raise TimeoutError("The peer sends next to nothing.")
        view.release()
        del data[received:]
        return data

    transport.recv = receive


class _Checkpoint(threading.Event):
    """Where the thread of an association waits while another one speaks with the peer.

    The library's own is an event, and says that the thread waits when it is only about to: an answer could be
    taken for a request, and the one who asked would wait for it in vain.
    """

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._association = association
        self._turn = threading.Condition()
        self._is_open = True
        self._is_waited_at = False

    def is_set(self) -> bool:
        return self._is_open

    def set(self) -> None:
        with self._turn:
            self._is_open = True
            self._turn.notify_all()

    def clear(self) -> None:
        """Closes it, and comes back when the association's thread waits here, or is no more."""
        with self._turn:
            self._is_open = False
            if threading.current_thread() is self._association:
                return
            while not self._is_waited_at and self._association.is_alive():
                self._turn.wait(LOOK_SECONDS)

    def wait(self, timeout: float | None = None) -> bool:
        with self._turn:
            self._is_waited_at = True
            self._turn.notify_all()
            is_open = self._turn.wait_for(self.is_set, timeout)
            self._is_waited_at = False
        return is_open


def take_turns(association: Association) -> None:
    """Has the thread of an association leave answers to the one who asked; called when it is connected."""
    association._reactor_checkpoint = _Checkpoint(association)


def calm(association: Association, *, at_rest: Callable[[], None]) -> None:
    """Has an association that receives wait for data; to be called when it is connected.

    The library looks a thousand times a second whether there is some: an open association on which nothing
    happens would cost a twentieth of a core.

    Args:
        association: The association.
        at_rest: Called each time that nothing came for `REST_SECONDS`.
    """
    dul: Any = association.dul
    look = dul._is_transport_event

    def wait_and_look() -> bool:
        connection = dul.socket.socket if dul.socket else None
        is_at_rest = dul.state_machine.current_state == ESTABLISHED and not dul.to_provider_queue.queue
        if connection is not None and is_at_rest and not getattr(connection, "pending", int)():
            with suppress(OSError, ValueError):  # closed meanwhile: the library sees that, too
                if not select.select([connection], [], [], REST_SECONDS)[0]:
                    at_rest()
        found: bool = look()
        return found

    dul._is_transport_event = wait_and_look
