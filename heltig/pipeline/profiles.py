"""Profiles by what a user or an administrator wrote for them."""

import logging
import os
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from heltig.errors import ConfigurationError, UsageError
from heltig.rules.catalogue import catalogue
from heltig.rules.profile import Profile
from heltig.rules.profile_file import is_path, parse_profile, shipped_profile
from heltig.rules.profile_shipped import SHIPPED
from heltig.rules.profile_tables import LONGEST, nearest

logger = logging.getLogger(__name__)

UNNAMED: Final = "profile"
"""What a profile is called that somebody wants to try, where its text gives no name."""


def load_profile(written: str) -> Profile:
    """A profile by what a user wrote for it.

    Args:
        written: The name of a shipped profile or the path of a TOML file; a file beside us that is called
            like a shipped profile is `./NAME`.

    Raises:
        ConfigurationError: There is none, it cannot be read, or something in it is wrong.
    """
    return _load(written, {})


def tried_profile(*, shipped: str | None, text: str | None) -> Profile | None:
    """The profile that somebody wants to try: a shipped one by its name, or the text of a TOML file.

    Args:
        shipped: The name.
        text: The text, whose base can be a shipped profile.

    Returns:
        None where neither is given.

    Raises:
        UsageError: There is none of that name, something in the text is wrong, or both are given.
    """
    if shipped is not None and text is not None:
        raise UsageError("Give the name of a shipped profile or the text of one, not both.")
    if text is not None:
        try:
            return parse_profile(text, known=catalogue(), name=f"{UNNAMED}.toml")
        except ConfigurationError as wrong:
            raise UsageError(wrong.detail) from wrong
    if shipped is None:
        return None
    if shipped not in SHIPPED:
        raise UsageError(f"There is no shipped profile {shipped}{nearest(shipped, SHIPPED)}.")
    return shipped_profile(shipped, known=catalogue())


class ProfileFile:
    """A profile that is read again when one of the files that it is made of is another than before.

    Where it cannot be read any more, what was read last holds, and the log says so, once for each change.
    """

    def __init__(self, written: str) -> None:
        """Makes it; nothing is read yet.

        Args:
            written: As for `load_profile`.
        """
        self._written = written
        self._stamps: dict[str, _Stamp] | None = None
        self._profile: Profile | None = None
        self._wrong: ConfigurationError | None = None

    def read(self) -> Profile:
        """The profile as it is now, or as it was read last.

        Raises:
            ConfigurationError: It never could be read.
        """
        self._look()
        if self._profile is None and self._wrong is not None:
            raise ConfigurationError(self._wrong.detail) from self._wrong
        if self._profile is None:
            raise RuntimeError("What was looked at is read or wrong.")
        return self._profile

    def problem(self) -> str | None:
        """What is wrong with it now; None where nothing is."""
        self._look()
        return self._wrong.detail if self._wrong else None

    def _look(self) -> None:
        before = self._stamps
        if before is not None and all(_stamp(path) == stamp for path, stamp in before.items()):
            return
        self._stamps, self._wrong = {}, None
        try:
            self._profile = _load(self._written, self._stamps)
        except ConfigurationError as wrong:
            self._wrong = wrong
            if self._profile is not None:
                said = wrong.detail.replace("\n", "; ")
                logger.error("A profile cannot be read any more; what was read last holds: %s", said)


@cache
def profile_file(written: str) -> ProfileFile:
    """The one that is looked at to say how an archive stands."""
    return ProfileFile(written)


_Stamp: TypeAlias = tuple[int, int, int] | None
"""Time of change, size and inode of a file; None where there is none."""


def _stamp(path: str) -> _Stamp:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _load(written: str, stamps: dict[str, _Stamp]) -> Profile:
    """A profile; of each file that it is made of takes note before it is read."""
    if written in SHIPPED:
        return shipped_profile(written, known=catalogue())
    stamps[written] = _stamp(written)
    if not is_path(written) and not Path(written).is_file():
        raise ConfigurationError(
            f"there is no profile {written}{nearest(written, SHIPPED)}; `heltig rules profiles` lists those "
            "that are shipped, and a file is named by its path"
        )

    def beside(base: str, of: str) -> tuple[str, str]:
        """The file of a base: its path leads from the folder of the file that names it."""
        path = os.path.normpath(Path(of).parent / base)
        stamps[path] = _stamp(path)
        return _read_file(path, base)

    name, text = _read_file(written, written)
    return parse_profile(text, known=catalogue(), name=name, find_file=beside)


def _read_file(path: str, written: str) -> tuple[str, str]:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return path, file.read(LONGEST + 2)  # a byte order mark and one too many: there may be no end
    except OSError as wrong:
        reason = (wrong.strerror or "it cannot be read").lower()
    except ValueError:
        reason = "it is not UTF-8"
    raise ConfigurationError(f"the profile {written} cannot be read: {reason}")
