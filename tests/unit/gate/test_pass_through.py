"""What goes through a gate to an archive, and what comes back: headers, statuses, addresses, refusals."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from litestar import Litestar
from servers.httpd import Asked, Httpd, httpd
from servers.scripted import answer
from unit.api.service import Service, running, values
from unit.store.samples import finding

from heltig.api.headers import ALWAYS
from heltig.auth.principal import ROLES
from heltig.gate import passage
from heltig.pipeline.archives import connections
from heltig.store.records import Location

JSON = "application/dicom+json"
GATE = "http://127.0.0.1:8042/gate/main"
INSTANCE = "studies/1.2/series/1.3/instances/1.4"
ROWS = b'[{"0020000D":{"vr":"UI","Value":["1.2"]}}]'

Handler = Callable[[Asked], bytes]


def json_answer(body: bytes = ROWS, **headers: str) -> bytes:
    return answer(
        body, headers={"Content-Type": JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}
    )


class Site:
    """A service with a gate before what a handler answers."""

    def __init__(self, service: Service, upstream: Httpd) -> None:
        self.service = service
        self.upstream = upstream
        self.root = f"{upstream.root}/dicom-web"

    async def add(self, name: str) -> None:
        """Adds an archive: the breakers of each are its own."""
        is_guarded = self.service.services.settings.auth_mode == "api-key"
        options = {"gate": "observe", "strategy": "none"}
        added = await self.service.post(
            "/api/v1/archives",
            json={"name": name, "qidoUrl": self.root, "options": options},
            headers=await self.service.key("admin", name=f"adds-{name}") if is_guarded else {},
        )
        assert added.is_success, added.text

    async def get(self, path: str = "studies", *, archive: str = "main", **options: Any) -> httpx.Response:
        return await self.service.get(f"/gate/{archive}/{path}", **options)

    async def change(self, **options: Any) -> None:
        changed = await self.service.client.patch(
            "/api/v1/archives/main", json={"options": options}, headers={"If-Match": "*"}
        )
        assert changed.is_success, changed.text


@asynccontextmanager
async def site(home: Path, handler: Handler, **settings: Any) -> AsyncIterator[Site]:
    async with running(home, **settings) as service, httpd(handler) as upstream:
        made = Site(service, upstream)
        await made.add("main")
        yield made


async def through(tmp_path: Path, given: bytes, path: str = INSTANCE, **options: Any) -> httpx.Response:
    """What comes of one request that an archive answers so."""
    async with site(tmp_path / "home", lambda asked: given) as made:
        return await made.get(path, **options)


async def test_a_query_goes_byte_for_byte_and_little_else_does(tmp_path: Path) -> None:
    async with site(tmp_path / "home", lambda asked: json_answer()) as made:
        query = "PatientName=D*,E-%20&x='(a)'!$;@:/?~[]|{}^&includefield=00081030&includefield=all&limit=-1"
        answered = await made.get(
            f"studies?{query}",
            headers={
                "Authorization": "Bearer hk_caller",
                "Cookie": "session=caller",
                "Proxy-Authorization": "Basic x",
                "X-Forwarded-For": "10.0.0.1",
                "Forwarded": "for=10.0.0.1",
                "Accept-Charset": "utf-8",
                "Range": "bytes=0-1",
                "If-None-Match": '"x"',
                "X-HTTP-Method-Override": "DELETE",
                "Connection": "X-Odd",
                "X-Odd": "1",
            },
        )
        [asked] = made.upstream.requests
    assert answered.status_code == 200
    assert asked.target == f"/dicom-web/studies?{query}"
    assert set(asked.headers) == {
        "host",
        "accept",
        "accept-charset",
        "accept-encoding",
        "connection",
        "user-agent",
    }
    assert asked.headers["accept"] == JSON
    assert asked.headers["connection"] == "keep-alive"


async def test_what_a_retrieval_may_say_beside_its_address(tmp_path: Path) -> None:
    sent = {
        "accept": "image/jpeg;q=0.9, application/octet-stream",
        "accept-charset": "utf-8",
        "accept-language": "de",
        "range": "bytes=0-9",
        "if-range": '"a"',
        "if-none-match": 'W/"b"',
        "if-modified-since": "Sat, 21 Nov 2026 00:00:00 GMT",
    }
    given = answer(
        b"0123456789", status=206, headers={"Content-Type": "x/y", "Content-Range": "bytes 0-9/20"}
    )
    async with site(tmp_path / "home", lambda asked: given) as made:
        answered = await made.get(f"{INSTANCE}/bulkdata/a?x=1", headers=sent)
        multipart = {**sent, "accept": 'multipart/related; type="application/dicom"'}
        await made.get(INSTANCE, headers=multipart)
        first, second = made.upstream.requests
    assert (answered.status_code, answered.content) == (206, b"0123456789")
    assert answered.headers["Content-Range"] == "bytes 0-9/20"
    assert answered.headers["Content-Length"] == "10"
    assert {name: first.headers[name] for name in sent} == sent
    assert first.headers["accept-encoding"] == "identity"
    assert first.target == f"/dicom-web/{INSTANCE}/bulkdata/a?x=1"
    assert "range" not in second.headers
    assert "if-range" not in second.headers


async def test_of_the_headers_of_an_answer_few_come_back(tmp_path: Path) -> None:
    given = answer(
        b"pixels",
        headers={
            "Content-Type": "application/octet-stream",
            "Set-Cookie": "JSESSIONID=secret",
            "WWW-Authenticate": "Basic",
            "Server": "PACS/1.0",
            "X-Powered-By": "x",
            "Access-Control-Allow-Origin": "*",
            "Strict-Transport-Security": "max-age=1",
            "Clear-Site-Data": "*",
            "Heltig-Readiness": "READY",
            "Cache-Control": "public, max-age=99",
            "Keep-Alive": "timeout=1",
            "ETag": '"a"',
            "Last-Modified": "Sat, 21 Nov 2026 00:00:00 GMT",
            "Accept-Ranges": "bytes",
            "Content-Location": f"/dicom-web/{INSTANCE}/bulkdata/a",
        },
    )
    answered = await through(tmp_path, given, f"{INSTANCE}/bulkdata/a")
    assert answered.content == b"pixels"
    assert set(answered.headers) == {
        "content-type",
        "content-length",
        "content-location",
        "content-security-policy",
        "referrer-policy",
        *(name.decode() for name, _ in ALWAYS),
        "etag",
        "last-modified",
        "accept-ranges",
        "cache-control",
        "vary",
        "heltig-readiness",
    }
    assert answered.headers["Heltig-Readiness"] == "UNKNOWN"
    assert answered.headers["Cache-Control"] == "private, no-cache"
    assert answered.headers["Content-Location"] == f"{GATE}/{INSTANCE}/bulkdata/a"


async def test_a_body_comes_in_no_coding_and_without_a_length_that_is_wrong(tmp_path: Path) -> None:
    body = b"x" * 5000
    coded = {"Content-Type": "application/octet-stream", "Content-Encoding": "gzip", "ETag": '"a"'}
    answered = await through(tmp_path, answer(gzip.compress(body), headers=coded))
    assert answered.content == body
    assert "Content-Encoding" not in answered.headers
    assert "Content-Length" not in answered.headers
    assert answered.headers["ETag"] == 'W/"a"'


async def test_parts_name_the_gate_and_keep_their_boundary(tmp_path: Path) -> None:
    kind = 'multipart/related; type="application/octet-stream"; boundary="b 1"'
    part = (
        b"--b 1\r\nContent-Location: /dicom-web/%s/bulkdata/a\r\n\r\n\x00\xff\r\n--b 1--\r\n"
        % INSTANCE.encode()
    )
    answered = await through(tmp_path, answer(part, headers={"Content-Type": kind}), f"{INSTANCE}/bulkdata/a")
    assert answered.headers["Content-Type"] == kind
    assert answered.content == part.replace(b"/dicom-web/", f"{GATE}/".encode())


async def test_rows_come_with_verdicts_and_warnings_name_the_gate(tmp_path: Path) -> None:
    def handler(asked: Asked) -> bytes:
        root = f"http://{asked.headers['host']}/dicom-web"
        row = json.loads(ROWS)[0] | {"00081190": {"vr": "UR", "Value": [f"{root}/studies/1.2"]}}
        return json_answer(
            json.dumps([row]).encode(), Warning=f'299 {root}: "There are 3 additional results"'
        )

    async with site(tmp_path / "home", handler) as made:
        await made.service.judged("1.2", finding(), readiness="BLOCKED")
        answered = await made.get("studies?includefield=00991010,00081030&includefield=00991001&limit=1")
        [asked] = made.upstream.requests
        series = await made.get("studies/1.2/series")
        metadata = await made.get("studies/1.2/metadata")
        await made.get("series")
        await made.service.services.batches.flush()
        searches = await made.service.audit("patient.search")
    assert {entry.subject: entry.detail["studies"] for entry in searches} == {
        "GET /gate/{archive}/studies": {"1.2": 1},
        "GET /gate/{archive}/series": {"1.2": 1},
    }
    [row] = answered.json()
    assert values(row, "00991001") == ["BLOCKED"]
    assert values(row, "00991010")
    assert values(row, "00081190") == [f"{GATE}/studies/1.2"]
    assert answered.headers["Warning"] == f'299 {GATE}: "There are 3 additional results"'
    assert answered.headers["Cache-Control"] == "no-store"
    assert asked.query == {"includefield": "00081030", "limit": "1"}
    assert series.headers["Heltig-Readiness"] == metadata.headers["Heltig-Readiness"] == "BLOCKED"
    for others in (series.json()[0], metadata.json()[0]):
        assert values(others, "00081190") == [f"{GATE}/studies/1.2"]
        assert "00991001" not in others


async def test_an_archive_is_not_asked_for_verdicts(tmp_path: Path) -> None:
    async with site(tmp_path / "home", lambda asked: json_answer()) as made:
        for query in ("readiness=READY", "00991001=BLOCKED", "limit=1&%72eadiness=x"):
            answered = await made.get(f"studies?{query}")
            assert answered.status_code == 400
            assert "/dicom-web/studies" in answered.json()["detail"]
        assert made.upstream.requests == []


async def test_nothing_found_and_nothing_changed(tmp_path: Path) -> None:
    def handler(asked: Asked) -> bytes:
        is_search = asked.path.endswith("/studies")
        return answer(status=204) if is_search else answer(status=304, headers={"ETag": '"a"'})

    async with site(tmp_path / "home", handler) as made:
        assert (await made.get("studies")).status_code == 204
        unchanged = await made.get("studies/1.2/metadata", headers={"If-None-Match": '"a"'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", 'W/"a"')


HOSTILE = [
    "../system",
    "studies/%2e%2e/%2e%2e/system",
    "studies/1.2%2F..%2F..%2Fsystem",
    "studies/1.2%5C..%5Csystem",
    "studies/%252e%252e/system",
    "studies/..;/system",
    "studies/1.2/..;/..;/system",
    "studies/1.2%0d%0aX-Evil:%201",
    "studies/1.2%00",
    "studies//1.2",
    "studies/1.2/servers",
    "servers",
    f"{INSTANCE}/bulkdata/%2e%2e%2f%2e%2e",
    f"{INSTANCE}/bulkdata/x/%2e%2e/y",
    f"{INSTANCE}/bulkdata//x",
    "http://evil.example/studies",
    "studies?a=%0d%0a&b=<x>",
]


async def test_nothing_but_resources_is_asked_for(tmp_path: Path) -> None:
    async with site(tmp_path / "home", lambda asked: json_answer()) as made:
        for path in HOSTILE:
            assert await raw_status(made.service.app, f"/gate/main/{path}") in (400, 404), path
        assert made.upstream.requests == []


async def raw_status(app: Litestar, target: str) -> int:
    """The status of the answer to a request whose target is sent as it stands."""
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await call(app, target, send)
    return statuses[0]


async def call(app: Litestar, target: str, send: Callable[[Any], Awaitable[None]]) -> None:
    """Has a request answered, by a client that stays."""
    path, _, query = target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8042")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8042),
        "state": {},
    }

    async def receive() -> Any:
        await asyncio.Event().wait()

    await app(scope, receive, send)  # type: ignore[arg-type]


FAILURES: list[tuple[bytes, int, str]] = [
    (answer(b"secret", status=400), 400, "/problems/bad-request"),
    (answer(b"secret", status=401), 502, "/problems/archive-credentials"),
    (answer(b"secret", status=403), 502, "/problems/archive-access"),
    (answer(b"secret", status=404), 404, "/problems/archive-not-found"),
    (answer(b"secret", status=405), 502, "/problems/archive-answer"),
    (answer(b"secret", status=406), 406, "about:blank"),
    (answer(b"secret", status=416), 416, "about:blank"),
    (answer(b"secret", status=429, headers={"Retry-After": "7"}), 503, "/problems/archive-rate-limited"),
    (answer(b"secret", status=500), 502, "/problems/archive-answer"),
    (answer(b"secret", status=503, headers={"Retry-After": "7"}), 503, "/problems/archive-busy"),
    (answer(b"<html>secret", headers={"Content-Type": "text/html"}), 502, "/problems/archive-answer"),
    (answer(b"secret", headers={"Content-Type": "application/dicom+xml"}), 406, "about:blank"),
    (
        answer(b"secret", headers={"Content-Type": 'multipart/related; type="application/dicom+xml"'}),
        406,
        "about:blank",
    ),
    (
        answer(b"secret", headers={"Content-Type": JSON, "Content-Encoding": "br"}),
        502,
        "/problems/archive-answer",
    ),
    (b"secret is no HTTP\r\n\r\n", 502, "/problems/archive-unavailable"),
]


async def test_how_an_archive_fails_is_told_in_our_words(tmp_path: Path) -> None:
    now = [b""]
    async with site(tmp_path / "home", lambda asked: now[0]) as made:
        for number, (given, status, kind) in enumerate(FAILURES):
            now[0] = given
            await made.add(f"a{number}")
            # Where it refuses our credentials it is not asked a second time.
            for path in ("studies", INSTANCE)[: 1 if kind == "/problems/archive-credentials" else 2]:
                answered = await made.get(path, archive=f"a{number}")
                assert (answered.status_code, answered.json()["type"]) == (status, kind), answered.text
                assert answered.headers["Content-Type"] == "application/problem+json"
                assert "secret" not in answered.text
                assert ("Retry-After" in answered.headers) == (b"Retry-After" in given)


async def test_an_archive_that_stays_silent(tmp_path: Path) -> None:
    async with (
        running(tmp_path / "home", archive_read_seconds=0.05, archive_connect_seconds=0.05) as service,
        silent() as root,
    ):
        entry = {"name": "main", "qidoUrl": root, "options": {"gate": "observe", "strategy": "none"}}
        assert (await service.post("/api/v1/archives", json=entry)).is_success
        answered = await service.get("/gate/main/studies")
    assert (answered.status_code, answered.json()["type"]) == (504, "/problems/archive-silent")


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/dicom-web"


REDIRECTS = {
    "/dicom-web/studies/1.2/series/1.3": f"{GATE}/studies/1.2/series/1.3",
    "/login?next=studies": None,
    "http://169.254.169.254/dicom-web/studies/1.2": None,
    "https://evil.example/dicom-web/studies/1.2": None,
    "//evil.example/dicom-web/studies/1.2": None,
    "/dicom-web/../dicom-web/studies/%2e%2e": None,
    "": None,
}


async def test_a_redirect_is_not_followed_and_leads_through_the_gate_or_nowhere(tmp_path: Path) -> None:
    now = [""]

    def handler(asked: Asked) -> bytes:
        return answer(b"secret", status=302, headers={"Location": now[0]})

    async with site(tmp_path / "home", handler) as made:
        for number, (location, led) in enumerate(REDIRECTS.items(), 1):
            now[0] = location
            answered = await made.get(INSTANCE)
            assert len(made.upstream.requests) == number
            assert answered.headers.get("Location") == led
            assert answered.status_code == (302 if led else 502)
            assert b"secret" not in answered.content


async def test_head_and_options_and_what_is_not_allowed(tmp_path: Path) -> None:
    given = answer(b"pixels", headers={"Content-Type": "application/octet-stream"})
    async with site(tmp_path / "home", lambda asked: given) as made:
        client = made.service.client
        head = await client.head(f"/gate/main/{INSTANCE}")
        assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", "6")
        assert made.upstream.requests[0].method == "GET"  # many archives know no HEAD
        for path, allowed in (("studies", "GET, HEAD, OPTIONS, POST"), (INSTANCE, "GET, HEAD, OPTIONS")):
            assert (await client.options(f"/gate/main/{path}")).headers["Allow"] == allowed
        for method in ("PUT", "DELETE", "PATCH"):
            assert (await client.request(method, f"/gate/main/{INSTANCE}")).status_code == 405
        assert (await client.post("/gate/main/studies/1.2/series")).status_code == 405
        assert (await client.get("/gate/none/studies")).status_code == 404
        assert (
            await client.get("/gate/main/studies", headers={"Accept": "application/dicom+xml"})
        ).status_code == 406
        assert len(made.upstream.requests) == 1


async def test_a_gate_that_is_not_open_and_an_archive_that_is_not_to_be_asked(tmp_path: Path) -> None:
    async with site(tmp_path / "home", lambda asked: json_answer()) as made:
        assert (await made.service.post("/api/v1/archives/main/pause", headers={"If-Match": "*"})).is_success
        assert (await made.get()).status_code == 503
        assert (await made.service.post("/api/v1/archives/main/resume", headers={"If-Match": "*"})).is_success
        await made.change(gate=None)
        closed = await made.get()
        assert closed.status_code == 404
        assert "--gate" in closed.json()["detail"]
        await made.change(gate="observe", hours=["mon 03:00-03:01"])
        outside = await made.get()
        assert (outside.status_code, "Retry-After" in outside.headers) == (503, True)
        assert made.upstream.requests == []


async def test_a_blocked_study_is_listed_and_not_given_out_where_the_gate_refuses_it(tmp_path: Path) -> None:
    async with site(tmp_path / "home", lambda asked: json_answer()) as made:
        await made.service.judged("1.2", finding(), readiness="BLOCKED", location=Location("gate", "main"))
        await made.service.judged("1.5", finding(severity="review"), readiness="NEEDS_REVIEW")
        await made.service.judged(
            "1.6", finding(), readiness="BLOCKED", location=Location("archive", "other")
        )
        assert (await made.get("studies/1.2/metadata")).status_code == 200
        await made.change(gateBlocked="refuse")
        asked = len(made.upstream.requests)
        below = ("", "/metadata", "/series/1.3", "/series/1.3/instances/1.4", "/bulkdata/a", "/rendered")
        for path in (*below, "/series/1.3/instances/1.4/frames/1"):
            refused = await made.get(f"studies/1.2{path}")
            assert (refused.status_code, refused.json()["type"]) == (403, "/problems/study-blocked")
        await made.service.judged("01.2", finding(severity="review"), readiness="NEEDS_REVIEW")
        await made.service.judged("01.5", finding(severity="review"), readiness="NEEDS_REVIEW")
        others = (
            "1.2%20",
            "%201.2",
            "1.2*",
            "1.2,1.3",
            "1.2.",
            "1.2%2e",
            "1.2..",
            ".1.2",
            "1..2",
            "1.02",
            "01.2",
        )
        for spelling in (*others, "1.7.", "1.07", "1" * 65):
            assert (await made.get(f"studies/{spelling}/metadata")).status_code == 403, spelling
        assert len(made.upstream.requests) == asked
        for path in ("studies", "studies/1.2/series", "studies/1.2/instances"):
            assert (await made.get(path)).status_code == 200
        for study in ("1.5", "01.5", "1.6", "1.7", "1.0.7", "3.1", "1" * 64):
            assert (await made.get(f"studies/{study}/metadata")).status_code == 200
        [noted] = [
            one for one in await made.service.audit("request.refuse") if one.detail["rule"] == "blocked"
        ][:1]
        assert noted.actor == "local"
        assert "archive:main" in noted.subject


async def test_each_role_may_do_its_part(tmp_path: Path) -> None:
    async with site(tmp_path / "home", lambda asked: json_answer(), auth_mode="api-key") as made:
        for role in ROLES:
            key = await made.service.key(role)
            allowed = 403 if role in ("auditor", "researcher") else 200
            for path in ("studies", "series", "instances", "studies/1.2/series", "studies/1.2/metadata"):
                assert (await made.get(path, headers=key)).status_code == allowed, (role, path)
            limited = await made.service.key(role, "query", name=f"limited-{role}")
            assert (await made.get("studies/1.2", headers=limited)).status_code == 403
        assert (await made.get("studies/1.2")).status_code == 401


async def test_queries_that_an_archive_fails_at_do_not_keep_others_from_it(tmp_path: Path) -> None:
    def handler(asked: Asked) -> bytes:
        return answer(status=int(asked.query["PatientID"])) if "PatientID" in asked.query else json_answer()

    async with site(tmp_path / "home", handler) as made:
        for _ in range(12):
            assert (await made.get("studies?PatientID=500")).status_code == 502
            assert (await made.get("studies?PatientID=403")).status_code == 502
        assert (await made.get("studies")).status_code == 200


async def test_an_archive_that_is_away_is_left_alone(tmp_path: Path) -> None:
    async with site(tmp_path / "home", lambda asked: answer(status=503)) as made:
        for _ in range(5):
            assert (await made.get("studies")).status_code == 503
        left = await made.get("studies")
        assert (left.status_code, left.json()["type"]) == (503, "/problems/archive-closed")
        assert "Retry-After" in left.headers
        assert len(made.upstream.requests) == 5


async def test_a_client_that_takes_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passage, "STALLED_SECONDS", 0.05)
    given = answer(b"pixels", headers={"Content-Type": "application/octet-stream"})
    async with site(tmp_path / "home", lambda asked: given) as made:
        sent: list[str] = []

        async def send(message: Any) -> None:
            sent.append(message["type"])
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        await call(made.service.app, f"/gate/main/{INSTANCE}", send)
        assert sent == ["http.response.start", "http.response.body"]
        assert (await made.get(INSTANCE)).content == b"pixels"


async def test_no_more_at_a_time_than_there_are_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "READS", 1)
    monkeypatch.setattr(connections, "PATIENCE", 0.05)
    given = answer(b"pixels", headers={"Content-Type": "application/octet-stream"})
    async with site(tmp_path / "home", lambda asked: given) as made:
        is_sending = asyncio.Event()

        async def send(message: Any) -> None:
            is_sending.set()
            await asyncio.Event().wait()

        first = asyncio.create_task(call(made.service.app, f"/gate/main/{INSTANCE}", send))
        await is_sending.wait()
        busy = await made.get(INSTANCE)
        assert (busy.status_code, busy.json()["type"]) == (503, "/problems/busy")
        assert "Retry-After" in busy.headers
        first.cancel()
        await asyncio.wait([first])
        assert (await made.get(INSTANCE)).content == b"pixels"
