"""What a setting may hold beside text and numbers: sizes, ages, addresses, URLs with a password."""

import ipaddress
import re
from datetime import datetime, timedelta
from typing import Final, Self
from urllib.parse import urlsplit

import msgspec

_UNITS = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3, "TIB": 1024**4}


class Size(int):
    """A number of bytes, written as `268435456` or `256 MiB`."""

    @classmethod
    def parse(cls, given: object) -> Self:
        """Reads a size; ValueError where it is none, or not above zero."""
        found = re.fullmatch(r"(\d+) ?([KMGT]iB|B|)", str(given), re.ASCII | re.IGNORECASE)
        if not found or not int(found[1]):
            raise ValueError("Expected a size such as `256 MiB`, or a number of bytes")
        return cls(int(found[1]) * _UNITS[found[2].upper()])

    def __str__(self) -> str:
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if self % _UNITS[unit.upper()] == 0:
                return f"{self // _UNITS[unit.upper()]} {unit}"
        return f"{int(self)} B"


class Days(int):
    """How many days something is kept; 0, written as `0` or `forever`, is for ever."""

    @classmethod
    def parse(cls, given: object) -> Self:
        """Reads an age; ValueError where it is none."""
        text = str(given).strip().lower()
        if text == "forever":
            return cls(0)
        if not re.fullmatch(r"\d{1,5}", text, re.ASCII):
            raise ValueError("Expected a number of days, or `forever`")
        return cls(int(text))

    def before(self, now: datetime) -> datetime | None:
        """What is older than this is not kept any more; None where all is kept for ever."""
        return now - timedelta(days=self) if self else None

    def __str__(self) -> str:
        return format(int(self), "d") if self else "forever"


class Address(msgspec.Struct, frozen=True):
    """Where a listener listens, written as `HOST:PORT` or `[IPV6]:PORT`."""

    host: str
    port: int

    @classmethod
    def parse(cls, given: object) -> Self:
        """Reads an address; ValueError where it is none."""
        found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\s\[\]]+)):(\d{1,5})", str(given), re.ASCII)
        if not found or int(found[3]) > 65535:
            raise ValueError("Expected `HOST:PORT`")
        return cls(found[1] or found[2], int(found[3]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Peer(msgspec.Struct, frozen=True):
    """Who may send to the DICOM listener, written as `AE@ADDRESS`, `AE@NETWORK` or `AE@ADDRESS:PORT`.

    An IPv6 address or network stands in brackets.

    Attributes:
        ae_title: Its AE title; `*` for any.
        network: Where it calls from.
        port: Where it listens for storage commitment results, None where it does not.
    """

    ae_title: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    port: int | None = None

    @classmethod
    def parse(cls, given: str) -> Self:
        """Reads a peer; ValueError where it is none."""
        found = re.fullmatch(r"([^@]+)@(?:\[([^\]]+)\]|([^:\[\]]+))(?::(\d{1,5}))?", given, re.ASCII)
        if not found or not (found[1] == "*" or is_ae_title(found[1])):
            raise ValueError(f"{given}: expected a peer such as `CT1@10.1.2.3` or `CT1@10.1.2.3:11112`")
        network = ipaddress.ip_network(found[2] or found[3])
        port = int(found[4]) if found[4] else None
        if port is not None and (not 0 < port < 65536 or network.num_addresses > 1 or found[1] == "*"):
            raise ValueError(f"{given}: a port belongs to one AE title at one address")
        return cls(found[1], network, port)

    def matches(self, ae_title: str, address: str) -> bool:
        """Whether this is who calls."""
        return self.ae_title in ("*", ae_title) and self.is_at(address)

    def is_at(self, address: str) -> bool:
        """Whether it may call from an address."""
        called_from = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(called_from, "ipv4_mapped", None)
        return (mapped or called_from) in self.network


class SecretUrl(msgspec.Struct, frozen=True):
    """A URL that may hold a password.

    Attributes:
        secret: The URL as it was given. As text and in `repr` it has neither user, password nor query.
    """

    secret: str

    @classmethod
    def parse(cls, given: object) -> Self:
        """Reads a URL; ValueError where it has no scheme."""
        if not re.match(r"[a-z][a-z0-9+.-]*:", str(given)):
            raise ValueError("Expected a URL")
        return cls(str(given))

    def __str__(self) -> str:
        scheme, separator, rest = self.secret.partition(":")
        if rest.startswith("//"):
            separator, rest = "://", rest[2:]
        # Up to the last @, before anything else is looked at: a password may hold all that should have been
        # percent-encoded, and a token may stand where the user does.
        _, at, place = rest.rpartition("@")
        shown = re.sub(r"\?.*", "?***", place, flags=re.DOTALL)
        return f"{scheme}{separator}{'***@' if at else ''}{shown}"

    def __repr__(self) -> str:
        return f"SecretUrl({str(self)!r})"


SIGNATURES: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""The algorithms that a token may be signed with: all that have a public key (RFC 7518 3.1)."""


def is_safe_address(url: str) -> bool:
    """Whether what is sent to a URL is read by nobody on the way: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if "@" in parts.netloc or parts.query or parts.fragment or not host:
        return False
    if "\\" in url:  # which browsers take for a slash
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_viewer_url(template: str) -> bool:
    """Whether a text is an address of the web with `{study}` behind its host, and no other braces.

    >>> [is_viewer_url(f"{way}://view.example/{{study}}") for way in ("https", "http", "javascript")]
    [True, True, False]
    """
    if not re.fullmatch(r"https?://[^/?#@\s{}\"'<>]+[/?#][^\s\"'<>]*", template, re.ASCII):
        return False
    rest = template.replace("{study}", "")
    return rest != template and not set("{}") & set(rest)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on that host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_ae_title(text: str) -> bool:
    """Whether a text can be an AE title (PS3.5 6.2): 16 characters at most, no backslash."""
    return bool(re.fullmatch(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?", text))
