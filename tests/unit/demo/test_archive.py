"""The loopback archive through the clients that archives meet: httpx and dicomweb-client."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec
import pytest
from dicomweb_client.api import DICOMwebClient

from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive

PIXELS = {"vr": "OW", "BulkDataURI": ""}


def instance(study: str, series: str, sop: str, **attributes: Any) -> dict[str, Any]:
    return {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00080018": {"vr": "UI", "Value": [sop]},
        "00080020": {"vr": "DA", "Value": [attributes.get("date", "20240305")]},
        "00080060": {"vr": "CS", "Value": [attributes.get("modality", "CT")]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": attributes.get("name", "Müller^Jörg")}]},
        "00100020": {"vr": "LO", "Value": [attributes.get("patient", "P1")]},
        "0020000D": {"vr": "UI", "Value": [study]},
        "0020000E": {"vr": "UI", "Value": [series]},
        "00200013": {"vr": "IS", "Value": [attributes.get("number", 1)]},
        "00209164": {"vr": "UI", "Value": ["1.9"]},
        "7FE00010": PIXELS,
    }


def content() -> list[dict[str, Any]]:
    """Seven studies of one CT instance each, the first one with four and a second series."""
    first = [instance("1.1", "1.1.1", f"1.1.1.{n}", number=n) for n in range(1, 5)]
    first.append(instance("1.1", "1.1.2", "1.1.2.1", modality="SR"))
    others = [
        instance(f"1.{n}", f"1.{n}.1", f"1.{n}.1.1", date=f"202403{n:02}", patient=f"P{n}", name=f"Doe^{n}")
        for n in range(2, 8)
    ]
    return first + others


@pytest.fixture
def archive() -> LoopbackArchive:
    return LoopbackArchive(content())


@pytest.fixture
async def client(archive: LoopbackArchive) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to the bare application, without a socket."""
    transport = httpx.ASGITransport(archive.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://archive/dicom-web") as http:
        yield http


@pytest.fixture
async def running(archive: LoopbackArchive) -> AsyncIterator[LoopbackArchive]:
    async with archive:
        yield archive


def values(rows: list[dict[str, Any]], tag: str) -> list[Any]:
    return [row[tag]["Value"][0] for row in rows]


async def test_dicomweb_client_searches_and_reads_metadata(running: LoopbackArchive) -> None:
    dicomweb = DICOMwebClient(running.url)

    def consume() -> tuple[Any, ...]:
        return (
            dicomweb.search_for_studies(search_filters={"PatientName": "m*"}, get_remaining=True),
            dicomweb.search_for_series("1.1"),
            dicomweb.search_for_instances("1.1", "1.1.1", limit=2, offset=3),
            dicomweb.retrieve_study_metadata("1.1"),
            dicomweb.retrieve_series_metadata("1.1", "1.1.2"),
            dicomweb.retrieve_instance_metadata("1.1", "1.1.1", "1.1.1.2"),
        )

    studies, series, instances, study, one_series, one = await asyncio.to_thread(consume)
    assert values(studies, "0020000D") == ["1.1"]
    assert studies[0]["00080061"]["Value"] == ["CT", "SR"]
    assert (values(studies, "00201206"), values(studies, "00201208")) == ([2], [5])
    assert values(series, "0020000E") == ["1.1.1", "1.1.2"]
    assert values(series, "00201209") == [4, 1]
    assert values(instances, "00080018") == ["1.1.1.4"]
    assert values(study, "00080018") == [f"1.1.1.{n}" for n in range(1, 5)] + ["1.1.2.1"]
    assert values(one_series, "00080018") == ["1.1.2.1"]
    assert one["00080018"]["Value"] == ["1.1.1.2"]
    root = f"{running.url}/studies/1.1/series/1.1.1/instances/1.1.1.2"
    assert one["7FE00010"] == {"vr": "OW", "BulkDataURI": f"{root}/bulk/7FE00010"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("StudyInstanceUID=1.2,1.4", ["1.2", "1.4"]),
        ("0020000D=1.2%5C1.4", ["1.2", "1.4"]),
        ("StudyDate=20240303-20240305", ["1.1", "1.3", "1.4", "1.5"]),
        ("StudyDate=20240306-", ["1.6", "1.7"]),
        ("StudyDate=-20240302", ["1.2"]),
        ("StudyDate=20240307", ["1.7"]),
        ("PatientName=doe%5E?", [f"1.{n}" for n in range(2, 8)]),
        ("PatientID=p2", []),
        ("PatientID=P2", ["1.2"]),
        ("ModalitiesInStudy=SR", ["1.1"]),
        ("AccessionNumber=*&PatientID=P3", ["1.3"]),
        ("AccessionNumber=7", []),
        ("NobodyKnows=7&PatientID=P3", ["1.3"]),
        ("PatientID=P3&limit=5&fuzzymatching=true", ["1.3"]),
    ],
)
async def test_studies_are_matched(client: httpx.AsyncClient, query: str, expected: list[str]) -> None:
    answer = await client.get(f"/studies?{query}")
    rows = answer.json() if answer.status_code == 200 else []
    assert values(rows, "0020000D") == expected


