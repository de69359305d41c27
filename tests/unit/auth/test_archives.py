"""What proves who we are to an archive: names, passwords and tokens."""

import base64
from pathlib import Path

import msgspec
import pytest
from servers.scripted import answer, scripted_server

from heltig import http
from heltig.auth.archives import auth_for
from heltig.credentials import NO_AUTH, ArchiveAuth, BasicAuth, BearerAuth
from heltig.errors import ConfigurationError


async def authorization(auth: http.Auth | None, *, times: int = 1) -> list[str]:
    """The header of each of some requests."""
    async with scripted_server([answer()] * times) as server, http.client(server.root, auth=auth) as client:
        for _ in range(times):
            await http.get(client, "studies", accept="application/dicom+json", max_bytes=10)
    lines = [line for request in server.requests for line in request.splitlines()]
    return [line.split(": ")[1] for line in lines if line.lower().startswith("authorization")]


async def test_basic_authentication_from_the_environment() -> None:
    auth = auth_for(BasicAuth(username="me", secret="env:PACS"), environ={"PACS": "pässword"})
    (header,) = await authorization(auth)
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "me:pässword"


async def test_bearer_authentication_from_a_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("abc.def\n")
    assert await authorization(auth_for(BearerAuth(secret=f"file:{token}"))) == ["Bearer abc.def"]


async def test_no_authentication_is_no_header() -> None:
    assert auth_for(NO_AUTH) is None
    assert await authorization(None) == []


async def test_a_secret_is_read_again_when_its_file_is_another_one(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    auth = auth_for(BearerAuth(secret=f"file:{token}"))
    texts = ("first", "second", "third")
    async with scripted_server([answer()] * 3) as server, http.client(server.root, auth=auth) as client:
        for text in texts:
            following = tmp_path / "following"
            following.write_text(text)
            following.replace(token)  # as Kubernetes and Vault swap them
            await http.get(client, "studies", accept="application/dicom+json", max_bytes=10)
    sent = [f"Bearer {text}\r\n" in head for text, head in zip(texts, server.requests, strict=True)]
    assert sent == [True] * 3


async def test_a_secret_that_is_gone_is_named(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    auth = auth_for(BearerAuth(secret=f"file:{token}"))
    token.unlink()
    with pytest.raises(ConfigurationError, match=str(token)):
        await authorization(auth)


@pytest.mark.parametrize(
    "credentials",
    [
        BearerAuth(secret="env:MISSING"),
        BearerAuth(secret="env:TWO_LINES"),
        BearerAuth(secret="env:UMLAUT"),
        BearerAuth(secret="env:"),
        BearerAuth(secret="file:"),
        BearerAuth(secret="file:/does/not/exist"),
        BearerAuth(secret="s3cret"),
        BasicAuth(username="me", secret="env:TWO_LINES"),
    ],
)
def test_authentication_that_cannot_work_is_refused(credentials: ArchiveAuth) -> None:
    environ = {"GOOD": "x", "TWO_LINES": "s3cret\nX-Header: y", "UMLAUT": "s3crät"}
    with pytest.raises(ConfigurationError) as refused:
        auth_for(credentials, environ=environ)
    assert "s3cr" not in refused.value.detail


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kind": "basic", "username": "m:e", "secret": "env:GOOD"}, "username"),
        ({"kind": "basic", "secret": "env:GOOD"}, "username"),
        ({"kind": "basic", "username": "me"}, "secret"),
        ({"kind": "bearer", "secret": "s3cret"}, "secret"),
        ({"kind": "bearer", "secret": "env:GOOD", "user": "me"}, "user"),
        ({"kind": "digest"}, "digest"),
        ({"kind": "oauth2", "tokenUrl": "x", "clientId": "me", "secret": "env:X"}, "tokenUrl"),
        ({"kind": "oauth2", "tokenUrl": "https://t", "clientId": "", "secret": "env:X"}, "clientId"),
        (
            {
                "kind": "oauth2",
                "tokenUrl": "https://t",
                "clientId": "me",
                "secret": "env:X",
                "proof": "private_key_jwt",
            },
            "file:PATH",
        ),
    ],
)
def test_credentials_that_make_no_sense_name_the_field(given: dict[str, str], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says) as refused:
        msgspec.convert(given, ArchiveAuth)
    assert "s3cret" not in str(refused.value)
