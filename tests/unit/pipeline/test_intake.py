"""What is acknowledged before it has a row: entered in groups, and by the next process where one died."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from integration.gated import files_of, uid_of
from pydicom.errors import InvalidDicomError
from unit.pipeline.test_custody import GATE, NOW, UIDS, Site, Upstream, response, site_before

from connectors.dimse.door import Answer, Arrived, Commitment, Committed, Sender
from heltig.errors import ConfigurationError, StorageError
from heltig.pipeline.gate import refusal_codes as codes
from heltig.pipeline.gate.door import GateDoor
from heltig.pipeline.gate.intake import Intake
from heltig.pipeline.gate.intake_files import IntakeFolder
from heltig.store import gate_studies, objects
from heltig.store.engine import Store
from heltig.store.objects import GateObject

FILES = files_of("cr-chest")
STUDY = uid_of("cr-chest")
SENDER = Sender("CT1", "127.0.0.1", "an association")


class NoCommitments:
    async def take(self, archive: str, request: Commitment) -> int:
        raise NotImplementedError

    async def verify(self, archive: str, request: Commitment) -> Committed:
        raise NotImplementedError


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    for content in FILES:
        UIDS[hashlib.sha256(content).digest()] = str(read(content).SOPInstanceUID)
    async with site_before(Upstream(), store, tmp_path) as made:
        yield made


def read(content: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def without_study(content: bytes) -> bytes:
    dataset, made = read(content), io.BytesIO()
    del dataset.StudyInstanceUID
    dataset.save_as(made)
    return made.getvalue()


@asynccontextmanager
async def door_of(site: Site, mode: str = "hold") -> AsyncIterator[GateDoor]:
    """A door of the gate, until the end of the block: what an orderly stop leaves is entered."""
    folder = IntakeFolder(site.spool, "main")
    intake = Intake(folder, site.custody, site.store, site.gate(mode))
    door = GateDoor(site.custody, intake, NoCommitments(), site.gate(mode), idle_seconds=None)
    await intake.recover()
    running = asyncio.create_task(intake.run())
    try:
        yield door
    finally:
        intake.close()
        await running
        folder.release()


async def take(door: GateDoor, content: bytes, *, sop_class: str = "", instance: str = "") -> Answer:
    """Hands an object over as an association does: in another thread."""
    with suppress(InvalidDicomError):
        dataset = pydicom.dcmread(io.BytesIO(content))
        sop_class, instance = sop_class or dataset.SOPClassUID, instance or dataset.SOPInstanceUID
    arrived = Arrived(
        sender=SENDER,
        sop_class_uid=sop_class,
        sop_instance_uid=instance,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        content=(content,),
    )
    return await asyncio.to_thread(door.take, arrived)


async def rows(site: Site) -> list[GateObject]:
    row = await site.store.read(gate_studies.row_of, GATE, STUDY)
    return [] if row is None else await site.store.read(objects.of_study, row)


def left(site: Site) -> list[Path]:
    return sorted((site.spool.path_of("main") / "intake").glob("*"))


def leave(site: Site, content: bytes, *, name: str = "", written: float | None = None) -> Path:
    """A file as a process leaves it that is killed before there is a row."""
    folder = IntakeFolder(site.spool, "main")
    file = folder.create()
    file.write(content)
    path = folder.keep(file, "CT1")
    folder.release()
    if name:
        path = path.rename(path.with_name(name))
    if written is not None:
        os.utime(path, (written, written))
    return path


async def test_what_is_acknowledged_gets_its_rows_and_its_sender(site: Site) -> None:
    async with door_of(site) as door:
        for content in FILES:
            assert await take(door, content) == Answer()
    found = await rows(site)
    assert [one.digest for one in found] == [hashlib.sha256(content).hexdigest() for content in FILES]
    assert {(one.sender, one.request, one.state) for one in found} == {("CT1", "an association", "held")}
    assert sorted(site.spool.path_of(one.file or "") for one in found) == left(site)
    await site.work()
    assert set(site.upstream.stored.values()) == set(FILES)
    assert left(site) == []


async def test_what_a_process_left_is_entered_by_the_next(site: Site) -> None:
    for content in FILES:
        leave(site, content)
    async with door_of(site):
        pass
    assert {(one.sender, one.state) for one in await rows(site)} == {("CT1", "held")}
    assert len(await rows(site)) == len(FILES)


async def test_what_was_not_whole_is_removed(site: Site) -> None:
    path = leave(site, FILES[0])
    path.write_bytes(FILES[0][:-1])
    leave(site, FILES[0], name="0123.part")
    leave(site, b"no DICOM object")
    async with door_of(site):
        pass
    assert left(site) == []
    assert await rows(site) == []


async def test_what_has_a_row_is_not_entered_again(site: Site) -> None:
    async with door_of(site) as door:
        assert await take(door, FILES[0]) == Answer()
    async with door_of(site):
        pass
    assert len(await rows(site)) == len(left(site)) == 1


async def test_a_damaged_file_that_has_a_row_stays_until_the_object_comes_again(site: Site) -> None:
    async with door_of(site) as door:
        assert await take(door, FILES[0]) == Answer()
    [damaged] = left(site)
    damaged.write_bytes(FILES[0][:-1])
    async with door_of(site) as door:
        assert left(site) == [damaged]
        assert await take(door, FILES[0]) == Answer()
    [one], [path] = await rows(site), left(site)
    assert (site.spool.path_of(one.file or ""), path.read_bytes()) == (path, FILES[0])


async def test_a_file_that_its_row_let_go_is_left_over(site: Site) -> None:
    async with door_of(site) as door:
        assert await take(door, FILES[0]) == Answer()
    await site.work()
    leave(site, FILES[0], written=(NOW - timedelta(days=1)).timestamp())
    async with door_of(site):
        pass
    assert left(site) == []
    assert [one.state for one in await rows(site)] == ["forwarded"]


async def test_the_same_bytes_that_came_after_a_row_are_taken(site: Site) -> None:
    async with door_of(site) as door:
        assert await take(door, FILES[0]) == Answer()
    await site.work()
    leave(site, FILES[0], written=(NOW + timedelta(days=1)).timestamp())
    async with door_of(site):
        pass
    assert [one.state for one in await rows(site)] == ["held"]


async def test_rows_that_cannot_be_written_are_written_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tries = site.store.write_durably, []

    async def failing(*args: object, **named: object) -> object:
        tries.append(1)
        if len(tries) == 1:
            raise StorageError("before the commit")
        result = await real(*args, **named)  # type: ignore[arg-type]
        if len(tries) == 2:
            raise StorageError("after the commit")
        return result

    monkeypatch.setattr(site.store, "write_durably", failing)
    monkeypatch.setattr("heltig.pipeline.gate.intake.PATIENCE", (0.0,))
    async with door_of(site) as door:
        assert await take(door, FILES[0]) == Answer()
        async with asyncio.timeout(60):
            await door._intake.flush()
    [one] = await rows(site)
    assert [site.spool.path_of(one.file or "")] == left(site)


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"no DICOM object", codes.UNREADABLE), (without_study(FILES[0]), codes.NO_IDENTITY)],
)
@pytest.mark.parametrize("mode", ["hold", "observe"])
async def test_what_is_no_object_is_refused(site: Site, mode: str, content: bytes, code: int) -> None:
    async with door_of(site, mode) as door:
        assert (await take(door, content)).status == code
    assert left(site) == site.files() == []


@pytest.mark.parametrize("mode", ["hold", "observe", "enforce"])
async def test_what_is_not_what_its_request_says_is_refused(site: Site, mode: str) -> None:
    async with door_of(site, mode) as door:
        for other in ({"sop_class": "1.2.840.10008.5.1.4.1.1.2"}, {"instance": "2.25.1"}):
            answer = await take(door, FILES[0], **other)
            assert answer.status == codes.NO_MATCH
            assert len(answer.comment) <= 64
    assert left(site) == site.files() == site.upstream.sent == []


async def test_a_gate_that_passes_on_answers_what_the_archive_answers(site: Site) -> None:
    refused = str(read(FILES[0]).SOPInstanceUID)
    site.upstream.answers = lambda came: response(
        [uid for uid in came if uid != refused], {uid: 0xA900 for uid in came if uid == refused}
    )
    async with door_of(site, "observe") as door:
        assert (await take(door, FILES[0])).status == 0xA900
        assert (await take(door, FILES[1])).status == 0
    assert left(site) == []


async def test_the_log_says_why_an_object_is_to_be_sent_again(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.upstream.answers, site.upstream.takes = lambda came: None, lambda uid: False
    async with door_of(site, "observe") as door:
        assert (await take(door, FILES[0])).status == codes.OUT_OF_RESOURCES
    told = "".join(capfd.readouterr())
    assert "listener.not-now" in told
    assert "the answer breaks off" in told
    assert left(site) == []


async def test_a_folder_has_one_process(site: Site) -> None:
    async with door_of(site):
        with pytest.raises(ConfigurationError, match="runs already"):
            IntakeFolder(site.spool, "main")


async def test_without_the_gate_nothing_is_taken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with door_of(site) as door:
        assert door.has_room()
        monkeypatch.setattr(site.custody, "open", _closed)
        await door.refresh()
        assert not door.has_room()
        assert (await take(door, FILES[0])).status == codes.OUT_OF_RESOURCES
    assert left(site) == []


async def _closed(gate: str) -> None:
    raise StorageError("no room")
