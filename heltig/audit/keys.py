"""The keys that the audit trail is sealed with. They are never in the database.

A secret holds them: the file `secrets/audit-key` in HELTIG_HOME, or what HELTIG_AUDIT_KEY refers to. Each is
32 random bytes as 64 hex digits; several are separated by commas, the newest first. Old ones stay there, so
that what they sealed can be verified.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from heltig.errors import ConfigurationError, StorageError, UsageError, named
from heltig.secret import changing, read_secret, write_secret
from heltig.settings import Settings

LENGTH: Final = 32
"""Bytes of a key: as many as its digest has (RFC 2104 3)."""

_KEYS: Final = re.compile(r"[0-9a-f]{64}(,[0-9a-f]{64})*", re.ASCII)


def id_of(key: bytes) -> str:
    """What a key is called: the beginning of a hash, which says nothing of it."""
    return hashlib.sha256(b"heltig audit key\n" + key).hexdigest()[:8]


def new_key() -> str:
    """A key at random, as it is written."""
    return secrets.token_hex(LENGTH)


class AuditKeys:
    """The keys, read when they are needed for the first time, and again when one is missing."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
        """Knows where they are.

        Args:
            settings: The site's.
            environ: Where `env:` looks.
        """
        self._given = settings.audit_key
        self._own = settings.home / "secrets" / "audit-key"
        self._environ = environ
        self._known: dict[str, bytes] = {}

    @property
    def where(self) -> str:
        """Where they are, for messages."""
        return f"HELTIG_AUDIT_KEY={self._given}" if self._given else str(self._own)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all, the newest first.

        Raises:
            ConfigurationError: They cannot be read.
        """
        return tuple(self._known or self._read())

    def knows(self, key_id: str) -> bool:
        """Whether a key is among them; looks again before it says no.

        Raises:
            ConfigurationError: They cannot be read.
        """
        return key_id in self._known or key_id in self._read()

    def mac(self, key_id: str, message: bytes) -> bytes:
        """HMAC-SHA-256 of a message.

        Raises:
            StorageError: The key is not here.
        """
        key = self._known.get(key_id)
        if key is None:
            try:
                key = self._read().get(key_id)
            except ConfigurationError as wrong:
                raise StorageError(wrong.detail) from wrong
            if key is None:
                raise StorageError(self.missing(key_id))
        return hmac.digest(key, message, "sha256")

    def missing(self, key_id: str) -> str:
        """What to do where a key is not among them."""
        return (
            f"The audit trail is sealed with the key {key_id}, which {self.where} does not hold. Give every "
            "server of this database the same key: copy the file secrets/audit-key of the first one's "
            "HELTIG_HOME, or name it in HELTIG_AUDIT_KEY."
        )

    def make(self) -> None:
        """Makes the first key, readable by its owner only, where none is given and there is none yet.

        Raises:
            StorageError: The file cannot be written.
        """
        if not self._given and not self._own.exists():
            with self._told() as path:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_secret(path, new_key(), replaces=False)

    def add(self) -> str:
        """Puts a new key before the others, in a file; gives its id.

        Raises:
            UsageError: They are in the environment.
            ConfigurationError: They cannot be read.
            StorageError: The file cannot be written.
        """
        if self._given and not self._given.startswith("file:"):
            raise UsageError(
                f"{self.where} cannot be written from here. Make a key (`openssl rand -hex 32`), put it "
                "before the old one, with a comma between them, wherever that is set, and say this again."
            )
        made = new_key()
        with self._told() as path, changing(path):
            write_secret(path, ",".join((made, *(key.hex() for key in self._read().values()))), replaces=True)
            self._read()
        return id_of(bytes.fromhex(made))

    def _read(self) -> dict[str, bytes]:
        with named("HELTIG_AUDIT_KEY") if self._given else nullcontext():
            text = read_secret(self._given or f"file:{self._own}", self._environ)
        if not _KEYS.fullmatch(text):
            raise ConfigurationError(
                f"{self.where}: not the keys of an audit trail. Give 64 hex digits (`openssl rand -hex 32`), "
                "of several keys the newest first, with commas between them."
            )
        keys = [bytes.fromhex(one) for one in text.split(",")]
        self._known = {id_of(key): key for key in keys}
        return self._known

    @contextmanager
    def _told(self) -> Iterator[Path]:
        """The file; what goes wrong with it is told."""
        path = Path(self._given.removeprefix("file:")) if self._given else self._own
        try:
            yield path
        except OSError as wrong:
            raise StorageError(f"The audit key {path} cannot be written: {wrong.strerror}.") from wrong
