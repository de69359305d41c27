"""Profiles by what a user or an administrator wrote for them."""

import os
from pathlib import Path

from heltig.errors import ConfigurationError
from heltig.rules.catalogue import catalogue
from heltig.rules.profile import Profile
from heltig.rules.profile_file import is_path, parse_profile, shipped_profile
from heltig.rules.profile_shipped import SHIPPED
from heltig.rules.profile_tables import LONGEST, nearest


def load_profile(written: str) -> Profile:
    """A profile by what a user wrote for it.

    Args:
        written: The name of a shipped profile or the path of a TOML file; a file beside us that is called
            like a shipped profile is `./NAME`.

    Raises:
        ConfigurationError: There is none, it cannot be read, or something in it is wrong.
    """
    if written in SHIPPED:
        return shipped_profile(written, known=catalogue())
    if not is_path(written) and not Path(written).is_file():
        raise ConfigurationError(
            f"there is no profile {written}{nearest(written, SHIPPED)}; `heltig rules profiles` lists those "
            "that are shipped, and a file is named by its path"
        )
    name, text = _read_file(written, written)
    return parse_profile(text, known=catalogue(), name=name, find_file=_beside)


def _beside(base: str, of: str) -> tuple[str, str]:
    """The file of a base: its path leads from the folder of the file that names it."""
    return _read_file(os.path.normpath(Path(of).parent / base), base)


def _read_file(path: str, written: str) -> tuple[str, str]:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return path, file.read(LONGEST + 2)  # a byte order mark and one too many: there may be no end
    except OSError as wrong:
        reason = (wrong.strerror or "it cannot be read").lower()
    except ValueError:
        reason = "it is not UTF-8"
    raise ConfigurationError(f"the profile {written} cannot be read: {reason}")
