"""Secrets by reference: what is stored and shown is where a secret lies, never the secret."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from heltig.errors import ConfigurationError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def read_secret(reference: str, environ: Mapping[str, str] = os.environ) -> str:
    """Reads a secret: `env:NAME` from the environment, `file:PATH` from a file without its last line break.

    Raises:
        ConfigurationError: There is none, or it has characters that no HTTP header can carry.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        value = environ.get(name, "")
        if not value:
            raise ConfigurationError(f"{reference}: this variable is not set where Heltig runs, or is empty.")
    elif kind == "file" and name:
        try:
            value = Path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as wrong:
            raise ConfigurationError(f"{reference}: this secret cannot be read as a text file.") from wrong
    else:
        # Not shown: it may be the secret itself.
        raise ConfigurationError("A secret is not given itself: give env:NAME or file:PATH.")
    if not value or not value.isprintable():
        raise ConfigurationError(f"{reference}: this secret is empty, or not one line of text.")
    return value


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Nobody else on this host who asks so changes files of this folder meanwhile: keys are added, not lost.

    Raises:
        OSError: The folder cannot be opened.
    """
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        if fcntl:
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write_secret(path: Path, text: str, *, replaces: bool) -> None:
    """Writes a file, readable by its owner only; in one piece, or not at all.

    Args:
        path: The file; its folder is there.
        text: What it is to hold, without a line break.
        replaces: It takes the place of one that is there; else that one stays: another process made it.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        if replaces:
            draft.replace(path)
        else:
            with suppress(FileExistsError):
                os.link(draft, path)  # unlike a rename it does not overwrite
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Secret:
    """A secret that may change: its file is read again when it is another one, or was written again."""

    def __init__(self, reference: str, environ: Mapping[str, str] = os.environ) -> None:
        """Reads it for the first time.

        Args:
            reference: See `read_secret`.
            environ: Where `env:` looks.

        Raises:
            ConfigurationError: As `read_secret` does.
        """
        self._reference = reference
        self._environ = environ
        self._stamp = self._look()
        self._value = read_secret(reference, environ)

    @property
    def value(self) -> str:
        """The secret as it is now.

        Raises:
            ConfigurationError: As `read_secret` does.
        """
        stamp = self._look()
        if stamp != self._stamp:
            self._value = read_secret(self._reference, self._environ)
            self._stamp = stamp
        return self._value

    def _look(self) -> tuple[int, int, int] | None:
        """What changes with the file; None where there is none, and for the environment."""
        kind, _, name = self._reference.partition(":")
        if kind != "file":
            return None
        try:
            found = Path(name).stat()
        except (OSError, ValueError):
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
