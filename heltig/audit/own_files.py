"""Small files in `secrets` of HELTIG_HOME: what a host knows of the audit trail outside the database.

Whoever can write to the database alone does not reach them.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from heltig.errors import StorageError

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
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(what) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as wrong:
        with suppress(OSError):
            draft.unlink()
        raise StorageError(f"{path} cannot be written: {wrong.strerror}.") from wrong
