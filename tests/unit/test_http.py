"""The HTTP client against a real server on loopback: limits, retries, authentication, what errors may say."""

import asyncio
import gzip
import ipaddress
import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from servers.scripted import DRIP, HANG_UP, STAY_SILENT, Drip, answer, scripted_server

from heltig import __version__, http
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveAnswerTooLargeError,
    ArchiveBusyError,
    ArchiveCredentialsError,
    ArchiveError,
    ArchiveNotFoundError,
    ArchiveRateLimitedError,
    ArchiveSilentError,
    ArchiveUnavailableError,
    ConfigurationError,
    UsageError,
)
from heltig.http_answer import MOST_RETRY_AFTER, PIECE_BYTES, Decompression, Head
from heltig.retry import Retry
from heltig.secret import read_secret

JSON = "application/dicom+json"
GZIP = {"Content-Encoding": "gzip"}


@dataclass
class Time:
    """A clock that only moves when somebody sleeps, and remembers for how long."""

    now: float = 0.0
    sleeps: list[float] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    seconds_a_look: float = 0.0

    def clock(self) -> float:
        self.now += self.seconds_a_look
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def longest(self, low: float, high: float) -> float:
        self.limits.append(high)
        return high

    def retry(self) -> Retry:
        return Retry(
            clock=self.clock, sleep=self.sleep, jitter=self.longest, waiting=lambda s: self.told.append(s)
        )


@pytest.fixture
def time() -> Time:
    return Time()


async def fetch(
    script: list[bytes], *, time: Time, path: str = "studies", max_bytes: int = 1000
) -> tuple[Head, bytes]:
    async with scripted_server(script) as server, http.client(server.root) as client:
        return await http.get(client, path, accept=JSON, max_bytes=max_bytes, retry=time.retry())


async def refusal(script: list[bytes], *, time: Time, max_bytes: int = 1000) -> ArchiveError:
    with pytest.raises(ArchiveError) as refused:
        await fetch(script, time=time, path="studies?PatientName=Doe^Jane", max_bytes=max_bytes)
    assert "Doe" not in str(refused.value)
    assert "/dicom-web/studies: " in refused.value.detail
    return refused.value


async def test_a_good_answer_comes_with_its_head(time: Time) -> None:
    head, body = await fetch(
        [answer(b"[]", headers={"Content-Type": "Application/DICOM+json; charset=utf-8"})], time=time
    )
    assert (head.status, head.media_type, body) == (200, JSON, b"[]")
    assert time.sleeps == []


async def test_a_request_says_who_we_are_and_leaves_a_query_as_it_is() -> None:
    async with scripted_server([answer(b"[]")]) as server, http.client(server.root + "/") as client:
        await http.get(client, "studies?PatientName=D*,E-%20", accept=JSON, max_bytes=10)
    request = server.requests[0]
    assert request.startswith("GET /dicom-web/studies?PatientName=D*,E-%20 HTTP/1.1\r\n")
    headers = {line.lower() for line in request.splitlines()[1:]}
    assert {f"user-agent: heltig/{__version__}", f"accept: {JSON}", "accept-encoding: gzip"} <= headers
    assert not any(line.startswith("authorization") for line in headers)


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_not_now_is_asked_again_with_growing_random_delays(status: int, time: Time) -> None:
    _, body = await fetch([answer(status=status)] * 3 + [answer(b"late")], time=time)
    assert body == b"late"
    assert time.limits == time.sleeps == [0.5, 1.0, 2.0]


async def test_after_four_attempts_the_last_error_stands(time: Time) -> None:
    error = await refusal([answer(status=503)] * 4 + [answer(b"too late")], time=time)
    assert type(error) is ArchiveBusyError
    assert len(time.sleeps) == 3


async def test_a_connection_that_breaks_is_asked_again(time: Time) -> None:
    cut = answer(b"[1, ", length=10)
    _, body = await fetch([HANG_UP, cut, b"SSH-2.0-no\r\n\r\n", answer(b"[1, 2]")], time=time)
    assert body == b"[1, 2]"


async def test_no_further_attempt_starts_after_the_budget(time: Time) -> None:
    time.seconds_a_look = 25.0
    await refusal([answer(status=502)] * 4, time=time)
    assert len(time.sleeps) == 2


