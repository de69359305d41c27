"""What a relay keeps: studies while they come, and packages until a server has them."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from integration.gated import files_of, uid_of
from pydicom.errors import InvalidDicomError

from connectors.dimse.door import Answer, Arrived, Commitment, Sender
from heltig.errors import NotFoundError
from heltig.pipeline.gate import refusal_codes as codes
from heltig.relay.files import GrowingFile
from heltig.relay.outbox import Outbox
from heltig.relay.receiving import Receiving, under_way
from heltig.setting_types import Size

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SENDER = Sender("CT1", "127.0.0.1", "an association")
FILES, STUDY = files_of("cr-chest"), uid_of("cr-chest")
OTHERS, OTHER = files_of("mg-screening"), uid_of("mg-screening")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def receiving(folder: Path, clock: Clock | None = None, *, reserve: int = 1) -> Receiving:
    return Receiving(folder, reserve=Size(reserve), clock=clock or Clock())


def take(door: Receiving, content: bytes, *, sop_class: str = "", instance: str = "") -> Answer:
    with suppress(InvalidDicomError):
        dataset = pydicom.dcmread(io.BytesIO(content))
        sop_class, instance = sop_class or dataset.SOPClassUID, instance or dataset.SOPInstanceUID
    arrived = Arrived(
        sender=SENDER,
        sop_class_uid=sop_class,
        sop_instance_uid=instance,
        transfer_syntax_uid="",
        content=(content,),
    )
    return door.take(arrived)


def test_studies_are_packed_once_nothing_of_them_comes(tmp_path: Path) -> None:
    clock, outbox = Clock(), Outbox(tmp_path)
    door = receiving(tmp_path, clock)
    for content in [*FILES, FILES[0]]:
        assert take(door, content) == Answer()
    clock.now = 20
    assert take(door, OTHERS[0]) == Answer()
    clock.now = 31
    assert len(door.take_out(30, outbox.place_for)) == 1
    assert outbox.pack_all(NOW) == 1
    [package] = outbox.packages("waiting")
    assert (package.study, package.instances, package.packed) == (STUDY, len(FILES), NOW)
    with zipfile.ZipFile(outbox.path_of(package)) as made:
        assert {made.read(name) for name in made.namelist()} == set(FILES)
    assert under_way(tmp_path) == [(OTHER, 1)]


def test_what_cannot_be_packed_stays_and_is_shown(tmp_path: Path) -> None:
    outbox, door = Outbox(tmp_path), receiving(tmp_path)
    for content in FILES:
        take(door, content)
    [folder] = door.take_out(0, outbox.place_for)
    in_the_way = folder / "z.dcm"  # cannot be read, as nothing can be written on a full disk
    in_the_way.mkdir()
    with pytest.raises(OSError, match="directory"):
        outbox.pack_all(NOW)
    assert outbox.to_be_packed() == [(STUDY, len(FILES) + 1)]
    assert not list((tmp_path / "outbox").iterdir())
    in_the_way.rmdir()
    assert outbox.pack_all(NOW) == 1
    assert outbox.to_be_packed() == []


def test_room_is_kept_for_packing(tmp_path: Path) -> None:
    door = receiving(tmp_path, reserve=shutil.disk_usage(tmp_path).free - 2**30)
    assert door.has_room()
    (tmp_path / "receiving" / STUDY).mkdir()
    with (tmp_path / "receiving" / STUDY / "large.dcm").open("wb") as large:
        large.truncate(2**40)  # takes up no room itself
    door.count_again()
    assert not door.has_room()


def test_what_came_before_a_kill_is_packed_after_it(tmp_path: Path) -> None:
    clock = Clock()
    door = receiving(tmp_path, clock)
    assert take(door, FILES[0]) == Answer()
    never_whole = GrowingFile(tmp_path / "parts")
    never_whole.write(b"half")
    never_whole.end()
    after = receiving(tmp_path, clock)
    assert not list((tmp_path / "parts").iterdir())
    clock.now = 31
    outbox = Outbox(tmp_path)
    after.take_out(30, outbox.place_for)
    assert Outbox(tmp_path).pack_all(NOW) == 1
    assert [one.instances for one in outbox.packages("waiting")] == [1]


def test_a_study_whose_package_is_there_is_not_packed_twice(tmp_path: Path) -> None:
    door, outbox = receiving(tmp_path), Outbox(tmp_path)
    assert take(door, FILES[0]) == Answer()
    [folder] = door.take_out(0, outbox.place_for)
    name = next(folder.iterdir()).name
    outbox.pack_all(NOW)
    folder.mkdir()  # as if the process had died between the package and the end of the folder
    (folder / name).write_bytes(FILES[0])
    outbox.pack_all(NOW)
    assert len(outbox.packages("waiting")) == 1
    assert not folder.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (None, codes.UNREADABLE),
        ("", codes.NO_IDENTITY),
        ("../../x", codes.NO_IDENTITY),
        ("..", codes.NO_IDENTITY),
    ],
)
def test_what_is_no_object_of_a_study_is_refused(tmp_path: Path, change: str | None, code: int) -> None:
    content = b"no DICOM"
    if change is not None:
        dataset, made = pydicom.dcmread(io.BytesIO(FILES[0])), io.BytesIO()
        dataset[0x0020000D]._value = change
        dataset.save_as(made)
        content = made.getvalue()
    assert take(receiving(tmp_path), content).status == code
    assert not list((tmp_path / "parts").iterdir())
    assert not list((tmp_path / "receiving").iterdir())


@pytest.mark.parametrize("other", [{"sop_class": "1.2.840.10008.5.1.4.1.1.2"}, {"instance": "2.25.1"}])
def test_what_is_not_what_its_request_says_is_refused(tmp_path: Path, other: dict[str, str]) -> None:
    assert take(receiving(tmp_path), FILES[0], **other).status == codes.NO_MATCH
    assert not list((tmp_path / "parts").iterdir())
    assert not list((tmp_path / "receiving").iterdir())


def test_without_room_nothing_is_taken(tmp_path: Path) -> None:
    door = receiving(tmp_path, reserve=2**60)
    assert not door.has_room()
    assert take(door, FILES[0]).status == codes.OUT_OF_RESOURCES
    assert not list((tmp_path / "parts").iterdir())


def test_nothing_is_committed_to(tmp_path: Path) -> None:
    door = receiving(tmp_path)
    request = Commitment(sender=SENDER, transaction_uid="1.2", references=(("1", "2"),))
    assert door.commit(request) == codes.PROCESSING_FAILURE
    assert door.verify(request).failed == ((("1", "2"), codes.PROCESSING_FAILURE),)


def test_what_was_refused_is_tried_again_when_a_person_says_so(tmp_path: Path) -> None:
    door, outbox = receiving(tmp_path), Outbox(tmp_path)
    assert take(door, FILES[0]) == Answer()
    door.take_out(0, outbox.place_for)
    outbox.pack_all(NOW)
    [package] = outbox.packages("waiting")
    before = hashlib.sha256(outbox.path_of(package).read_bytes()).digest()
    outbox.fail(package)
    assert (outbox.packages("waiting"), outbox.packages("failed")) == ([], [package])
    with pytest.raises(NotFoundError, match="no such package"):
        outbox.retry(("1.2.3",))
    assert outbox.retry((STUDY,)) == [package]
    assert (outbox.packages("waiting"), outbox.packages("failed")) == ([package], [])
    assert hashlib.sha256(outbox.path_of(package).read_bytes()).digest() == before
    outbox.remove(package)
    assert not list((tmp_path / "outbox").iterdir())


WITHOUT_LIBRARY = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("pynetdicom", "pydicom"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from heltig.cli import main
main()
"""


def test_what_waits_is_listed_without_the_library_of_the_listener(tmp_path: Path) -> None:
    assert take(receiving(tmp_path / "relay"), FILES[0]) == Answer()
    listed = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBRARY, "listen", "--list"],
        env={**os.environ, "HELTIG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (listed.returncode, listed.stdout) == (0, f"coming   {STUDY}  1 objects\n"), listed.stderr
