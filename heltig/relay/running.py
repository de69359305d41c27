"""Runs a relay until it is told to stop: it listens, packs what is at rest, and uploads it."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog

from heltig import http
from heltig.auth.archives import auth_for
from heltig.credentials import NO_AUTH, BearerAuth
from heltig.errors import (
    HeltigError,
    InputError,
    StorageError,
    UsageError,
)
from heltig.jobs.queue import utc_now
from heltig.jobs.retries import Retries
from heltig.listening import server_tls, taking
from heltig.relay.files import folder_of
from heltig.relay.outbox import Outbox, Package
from heltig.relay.receiving import Receiving
from heltig.setting_types import Address
from heltig.settings import Settings
from heltig.uploading.client import Uploader
from heltig.uploading.packing import measured

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two relays of one folder apart there
    fcntl = None  # type: ignore[assignment]

LOOK_SECONDS: Final = 0.5
"""How often it is looked for studies at rest, and for packages to upload."""

IDLE_SECONDS: Final = 30.0
RETRIES: Final = Retries(attempts=2**31)


log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.relay")


async def relay(
    settings: Settings,
    server: str,
    *,
    key: str | None,
    clock: Callable[[], datetime] = utc_now,
    started: Callable[[Address], None] = lambda address: None,
) -> None:
    """Takes associations and uploads what came until SIGINT or SIGTERM.

    Args:
        settings: The site's settings.
        server: The root of the server.
        key: Where an API key for it lies: `env:NAME` or `file:PATH`.
        clock: The time.
        started: Called once associations are taken.

    Raises:
        ConfigurationError: An address cannot be listened on, or the key or a certificate cannot be read.
        StorageError: The folder cannot be used, or another relay has it.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder = folder_of(settings)
    with _alone(folder):
        outbox = Outbox(folder)
        receiving = Receiving(folder, reserve=settings.gate_reserve)
        idle = settings.idle_seconds or IDLE_SECONDS
        auth = auth_for(BearerAuth(secret=key) if key else NO_AUTH)
        async with (
            http.client(server, auth=auth, connect_seconds=settings.archive_connect_seconds) as client,
            taking(settings, receiving, tls=server_tls(settings)) as address,
        ):
            started(address)
            work = asyncio.gather(_pack(receiving, outbox, idle, clock), _upload(client, outbox, clock))
            work.add_done_callback(lambda ended: stop.set())  # it ends only where it fails
            await stop.wait()
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


async def _pack(receiving: Receiving, outbox: Outbox, idle: float, clock: Callable[[], datetime]) -> None:
    """Packs studies at rest, again and again."""
    while True:
        try:
            await asyncio.to_thread(receiving.take_out, idle, outbox.place_for)
            packed = await asyncio.to_thread(outbox.pack_all, clock())
            if packed:
                await asyncio.to_thread(receiving.count_again)
                log.info("relay.packed", studies=packed)
        except OSError as error:  # the disk is full: what came is kept, and packed once there is room
            log.error("relay.cannot-pack", reason=error.strerror or "")
            await asyncio.sleep(IDLE_SECONDS)
        await asyncio.sleep(LOOK_SECONDS)


async def _upload(client: http.Client, outbox: Outbox, clock: Callable[[], datetime]) -> None:
    """Uploads what waits, one package after the other, again and again."""
    while True:
        for package in await asyncio.to_thread(outbox.packages, "waiting"):
            if package.not_before is None or package.not_before <= clock():
                await _upload_one(client, outbox, package, clock())
        await asyncio.sleep(LOOK_SECONDS)


async def _upload_one(client: http.Client, outbox: Outbox, package: Package, now: datetime) -> None:
    tries = package.tries + 1
    try:
        await Uploader(client).send(await asyncio.to_thread(measured, outbox.path_of(package)), wait=False)
    except (InputError, UsageError) as error:  # it will never take it: only a person has it tried again
        log.error("relay.refused", package=package.name, reason=error.detail)
        refused = msgspec.structs.replace(package, tries=tries, error=error.detail)
        await asyncio.to_thread(outbox.fail, refused)
    except (HeltigError, OSError) as error:
        said = error.detail if isinstance(error, HeltigError) else error.strerror or ""
        tried = msgspec.structs.replace(package, tries=tries, error=said)
        wait = RETRIES.wait(tries, error) or RETRIES.longest
        log.warning("relay.waits", package=package.name, reason=tried.error, seconds=wait.total_seconds())
        await asyncio.to_thread(outbox.note, msgspec.structs.replace(tried, not_before=now + wait))
    else:
        log.info("relay.uploaded", package=package.name, instances=package.instances)
        await asyncio.to_thread(outbox.remove, package)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps another relay out of the folder."""
    with (folder / "lock").open("w") as lock:
        if fcntl:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as taken:
                raise StorageError(f"A relay runs already with {folder}.") from taken
        yield
