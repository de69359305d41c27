"""Tokens by OAuth 2.0 client credentials, from a real token endpoint on loopback."""

import asyncio
import base64
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from servers.certificates import Authority
from servers.httpd import Httpd, TokenEndpoint, httpd
from servers.scripted import answer

from heltig import http
from heltig.auth.archives import auth_for
from heltig.credentials import ClientCredentials
from heltig.errors import (
    ArchiveAccessError,
    ArchiveCredentialsError,
    ArchiveError,
    ArchiveUnavailableError,
    ConfigurationError,
)
from heltig.retry import Retry

ONCE = Retry(attempts=1)
ENVIRON = {"HELTIG_SECRET_CLIENT": "s3cret/ä"}


class Time:
    """Seconds that only move when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def credentials(server: Httpd, **changes: Any) -> ClientCredentials:
    given = {"client_id": "heltig:1", "secret": "env:HELTIG_SECRET_CLIENT", **changes}
    return ClientCredentials(token_url=f"{server.root}/token", **given)


async def ask(client: http.Client) -> int:
    head, _ = await http.get(client, "studies", accept="application/dicom+json", max_bytes=99, retry=ONCE)
    return head.status


async def test_one_token_serves_all_who_ask_at_the_same_time_until_it_expires() -> None:
    endpoint, time = TokenEndpoint(), Time()
    async with httpd(endpoint) as server:
        auth = auth_for(credentials(server), environ=ENVIRON, clock=time)
        async with http.client(server.root, auth=auth) as client:
            assert await asyncio.gather(*(ask(client) for _ in range(20))) == [200] * 20
            assert len(endpoint.asked) == 1
            time.now = 3539
            await ask(client)
            assert len(endpoint.asked) == 1
            time.now = 3540  # a minute before it expires
            await asyncio.gather(*(ask(client) for _ in range(20)))
            assert len(endpoint.asked) == 2


async def test_a_token_that_is_refused_in_the_middle_of_a_run_is_replaced_once() -> None:
    endpoint = TokenEndpoint()
    async with httpd(endpoint) as server:
        auth = auth_for(credentials(server), environ=ENVIRON)
        async with http.client(server.root, auth=auth) as client:
            await ask(client)
            endpoint.revoked.add("token-1")
            assert await asyncio.gather(*(ask(client) for _ in range(5))) == [200] * 5
            assert len(endpoint.asked) == 2


async def test_an_archive_that_takes_no_token_is_asked_once_each_time() -> None:
    endpoint = TokenEndpoint(untaken=True)
    async with httpd(endpoint) as server:
        auth = auth_for(credentials(server), environ=ENVIRON)
        async with http.client(server.root, auth=auth) as client:
            for number in (1, 2):
                with pytest.raises(ArchiveCredentialsError):
                    await ask(client)
                assert len(endpoint.asked) == number
                assert len(server.requests) == 2 * number


@pytest.mark.parametrize(("life", "is_good_at"), [(90, 44), ("120", 59), (None, 239), ("soon", 239)])
async def test_short_and_unknown_lives(life: float | str | None, is_good_at: float) -> None:
    endpoint, time = TokenEndpoint(life=life), Time()
    async with httpd(endpoint) as server:
        auth = auth_for(credentials(server), environ=ENVIRON, clock=time)
        async with http.client(server.root, auth=auth) as client:
            await ask(client)
            time.now = is_good_at
            await ask(client)
            assert len(endpoint.asked) == 1
            time.now = is_good_at + 1
            await ask(client)
            assert len(endpoint.asked) == 2


async def test_how_the_client_proves_itself_with_its_secret() -> None:
    endpoint = TokenEndpoint()
    async with httpd(endpoint) as server:
        for proof in ("client_secret_basic", "client_secret_post"):
            ours = credentials(server, proof=proof, scope="a b", audience="archive")
            async with http.client(server.root, auth=auth_for(ours, environ=ENVIRON)) as client:
                await ask(client)
    basic, posted = endpoint.asked
    assert basic.form == {"grant_type": "client_credentials", "scope": "a b", "audience": "archive"}
    header = base64.b64decode(basic.headers["authorization"].removeprefix("Basic ")).decode()
    assert header == "heltig%3A1:s3cret%2F%C3%A4"
    assert posted.form["client_secret"] == "s3cret/ä"
    assert posted.form["client_id"] == "heltig:1"
    assert "authorization" not in posted.headers


async def test_how_the_client_proves_itself_with_its_key(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    authority = Authority(tmp_path)
    endpoint = TokenEndpoint()
    async with httpd(endpoint) as server:
        ours = credentials(
            server,
            proof="private_key_jwt",
            secret=f"file:{file}",
            key_id="k1",
            certificate=str(authority.certificate),
        )
        async with http.client(server.root, auth=auth_for(ours, environ={})) as client:
            await ask(client)
    public = ECKey.import_key(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    token = jwt.decode(endpoint.asked[0].form["client_assertion"], public, algorithms=["ES256"])
    assert token.header["kid"] == "k1"
    assert len(token.header["x5t#S256"]) == 43
    assert (token.claims["iss"], token.claims["sub"]) == ("heltig:1", "heltig:1")
    assert token.claims["aud"] == ours.token_url
    assert token.claims["exp"] - token.claims["iat"] == 300
    with pytest.raises(ConfigurationError, match=r"nothing\.pem"):
        auth_for(
            credentials(server, proof="private_key_jwt", secret=f"file:{tmp_path / 'nothing.pem'}"),
            environ={},
        )
    with pytest.raises(ConfigurationError, match=r"authority\.pem"):
        auth_for(
            credentials(server, proof="private_key_jwt", secret=f"file:{authority.certificate}"),
            environ={},
        )


async def test_an_rsa_key_known_by_its_certificate(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file = tmp_path / "key.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    known_by = {"certificate": str(Authority(tmp_path).certificate)}
    endpoint = TokenEndpoint()
    async with httpd(endpoint) as server:
        for extra in ({}, known_by):
            ours = credentials(server, proof="private_key_jwt", secret=f"file:{file}", **extra)
            async with http.client(server.root, auth=auth_for(ours, environ={})) as client:
                await ask(client)
    public = RSAKey.import_key(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    for asked, algorithm in zip(endpoint.asked, ("RS256", "PS256"), strict=True):
        jwt.decode(asked.form["client_assertion"], public, algorithms=[algorithm])


def refusing(status: int, said: object, **headers: str) -> bytes:
    return answer(json.dumps(said).encode(), status=status, headers=headers)


@pytest.mark.parametrize(
    ("refusal", "error", "says"),
    [
        (
            refusing(401, {"error": "invalid_client", "error_description": "s3cret"}),
            ArchiveCredentialsError,
            "(inv",
        ),
        (refusing(400, {"error": "<s3cret>"}), ArchiveCredentialsError, "answers 400. "),
        (refusing(503, {}, **{"Retry-After": "7"}), ArchiveUnavailableError, "503"),
        (answer(b"<html>s3cret</html>"), ArchiveCredentialsError, "no access token"),
        (
            refusing(200, {"access_token": "s3cret\n", "token_type": "Bearer"}),
            ArchiveCredentialsError,
            "no access",
        ),
        (
            refusing(200, {"access_token": "s3cret", "token_type": "mac"}),
            ArchiveCredentialsError,
            "another type",
        ),
        (refusing(302, {}, Location="http://s3cret"), ArchiveCredentialsError, "302"),
        (answer(b"x" * 99_999), ArchiveError, "limit"),
    ],
)
async def test_an_endpoint_that_gives_no_token_is_named_and_nothing_leaks(
    refusal: bytes, error: type[ArchiveError], says: str
) -> None:
    endpoint = TokenEndpoint(refusal=refusal)
    async with httpd(endpoint) as server:
        auth = auth_for(credentials(server), environ=ENVIRON)
        async with http.client(server.root, auth=auth) as client:
            with pytest.raises(error) as refused:
                await ask(client)
            assert says in refused.value.detail
            assert f"{server.root}/token" in refused.value.detail
            assert "s3cret" not in refused.value.detail
            endpoint.refusal = None
            assert await ask(client) == 200  # it is asked again by the next one


async def test_an_endpoint_that_does_not_answer() -> None:
    async with httpd(TokenEndpoint()) as server:
        elsewhere = ClientCredentials(token_url="http://127.0.0.1:9/token", client_id="x", secret="env:X")
        auth = auth_for(elsewhere, environ={"X": "s3cret"})
        async with http.client(server.root, auth=auth) as client:
            with pytest.raises(ArchiveUnavailableError, match=r"127\.0\.0\.1:9/token"):
                await ask(client)
    assert server.requests == []


async def test_the_endpoint_may_have_its_own_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with httpd(TokenEndpoint(), tls=authority.server_context()) as server:
        ours = credentials(server, ca_bundle=str(authority.certificate))
        tls = http.Tls(ca_bundle=authority.certificate)
        async with http.client(server.root, auth=auth_for(ours, environ=ENVIRON), tls=tls) as client:
            assert await ask(client) == 200
        async with http.client(
            server.root, auth=auth_for(credentials(server), environ=ENVIRON), tls=tls
        ) as client:
            with pytest.raises(ArchiveAccessError, match="TLS"):
                await ask(client)


async def test_mutual_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours = authority.issue("heltig")
    strict = authority.server_context()
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.load_verify_locations(authority.certificate)

    def empty(asked: object) -> bytes:
        return answer(b"[]", headers={"Content-Type": "application/dicom+json"})

    trusting = http.Tls(ca_bundle=authority.certificate)
    with_ours = http.Tls(ca_bundle=authority.certificate, certificate=ours.certificate, key=ours.key)
    async with httpd(empty, tls=strict) as server:
        async with http.client(server.root, tls=with_ours) as client:
            assert await ask(client) == 200
        async with http.client(server.root, tls=trusting) as client:
            with pytest.raises(ArchiveError):
                await ask(client)
    with pytest.raises(ConfigurationError, match=r"heltig\.key"):
        http.client(server.root, tls=http.Tls(certificate=authority.certificate, key=ours.key))
