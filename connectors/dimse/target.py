"""Where objects are sent by C-STORE. The library that does it is loaded when there is the first of them."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from connectors.storing import StoreAnswer, Stored
from heltig.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.dimse.associations import Associations


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An archive's C-STORE SCP.

    Attributes:
        calling: Our AE title.
        called: The archive's.
        host: Its address.
        port: Its port.
        tls: Speaks TLS with this; None speaks none.
        connect_seconds: How long connecting may take, and each step of opening an association.
        answer_seconds: How long the archive may be at one object.
    """

    calling: str
    called: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    connect_seconds: float = 5.0
    answer_seconds: float = 300.0


class DimseStore:
    """Sends objects to one archive. Close it."""

    def __init__(self, target: Target) -> None:
        """Makes it; nothing is opened yet."""
        self._target = target
        self._associations: Associations | None = None

    async def store(self, objects: Sequence[Stored]) -> StoreAnswer:
        """Sends objects; see `connectors.dimse.sending.store`.

        Raises:
            ConfigurationError: The library is not installed.
            ArchiveUnavailableError: The archive takes no association; nothing was sent.
            OSError: A file cannot be read.
        """
        try:
            from connectors.dimse import sending  # its library is an extra
            from connectors.dimse.associations import Associations
        except ImportError as missing:
            raise ConfigurationError(
                "dimseHost: sending by C-STORE needs pynetdicom: pip install 'heltig[dimse]'."
            ) from missing
        if self._associations is None:
            self._associations = Associations(self._target)
        return await sending.store(self._associations, objects)

    async def close(self) -> None:
        """Ends the associations that are open."""
        if self._associations is not None:
            await asyncio.to_thread(self._associations.close)
