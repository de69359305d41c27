"""A verdict on a study that nobody pulled yet, for whoever is ready to wait for it."""

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest
from servers.dicomweb import running_loopback, study
from servers.heltig_server import HeltigServer, heltig_server
from unit.api.service import study_zip, synthetic

from heltig.demo.archive import LoopbackArchive

STUDIES = ("1.2.1", "1.2.2", "1.2.3", "1.2.4")


@pytest.fixture(scope="module")
def archive() -> Iterator[LoopbackArchive]:
    with running_loopback([one for uid in STUDIES for one in study(uid)]) as running:
        yield running


@pytest.fixture(scope="module")
def heltig(tmp_path_factory: pytest.TempPathFactory, archive: LoopbackArchive) -> Iterator[HeltigServer]:
    """A server that knows the archive and does not watch it. Each test has its own study."""
    with heltig_server(tmp_path_factory.mktemp("heltig") / "home") as server:
        entry = {
            "name": "main",
            "qidoUrl": archive.url,
            "wadoUrl": archive.url,
            "options": {"strategy": "none"},
        }
        added = httpx.post(f"{server.url}/api/v1/archives", json=entry)
        assert added.status_code == 201, added.text
        yield server


def path(server: HeltigServer, uid: str) -> str:
    return f"{server.url}/dicom-web/studies/{uid}/readiness"


def pulls(server: HeltigServer) -> int:
    """How many jobs pulled something."""
    return len(httpx.get(f"{server.url}/api/v1/jobs?kind=pull&limit=1000").raise_for_status().json()["items"])


def test_a_study_is_pulled_and_judged_while_somebody_waits(heltig: HeltigServer) -> None:
    before = pulls(heltig)
    answer = httpx.get(path(heltig, "1.2.1"), params={"pull": "main", "wait": 30}, timeout=60)
    assert (
        answer.status_code,
        answer.headers["heltig-readiness"] in ("READY", "NEEDS_REVIEW", "BLOCKED"),
    ) == (200, True)
    assert answer.json()["00991011"]["Value"] == ["archive:main"]
    again = httpx.get(path(heltig, "1.2.1"), params={"pull": "main", "wait": 30})
    assert again.content == answer.content
    assert pulls(heltig) == before + 1  # it was judged: nothing is pulled again


async def test_all_who_wait_share_one_pull(heltig: HeltigServer) -> None:
    before = pulls(heltig)
    async with httpx.AsyncClient(timeout=60) as client:
        asking = (client.get(path(heltig, "1.2.2"), params={"pull": "main", "wait": 30}) for _ in range(20))
        answers = await asyncio.gather(*asking)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert pulls(heltig) == before + 1


def test_what_the_archive_does_not_have_is_not_found(heltig: HeltigServer) -> None:
    feed = f"{heltig.url}/dicom-web/changefeed?since=0"
    before, pulled = httpx.get(feed).raise_for_status().content, pulls(heltig)
    for times in (1, 2):
        answer = httpx.get(path(heltig, "9.9.9"), params={"pull": "main", "wait": 30}, timeout=60)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
        assert answer.json()["detail"].startswith("Archive main does not have this study")
        assert pulls(heltig) == pulled + times  # each asks the archive once
    assert httpx.get(feed).content == before
    [row] = httpx.post(f"{heltig.url}/dicom-web/studies/readiness", json=["9.9.9"]).json()
    assert row["00991009"]["Value"] == ["UNKNOWN"]


def test_whoever_does_not_wait_hears_that_it_is_under_way(heltig: HeltigServer) -> None:
    answer = httpx.get(path(heltig, "1.2.3"), params={"pull": "main"})
    assert (answer.status_code, answer.headers["heltig-readiness"]) == (200, "PENDING")
    later = httpx.get(path(heltig, "1.2.3"), params={"wait": 30}, timeout=60)
    assert later.headers["heltig-readiness"] != "PENDING"


def test_somebody_else_may_bring_what_is_waited_for(heltig: HeltigServer) -> None:
    uid = synthetic("cr-chest").datasets[0]["0020000D"]["Value"][0]
    answers: list[httpx.Response] = []
    waiting = threading.Thread(
        target=lambda: answers.append(httpx.get(path(heltig, uid), params={"wait": 30}, timeout=60))
    )
    waiting.start()
    httpx.post(
        f"{heltig.url}/api/v1/jobs/upload", content=study_zip("cr-chest"), timeout=60
    ).raise_for_status()
    waiting.join()
    assert [answer.headers["heltig-readiness"] for answer in answers] == ["READY"]


def test_the_time_to_wait_is_bounded_and_so_is_what_is_waited_for(heltig: HeltigServer) -> None:
    before = pulls(heltig)
    assert httpx.get(path(heltig, "9.9.8"), params={"wait": 1}).status_code == 404
    for wrong in ({"wait": 61}, {"wait": -1}, {"wait": "soon"}):
        assert httpx.get(path(heltig, "1.2.4"), params=wrong).status_code == 400
    elsewhere = httpx.get(path(heltig, "1.2.4"), params={"pull": "main", "archive": "other"})
    assert elsewhere.status_code == 400
    assert httpx.get(path(heltig, "1.2.4"), params={"pull": "nobodys"}).status_code == 404
    assert pulls(heltig) == before