async def test_series_and_instances_are_searched_over_all_studies(client: httpx.AsyncClient) -> None:
    series = (await client.get("/series", params={"Modality": "SR"})).json()
    instances = (await client.get("/instances", params={"InstanceNumber": "4"})).json()
    assert (values(series, "0020000D"), values(instances, "00080018")) == (["1.1"], ["1.1.1.4"])


async def test_pages_are_disjoint_and_warn_of_more(client: httpx.AsyncClient) -> None:
    pages = [await client.get("/studies", params={"limit": 3, "offset": n}) for n in (0, 3, 6, 9)]
    assert [values(page.json(), "0020000D") for page in pages[:3]] == [
        ["1.1", "1.2", "1.3"], ["1.4", "1.5", "1.6"], ["1.7"],
    ]  # fmt: skip
    assert [page.headers.get("warning", "")[:4] for page in pages] == ["299 ", "299 ", "", ""]
    assert "There are 4 additional results" in pages[0].headers["warning"]
    assert pages[3].status_code == 204


async def test_includefield_adds_attributes(client: httpx.AsyncClient) -> None:
    plain = (await client.get("/studies?limit=1")).json()
    more = (
        await client.get("/studies?limit=1&includefield=00209164,Modality&includefield=NoSuchWord")
    ).json()
    assert set(more[0]) - set(plain[0]) == {"00209164", "00080060"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies/1.99/metadata", 404),
        ("/studies/1.1/series/1.2.1/metadata", 404),
        ("/studies/1.99/series", 204),
        ("/metadata", 404),
        ("/patients", 404),
        ("/studies?limit=x", 400),
        ("/studies?offset=-1", 400),
    ],
)
async def test_what_is_not_there_is_refused(client: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await client.get(path)).status_code == status


async def test_other_methods_media_types_and_roots_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/studies")).status_code == 405
    assert (await client.get("/studies", headers={"accept": "multipart/related"})).status_code == 406
    assert (await client.get("http://archive/studies")).status_code == 404


