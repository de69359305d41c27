"""Addresses that no archive has: where clouds tell secrets to whoever asks from within a machine."""

import ipaddress
import socket
from typing import Final

LINK_LOCAL: Final = (
    "not asked, since it is a link-local address, where clouds keep secrets. Where an archive really has "
    "one, set HELTIG_ARCHIVE_LINK_LOCAL=true."
)

_METADATA_SERVICES: Final = frozenset({"fd00:ec2::254", "metadata.google.internal"})


def is_link_local(host: str) -> bool:
    """Whether a host is a link-local address (RFC 3927, RFC 4291 2.5.6) or a cloud's metadata service.

    Args:
        host: A name, or an address without brackets.
    """
    if host.lower().rstrip(".") in _METADATA_SERVICES:
        return True
    try:
        address = _address(host.partition("%")[0])
    except (ValueError, OSError):
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_link_local


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address in any of its forms: who connects takes `0xA9FEA9FE` and `169.254.43518` for one, too."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return ipaddress.IPv4Address(socket.inet_aton(host))
