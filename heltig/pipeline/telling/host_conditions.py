"""What is so on this host that those who run the service have to know: its disks, and our certificates."""

import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from heltig.setting_types import Size
from heltig.store.alert_kinds import AlertKind
from heltig.store.alerts import Condition
from heltig.store.archives import Archive, location_of

ON_HOST: Final[frozenset[AlertKind]] = frozenset({"disk-low", "certificate-expiring"})
"""The kinds that a process sees of its own host."""

EXPIRING: Final = timedelta(days=21)
"""How long before the end of a certificate there is an alert."""

ROOM_AGAIN: Final = 1.25
"""An alert about a disk ends when there is so much more room than it was raised for."""


def disks(home: Path, *, host: str, least: Size) -> Iterator[Condition]:
    """Where there is little room.

    Args:
        home: `HELTIG_HOME`, in which the spool is.
        host: The host's name.
        least: Room below which there is an alert.
    """
    seen: set[int] = set()
    for name, folder in (("data", home), ("spool", home / "spool"), ("gate spool", home / "spool" / "gate")):
        try:
            device = folder.stat().st_dev
            free = shutil.disk_usage(folder).free
        except OSError:
            continue  # it is not there yet
        if device not in seen and free < least * ROOM_AGAIN:
            yield Condition(
                kind="disk-low",
                subject=f"{host} {name}",
                detail=f"The disk of the {name} on {host} has {free / 1024**3:,.1f} GiB left.",
                is_slight=free >= least,
            )
        seen.add(device)


def certificates(entries: Iterable[Archive], *, now: datetime) -> tuple[list[Condition], list[str]]:
    """Our client certificates that end soon.

    Returns:
        What is so, and the archives whose certificates cannot be read on this host.
    """
    found: list[Condition] = []
    unread: list[str] = []
    for entry in entries:
        if not entry.options.certificate:
            continue
        try:
            ends = x509.load_pem_x509_certificate(
                Path(entry.options.certificate).read_bytes()
            ).not_valid_after_utc
        except (OSError, ValueError):
            unread.append(entry.name)
            continue
        if ends - now < EXPIRING:
            found.append(
                Condition(
                    kind="certificate-expiring",
                    subject=entry.name,
                    location=str(location_of(entry.name)),
                    detail=f"Our certificate for archive {entry.name} ends {ends:%Y-%m-%d %H:%M} UTC.",
                )
            )
    return found, unread


def host_name() -> str:
    """What this host is called in alerts."""
    return os.uname().nodename if hasattr(os, "uname") else "this host"
