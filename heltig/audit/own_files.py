"""Small files in `secrets` of HELTIG_HOME: what a host knows of the audit trail outside the database.

Whoever can write to the database alone does not reach them.
"""

from pathlib import Path
from typing import Final, TypeVar

import msgspec

from heltig.errors import StorageError
from heltig.secret import write_secret

T = TypeVar("T", bound=msgspec.Struct)

FOLDER: Final = "secrets"
"""Where they are in HELTIG_HOME."""


def read(path: Path, kind: type[T]) -> T | None:
    """What a file says; None where it is not there.

    Raises:
        StorageError: It cannot be read, or is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise StorageError(f"{path} cannot be read: {wrong.strerror}.") from wrong
    except msgspec.DecodeError as wrong:
        raise StorageError(f"{path} is damaged: it does not say what is known of the audit trail.") from wrong


def write(path: Path, what: msgspec.Struct) -> None:
    """Writes a file, readable by its owner only; in one piece, or not at all.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(path, msgspec.json.encode(what).decode(), replaces=True)
    except OSError as wrong:
        raise StorageError(f"{path} cannot be written: {wrong.strerror}.") from wrong