async def test_retry_after_wins_over_delay_and_budget(time: Time) -> None:
    script = [answer(status=429, headers={"Retry-After": "120"}), answer(status=503), answer(b"now")]
    _, body = await fetch(script, time=time)
    assert body == b"now"
    assert time.sleeps == [120.0, 1.0]
    assert time.told == [120.0]


async def test_a_wait_over_the_cap_is_not_begun(time: Time) -> None:
    error = await refusal([answer(status=429, headers={"Retry-After": "86400"})] * 4, time=time)
    assert isinstance(error, ArchiveRateLimitedError)
    assert error.retry_after == 86400.0
    assert "86,400 s" in error.detail
    assert "Jobs ask again within an hour" in error.detail
    assert "HELTIG_ARCHIVE_WAIT_SECONDS" in error.detail
    assert time.sleeps == time.told == []


async def test_waits_that_an_archive_asks_for_again_and_again_have_one_cap(time: Time) -> None:
    error = await refusal([answer(status=503, headers={"Retry-After": "140"})] * 4, time=time)
    assert isinstance(error, ArchiveUnavailableError)
    assert "allows" in error.detail
    assert time.sleeps == time.told == [140.0, 140.0]


@pytest.mark.parametrize("status", [302, 400, 404, 409, 429, 500, 501, 503, 507])
async def test_every_refusal_says_what_to_do(status: int, time: Time) -> None:
    error = await refusal([answer(status=status)] * 4, time=time)
    assert re.search(r"[Tt]ry again|[Cc]heck|Give|at this address", error.detail), error.detail


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "0"}, 0.0),
        (
            {"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            30.0,
        ),
        (
            {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"},
            0.0,
        ),
        ({"retry-after": "9" * 20}, MOST_RETRY_AFTER),
        ({"retry-after": "9" * 400}, MOST_RETRY_AFTER),
        (
            {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"},
            MOST_RETRY_AFTER,
        ),
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "soon", "date": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "²"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], expected: float | None) -> None:
    assert Head(status=503, headers=headers, place="").retry_after == expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ArchiveAnswerError),
        (401, ArchiveCredentialsError),
        (403, ArchiveAccessError),
        (404, ArchiveNotFoundError),
        (406, ArchiveAnswerError),
        (409, ArchiveAnswerError),
        (410, ArchiveNotFoundError),
        (413, ArchiveAnswerError),
        (415, ArchiveAnswerError),
        (500, ArchiveAnswerError),
    ],
)
async def test_what_will_not_get_better_is_asked_once(
    status: int, kind: type[ArchiveError], time: Time
) -> None:
    error = await refusal([answer(status=status)], time=time)
    assert type(error) is kind
    assert str(status) in error.detail
    assert not isinstance(error, ArchiveAnswerError) or error.answer_status == status
    assert time.sleeps == []


async def test_a_redirect_is_not_followed(time: Time) -> None:
    error = await refusal([answer(status=302, headers={"Location": "/login"}), answer(b"x")], time=time)
    assert isinstance(error, ArchiveAnswerError)
    assert error.answer_status == 302
    assert "redirect" in error.detail


async def test_nothing_outside_the_archive_is_asked(time: Time) -> None:
    async with scripted_server([]) as other:
        with pytest.raises(ArchiveAnswerError, match="not asked"):
            await fetch([], time=time, path=f"{other.root}/studies/1/metadata?name=x")
        assert other.requests == []


async def test_what_is_no_path_is_refused(time: Time) -> None:
    with pytest.raises(UsageError):
        await fetch([], time=time, path="studies/1\n2")


async def test_gzip_is_unpacked(time: Time) -> None:
    body = b"x" * 900
    packed = gzip.compress(body[:400]) + gzip.compress(body[400:])
    assert (await fetch([answer(packed, headers=GZIP)], time=time))[1] == body


async def test_an_empty_answer_may_call_itself_gzip(time: Time) -> None:
    head, body = await fetch([answer(status=204, headers=GZIP)], time=time)
    assert (head.status, body) == (204, b"")


