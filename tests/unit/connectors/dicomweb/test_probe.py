"""What a probe finds out about archives that behave and that do not."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from servers.dicomweb import connected, made_well, running_loopback, study
from servers.scripted import answer, scripted_server

from connectors.base import Capabilities
from connectors.dicomweb.probe import probe
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
    assert len(loopback.requests) <= 10


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
    told = await found(loopback, Faults(empty_status=status))
    assert any(str(status) in note for note in told.notes)


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
    assert any("not known" in note for note in told.notes)


def multipart(part: bytes) -> bytes:
    head = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    return answer(b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n--b--\r\n", headers=head)


@pytest.mark.parametrize("lacking", [set(), {"00080030", "00200011", "00200013"}])
async def test_metadata_is_compared_with_the_object_itself(lacking: set[str]) -> None:
    (one,) = study("1.2", series=1, instances=1)
    body = msgspec.json.encode([{tag: element for tag, element in one.items() if tag not in lacking}])
    nothing = answer(status=204)
    script = [answer(body), nothing, nothing, answer(body), nothing, answer(body), multipart(part10(one, {}))]
    async with scripted_server(script) as server, connected(server.root) as archive:
        told = await archive.probe()
    assert told.all_attributes is not bool(lacking)
    assert any("lacks 3 of" in note for note in told.notes) is bool(lacking)
    assert 'type="application/dicom"' in server.requests[-1]


@pytest.mark.parametrize(("skew", "says"), [(3600, "ahead"), (-3600, "behind")])
async def test_the_clock(loopback: LoopbackArchive, skew: float, says: str) -> None:
    told = await found(loopback, Faults(clock_skew=skew))
    assert any("clock" in note and says in note for note in told.notes)


async def test_a_right_clock_is_not_mentioned(loopback: LoopbackArchive) -> None:
    async with connected(loopback.url) as archive:
        told = await probe(archive, clock=lambda: datetime.now(UTC))
    assert not any("clock" in note for note in told.notes)


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
