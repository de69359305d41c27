"""The signature of what webhooks are sent, by which a receiver knows that it is from here and new."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from heltig.errors import ConfigurationError

SHORTEST: Final = 16
"""Characters of a secret that can be guessed no more."""


def signature(body: bytes, secrets: Sequence[str], *, at: int) -> str:
    """The value of `Heltig-Signature`.

    Args:
        body: What is sent.
        secrets: Those of the receiver; each signs.
        at: When it is sent, in seconds since 1970. It is signed, too, so that nobody can send it again later.

    Returns:
        `t=SECONDS,v1=HEX`, with a `v1` for each secret: HMAC-SHA256 over `SECONDS.BODY` (RFC 2104).

    Raises:
        ConfigurationError: A secret is too short.

    >>> signature(b"{}", ["0123456789abcdef"], at=1)
    't=1,v1=2af693cb56b22c16912222aeefdc75a01de562bf70ee2015f41ecea48382997f'
    """
    if any(len(secret) < SHORTEST for secret in secrets):
        raise ConfigurationError(f"A webhook's secret has {SHORTEST} characters at least.")
    signed = b"%d.%s" % (at, body)
    found = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join((f"t={at}", *(f"v1={one}" for one in found)))