@pytest.mark.parametrize("headers", [{}, GZIP])
async def test_the_limit_counts_unpacked_bytes(headers: dict[str, str], time: Time) -> None:
    pack: Callable[[bytes], bytes] = gzip.compress if headers else bytes
    assert len((await fetch([answer(pack(b"x" * 1000), headers=headers)], time=time))[1]) == 1000
    error = await refusal([answer(pack(b"x" * 1001), headers=headers)], time=time)
    assert isinstance(error, ArchiveAnswerTooLargeError)
    assert "1000 B" in error.detail


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "deflate"])
async def test_a_coding_that_we_did_not_ask_for_is_refused(coding: str, time: Time) -> None:
    error = await refusal([answer(b"x", headers={"Content-Encoding": coding})], time=time)
    assert type(error) is ArchiveAnswerError


async def test_gzip_that_is_none_is_refused_and_gzip_that_breaks_off_is_asked_again(time: Time) -> None:
    error = await refusal([answer(b"[]", headers=GZIP)], time=time)
    assert "says it is gzip" in error.detail
    packed = gzip.compress(b"whole")
    _, body = await fetch([answer(packed[:-4], headers=GZIP), answer(packed, headers=GZIP)], time=time)
    assert body == b"whole"


@given(
    body=st.binary(max_size=300).map(lambda some: some * 20_000),
    step=st.integers(1, 5000),
)
def test_pieces_are_small_and_make_up_the_body(body: bytes, step: int) -> None:
    packed = gzip.compress(body, 1)
    decompression = Decompression(Head(status=200, headers={"content-encoding": "gzip"}, place=""))
    pieces = [
        piece
        for start in range(0, len(packed), step)
        for piece in decompression.feed(packed[start : start + step])
    ]
    decompression.close()
    assert b"".join(pieces) == body
    assert all(len(piece) <= PIECE_BYTES for piece in pieces)


async def test_an_archive_that_drips_is_not_waited_for(time: Time) -> None:
    time.seconds_a_look = 31.0
    error = await refusal([answer(b"drip")], time=time)
    assert isinstance(error, ArchiveUnavailableError)
    assert "bytes a second" in error.detail


async def test_a_stream_hands_out_what_came_before_it_broke(time: Time) -> None:
    body = b"x" * 100
    async with (
        scripted_server([answer(status=503), answer(body, length=200)]) as server,
        http.client(server.root) as client,
        http.stream(client, "studies", accept=JSON, max_bytes=1000, retry=time.retry()) as (head, chunks),
    ):
        assert head.status == 200
        assert await anext(chunks) == body
        with pytest.raises(ArchiveUnavailableError, match="breaks off"):
            await anext(chunks)
    assert len(server.requests) == 2


async def test_a_stream_may_be_left_early() -> None:
    async with (
        scripted_server([answer(b"x" * 100)]) as server,
        http.client(server.root) as client,
        http.stream(client, "studies", accept=JSON, max_bytes=1000) as (_, chunks),
    ):
        assert await anext(chunks)


async def test_nobody_there(time: Time) -> None:
    async with scripted_server([]) as gone:
        pass
    async with http.client(gone.root) as client:
        with pytest.raises(ArchiveUnavailableError, match="no connection"):
            await http.get(client, "studies", accept=JSON, max_bytes=10, retry=time.retry())
    assert len(time.sleeps) == 3


async def test_silence_ends_the_request() -> None:
    async with (
        scripted_server([STAY_SILENT]) as server,
        http.client(server.root, read_seconds=0.01) as client,
    ):
        with pytest.raises(ArchiveUnavailableError, match="stays silent"):
            await http.get(client, "studies", accept=JSON, max_bytes=10, retry=Retry(attempts=1))


async def test_an_answer_that_does_not_come_to_begin_is_not_waited_for() -> None:
    async with (
        scripted_server([DRIP]) as server,
        http.client(server.root, connect_seconds=0.1, read_seconds=0.1) as client,
    ):
        with pytest.raises(ArchiveUnavailableError, match="has not begun"):
            await http.get(client, "studies", accept=JSON, max_bytes=10, retry=Retry(attempts=1))


