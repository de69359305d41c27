"""SQLite is for the processes of one host: they share memory beside the file, which no network carries."""

import os
import socket
import time
import uuid
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import make_url

from heltig.errors import ConfigurationError, StorageError

SILENCE: Final = timedelta(minutes=1)
"""A host that was not heard of for so long does not use the database any more."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Host(msgspec.Struct, frozen=True):
    """Who uses a database.

    Attributes:
        kernel: Names a running kernel: containers on one have the same, and may share a database.
        name: The host's name, for people.
        home: HELTIG_HOME, for people.
        folder: Device and number of that folder: a container may call it otherwise.
    """

    kernel: str
    name: str
    home: str
    folder: tuple[int, int]

    @classmethod
    def here(cls, home: Path) -> "Host":
        """This one."""
        status = home.stat()
        return cls(_kernel(), socket.gethostname(), str(home), (status.st_dev, status.st_ino))


class OneHost:
    """The mark beside a database that says which host and which HELTIG_HOME use it."""

    def __init__(self, database: Path, host: Host) -> None:
        self._database = database
        self._host = host
        self._mark = database.with_name(f"{database.name}.host")

    @classmethod
    def of(cls, url: str, *, home: Path) -> "OneHost | None":
        """The one of a database; None where the database is for any number of hosts.

        Args:
            url: Of the database.
            home: HELTIG_HOME.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite" or not parsed.database:
            return None
        return cls(Path(parsed.database), Host.here(home))

    def insist(self) -> None:
        """Insists that nobody else uses the database; changes nothing.

        Raises:
            ConfigurationError: Another host uses it, or another HELTIG_HOME.
        """
        other = self._other()
        # Another kernel under the same name is this host before it was started again.
        if other is not None and other.kernel != self._host.kernel and other.name != self._host.name:
            raise ConfigurationError(
                f"The database {self._database} is in use on {other.name}, or was until a minute ago, and "
                "SQLite is for one host. Start this there; for workers on several hosts use PostgreSQL: "
                "HELTIG_DATABASE_URL=postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE."
            )
        if other is not None and other.kernel == self._host.kernel and other.folder != self._host.folder:
            raise ConfigurationError(
                f"The database {self._database} is in use with HELTIG_HOME={other.home}, where uploads are "
                "kept. Set the same, or use PostgreSQL (HELTIG_DATABASE_URL)."
            )

    def take(self) -> None:
        """Marks the database as this host's; before it is opened.

        Raises:
            ConfigurationError: Another host uses it, or another HELTIG_HOME.
            StorageError: Nothing can be written beside it.
        """
        self.insist()
        part = self._mark.with_name(f"{self._mark.name}.{os.getpid()}")
        try:
            part.write_bytes(msgspec.json.encode(self._host))
            part.replace(self._mark)
        except OSError as wrong:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise StorageError(
                f"{self._mark} cannot be written: {wrong.strerror}. Free space on that disk, or let it be "
                "written, and start again."
            ) from wrong

    def keep(self) -> None:
        """Says that it still is; to be called now and then."""
        with suppress(OSError):
            os.utime(self._mark)

    def _other(self) -> Host | None:
        """Who used the database a moment ago."""
        try:
            if time.time() - self._mark.stat().st_mtime > SILENCE.total_seconds():
                return None
            return msgspec.json.decode(self._mark.read_bytes(), type=Host)
        except (OSError, msgspec.DecodeError):
            return None


def _kernel() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:  # not Linux
        return f"{uuid.getnode():012x}"
