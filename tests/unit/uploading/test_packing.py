"""Files and folders as one ZIP."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.errors import UnreadableInputError
from heltig.uploading.packing import is_one_zip, measured, pack


def packed(*paths: Path) -> bytes:
    made = io.BytesIO()
    pack(paths, made)
    return made.getvalue()


def names(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def folder(place: Path, **files: bytes) -> Path:
    for name, content in files.items():
        file = place / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return place


def test_it_is_the_same_whenever_it_is_packed(tmp_path: Path) -> None:
    files = {"b__2": b"two", "a__1": b"one", "DICOMDIR": b"x"}
    one = folder(tmp_path / "1" / "cd", **files)
    other = folder(tmp_path / "2" / "cd", **dict(reversed(files.items())))
    os.utime(other / "DICOMDIR", (0, 0))
    (other / "DICOMDIR").chmod(0o444)
    assert packed(one) == packed(other)
    assert names(packed(one)) == ["cd/DICOMDIR", "cd/a/1", "cd/b/2"]
    with zipfile.ZipFile(io.BytesIO(packed(one))) as package:
        assert {member.compress_type for member in package.infolist()} == {zipfile.ZIP_STORED}
        assert package.read("cd/a/1") == b"one"
    (other / "a" / "1").write_bytes(b"One")
    assert packed(one) != packed(other)


def test_two_folders_of_one_name_stay_apart(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "1" / "cd", x=b"1"), folder(tmp_path / "2" / "cd", x=b"2")
    assert names(packed(one, two)) == ["1/cd/x", "2/cd/x"]


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_links_and_system_files_are_left_out(tmp_path: Path) -> None:
    secret = folder(tmp_path / "secret", key=b"secret")
    study = folder(tmp_path / "study", **{"x": b"1", ".DS_Store": b"2", "Thumbs.db": b"3"})
    (study / "file").symlink_to(secret / "key")
    (study / "folder").symlink_to(secret)
    assert names(packed(study)) == ["study/x"]


@pytest.mark.skipif(os.name != "posix", reason="names of bytes")
def test_names_that_no_zip_may_have_are_written_otherwise(tmp_path: Path) -> None:
    study = folder(tmp_path / "study", **{"..\\..\\x": b"1"})
    (study / os.fsdecode(b"M\xfcller")).write_bytes(b"2")
    assert names(packed(study)) == ["study/.._.._x", "study/M_xfcller"]


def test_nothing_to_pack(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableInputError, match="no file"):
        packed(tmp_path / "empty")


def test_only_a_zip_alone_is_sent_as_it_is(tmp_path: Path) -> None:
    package = tmp_path / "a.bin"
    package.write_bytes(packed(folder(tmp_path / "study", x=b"1")))
    assert is_one_zip([package])
    assert not is_one_zip([package, package])
    assert not is_one_zip([tmp_path])
    assert measured(package).size == package.stat().st_size


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_what_is_packed_comes_out_again(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    study = folder(tmp_path_factory.mktemp("s") / "study", **{f"f{n}": one for n, one in enumerate(contents)})
    with zipfile.ZipFile(io.BytesIO(packed(study))) as package:
        assert [package.read(name) for name in package.namelist()] == contents