CHUNKED = b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n"
IN_A_CHUNKS_HEAD = Drip(CHUNKED + b"1;x=")
AFTER_A_CHUNK = Drip(CHUNKED + b"2\r\n[]\r\n1;x=")
IN_THE_TRAILER = Drip(CHUNKED + b"2\r\n[]\r\n0\r\nX-Long: ")


async def asked(client: http.Client) -> None:
    await http.get(client, "studies", accept=JSON, max_bytes=10, retry=Retry(attempts=1))


async def relayed(client: http.Client) -> None:
    address = f"{client.base_url}studies"
    async with http.pass_on(client, address, headers={}, max_bytes=10, operation="search") as (_, chunks):
        assert [chunk async for chunk in chunks]


class Body:
    """A body to be sent, in two pieces."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"


async def sent(client: http.Client) -> None:
    await http.post(client, "studies", Body(), length=6, content_type="text/plain", accept=JSON, max_bytes=10)


@pytest.mark.parametrize("ask", [asked, relayed, sent])
@pytest.mark.parametrize(
    "script", [IN_A_CHUNKS_HEAD, AFTER_A_CHUNK, IN_THE_TRAILER], ids=["head", "next head", "trailer"]
)
async def test_what_drips_between_the_pieces_of_a_body_is_silence(
    script: Drip, ask: Callable[[http.Client], Awaitable[None]]
) -> None:
    async with scripted_server([script]) as server, http.client(server.root, read_seconds=0.1) as client:
        with pytest.raises(ArchiveSilentError, match=r"for 0\.2 s nothing of the answer's body has come"):
            await ask(client)


async def test_an_archive_that_never_comes_to_answer_what_it_was_sent_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "STORE_SECONDS", 0.2)
    async with scripted_server([DRIP]) as server, http.client(server.root) as client:
        with pytest.raises(ArchiveSilentError, match="has not begun"):
            await sent(client)


async def test_each_piece_that_is_taken_gives_time_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "STORE_SECONDS", 2.0)

    class Long:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            monkeypatch.setattr(http, "STORE_SECONDS", 600.0)
            yield b"one"
            await asyncio.sleep(2.1)
            yield b"two"

    async with scripted_server([answer(b"{}")]) as server, http.client(server.root) as client:
        head, _ = await http.post(
            client, "studies", Long(), length=6, content_type="text/plain", accept=JSON, max_bytes=10
        )
    assert head.status == 200


@pytest.mark.parametrize(
    "root",
    [
        "",
        "pacs.example",
        "ftp://pacs.example/",
        "http:///dicom-web",
        "http://pacs.example:port/",
        "http://a..b/",
        "http://.example/",
        "http://xn--a/",
        "http://exa mple/",
        f"http://{'a' * 64}.example/",
        "https://user:s3cret@pacs.example/",
        "https://pacs.example/?name=s3cret",
        "https://pacs.example/#s3cret",
    ],
)
def test_an_address_that_is_no_archives_is_refused(root: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        http.client(root)
    assert "s3cret" not in refused.value.detail


def test_a_secret_that_is_a_binary_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=str(file)):
        read_secret(f"file:{file}")


async def test_queries_stay_out_of_the_logs(caplog: pytest.LogCaptureFixture, time: Time) -> None:
    with caplog.at_level(logging.INFO):
        await fetch([answer(b"[]")], time=time, path="studies?PatientName=Doe^Jane")
    assert "Doe" not in caplog.text
    assert logging.getLogger("httpx").getEffectiveLevel() == logging.WARNING
    assert logging.getLogger("httpcore").getEffectiveLevel() == logging.WARNING


async def test_a_proxy_of_the_environment_has_no_effect(monkeypatch: pytest.MonkeyPatch, time: Time) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert (await fetch([answer(b"direct")], time=time))[1] == b"direct"


async def test_a_proxy_that_is_named_is_used(time: Time) -> None:
    async with (
        scripted_server([answer(b"by proxy")]) as proxy,
        http.client("http://pacs.example/dicom-web", proxy=proxy.root) as client,
    ):
        _, body = await http.get(client, "studies", accept=JSON, max_bytes=10, retry=time.retry())
    assert body == b"by proxy"
    assert proxy.requests[0].startswith("GET http://pacs.example/dicom-web/studies ")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "heltig test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_a_named_authority_is_trusted(certificate: Path, server_tls: ssl.SSLContext) -> None:
    tls = http.Tls(ca_bundle=certificate)
    async with (
        scripted_server([answer(b"[]")], tls=server_tls) as server,
        http.client(server.root, tls=tls) as client,
    ):
        assert (await http.get(client, "studies", accept=JSON, max_bytes=10))[1] == b"[]"


async def test_others_are_not_trusted_and_not_asked_again(server_tls: ssl.SSLContext, time: Time) -> None:
    async with scripted_server([answer(b"[]")], tls=server_tls) as server, http.client(server.root) as client:
        with pytest.raises(ArchiveAccessError, match="self-signed certificate"):
            await http.get(client, "studies", accept=JSON, max_bytes=10, retry=time.retry())
    assert time.sleeps == []


async def test_a_client_certificate_is_shown_to_a_server_that_wants_one(
    certificate: Path, server_tls: ssl.SSLContext, time: Time
) -> None:
    server_tls.verify_mode = ssl.CERT_REQUIRED
    server_tls.load_verify_locations(certificate)
    with_certificate = http.Tls(ca_bundle=certificate, certificate=certificate)
    without = http.Tls(ca_bundle=certificate)
    async with scripted_server([answer(b"[]")], tls=server_tls) as server:
        async with http.client(server.root, tls=with_certificate) as client:
            assert (await http.get(client, "studies", accept=JSON, max_bytes=10))[1] == b"[]"
        async with http.client(server.root, tls=without) as client:
            # Whether the reason arrives before the connection is gone depends on the server.
            with pytest.raises((ArchiveAccessError, ArchiveUnavailableError)):
                await http.get(client, "studies", accept=JSON, max_bytes=10, retry=time.retry())


@pytest.mark.parametrize("how", ["aborts", "closes"])
async def test_a_handshake_that_the_server_ends_is_told_as_such(how: str, time: Time) -> None:
    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort() if how == "aborts" else writer.close()

    server = await asyncio.start_server(end, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, http.client(f"https://127.0.0.1:{port}/rs") as client:
        with pytest.raises(ArchiveUnavailableError, match=r"ended the TLS handshake.*client certificate"):
            await http.get(client, "studies", accept=JSON, max_bytes=10, retry=time.retry())


async def test_a_port_that_is_closed_is_not_taken_for_tls(time: Time) -> None:
    async with scripted_server([]) as gone:
        pass
    async with http.client(gone.root.replace("http:", "https:")) as client:
        with pytest.raises(ArchiveUnavailableError, match="no connection"):
            await http.get(client, "studies", accept=JSON, max_bytes=10, retry=time.retry())


async def test_a_server_that_hangs_up_after_the_handshake_may_mean_a_certificate(
    certificate: Path, server_tls: ssl.SSLContext, time: Time
) -> None:
    tls = http.Tls(ca_bundle=certificate)
    async with scripted_server([], tls=server_tls) as server, http.client(server.root, tls=tls) as client:
        with pytest.raises(ArchiveUnavailableError, match="client certificate"):
            await http.get(client, "studies", accept=JSON, max_bytes=10, retry=time.retry())


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with pytest.raises(ConfigurationError, match=str(file)):
        http.client("https://pacs.example", tls=http.Tls(ca_bundle=file))
    file.write_text("no certificate")
    with pytest.raises(ConfigurationError, match=str(file)):
        http.client("https://pacs.example", tls=http.Tls(ca_bundle=file))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("studies/1.2.840.99.7/metadata", "/studies/{study}/metadata"),
        (
            "studies/1.2.840.99.7/series/1.2.9.4.1/instances/1.2.9.4.2/frames/1,2?quality=1",
            "/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
        ),
        ("changes/1.2.840.99.7", "/changes/{uid}"),
        ("studies", "/studies"),
    ],
)
async def test_errors_name_the_kind_of_resource_and_no_study(path: str, shown: str) -> None:
    with pytest.raises(ArchiveNotFoundError) as raised:
        await fetch([answer(status=404)], time=Time(), path=path)
    assert f"{shown}: the archive answers 404" in raised.value.detail
    assert "1.2." not in raised.value.detail.replace("127.0.0.1", "")
