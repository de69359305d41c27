"""Addresses that no archive has: where clouds tell secrets to whoever asks from within a machine."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any, Final
from weakref import WeakSet

LINK_LOCAL: Final = (
    "not asked, since it is a link-local address, where clouds keep secrets. Where an archive really has "
    "one, set HELTIG_ARCHIVE_LINK_LOCAL=true."
)

_NAT64: Final = bytes.fromhex("0064ff9b") + bytes(8)
"""The prefix of IPv4 addresses behind a translator (RFC 6052 2.1)."""
_NAT64_LOCAL: Final = bytes.fromhex("0064ff9b0001")
"""The prefix of those of a site's own translator (RFC 8215), where they stand in one of four places."""
_COMPATIBLE: Final = bytes(12)
"""The prefix of IPv4-compatible addresses (RFC 4291 2.5.5.1)."""

_METADATA_NAMES: Final = frozenset({"metadata.google.internal", "metadata.goog"})
_METADATA_ADDRESSES: Final = frozenset(
    map(
        ipaddress.ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    )
)
"""Of AWS and Google over IPv6, of Alibaba, of Oracle, and Azure's WireServer; others are link-local."""


def is_link_local(host: str) -> bool:
    """Whether a host is a link-local address (RFC 3927, RFC 4291 2.5.6) or a cloud's metadata service.

    Args:
        host: A name, or an address without brackets.
    """
    if host.lower().rstrip(".") in _METADATA_NAMES:
        return True
    try:
        address = _address(host.partition("%")[0])
    except (ValueError, OSError):
        return False
    return any(one.is_link_local or one in _METADATA_ADDRESSES for one in (address, *_inside(address)))


class Peers:
    """The other ends of a client's connections: a name may have led to such an address.

    Each connection is looked at once; it keeps its other end.
    """

    def __init__(self) -> None:
        self._others: WeakSet[Any] = WeakSet()

    def has_link_local(self, connection: Any | None) -> bool:
        """Whether a connection, as `httpcore` gives it, leads to a link-local address."""
        if connection is None or connection in self._others:
            return False
        address = connection.get_extra_info("server_addr")
        if address is not None and is_link_local(str(address[0])):
            return True
        self._others.add(connection)
        return False


def _inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses to which a network may hand on what is for an IPv6 address."""
    if not isinstance(address, ipaddress.IPv6Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:  # RFC 3056
        yield address.sixtofour
    if address.teredo:  # RFC 4380: its server, and the client
        yield from address.teredo
    packed = address.packed
    if packed.startswith((_NAT64, _COMPATIBLE)):
        yield ipaddress.IPv4Address(packed[12:])
    if packed.startswith(_NAT64_LOCAL):  # RFC 6052 2.2 leaves out octet 8
        yield ipaddress.IPv4Address(packed[6:8] + packed[9:11])
        yield ipaddress.IPv4Address(packed[7:8] + packed[9:12])
        yield ipaddress.IPv4Address(packed[9:13])
        yield ipaddress.IPv4Address(packed[12:])


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address in any of its forms: who connects takes `0xA9FEA9FE` and `169.254.43518` for one, too."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return ipaddress.IPv4Address(socket.inet_aton(host))
