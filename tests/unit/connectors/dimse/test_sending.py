"""C-STORE to an archive: bytes as they are in the files, and an outcome for each object."""

import asyncio
import gc
import itertools
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from integration.gated import files_of
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEG2000Lossless
from pynetdicom import AE, evt
from pynetdicom.association import Association
from unit.connectors.dimse.doors import CT, KeepingDoor, listening

from connectors.dimse import sending
from connectors.dimse.associations import Associations
from connectors.dimse.door import Answer
from connectors.dimse.part10 import header_of
from connectors.dimse.reception import IN_MEMORY
from connectors.dimse.sending import MOST_CONTEXTS
from connectors.dimse.target import DimseStore, Target
from connectors.storing import SUCCESS, UNKNOWN, Outcome, StoreAnswer, Stored
from heltig.errors import ArchiveUnavailableError

SYNTAXES = [JPEG2000Lossless, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, "1.3.6.1.4.1.99999.9"]


@pytest.fixture
def door(tmp_path: Path) -> KeepingDoor:
    folder = tmp_path / "arrived"
    folder.mkdir()
    return KeepingDoor(folder)


class Files:
    """Files with a header and bytes that are no data set."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def make(self, data: bytes, *, sop_class: str = CT, syntax: str = JPEG2000Lossless) -> Stored:
        uid = f"1.2.3.{next(self._numbers)}"
        path = self._folder / f"{uid}.dcm"
        content = header_of(sop_class, uid, syntax) + data
        path.write_bytes(content)
        return Stored(uid, path, len(content))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def target(port: int, **named: Any) -> Target:
    return Target(calling="US", called=named.pop("called", "HELTIG"), host="127.0.0.1", port=port, **named)


async def store(to: Target, objects: Sequence[Stored]) -> StoreAnswer:
    sender = DimseStore(to)
    try:
        return await sender.store(objects)
    finally:
        await sender.close()


async def test_every_object_goes_in_the_syntax_of_its_file_byte_for_byte(
    door: KeepingDoor, files: Files
) -> None:
    made = [files.make(b"odd bytes %d" % number, syntax=syntax) for number, syntax in enumerate(SYNTAXES)]
    made.append(files.make(bytes(range(256)) * (2 * IN_MEMORY // 256)))
    with listening(door) as port:
        answer = await store(target(port), made)
    assert answer.outcomes == {one.sop_instance_uid: SUCCESS for one in made}
    assert [content for _, content in door.arrived] == [one.path.read_bytes() for one in made]
    assert {arrived.sender.ae_title for arrived, _ in door.arrived} == {"US"}


async def test_each_status_is_the_outcome_of_its_object(door: KeepingDoor, files: Files) -> None:
    said = {"1.2.3.1": 0, "1.2.3.2": 0xB000, "1.2.3.3": 0xC350, "1.2.3.4": 0xA700, "1.2.3.5": 0x0111}
    door.answer = lambda arrived: Answer(said[arrived.sop_instance_uid], "why" if arrived else "")
    made = [files.make(b"") if uid == "1.2.3.9" else files.make(b"data") for uid in said]
    with listening(door) as port:
        answer = await store(target(port), made)
    assert answer.outcomes == {
        "1.2.3.1": SUCCESS,
        "1.2.3.2": Outcome("warning", 0xB000),
        "1.2.3.3": Outcome("failure", 0xC350),
        "1.2.3.4": Outcome("failure", 0xA700),
        "1.2.3.5": Outcome("failure", 0x0111),
    }


async def test_more_classes_than_an_association_has_contexts(door: KeepingDoor, files: Files) -> None:
    made = [files.make(b"data", sop_class=f"1.3.6.1.4.1.99999.{n}") for n in range(MOST_CONTEXTS + 2)]
    with listening(door) as port:
        answer = await store(target(port), made)
    assert answer.outcomes == {one.sop_instance_uid: SUCCESS for one in made}
    assert len({arrived.sender.association for arrived, _ in door.arrived}) == 2


async def test_a_file_without_a_header_fails_alone(door: KeepingDoor, files: Files) -> None:
    good, bad = files.make(b"data"), files.make(b"data")
    bad.path.write_bytes(b"no DICOM")
    with listening(door) as port:
        answer = await store(target(port), [bad, good])
    assert answer.outcomes == {
        bad.sop_instance_uid: Outcome("failure", 0xC001),
        good.sop_instance_uid: SUCCESS,
    }


async def test_an_archive_that_takes_no_association(door: KeepingDoor, files: Files) -> None:
    made = [files.make(b"data")]
    with listening(door) as port, pytest.raises(ArchiveUnavailableError, match="rejects our association"):
        await store(target(port, called="OTHER"), made)
    with pytest.raises(ArchiveUnavailableError, match="does not answer"):
        await store(target(port), made)


async def test_what_is_not_answered_is_unknown(files: Files) -> None:
    made = [files.make(b"data") for _ in range(3)]
    with _aborting(after=1) as port:
        answer = await store(target(port), made)
    assert [answer.outcomes[one.sop_instance_uid] for one in made] == [SUCCESS, UNKNOWN, UNKNOWN]


@contextmanager
def _aborting(*, after: int) -> Iterator[int]:
    """An archive that aborts after some objects; gives its port."""
    came = itertools.count()

    def take(event: evt.Event) -> int:
        if next(came) >= after:
            event.assoc.abort()
        return 0

    with _archive((evt.EVT_C_STORE, take)) as port:
        yield port


@contextmanager
def _archive(*handlers: Any) -> Iterator[int]:
    server = AE("HELTIG").start_server(("127.0.0.1", 0), block=False, evt_handlers=[*handlers])
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


async def test_an_association_is_kept_for_what_goes_the_same_way(door: KeepingDoor, files: Files) -> None:
    with listening(door) as port:
        sender = DimseStore(target(port))
        for _ in range(3):
            await sender.store([files.make(b"data"), files.make(b"data", syntax=ExplicitVRBigEndian)])
            await sender.store([files.make(b"data")])
        first = {arrived.sender.association for arrived, _ in door.arrived}
        await sender.store([files.make(b"data", sop_class="1.3.6.1.4.1.99999.1")])
        others = {arrived.sender.association for arrived, _ in door.arrived} - first
        at_once = [sender.store([files.make(bytes(3 * IN_MEMORY))]) for _ in range(4)]
        assert all(answer.outcomes.popitem()[1] == SUCCESS for answer in await asyncio.gather(*at_once))
        await sender.close()
    assert (len(first), len(others)) == (1, 1)


async def test_an_association_that_nothing_goes_on_is_ended(files: Files) -> None:
    ended = threading.Event()
    with _archive((evt.EVT_C_STORE, lambda event: 0), (evt.EVT_RELEASED, lambda event: ended.set())) as port:
        associations = Associations(target(port), idle_seconds=0.2)
        await sending.store(associations, [files.make(b"data")])
        assert await asyncio.to_thread(ended.wait, 60)
        associations.close()


async def test_an_archive_that_ends_what_is_kept_is_sent_to_anew(files: Files) -> None:
    """Each association takes one object: it is aborted over the second one."""
    came: dict[Association, int] = {}

    def take(event: evt.Event) -> int:
        came[event.assoc] = came.get(event.assoc, 0) + 1
        if came[event.assoc] == 2:
            event.assoc.abort()
        return 0

    with _archive((evt.EVT_C_STORE, take)) as port:
        sender = DimseStore(target(port))
        for _ in range(3):
            assert [*(await sender.store([files.make(b"data")])).outcomes.values()] == [SUCCESS]
        await sender.close()
    assert [*came.values()] == [2, 2, 1]


async def test_a_connection_that_tls_ends_leaves_no_socket_open(tmp_path: Path) -> None:
    """Python warns of one when it is collected, which is an error here."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
        closing = threading.Thread(target=lambda: nobody.accept()[0].close())
        closing.start()
        to = Target(
            calling="US", called="PACS", host="127.0.0.1", port=port, tls=ssl.create_default_context()
        )
        file = tmp_path / "a.dcm"
        file.write_bytes(files_of("cr-chest")[0])
        with pytest.raises(ArchiveUnavailableError, match="TLS fails"):
            await store(to, [Stored("1.2.3", file, file.stat().st_size)])
        closing.join()
    gc.collect()
