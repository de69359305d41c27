"""The keys of a store's encryption, read from where HELTIG_ENCRYPTION_KEY says; never from the database.

Each is 32 random bytes as 64 hex digits; several are separated by commas. The first one writes, all of them
read. `plain` in the first place stands for no key: what is written is plain then, and those behind it read.
"""

import os
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from heltig.errors import ConfigurationError, StorageError, UsageError, named
from heltig.secret import Secret, changing, write_secret
from heltig.settings import Settings
from heltig.store.encryption import LENGTH, PLAIN, PLAIN_ID, SETTING, Cipher, Key, Keys

_FORM: Final = re.compile(r"(plain|[0-9a-f]{64})(,[0-9a-f]{64})*", re.ASCII)
_LOOK_SECONDS: Final = 1.0
"""How long a changed file may go unseen."""


class EncryptionKeys(Cipher):
    """The keys that a setting refers to. A file is read again when it changed."""

    def __init__(self, reference: str, environ: Mapping[str, str] = os.environ) -> None:
        """Reads them for the first time.

        Args:
            reference: `env:NAME` or `file:PATH`.
            environ: Where `env:` looks.

        Raises:
            ConfigurationError: They cannot be read, or are no keys.
        """
        self.reference: Final = reference
        self.where = f"{SETTING}={reference}"
        with named(SETTING):
            self._secret = Secret(reference, environ)
            self._text = self._secret.value
        self._keys = self._parsed(self._text)
        self._looked = time.monotonic()

    def keys(self) -> Keys:
        """The keys; those known stay where the file cannot be read any more."""
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            try:
                return self.reread()
            except ConfigurationError:
                pass  # it is written just now, or is gone: the next start will say so
        return self._keys

    def reread(self) -> Keys:
        """The keys once more.

        Raises:
            ConfigurationError: They cannot be read, or are no keys.
        """
        self._looked = time.monotonic()
        text = self._secret.value
        if text != self._text:
            self._keys, self._text = self._parsed(text), text
        return self._keys

    def add(self) -> str:
        """Puts a new key before the others, in the file; gives its id.

        Raises:
            UsageError: They are in the environment.
            ConfigurationError: They cannot be read.
            StorageError: The file cannot be written.
        """
        if not self.reference.startswith("file:"):
            raise UsageError(
                f"{self.where} cannot be written from here. Make a key (`openssl rand -hex 32`), put it "
                "before the others, with a comma between them, wherever that is set, and start Heltig again."
            )
        path = Path(self.reference.removeprefix("file:"))
        made = secrets.token_hex(LENGTH)
        try:
            with changing(path):
                self.reread()
                others = (text for text in self._text.split(",") if text != PLAIN_ID)
                write_secret(path, ",".join([made, *others]), replaces=True)
                self.reread()
        except OSError as wrong:
            raise StorageError(
                f"The encryption key {path} cannot be written: {wrong.strerror}. Let its folder belong to "
                "the user that Heltig runs as: a new file takes the place of the old one."
            ) from wrong
        return Key(bytes.fromhex(made)).id

    def _parsed(self, text: str) -> Keys:
        if not _FORM.fullmatch(text):
            raise ConfigurationError(
                f"{self.where}: not the keys of an encryption. Give 64 hex digits (`openssl rand -hex 32`), "
                "of several keys the one that writes first, with commas between them."
            )
        writes_plain = text.startswith(PLAIN_ID)
        keys = [Key(bytes.fromhex(one)) for one in text.split(",")[writes_plain:]]
        return Keys(keys, writes_plain=writes_plain)


def cipher_of(settings: Settings, environ: Mapping[str, str] = os.environ) -> Cipher:
    """What encrypts by the settings; nothing is encrypted where they name no key.

    Raises:
        ConfigurationError: The keys cannot be read, or are no keys.
    """
    if settings.encryption_key is None:
        return PLAIN
    return EncryptionKeys(settings.encryption_key, environ)
