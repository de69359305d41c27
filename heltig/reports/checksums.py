"""SHA-256 of files that are handed to somebody, as `sha256sum -c` reads them."""

import hashlib
from collections.abc import Mapping
from typing import Final

NAME: Final = "SHA256SUMS"


def checksums(digests: Mapping[str, str]) -> bytes:
    """A line a file, by name.

    Args:
        digests: SHA-256 in hex digits, by the file's name.
    """
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def sha256(content: bytes) -> str:
    """SHA-256 in hex digits."""
    return hashlib.sha256(content).hexdigest()
