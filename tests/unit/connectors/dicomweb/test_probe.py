"""What a probe finds out about archives that behave and that do not."""

from collections.abc import Iterator, Mapping

import msgspec
import pytest
from servers.dicomweb import connected, made_well, running_loopback, study
from servers.httpd import Asked, httpd
from servers.scripted import answer

from connectors.base import Capabilities
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.demo.part10 import part10
from heltig.errors import ArchiveAccessError, ArchiveAnswerError


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackArchive]:
    with running_loopback(i for n in range(1, 6) for i in study(f"1.{n}", instances=n)) as archive:
        yield archive


@pytest.fixture
def loopback(running: LoopbackArchive) -> LoopbackArchive:
    return made_well(running)


async def found(loopback: LoopbackArchive, faults: Faults | None = None) -> Capabilities:
    loopback.faults = faults or Faults()
    async with connected(loopback.url) as archive:
        return await archive.probe()


async def test_an_archive_that_behaves(loopback: LoopbackArchive) -> None:
    told = await found(loopback)
    assert (told.offset, told.page_cap, told.filters, told.counts) == (True, None, True, True)
    assert told.metadata == "study"
    assert (told.warns, told.empty_status, told.wildcard, told.percent_decoding) == (True, 204, True, True)
    assert told.feed == "none"
    assert len(loopback.requests) <= 25


async def test_paging(loopback: LoopbackArchive) -> None:
    assert (await found(loopback, Faults(ignore_offset=True))).offset is False
    assert (await found(loopback, Faults(page_cap=3))).page_cap == 3
    assert (await found(loopback, Faults(page_cap=1, warn_of_more=False))).page_cap == 1
    assert (await found(loopback, Faults(page_cap=5))).page_cap is None


@pytest.mark.parametrize("status", [400, 404, 413, 500])
async def test_an_archive_that_refuses_a_further_request_is_still_probed(
    loopback: LoopbackArchive, status: int
) -> None:
    for after in range(1, 4):
        told = await found(loopback, Faults(status=status, after=after, times=1))
        assert told.metadata == "study"
        assert told.counts


async def test_counts(loopback: LoopbackArchive) -> None:
    assert (await found(loopback, Faults(omit_counts=True))).counts is False


@pytest.mark.parametrize("status", [200, 204])
async def test_empty_answers(loopback: LoopbackArchive, status: int) -> None:
    assert (await found(loopback, Faults(empty_status=status))).empty_status == status


@pytest.mark.parametrize(
    ("refused", "level"),
    [
        (r"studies/[^/]+/metadata", "series"),
        (r"(studies|series)/[^/]+/metadata", "instance"),
        (r"/metadata", "none"),
    ],
)
async def test_levels_of_metadata(loopback: LoopbackArchive, refused: str, level: str) -> None:
    assert (await found(loopback, Faults(status=404, only=refused))).metadata == level


async def test_one_broken_study_does_not_decide(loopback: LoopbackArchive) -> None:
    told = await found(loopback, Faults(status=500, only=r"studies/1\.1/metadata"))
    assert told.metadata == "study"


async def test_the_object_itself_tells_whether_metadata_is_a_summary(loopback: LoopbackArchive) -> None:
    told = await found(loopback)
    assert told.all_attributes is None
    assert told.compared == 0
    assert any("not known" in note for note in told.notes)


