"""This host: files that settings name, the folder of Heltig, who may read it, and the room on its disk."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from heltig.pipeline.doctor.check import Check, failed, ok, skipped, warning
from heltig.pipeline.doctor.files import files
from heltig.setting_types import Size
from heltig.settings import Settings

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def host(settings: Settings) -> Iterator[Check]:
    """What there is to say of this host."""
    yield from files(settings)
    home = settings.home
    if not home.is_dir():
        if home.exists():
            yield failed("folder", f"{home} is no folder.", "Let HELTIG_HOME name a folder.")
            return
        parent = next((one for one in home.parents if one.exists()), home)
        if os.access(parent, os.W_OK):
            yield ok("folder", f"{home} is not there yet: it is made at the first start.")
        else:
            yield failed(
                "folder", f"{home} cannot be made.", f"Make it, or let {parent} be written by this user."
            )
        return
    yield _writable(home)
    yield from _permissions(home)
    yield _disk(settings)


def _writable(home: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"\0")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return failed(
            "folder",
            f"{home} cannot be written: {error.strerror}.",
            "Let the user that Heltig runs as own it, and look whether the disk is full or read-only.",
        )
    return ok("folder", f"{home} can be written.")


def _permissions(home: Path) -> Iterator[Check]:
    """Patient data and secrets are in there: nobody else has to read them."""
    if os.name != "posix":
        yield skipped("permissions", "They are not looked at on this system.")
        return
    open_to_others = [home] if home.stat().st_mode & _OTHERS else []
    secrets = home / "secrets"
    if secrets.is_dir():
        # What nobody else can reach does not matter; a folder that is open may be opened further.
        found = [secrets, *sorted(path for path in secrets.rglob("*") if not path.is_symlink())]
        open_to_others += [path for path in found if path.stat().st_mode & _OTHERS]
    if open_to_others:
        names = " ".join(str(path) for path in open_to_others[:5])
        more = f" and {len(open_to_others) - 5} more" if len(open_to_others) > 5 else ""
        yield warning("permissions", f"Others may use {names}{more}.", f"chmod -R go= {home}")
    else:
        yield ok("permissions", "Folder and secrets are for this user only.")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        yield warning("user", "This is root.", "Let Heltig run as a user of its own.")


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(settings.home).free
    least = Size(max(settings.alert_disk, settings.gate_reserve))
    said = f"{free / 1024**3:,.1f} GiB are free"
    if free < settings.gate_reserve:
        return failed(
            "disk",
            f"{said}: gates take nothing below {settings.gate_reserve} (HELTIG_GATE_RESERVE).",
            "Make room: `heltig purge --dry-run` says what may go.",
        )
    if free < least:
        return warning("disk", f"{said}, less than {least}.", "Make room, or take a larger disk.")
    return ok("disk", f"{said}.")
