"""An answer's head and the beginning of its body go out in one piece.

uvicorn writes them one after the other, and the event loop sends at once what is written: two system calls,
two packets, and a client that is woken up twice. Some archives wait long for a body that follows its header.
"""

from asyncio import AbstractEventLoop, Transport
from typing import Any, Final

_COPIED: Final = 64 * 1024
"""Bytes up to which one longer piece is made: to copy them takes less than to hand two to the system."""


class JoinedWrites:
    """A connection's transport that holds what is written until more is, or until the event loop's next turn.

    So nothing waits for longer than what is at work now: an event of a stream that is followed by nothing
    goes out, too.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        """Makes it.

        Args:
            transport: What writes to the connection.
            loop: The event loop of both.
        """
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.is_closing = transport.is_closing  # asked several times a request

    def write(self, data: bytes) -> None:
        """Writes, this or the next time that the event loop comes by."""
        if self._held:
            held, self._held = self._held, b""
            if len(data) <= _COPIED:
                self._transport.write(held + data)
            else:
                self._transport.writelines((held, data))
        elif data:
            self._held = data
            self._loop.call_soon(self._write_held)

    def close(self) -> None:
        """Writes what is held, and closes."""
        self._write_held()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """All else is the transport's."""
        return getattr(self._transport, name)

    def _write_held(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            if not self.is_closing():  # the client may have gone meanwhile
                self._transport.write(held)
