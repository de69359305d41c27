"""Where objects are sent by C-STORE."""

import ssl

import msgspec


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An archive's C-STORE SCP.

    Attributes:
        calling: Our AE title.
        called: The archive's.
        host: Its address.
        port: Its port.
        tls: Speaks TLS with this; None speaks none.
        connect_seconds: How long connecting may take, and each step of opening an association.
        answer_seconds: How long the archive may be at one object.
    """

    calling: str
    called: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    connect_seconds: float = 5.0
    answer_seconds: float = 300.0
