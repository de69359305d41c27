"""Stored evidence encrypted: AES-256-GCM under keys that are never in the database.

What is encrypted names its key, so that several can be in use, and is bound to what it is: the ciphertext of
one row is no ciphertext of another. What was stored before there was a key is read as it is.

An encrypted value begins with `MARK`; then come the key's id (4 bytes), a nonce at random (12), the
ciphertext and its tag (16). No plain one begins with a zero: that is a frame of Zstandard, or an answer.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from heltig.errors import ConfigurationError, StorageError

MARK: Final = b"\x00HE1"
HEAD: Final = len(MARK) + 4
"""Bytes of an encrypted value that say by which key it is."""

LENGTH: Final = 32
"""Bytes of a key."""

PLAIN_ID: Final = "plain"
"""In place of a key's id where nothing is encrypted."""

SETTING: Final = "HELTIG_ENCRYPTION_KEY"

_encode: Final = msgspec.msgpack.Encoder().encode
_NONCE: Final = 12
_TAG: Final = 16

Identity: TypeAlias = tuple[str | int | bytes, ...]
"""What names a stored value for ever: its key in its table, or its own digest."""


class Key:
    """A key, as it is used.

    Attributes:
        id: What it is called: the beginning of a hash, which says nothing of it.
    """

    def __init__(self, secret: bytes) -> None:
        from cryptography.exceptions import InvalidTag  # here: only sites that encrypt need it
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.id: Final = hashlib.sha256(b"heltig encryption key\n" + secret).hexdigest()[:8]
        self._head = MARK + bytes.fromhex(self.id)
        self._aes = AESGCM(hmac.digest(secret, b"heltig encryption: AES-256-GCM", "sha256"))
        self._invalid = InvalidTag
        self._digests = hmac.digest(secret, b"heltig encryption: digests", "sha256")

    def encrypt(self, content: bytes, bound_to: bytes) -> bytes:
        """Some bytes encrypted."""
        nonce = os.urandom(_NONCE)
        return self._head + nonce + self._aes.encrypt(nonce, content, bound_to)

    def decrypt(self, encrypted: bytes, bound_to: bytes) -> bytes:
        """What `encrypt` was given.

        Raises:
            ValueError: It is damaged, or was bound to something else.
        """
        if len(encrypted) < HEAD + _NONCE + _TAG:
            raise ValueError("too short")
        try:
            return self._aes.decrypt(encrypted[HEAD : HEAD + _NONCE], encrypted[HEAD + _NONCE :], bound_to)
        except self._invalid as wrong:
            raise ValueError("not what was encrypted") from wrong

    def digest(self, text: str) -> str:
        """A keyed digest, 32 hex digits: equal texts have equal ones, and nobody can try texts out."""
        return hmac.digest(self._digests, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


class Keys:
    """The keys as they are at one time.

    Attributes:
        writes: What is encrypted with; None where what is written is plain.
        by_id: All of them.
    """

    def __init__(self, keys: Sequence[Key] = (), *, writes_plain: bool = False) -> None:
        self.writes: Final = None if writes_plain or not keys else keys[0]
        self.by_id: Final[Mapping[str, Key]] = {key.id: key for key in keys}


class Cipher:
    """What encrypts and decrypts for a store. Without keys all is plain, and what is encrypted is refused."""

    where: str = f"{SETTING}, which is not set,"
    """Where the keys are, for messages."""

    def keys(self) -> Keys:
        """The keys as they are now."""
        return _NONE

    def writing(self) -> Key | None:
        """The key to write with; None where what is written is plain."""
        return self.keys().writes

    def fixed(self) -> "Fixed":
        """One whose first key stays: a transaction writes with one."""
        return Fixed(self, self.keys())

    def reread(self) -> Keys:
        """The keys once more from where they are, since one is missing."""
        return _NONE

    def encrypt(self, kind: str, identity: Identity, content: bytes) -> bytes:
        """A value as it is stored.

        Args:
            kind: What it is: the name of its table.
            identity: Which of these.
            content: Plain, compressed where that is worth it.
        """
        key = self.writing()
        return content if key is None else key.encrypt(content, _bound(kind, identity))

    def decrypt(self, kind: str, identity: Identity, stored: bytes) -> bytes:
        """What `encrypt` was given; plain values as they are.

        Raises:
            StorageError: Its key is not here, or it is damaged, or is not what is stored there.
        """
        if stored[: len(MARK)] != MARK:
            return stored
        name = stored[len(MARK) : HEAD].hex()
        key = self.keys().by_id.get(name) or self._again(name)
        try:
            return key.decrypt(stored, _bound(kind, identity))
        except ValueError:
            raise StorageError(
                f"Encrypted evidence of the table {kind} is damaged, or was put into the place of another "
                f"(key {name}): the database was edited, or its disk is failing. Restore a backup."
            ) from None

    def digest(self, text: str) -> str:
        """A digest as it is stored: keyed where a key is given."""
        key = self.writing()
        return text if key is None or not text else key.digest(text)

    def digests(self, text: str) -> list[str]:
        """All forms in which `digest` may have stored a text."""
        return [text, *(key.digest(text) for key in self.keys().by_id.values())]

    def _again(self, name: str) -> Key:
        try:
            key = self.reread().by_id.get(name)
        except ConfigurationError as wrong:
            raise StorageError(wrong.detail) from wrong
        if key is None:
            raise StorageError(missing([name], self.where))
        return key


def missing(ids: Sequence[str], where: str) -> str:
    """What to do where keys are not here."""
    listed = ", ".join(ids)
    return (
        f"Evidence in the database is encrypted with the key {listed}, which {where} does not hold. Put that "
        f"key behind the first one in {SETTING} of every server of this database. Without it that evidence "
        "cannot be read by anybody."
    )


def key_of(stored: bytes | None) -> str | None:
    """The id of the key that a stored value is encrypted with; None where it is plain."""
    if stored is None or stored[: len(MARK)] != MARK:
        return None
    return stored[len(MARK) : HEAD].hex()


def _bound(kind: str, identity: Identity) -> bytes:
    """Kind and identity as associated data: no two of them make the same bytes."""
    return _encode((kind, *identity))


class Fixed(Cipher):
    """What encrypts with the keys as they were at one time, and decrypts with those that come, too.

    Attributes:
        has_written: Something was to be written by it, encrypted or plain.
    """

    def __init__(self, source: Cipher, keys: Keys) -> None:
        self.where = source.where
        self.has_written = False
        self._source = source
        self._keys = keys

    def keys(self) -> Keys:
        """The keys as they were."""
        return self._keys

    def writing(self) -> Key | None:
        """The key to write with."""
        self.has_written = True
        return self._keys.writes

    def reread(self) -> Keys:
        """The keys as they are now."""
        return self._source.reread()


_NONE: Final = Keys()

PLAIN: Final = Cipher()
"""Of a database that nobody gave keys for."""
