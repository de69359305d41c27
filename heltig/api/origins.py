"""Where a request is from, and what it calls us: as the connection says, or a proxy that is trusted.

A proxy writes down whom it speaks for, in X-Forwarded-For, -Proto and -Host or in Forwarded (RFC 7239).
Anybody can send such headers, so they are believed only of connections from `HELTIG_TRUSTED_PROXIES`, and
from right to left: what stands left of the first address that is no trusted proxy may be anybody's.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from heltig.api.problems import send_problem
from heltig.errors import UsageError

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_MOST_HOPS: Final = 20
_MOST_KNOWN: Final = 10_000
_PARAMETER: Final = re.compile(r'\s*([a-z]+)=("[^"\\]*"|[^\s;,"]*)\s*', re.IGNORECASE)


class Said(msgspec.Struct, frozen=True):
    """What a proxy says of a request; empty where it does not say.

    Attributes:
        client: Whom it came from.
        scheme: `http` or `https`.
        host: What they called us.
    """

    client: str = ""
    scheme: str = ""
    host: str = ""


class Origins:
    """An ASGI application around the service: behind it, the client of a request is who sent it."""

    def __init__(self, app: ASGIApp, trusted: Iterable[str], *, believes_hosts: bool) -> None:
        """Makes it.

        Args:
            app: The service.
            trusted: Addresses and networks of proxies.
            believes_hosts: Whether they may say what we were called. Where the name we are called by is all
                that keeps a page from elsewhere out, they may not: such a page can send headers, too.
        """
        self._app = app
        self._trusted = [ipaddress.ip_network(network) for network in trusted]
        self._believes_hosts = believes_hosts
        self._known: dict[str, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Has a request answered, or refuses one that does not say whom it is for (RFC 9112 3.2)."""
        if scope["type"] == ScopeType.HTTP:
            try:
                _insist_on_one_host(scope)
                if self._trusted:
                    self._believe(scope)
            except UsageError as error:
                await send_problem(send, error.status, error.problem_type, error.title, detail=error.detail)
                return
        await self._app(scope, receive, send)

    def _believe(self, scope: HTTPScope) -> None:
        client = scope.get("client")
        if not client or not self._is_trusted(client[0]):
            return
        said = self._said(scope, str(address_of(client[0])))
        if said.client:
            scope["client"] = (said.client, 0)
        if said.scheme in ("http", "https"):
            scope["scheme"] = said.scheme
        if said.host and self._believes_hosts:
            if not _HOST.fullmatch(said.host.encode("latin-1", "replace")):
                raise UsageError("The proxy names a host that cannot be one.")
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [*others, (b"host", said.host.encode())]

    def _said(self, scope: HTTPScope, peer: str) -> Said:
        """What the proxies say.

        Raises:
            UsageError: They say it in both ways, and differently: one of the two was sent by a client, and
                passed on by a proxy that knows the other way alone.
        """
        newer, older = _listed(scope, b"forwarded"), _listed(scope, b"x-forwarded-for")
        elements = [_element(text) for text in newer]
        by_forwarded = self._client([element.get("for", "") for element in elements], peer)
        by_x = self._client(older, peer)
        if newer and older and by_forwarded != by_x:
            raise UsageError(
                "Forwarded and X-Forwarded-For contradict one another. A proxy has to write one of them and "
                "to remove the other."
            )
        if newer and not older:
            last = elements[-1]
            return Said(by_forwarded, last.get("proto", "").lower(), last.get("host", ""))
        scheme, host = _listed(scope, b"x-forwarded-proto"), _listed(scope, b"x-forwarded-host")
        return Said(by_x, scheme[-1].lower() if scheme else "", host[-1] if host else "")

    def _client(self, hops: list[str], peer: str) -> str:
        """The first address from the right that is no trusted proxy, else the leftmost that was named."""
        found = peer
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = address_of(_without_port(hop))
            if address is None:  # `unknown`, or a name that hides it: who is left of it cannot be known
                return found
            found = str(address)
            if not self._is_trusted(found):
                return found
        return found

    def _is_trusted(self, text: str) -> bool:
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            address = address_of(text)
            found = address is not None and any(address in network for network in self._trusted)
            self._known[text] = found
        return found


def address_of(text: str) -> IpAddress | None:
    """An address; one of IPv4 that is written as one of IPv6 is that of IPv4. None where it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _insist_on_one_host(scope: HTTPScope) -> None:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) == 1 and _HOST.fullmatch(hosts[0]):
        return
    if hosts or scope["http_version"] != "1.0":
        raise UsageError("A request has one Host header, with a host name or an address.")


def _listed(scope: HTTPScope, wanted: bytes) -> list[str]:
    """The parts of a header that lists something, over all lines of it."""
    lines = (value.decode("latin-1") for name, value in scope["headers"] if name == wanted)
    return [part.strip() for line in lines for part in line.split(",")]


def _element(text: str) -> dict[str, str]:
    """The parameters of an element of Forwarded; what is no parameter is left out."""
    return dict(_parameters(text))


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(";"):
        if found := _PARAMETER.fullmatch(part):
            yield found[1].lower(), found[2].strip('"')


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