def multipart(part: bytes) -> bytes:
    head = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    return answer(b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n--b--\r\n", headers=head)


def json(value: object, headers: Mapping[str, str] | None = None) -> bytes:
    kind = {"Content-Type": "application/dicom+json"}
    return answer(msgspec.json.encode(value), headers=kind | dict(headers or {}))


class Other:
    """An archive with a few studies, unlike the loopback archive in what it is told to be.

    Attributes:
        lacking: What the metadata of the study of that UID lacks.
        asked: What it was asked.
    """

    def __init__(self, *uids: str) -> None:
        self.studies = {uid: study(uid, series=1, instances=1)[0] for uid in uids}
        self.lacking: dict[str, set[str]] = {}
        self.bulk_root = ""
        self.decodes = True
        self.matches_anything = True
        self.documents: dict[str, object] = {}
        self.hangs_up_at: set[str] = set()
        self.headers: dict[str, str] = {}
        self.receive_times = False

    def __call__(self, asked: Asked) -> bytes:
        """Answers like an archive whose root is `/web`."""
        if asked.path in self.hangs_up_at:
            return b""
        if asked.target in self.documents:
            return json(self.documents[asked.target])
        path = asked.path.removeprefix("/web/").split("/")
        if path == ["studies"]:
            return json(self._rows(asked), self.headers)
        if path[0] != "studies" or path[1] not in self.studies:
            return answer(status=404)
        one = self.studies[path[1]]
        if path[-1] == "metadata":
            lacking = self.lacking.get(path[1], set())
            shown = {tag: element for tag, element in one.items() if tag not in lacking}
            if self.bulk_root:
                shown["7FE00010"] = {"vr": "OW", "BulkDataURI": f"{self.bulk_root}/bulk/7fe00010"}
            return json([shown])
        return multipart(part10(one, {}))

    def _rows(self, asked: Asked) -> list[object]:
        found = list(self.studies.values())
        query = asked.target.partition("?")[2] if not self.decodes else ""
        given = dict(part.split("=") for part in query.split("&")) if query else asked.query
        if "StudyInstanceUID" in given:
            found = [one for uid, one in self.studies.items() if uid == given["StudyInstanceUID"]]
        if "PatientID" in given and not self.matches_anything:
            found = []
        if "StudyReceiveDateTime" in given and (self.receive_times and given["StudyReceiveDateTime"] > "9"):
            found = []
        start = int(given.get("offset", 0))
        return found[start : start + int(given.get("limit", 99))]


async def other(handler: Other) -> Capabilities:
    async with httpd(handler) as server, connected(f"{server.root}/web") as archive:
        return await archive.probe()


async def test_metadata_is_compared_with_the_objects_themselves() -> None:
    archive = Other("1.2", "1.3", "1.4")
    told = await other(archive)
    assert (told.all_attributes, told.compared, told.metadata) == (True, 3, "study")
    archive.lacking = {"1.4": {"00080030", "00200011", "00200013"}}
    told = await other(archive)
    assert (told.all_attributes, told.compared) == (False, 3)
    assert any("lacks 3 of" in note for note in told.notes)


async def test_bulk_data_elsewhere() -> None:
    archive = Other("1.2")
    assert (await other(archive)).bulk_data_root is None
    archive.bulk_root = "http://127.0.0.1:1/web"
    assert (await other(archive)).bulk_data_root == "http://127.0.0.1:1"


async def test_searches_that_go_other_ways() -> None:
    archive = Other("1.2.3", "1.3.3")
    told = await other(archive)
    assert (told.wildcard, told.percent_decoding, told.warns) == (True, True, None)
    archive.decodes = archive.matches_anything = False
    archive.headers = {"ETag": "x", "Last-Modified": "Sat, 03 Jan 2026 00:00:00 GMT"}
    told = await other(archive)
    assert (told.wildcard, told.percent_decoding) == (False, False)
    assert (told.etag, told.last_modified, told.gzip, told.availability) == (True, True, False, False)


async def test_archives_that_tell_what_changed() -> None:
    archive = Other("1.2")
    assert (await other(archive)).feed == "none"
    archive.receive_times = True
    assert (await other(archive)).feed == "dcm4chee"
    archive.documents = {"/changes?last&limit=1": {"Changes": [], "Done": True, "Last": 7}}
    told = await other(archive)
    assert told.feed == "orthanc"
    assert told.feed_root is not None
    assert told.feed_root.startswith("http://127.0.0.1:")
    assert not told.feed_root.endswith("web")
    archive.documents |= {"/web/changefeed/latest?includeMetadata=false": {"sequence": 7, "state": "current"}}
    assert (await other(archive)).feed == "azure"


async def test_what_is_beside_an_archive_need_not_answer() -> None:
    archive = Other("1.2")
    archive.hangs_up_at = {"/changes"}
    assert (await other(archive)).feed == "none"


@pytest.mark.parametrize("skew", [3600, -3600])
async def test_the_clock(loopback: LoopbackArchive, skew: float) -> None:
    told = await found(loopback, Faults(clock_skew=skew))
    assert told.clock_skew == pytest.approx(skew, abs=10)
    assert (await found(loopback)).clock_skew == pytest.approx(0, abs=10)


async def test_an_empty_archive() -> None:
    async with LoopbackArchive() as loopback:
        told = await found(loopback)
    assert (told.filters, told.offset, told.metadata) == (True, None, None)
    assert any("no study" in note for note in told.notes)


async def test_an_archive_that_does_not_let_us_in_says_so(loopback: LoopbackArchive) -> None:
    with pytest.raises(ArchiveAccessError):
        await found(loopback, Faults(status=401))
    with pytest.raises(ArchiveAccessError):
        await found(loopback, Faults(status=403, only="metadata"))
    with pytest.raises(ArchiveAnswerError):
        await found(loopback, Faults(login_page=True))
