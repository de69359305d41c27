"""Requests that nobody sends who means well (hostile_requests.yml); each route by each role it refuses."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from servers.heltig_server import heltig_server
from servers.keys import NOBODY, key, keys
from servers.openid import AUDIENCE, CLIENT, SECRET, OpenIDProvider, running_openid_provider
from servers.ports import free_port
from unit.api.service import study_zip

from heltig.api.headers import ALWAYS
from heltig.auth.policy import OPEN_TO, ROUTES
from heltig.auth.principal import ROLES

TABLE = Path(__file__).with_name("hostile_requests.yml")
GROUPS: dict[str, list[dict[str, Any]]] = yaml.safe_load(TABLE.read_text("utf-8"))
ARCHIVE = {"name": "main", "qidoUrl": "http://127.0.0.1:9/dicom-web"}
OPTIONS = {"gate": "hold", "gateIdleSeconds": 3600, "strategy": "none"}
PUBLIC = "https://heltig.example"
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "100"}


@dataclass
class Answer:
    status: int
    head: str
    body: str


@dataclass
class Site:
    """A server with an archive, a judged study, an upload of an administrator's, and people logged in."""

    url: str
    headers: Mapping[str, dict[str, str]]
    names: Mapping[str, str]

    def filled(self, text: str) -> str:
        """A text with what its names stand for."""
        return re.sub(r"\{([a-z0-9 ]+)\}", lambda found: self.names.get(found[1], found[0]), text)

    def sent(self, raw: bytes) -> Answer:
        """The answer to bytes, whatever they are; the connection ends with it."""
        place = urlsplit(self.url)
        with socket.create_connection((str(place.hostname), place.port or 0), timeout=60) as connection:
            received = b""
            with suppress(ConnectionError):  # it may be answered before all is sent
                connection.sendall(raw)
            with suppress(ConnectionError):
                while part := connection.recv(65536):
                    received += part
        head, _, body = received.decode("latin-1").partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 "), received[:100]
        return Answer(int(head[9:12]), head.lower(), body)

    def bytes_of(self, request: Mapping[str, Any]) -> bytes:
        """A request of the table as it goes over the wire."""
        times = request.get("times", 1)
        if raw := request.get("raw"):
            more = request.get("repeated", raw[-1:])
            return bytes(raw + more * (times - 1) + ("\r\n\r\n" if times > 1 else ""), "latin-1")
        body = self.filled(request.get("body", "") * times).encode("latin-1")
        given = {
            "Host": urlsplit(self.url).netloc,
            "Connection": "close",
            **self.headers[request.get("who", NOBODY)],
            **({"Content-Type": "application/json"} if body else {}),
            **({"Transfer-Encoding": "chunked"} if request.get("chunked") else {"Content-Length": len(body)}),
            **request.get("headers", {}),
        }
        if request.get("chunked"):
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in _parts(body)) + b"0\r\n\r\n"
        lines = [f"{self.filled(request['send'])} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items())]
        return self.filled("\r\n".join(lines)).encode("latin-1") + b"\r\n\r\n" + body


def _parts(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("heltig")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        running_openid_provider(lambda: datetime.now(UTC)) as provider,
        heltig_server(home, **_settings(home, provider), port=str(port)) as server,
    ):
        assert server.url == PUBLIC  # a proxy with TLS would be there
        headers = dict(keys(server.home))
        limited = key(server.home, "reader", "--area", "look-up", name="look-up")
        headers["look-up"] = {"Authorization": f"Bearer {limited}"}
        with httpx.Client(base_url=url, headers=headers["admin"], trust_env=False) as client:
            client.post("/api/v1/archives", json={**ARCHIVE, "options": OPTIONS}).raise_for_status()
            uploaded = client.post("/api/v1/jobs/upload", content=study_zip("ct-chest"), timeout=120)
            uploaded.raise_for_status()
            begun = client.post("/api/v1/uploads", headers=TUS)
            begun.raise_for_status()
            rows = client.get("/api/v1/studies").json()
        names = {
            "upload": begun.headers["location"].rpartition("/")[2],
            "study": rows["items"][0]["key"],
            "key": headers["admin"]["Authorization"].removeprefix("Bearer "),
            "60k": "a" * 60_000,
            "ten thousand and one": json.dumps(["1.2.3"] * 10_001),
            **_proofs(url, provider),
        }
        for role in ("admin", "reader"):
            session = {"Cookie": f"__Host-heltig-session={names[f'session of {role}']}"}
            headers[f"login as {role}"] = session
        yield Site(url, headers, names)


def _settings(home: Path, provider: OpenIDProvider) -> dict[str, str]:
    secret = home / "client-secret"
    secret.write_text(SECRET)
    return {
        "auth_mode": "hybrid",
        "public_url": PUBLIC,
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": f"file:{secret}",
        "oidc_audience": AUDIENCE,
        "oidc_roles": "heltig-readers=reader,heltig-admins=admin,heltig-archive=archive",
        "limit_refused": "0",
        "limit_changes": "0",
        "limit_logins": "0",
    }


def _proofs(url: str, provider: OpenIDProvider) -> dict[str, str]:
    """Sessions of people, and tokens of programs, good ones and others."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        logins = {}
        for number, role in enumerate(("admin", "reader", "reader", "reader")):
            provider.person = {"sub": f"p{number}", "roles": [f"heltig-{role}s"]}
            logins[number] = _log_in(client)
        ended = logins[2][2]
        cookie = {"Cookie": f"__Host-heltig-session={ended}", "Sec-Fetch-Site": "same-origin"}
        assert client.post("/logout", headers=cookie, data={"here": "1"}).status_code == 303
        told = provider.logout_token(sub="p3")
        answer = client.post("/logout/back-channel", data={"logout_token": told})
        assert answer.status_code == 200, answer.text
    now = int(datetime.now(UTC).timestamp())
    stranger = OpenIDProvider(provider.clock, issuer=provider.issuer)
    return {
        "session of admin": logins[0][2],
        "session of reader": logins[1][2],
        "session": logins[1][2],
        "login": logins[1][0],
        "answer": logins[1][1],
        "ended": ended,
        "told logout": told,
        "logout for another": provider.logout_token(sub="p1", aud="another"),
        "token": provider.token(),
        "unsigned": provider.unsigned(),
        "hs256": provider.signed_with_the_public_key(),
        "other audience": provider.token(aud="https://other.example"),
        "other issuer": provider.token(iss="https://other.example"),
        "expired": provider.token(iat=now - 600, exp=now - 300),
        "other key": stranger.token(),
        "no role": provider.token(roles=["heltig-nobody"]),
    }


def _log_in(client: httpx.Client) -> tuple[str, str, str]:
    """What a browser keeps meanwhile, what the provider answers, and the session that begins."""
    start = client.get("/login/start")
    secret = _cookie(start, "__Host-heltig-login")
    with httpx.Client(trust_env=False) as browser:
        sent = browser.get(start.headers["location"]).headers["location"]
    answer = urlsplit(sent).query
    back = client.get(f"/login/return?{answer}", headers={"Cookie": f"__Host-heltig-login={secret}"})
    assert back.status_code == 303, back.text
    return secret, answer, _cookie(back, "__Host-heltig-session")


def _cookie(answer: httpx.Response, name: str) -> str:
    """A cookie that is for https, which no client keeps here."""
    found = re.search(rf"{name}=\"?([\w.-]+)", ",".join(answer.headers.get_list("set-cookie")))
    assert found, answer.headers
    return found[1]


@pytest.mark.parametrize("group", GROUPS)
def test_what_a_hostile_request_gets(site: Site, group: str) -> None:
    wrong = []
    for request in GROUPS[group]:
        answer = site.sent(site.bytes_of(request))
        lacks = site.filled(request.get("lacks", "")).lower()
        rule = request.get("rule", "")
        if answer.status != request["expect"] or (rule and not is_told(rule, answer.body)):
            wrong.append((request["name"], request["expect"], answer.status, answer.body[:300]))
        elif lacks and lacks in f"{answer.head}\r\n\r\n{answer.body}".lower():
            wrong.append((request["name"], "has", lacks))
        assert_safe(answer)
    assert not wrong, wrong


def is_told(rule: str, body: str) -> bool:
    """Whether an answer says which rule refused: a problem document, or a page."""
    return f'"rule":"{rule}"' in body or f'<span class="mono">{rule}</span>' in body


def assert_safe(answer: Answer) -> None:
    """Every answer, whatever it is, has the headers that keep browsers in check."""
    for name, value in ALWAYS:
        assert f"{name.decode()}: {value.decode()}".lower() in answer.head
    for name in ("content-security-policy: ", "referrer-policy: ", "cache-control: "):
        assert name in answer.head
    assert "unsafe" not in answer.head.partition("content-security-policy: ")[2].partition("\r\n")[0]
    assert "\r\nserver:" not in answer.head


def test_every_route_refuses_every_role_that_it_is_not_open_to(site: Site) -> None:
    """On objects that there are, so that what is refused is the role and nothing else."""
    wrong = []
    uids = {"study": site.names["study"], "series": "1.2", "instance": "1.3"}
    objects = {**uids, "resource": "series", "part": "masks", "asked": "1"}

    def ids(template: str) -> dict[str, object]:
        id = "main" if "/archives/" in template else site.names["upload"] if "/uploads/" in template else 1
        return {"archive": "main", "id": id, "job": 1, "name": "default"}

    with httpx.Client(base_url=site.url, trust_env=False) as client:
        for route, area in ROUTES.items():
            if area == "public":
                continue
            method, template = route.split()
            for role in [NOBODY, *(role for role in ROLES if role not in OPEN_TO[area])]:
                path = template.format(**ids(template), **objects)
                answer = client.request(method, path, headers=site.headers[role])
                if answer.status_code != (401 if role == NOBODY else 403):
                    wrong.append((role, route, answer.status_code))
                elif role != NOBODY and answer.headers["content-type"].endswith("json"):
                    assert answer.json()["rule"] == "role", route
    assert not wrong
