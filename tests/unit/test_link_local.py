"""Addresses that no archive has."""

import pytest
from servers.scripted import answer, scripted_server

from heltig import http, link_local
from heltig.errors import ArchiveAccessError
from heltig.link_local import is_link_local


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "0xa9fea9fe",
        "2852039166",
        "169.254.43518",
        "0251.0376.0251.0376",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "::169.254.169.254",
        "fd00:ec2::254",
        "FD00:EC2:0::254",
        "64:ff9b::100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "metadata.google.internal",
        "Metadata.Google.Internal.",
    ],
)
def test_link_local_addresses_and_metadata_services(host: str) -> None:
    assert is_link_local(host)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "::1",
        "10.1.2.3",
        "192.168.1.2",
        "fd00::1",
        "64:ff9b::10.1.2.3",
        "64:ff9b:1::10.1.2.3",
        "2002:0a01:0203::1",
        "2001:db8::1",
        "0x7f000001",
        "1",
        "pacs.example",
        "169.254.example",
        "",
    ],
)
def test_addresses_that_archives_have(host: str) -> None:
    assert not is_link_local(host)


async def test_a_name_that_leads_to_such_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback stands in for one: a test can have no other."""
    monkeypatch.setattr(link_local, "is_link_local", lambda host: host == "127.0.0.1")
    async with scripted_server([answer(b"secrets"), answer(b"secrets")]) as server:
        root = server.root.replace("127.0.0.1", "localhost")
        async with http.client(root) as client:
            with pytest.raises(ArchiveAccessError, match="link-local") as refused:
                await http.get(client, "studies", accept="application/dicom+json", max_bytes=99)
        assert "secrets" not in refused.value.detail.replace("keep secrets", "")
        async with http.client(root, allow_link_local=True) as client:
            _, body = await http.get(client, "studies", accept="application/dicom+json", max_bytes=99)
    assert body == b"secrets"
