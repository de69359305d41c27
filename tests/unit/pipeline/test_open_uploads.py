"""Open uploads on disk: what a kill at any step leaves."""

import os
from pathlib import Path

import pytest

from heltig.errors import BusyError, ConflictError, StorageError
from heltig.pipeline.upload.open_uploads import KEPT, Announced, End, OpenUploads, Writer, id_of
from heltig.setting_types import Size
from heltig.settings import Settings

SAID = Announced(owner="local", length=10, digest="0" * 64, target="")
ID = id_of(SAID)


@pytest.fixture
def made(tmp_path: Path) -> OpenUploads:
    uploads = OpenUploads(tmp_path)
    uploads.begin(ID, SAID, limits=Settings())
    return uploads


def files(uploads: OpenUploads) -> list[Path]:
    return [path for path in uploads.folder("x").parent.parent.rglob("*") if path.is_file()]


def age(path: Path) -> None:
    long_ago = path.stat().st_mtime - KEPT.total_seconds()
    os.utime(path, (long_ago, long_ago))


def offset(uploads: OpenUploads) -> int:
    found = uploads.find(ID)
    assert found
    return found.offset


def test_what_was_not_synced_was_never_there(made: OpenUploads) -> None:
    killed = Writer(made.folder(ID))
    killed.write(b"abc")
    killed.sync()
    killed.write(b"XYZ")
    killed.close()  # a kill syncs nothing
    assert offset(made) == 3
    again = Writer(made.folder(ID))
    again.write(b"d")
    again.sync()
    again.close()
    assert (made.folder(ID) / "bytes").read_bytes() == b"abcd"
    assert offset(made) == 4


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_one_writes_at_a_time(made: OpenUploads) -> None:
    first = Writer(made.folder(ID))
    with pytest.raises(ConflictError):
        Writer(made.folder(ID))
    first.close()
    Writer(made.folder(ID)).close()


def test_what_is_gone_meanwhile_is_an_error_of_the_spool(made: OpenUploads) -> None:
    writer = Writer(made.folder(ID))
    made.remove(ID)
    with pytest.raises(StorageError):
        writer.sync()
    writer.close()
    with pytest.raises(StorageError):
        Writer(made.folder(ID))


def test_begun_twice_at_the_same_moment_is_one(made: OpenUploads) -> None:
    writer = Writer(made.folder(ID))
    writer.write(b"abc")
    writer.sync()
    writer.close()
    made.begin(ID, SAID, limits=Settings())
    assert offset(made) == 3
    assert len(files(made)) == 3


def test_an_end_is_known_for_a_day(made: OpenUploads) -> None:
    made.end(ID, End(announced=SAID, upload="u1"))
    found = made.find(ID)
    assert found
    assert found.end
    assert (found.end.upload, found.offset) == ("u1", 10)
    (file,) = files(made)
    made.sweep()
    age(file)
    assert made.find(ID) is None
    made.sweep()
    assert files(made) == []


def test_a_kill_between_end_and_letting_go_leaves_nothing(made: OpenUploads, tmp_path: Path) -> None:
    other = OpenUploads(tmp_path / "other")
    other.end(ID, End(announced=SAID, upload="u1"))
    (tmp_path / "other" / "ended" / ID).replace(tmp_path / "ended" / ID)
    found = made.find(ID)
    assert found
    assert found.end
    made.sweep()
    assert not made.folder(ID).exists()
    assert made.find(ID) == found


def test_what_was_half_made_goes_after_a_day(made: OpenUploads) -> None:
    left = made.folder("0" * 32).with_suffix(".part")
    left.mkdir()
    (left / "about").write_bytes(b"")
    made.sweep()
    assert left.exists()
    age(left)
    made.sweep()
    assert not left.exists()
    assert made.find(ID)


def test_what_is_done_does_not_count(made: OpenUploads) -> None:
    limits = Settings(upload_open_most=1, upload_open_size=Size(1))
    other = Announced(owner="other", length=1, digest="", target="")
    with pytest.raises(BusyError, match="1 open uploads of 10 B"):
        made.begin(id_of(other), other, limits=limits)
    made.end(ID, End(announced=SAID, upload="u1"))
    made.begin(id_of(other), other, limits=limits)


def test_more_than_the_disk_has_room_for_is_not_begun(made: OpenUploads) -> None:
    large = Announced(owner="local", length=2**53, digest="", target="")
    with pytest.raises(StorageError, match="no room"):
        made.begin(
            id_of(large),
            large,
            limits=Settings(upload_open_size_each=Size(2**60), upload_open_size=Size(2**60)),
        )
    assert len(files(made)) == 3


def test_ids_are_of_all_that_was_announced() -> None:
    said = [
        SAID,
        Announced(owner="other", length=10, digest=SAID.digest, target=""),
        Announced(owner="local", length=11, digest=SAID.digest, target=""),
        Announced(owner="local", length=10, digest="1" * 64, target=""),
        Announced(owner="local", length=10, digest=SAID.digest, target="vna"),
    ]
    assert len({id_of(one) for one in said}) == len(said)
    unknown = Announced(owner="local", length=10, digest="", target="")
    assert id_of(unknown) != id_of(unknown)