async def test_gzip_when_accepted(running: LoopbackArchive) -> None:
    async with httpx.AsyncClient(base_url=running.url) as http:
        packed = await http.get("/studies/1.1/metadata")
        plain = await http.get("/studies/1.1/metadata", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()


@pytest.mark.parametrize(
    ("keys", "authorization"),
    [
        ({"user": "heltig", "password": "geheim:1"}, "Basic aGVsdGlnOmdlaGVpbTox"),
        ({"token": "t0"}, "Bearer t0"),
    ],
)
async def test_authentication(keys: dict[str, str], authorization: str) -> None:
    archive = LoopbackArchive(content(), **keys)
    transport = httpx.ASGITransport(archive.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://archive/dicom-web") as http:
        refused = await http.get("/studies")
        granted = await http.get("/studies", headers={"authorization": authorization})
    assert (refused.status_code, granted.status_code) == (401, 200)
    assert authorization.startswith(refused.headers["www-authenticate"])


async def test_requests_are_logged_in_order(client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
    await client.get("/studies", params={"limit": 2})
    await client.get("/studies/1.1/metadata")
    assert [(r.method, r.path, r.query) for r in archive.requests] == [
        ("GET", "/studies", "limit=2"), ("GET", "/studies/1.1/metadata", ""),
    ]  # fmt: skip


async def test_late_instances_and_deletion(client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
    archive.add([instance("1.7", "1.7.1", "1.7.1.2", number=2)])
    archive.remove("1.1")
    rows = (await client.get("/studies")).json()
    assert values(rows, "0020000D") == [f"1.{n}" for n in range(2, 8)]
    assert values(rows, "00201208") == [1, 1, 1, 1, 1, 2]


async def test_raw_elements_go_out_as_they_are(client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
    raw = msgspec.Raw(b'{"vr":"DS","Value":[NaN]}')
    archive.add([{**instance("1.8", "1.8.1", "1.8.1.1"), "00180050": raw}])
    answer = await client.get("/studies/1.8/metadata")
    assert b'"00180050":{"vr":"DS","Value":[NaN]}' in answer.content


async def test_an_archive_that_does_not_run_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = LoopbackArchive().url


async def test_it_stops_with_connections_open() -> None:
    async with httpx.AsyncClient() as http:
        async with LoopbackArchive(content()) as archive:
            url = archive.url
            await http.get(f"{url}/studies")
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{url}/studies")


class TestFaults:
    async def test_ignored_offset(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        archive.faults.ignore_offset = True
        pages = [(await client.get("/studies", params={"limit": 2, "offset": n})).json() for n in (0, 2, 90)]
        assert pages[0] == pages[1] == pages[2]

    @pytest.mark.parametrize("warned", [True, False])
    async def test_page_cap(
        self, client: httpx.AsyncClient, archive: LoopbackArchive, *, warned: bool
    ) -> None:
        archive.faults = Faults(page_cap=2, warn_of_more=warned)
        answer = await client.get("/studies", params={"limit": 5})
        assert len(answer.json()) == 2
        assert ("warning" in answer.headers) is warned

    async def test_too_large(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        archive.faults.too_large_above = 4
        paths = [
            "/studies",
            "/studies?limit=4",
            "/studies/1.1/metadata",
            "/studies/1.1/series/1.1.1/metadata",
        ]
        assert [(await client.get(path)).status_code for path in paths] == [413, 200, 413, 200]

    async def test_empty_answers(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        archive.faults.empty_status = 200
        answer = await client.get("/studies?PatientID=nobody")
        assert (answer.status_code, answer.json()) == (200, [])

    async def test_no_counts(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        archive.faults.omit_counts = True
        rows = (await client.get("/studies")).json() + (await client.get("/series")).json()
        assert not any(tag in row for row in rows for tag in ("00201206", "00201208", "00201209"))

    async def test_a_row_for_each_patient(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        archive.add([instance("1.2", "1.2.1", "1.2.1.2", patient="OTHER")])
        archive.faults.rows_by_patient = True
        rows = (await client.get("/studies?StudyInstanceUID=1.2")).json()
        assert values(rows, "00100020") == ["P2", "OTHER"]
        assert len((await client.get("/studies/1.2/metadata")).json()) == 2

    async def test_counted_but_withheld(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        archive.faults.withheld = frozenset({"1.1.1.2"})
        rows = (await client.get("/studies?StudyInstanceUID=1.1")).json()
        metadata = (await client.get("/studies/1.1/metadata")).json()
        assert (values(rows, "00201208"), len(metadata)) == ([5], 4)

    async def test_status_for_some_paths_only(
        self, client: httpx.AsyncClient, archive: LoopbackArchive
    ) -> None:
        archive.faults = Faults(status=500, only=r"studies/[^/]+/metadata$")
        paths = ["/studies", "/studies/1.1/metadata", "/studies/1.1/series/1.1.1/metadata"]
        assert [(await client.get(path)).status_code for path in paths] == [200, 500, 200]

    async def test_status_in_the_middle_of_a_run(
        self, client: httpx.AsyncClient, archive: LoopbackArchive
    ) -> None:
        archive.faults = Faults(status=429, retry_after="1", after=1, times=2)
        answers = [await client.get("/studies") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
        assert answers[1].headers["retry-after"] == "1"

    async def test_login_page(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        archive.faults.login_page = True
        answer = await client.get("/studies")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.text.startswith("<!doctype html>")

    async def test_object_instead_of_array(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        archive.faults.object_not_array = True
        one = (await client.get("/studies/1.2/metadata")).json()
        assert one["0020000D"]["Value"] == ["1.2"]
        assert len((await client.get("/studies/1.1/metadata")).json()) == 5

    async def test_gzip_lie(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        archive.faults.gzip_lie = True
        with pytest.raises(httpx.DecodingError):
            await client.get("/studies")

    async def test_cut_in_the_middle(self, running: LoopbackArchive) -> None:
        running.faults.cut_after = 100
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get(f"{running.url}/studies")

    @pytest.mark.parametrize("size", [100, 10_000])
    async def test_cut_counts_bytes(self, archive: LoopbackArchive, size: int) -> None:
        archive.faults.cut_after = size
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {"method": "GET", "path": "/dicom-web/studies", "query_string": b"", "headers": []}
        await archive.app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent)
        whole = body[:1] + body[-1:] == b"[]"
        assert (len(body) == size, whole, sent[-1]["more_body"]) == (size == 100, size > 100, size == 100)

    async def test_slow_drip(self, running: LoopbackArchive) -> None:
        running.faults.drip_seconds = 0.5
        async with httpx.AsyncClient(timeout=httpx.Timeout(60, read=0.2)) as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.get(f"{running.url}/studies?limit=1")

    async def test_drip_loses_nothing(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        whole = (await client.get("/studies/1.1/metadata")).content
        archive.faults.drip_seconds = 0.001
        assert json.loads((await client.get("/studies/1.1/metadata")).content) == json.loads(whole)

    async def test_clock_skew(self, client: httpx.AsyncClient, archive: LoopbackArchive) -> None:
        before = parsedate_to_datetime((await client.get("/studies")).headers["date"])
        archive.faults.clock_skew = 7200
        after = parsedate_to_datetime((await client.get("/studies")).headers["date"])
        assert 7199 <= (after - before).total_seconds() <= 7260


async def test_a_large_study_comes_in_chunks_and_whole(
    client: httpx.AsyncClient, archive: LoopbackArchive
) -> None:
    archive.add(instance("2.1", "2.1.1", f"2.1.1.{n}") for n in range(500))
    answer = await client.get("/studies/2.1/metadata", headers={"accept-encoding": "identity"})
    assert len(answer.content) > 3 * 64 * 1024
    assert values(answer.json(), "00080018") == [f"2.1.1.{n}" for n in range(500)]
