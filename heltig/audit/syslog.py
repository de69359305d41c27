"""Sends the audit trail to an audit record repository: DICOM audit messages over syslog and TLS (PS3.15 A.6).

The messages are those of RFC 5424, framed and protected as RFC 5425 has it. Syslog acknowledges nothing: what
was sent as a connection broke may be lost. So entries count as sent once they are out and the connection
stands a moment later; after a break some come twice, as their sequence (`meta sequenceId`) shows.
"""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from heltig import __version__
from heltig.audit.dicom_message import message
from heltig.errors import HeltigError, named
from heltig.seldom import Seldom, seldom
from heltig.setting_types import Address
from heltig.settings import Settings
from heltig.store import audit_sent, audit_trail
from heltig.store.audit_trail import AuditEntry
from heltig.store.engine import Store
from heltig.tls import Tls, ssl_context

AT_ONCE: Final = 200
"""Entries that are read, and count as sent, together."""

EVERY: Final = timedelta(seconds=2)
"""How often what is new is sent."""

SECONDS: Final = 10.0
"""How long connecting and sending may take."""

FIRST_MOMENT: Final = 2.0
"""Seconds after the first entries of a connection: TLS 1.3 refuses one after we think that it stands."""

MOMENT: Final = 0.1
"""Seconds after others."""

_PRIORITY: Final = 10 * 8 + 5
"""Facility 10, security and authorisation; severity 5, notice."""

_MESSAGE_ID: Final = "DICOM+RFC3881"
"""MSGID (PS3.15 A.6)."""

_MOST_SEQUENCE: Final = 2**31 - 1

logger = logging.getLogger(__name__)


class SyslogSender:
    """Sends what is new in the trail, oldest first."""

    def __init__(self, store: Store, settings: Settings, *, log: Seldom = seldom) -> None:
        """Knows where to.

        Args:
            store: Where the trail is.
            settings: The site's.
            log: Says what failed.

        Raises:
            ConfigurationError: A certificate or a key cannot be read.
        """
        self._store = store
        self._to = settings.audit_syslog
        self._log = log
        ours = Tls(
            ca_bundle=settings.audit_syslog_ca,
            certificate=settings.audit_syslog_certificate,
            key=settings.audit_syslog_key,
        )
        with named("HELTIG_AUDIT_SYSLOG_CA, …_CERTIFICATE, …_KEY"):
            self._context = ssl_context(ours)
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self) -> None:
        """Sends everything that is new. Where the repository is away the log says so, and it waits.

        Raises:
            StorageError: The trail cannot be read.
        """
        if self._to is None:
            return
        while True:
            sent = await self._store.read(audit_sent.last)
            entries = await self._store.read(audit_trail.entries, after=sent, limit=AT_ONCE)
            if not entries:
                return
            try:
                async with asyncio.timeout(SECONDS):
                    await self._deliver(self._to, entries)
            except (OSError, EOFError, TimeoutError) as error:  # ssl.SSLError is an OSError
                self._drop()
                why = error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error)
                self._log.error(
                    logger, f"The audit repository at {self._to} takes nothing", why or "no answer"
                )
                return
            last = max(sent, *(entry.sequence for entry in entries))
            if last == sent:
                return  # rows that have no number, which `verify` tells
            await self._store.write(audit_sent.move, last)

    async def close(self) -> None:
        """Sends what is left, and ends the connection."""
        try:
            await self.send()
        except HeltigError as error:
            self._log.error(logger, "The end of the audit trail was not sent", error.detail)
        self._drop()

    async def _deliver(self, to: Address, entries: Sequence[AuditEntry]) -> None:
        moment = MOMENT
        if self._connection is None:
            self._connection = await asyncio.open_connection(to.host, to.port, ssl=self._context)
            moment = FIRST_MOMENT
        reader, writer = self._connection
        for entry in entries:
            writer.write(framed(entry))
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(moment):
                while await reader.read(1024):  # it has nothing to say
                    pass
                raise EOFError("it closed the connection")

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None


def framed(entry: AuditEntry) -> bytes:
    """An entry as a syslog message with its length before it (RFC 5425 4.3)."""
    host = socket.gethostname()[:255] or "-"
    sequence = (entry.sequence - 1) % _MOST_SEQUENCE + 1
    header = (
        f"<{_PRIORITY}>1 {datetime.now(UTC).isoformat(timespec='microseconds')} {host} heltig {os.getpid()} "
        f'{_MESSAGE_ID} [meta sequenceId="{sequence}"][origin software="Heltig" swVersion="{__version__}"] '
    )
    content = header.encode("ascii", "replace") + b"\xef\xbb\xbf" + message(entry, source=f"heltig@{host}")
    return b"%d " % len(content) + content
