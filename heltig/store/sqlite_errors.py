"""What SQLite says when it fails, as errors of ours: a file that is damaged is told from one that is away."""

import os
import sqlite3
from typing import Final

from heltig.errors import DamagedDatabaseError, StorageError

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY: Final = 0xFF
"""The bits of an error's code that say its kind; the others say which one of that kind."""


def storage_error(said: str, error: BaseException | None) -> StorageError:
    """An error of SQLite as one of ours.

    Args:
        said: What could not be done, and of which database; without the full stop.
        error: Of SQLite, or of the system. SQLite's texts name no values.
    """
    if isinstance(error, OSError) and error.errno:
        return StorageError(f"{said}: {os.strerror(error.errno)}.")
    if getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _DAMAGED:
        return DamagedDatabaseError(
            f"{said}: {error}. The file is damaged, or is none of SQLite's: stop Heltig, keep a copy of the "
            "file, and restore the newest backup into an empty HELTIG_HOME (docs/handbook/incidents.md)."
        )
    return StorageError(f"{said}: {error}.")
