"""Runs the DICOM listener before a gate until it is told to stop, with what judges and forwards behind it."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from connectors.dimse.commitment import Reporting, report
from connectors.dimse.door import Committed, Door, Sender
from connectors.dimse.listener import Listener, ListenerOptions, address_of
from heltig.desks import Desks
from heltig.errors import ConfigurationError, HeltigError, NotFoundError, named
from heltig.jobs.attempt import Handler
from heltig.jobs.queue import JobQueue, utc_now
from heltig.periodic import Periodic
from heltig.pipeline.gate.commitment import KIND as COMMITMENT
from heltig.pipeline.gate.commitment import CommitmentDesk
from heltig.pipeline.gate.door import GateDoor
from heltig.pipeline.gate.intake import Intake
from heltig.pipeline.gate.intake_files import IntakeFolder
from heltig.rules.profile import Profile
from heltig.setting_types import Address, Peer
from heltig.settings import Settings
from heltig.store import archives
from heltig.store.transaction import ReadTransaction
from heltig.tls import Tls, server_context, ssl_context
from heltig.working import working

LOOK: Final = timedelta(seconds=1)
"""How often the listener looks how the gate is configured."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.listener")


class Listening(msgspec.Struct, frozen=True):
    """Where it listens, for whom.

    Attributes:
        archive: The one behind the gate.
        mode: What the gate does.
        recovered: Objects of a process that died that were found.
    """

    address: Address
    archive: str
    mode: str
    recovered: int


async def listen(
    settings: Settings,
    archive: str | None,
    *,
    profile: Profile,
    clock: Callable[[], datetime] = utc_now,
    started: Callable[[Listening], None] = lambda listening: None,
) -> None:
    """Takes associations until SIGINT or SIGTERM.

    Args:
        settings: The site's settings.
        archive: The one behind the gate; None for the only one that has a gate.
        profile: What studies are judged with.
        clock: The time.
        started: Called once associations are taken.

    Raises:
        ConfigurationError: An address cannot be listened on, or a certificate cannot be read.
        NotFoundError: There is no such gate.
        StorageError: The database or the spool cannot be opened.
        HeltigError: Something does not work any more; the log says what.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tls, reporting = server_tls(settings), _Reporting(settings)

    def commitments_of(desks: Desks, queue: JobQueue) -> CommitmentDesk:
        return CommitmentDesk(queue, desks.custody.spool, desks.archives, report=reporting)

    def handlers(desks: Desks, queue: JobQueue) -> Mapping[str, Handler]:
        return {COMMITMENT: commitments_of(desks, queue).run}

    async with working(
        settings, profile=profile, clock=clock, does="uploads", kind="listen", more=handlers
    ) as parts:
        name = await parts.store.read(_only_gate) if archive is None else archive
        custody = parts.desks.custody
        gate = await custody.open(name)
        folder = IntakeFolder(custody.spool, name)
        intake = Intake(folder, custody, parts.store, gate)
        commitments = commitments_of(parts.desks, parts.queue)
        door = GateDoor(custody, intake, commitments, gate, idle_seconds=settings.idle_seconds)
        recovered = await intake.recover()
        async with _beside(intake), taking(settings, door, tls=tls) as address:
            looking = asyncio.create_task(Periodic(LOOK, door.refresh).run())
            started(Listening(address, name, gate.mode, recovered))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([stopped, parts.runner], return_when=asyncio.FIRST_COMPLETED)
            looking.cancel()
    if not stop.is_set():
        raise HeltigError("Jobs are not worked off any more. The log says why.")


@asynccontextmanager
async def taking(settings: Settings, door: Door, *, tls: ssl.SSLContext | None) -> AsyncIterator[Address]:
    """Takes associations; gives the address.

    Raises:
        ConfigurationError: It cannot be listened on.
    """
    wanted = Address(settings.dicom_host, settings.dicom_port)
    listener = Listener(
        ListenerOptions(
            ae_title=settings.ae_title,
            address=wanted,
            peers=tuple(map(Peer.parse, settings.dicom_peers)),
            most_associations=settings.dicom_associations,
            most_object=settings.member_max_size,
            silence=settings.gate_read_seconds,
            tls=tls,
        ),
        door,
        log=_log,
    )
    try:
        address = listener.start()
    except OSError as wrong:
        reason = (wrong.strerror or str(wrong)).lower()
        raise ConfigurationError(
            f"HELTIG_DICOM_HOST and HELTIG_DICOM_PORT: {wanted} cannot be listened on ({reason}). "
            "Choose another port, or 0 for a free one."
        ) from wrong
    try:
        yield address
    finally:
        await asyncio.to_thread(listener.stop)


def server_tls(settings: Settings) -> ssl.SSLContext | None:
    """What the listener speaks TLS with.

    Raises:
        ConfigurationError: A file cannot be read.
    """
    if settings.dicom_certificate is None:
        return None
    with named("HELTIG_DICOM_CERTIFICATE, …_KEY, …_CLIENT_CA"):
        return server_context(settings.dicom_certificate, settings.dicom_key, settings.dicom_client_ca)


class _Reporting:
    """Reports the results of storage commitment requests, with TLS where the listener speaks it."""

    def __init__(self, settings: Settings) -> None:
        self._calling = settings.ae_title
        self._peers = tuple(map(Peer.parse, settings.dicom_peers))
        self._tls: ssl.SSLContext | None = None
        if settings.dicom_certificate is not None:
            ours = Tls(
                ca_bundle=settings.dicom_client_ca,
                certificate=settings.dicom_certificate,
                key=settings.dicom_key,
            )
            self._tls = ssl_context(ours)

    def __call__(self, sender: Sender, committed: Committed) -> None:
        peer = address_of(self._peers, sender)
        if peer is None or peer.port is None:
            raise LookupError(sender.ae_title)
        host = str(peer.network.network_address)
        to = Reporting(
            calling=self._calling, called=sender.ae_title, host=host, port=peer.port, tls=self._tls
        )
        report(to, committed)


@asynccontextmanager
async def _beside(intake: Intake) -> AsyncIterator[None]:
    """Has rows written meanwhile, and those that are left in the end."""
    writing = asyncio.create_task(intake.run())
    try:
        yield
    finally:
        intake.close()
        await asyncio.wait([writing])
        intake.folder.release()


def _only_gate(transaction: ReadTransaction) -> str:
    names = [entry.name for entry in archives.every(transaction) if entry.options.gate is not None]
    if len(names) == 1:
        return names[0]
    if not names:
        raise NotFoundError("No archive has a gate. `heltig archives change NAME --gate MODE` opens one.")
    raise NotFoundError(f"Several archives have a gate: {', '.join(names)}. Say which.")


def _log(event: str, sender: Sender, status: int) -> None:
    log.info(
        event, ae=sender.ae_title, address=sender.address, request=sender.association, status=f"{status:04X}"
    )
