"""The database: whether it can be used, which version its tables have, who works on it, and its clock."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from heltig import __version__
from heltig.errors import ConfigurationError, DamagedDatabaseError, StorageError
from heltig.pipeline.doctor.check import Check, failed, ok, skipped, warning
from heltig.pipeline.publish import render
from heltig.pipeline.telling.alert_view import alert_view
from heltig.settings import Settings
from heltig.store import alerts, clock, restoration, workers
from heltig.store.encryption import Cipher
from heltig.store.engine import Store
from heltig.store.migrations import HEAD, version
from heltig.store.one_host import OneHost
from heltig.store.transaction import WriteTransaction

SKEW: Final = timedelta(seconds=5)
"""How far apart the clocks of hosts may be that share a database: leases last for half a minute."""

HEARD: Final = timedelta(minutes=2)
"""A process that was not heard of for so long has ended."""


async def open_store(settings: Settings, cipher: Cipher) -> tuple[Store | None, Check]:
    """The database as it is, its tables untouched; None where there is none that could be used.

    Args:
        settings: They name it.
        cipher: Decrypts evidence.
    """
    name = "SQLite" if settings.database.startswith("sqlite") else "PostgreSQL"
    path = settings.home / "heltig.db"
    if settings.database_url is None and not path.exists():
        return None, ok("database", f"{path} is not there yet: it is made at the first start.")
    try:
        if settings.home.is_dir() and (one_host := OneHost.of(settings.database, home=settings.home)):
            one_host.insist()
        store = await Store.open(settings.database, render=render, cipher=cipher)
    except ConfigurationError as error:
        return None, failed("database", error.detail, "Mend the setting; then look again.")
    except StorageError as error:
        return None, unusable(error)
    return store, ok("database", f"{name} answers.")


def unusable(error: StorageError) -> Check:
    """What to do about a database that does not answer, or not to its end."""
    if isinstance(error, DamagedDatabaseError):
        return failed(
            "database",
            error.detail,
            "`heltig restore FILE` with the newest backup. The spool beside the database belongs to it: keep "
            "both. Where there is no backup `sqlite3 COPY .recover` writes down what a copy still has.",
        )
    return failed(
        "database", error.detail, "Look whether it runs, and whether this host and user may use it."
    )


async def database(store: Store, *, now: datetime) -> AsyncIterator[Check]:
    """What there is to say of a database that answers."""
    if await store.read(restoration.under_way) is not None:
        yield failed(
            "tables",
            "A backup is being restored into them, or that was broken off.",
            "`heltig restore FILE` with the same file goes on where it was.",
        )
        return
    found = await store.read(version)
    if found is None:
        yield ok("tables", "There are none yet: they are made at the first start.")
        return
    if found != HEAD:
        if found > HEAD:
            yield failed(
                "tables",
                f"They have version {found}, this Heltig ({__version__}) knows {HEAD} and older.",
                "Install the version that wrote them, or a newer one.",
            )
        else:
            yield warning(
                "tables",
                f"They have version {found}, this Heltig ({__version__}) makes them {HEAD} when it starts.",
                "Back up before that: `heltig backup FILE` takes them as they are.",
            )
        return
    yield ok("tables", f"They have version {HEAD}, the newest.")
    yield await _writes(store)
    yield await _clock(store, now)
    yield await _workers(store, now)
    for alert in await store.read(alerts.standing):
        yield warning(
            "alert", alert_view(alert).detail, "`heltig alerts` lists them; they end by themselves."
        )


async def _writes(store: Store) -> Check:
    def nothing(transaction: WriteTransaction) -> None:
        clock.touch(transaction)

    try:
        await store.write_durably(nothing)
    except StorageError as error:
        return failed("writing", error.detail, "Look whether its disk is full, or it is read-only.")
    return ok("writing", "Transactions are committed.")


async def _clock(store: Store, now: datetime) -> Check:
    theirs = await store.read(clock.current)
    last = await store.read(clock.last_change)
    skew = theirs - now if theirs is not None else timedelta()
    if abs(skew) > SKEW:
        return failed(
            "clock",
            f"The database's clock is {skew.total_seconds():+,.0f} s from this host's.",
            "Set both by NTP: leases and dates of verdicts go by them.",
        )
    if last is not None and last > now + SKEW:
        return failed(
            "clock",
            f"The last change is of {last:%Y-%m-%d %H:%M:%S} UTC, and here it is {now:%Y-%m-%d %H:%M:%S}.",
            "Set this host's clock by NTP; it is, or was, wrong.",
        )
    return ok("clock", f"It is {now:%Y-%m-%d %H:%M:%S} UTC; nothing is dated later.")


async def _workers(store: Store, now: datetime) -> Check:
    heard = await store.read(workers.heard_of, since=now - HEARD)
    if not heard:
        return skipped("workers", "No process works jobs off now.")
    versions = sorted({one.version for one in heard})
    hosts = len({one.host for one in heard})
    said = f"{len(heard)} on {hosts} host{'s' if hosts > 1 else ''}, Heltig {', '.join(versions)}"
    if versions != [__version__]:
        return warning("workers", f"{said}; this is {__version__}.", "Let all have the same version.")
    return ok("workers", f"{said}.")
