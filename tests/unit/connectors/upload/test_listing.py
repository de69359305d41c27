import os
import pickle
import shutil
from pathlib import Path

import pytest
from unit.connectors.upload.conftest import Judge
from unit.connectors.upload.made import dicom, judged, zipped

from connectors.upload import Limits, list_inputs, read_members, shown


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    for name in ("b/2.dcm", "b/10.dcm", "a.dcm", "B/1.dcm"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(dicom(name))
    return folder


def test_a_folder_is_listed_by_name(study: Path, judge: Judge) -> None:
    assert judge(study).read == ["B/1.dcm", "a.dcm", "b/10.dcm", "b/2.dcm"]


def test_the_order_does_not_depend_on_the_file_system(
    study: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> list[str]:
        return [ref.origin for listing in list_inputs([study], scratch=scratch) for ref in listing.refs]

    expected = listed()
    scandir = os.scandir

    class Reversed:
        def __init__(self, path: str) -> None:
            with scandir(path) as found:
                self.entries = list(found)[::-1]

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Reversed)
    assert listed() == expected


def test_a_file_by_itself_has_its_own_name(study: Path, judge: Judge) -> None:
    assert judge(study / "b/2.dcm").read == ["2.dcm"]


def test_a_zip_is_known_by_its_content_when_it_is_the_input(judge: Judge) -> None:
    package = zipped([("1.dcm", dicom())])
    assert judge(package, name="renamed.dcm").read == ["renamed.dcm!1.dcm"]
    assert judge(package, name="upload").read == ["upload!1.dcm"]


def test_in_a_folder_a_zip_is_opened_when_it_is_named_so(study: Path, judge: Judge) -> None:
    package = zipped([("1.dcm", dicom())])
    (study / "b/more.ZIP").write_bytes(package)
    (study / "renamed.dcm").write_bytes(package)
    (study / "image.zip").write_bytes(dicom())
    result = judge(study)
    assert "b/more.ZIP!1.dcm" in result.read
    assert "image.zip" in result.read
    assert result.skipped == {"renamed.dcm": "not-dicom"}
    assert result.report.skipped[0].detail == "it is a ZIP; name it .zip, or give it by itself"


def test_zips_inside_zips_are_opened_to_a_limit(judge: Judge, scratch: Path) -> None:
    package = zipped([("0.dcm", dicom("0"))])
    for level in (1, 2, 3):
        package = zipped([(f"{level}.dcm", dicom(str(level))), ("in/inner.zip", package)])
    result = judge(package)
    assert result.read == [
        "study.zip!3.dcm",
        "study.zip!in/inner.zip!2.dcm",
        "study.zip!in/inner.zip!in/inner.zip!1.dcm",
    ]
    assert result.skipped == {"study.zip!in/inner.zip!in/inner.zip!in/inner.zip": "nesting"}
    assert result.odd == [
        ("study.zip!in/inner.zip", "inner-package"),
        ("study.zip!in/inner.zip!in/inner.zip", "inner-package"),
    ]
    assert len(list(scratch.iterdir())) == 2
    assert judge(package, limits=Limits(nesting=0)).skipped == {"study.zip!in/inner.zip": "nesting"}


def test_an_inner_zip_that_is_damaged_leaves_nothing_behind(judge: Judge, scratch: Path) -> None:
    inner = zipped([("1.dcm", dicom())])
    result = judge(zipped([("cut.zip", inner[:-30]), ("2.dcm", dicom()), ("not.zip", dicom())]))
    assert result.skipped == {"study.zip!cut.zip": "damaged-package"}
    assert result.read == ["study.zip!2.dcm", "study.zip!not.zip"]
    stored = zipped([("in.zip", inner)], method=0)
    spoilt = stored.replace(inner, inner[:40] + b"\0\0\0\0" + inner[44:])
    shutil.rmtree(scratch)
    scratch.mkdir()
    assert judge(spoilt).skipped == {"study.zip!in.zip": "checksum"}
    assert not list(scratch.iterdir())


def test_no_input_is_listed_twice(study: Path, scratch: Path) -> None:
    first, second, third, fourth = judged(study, study, study / "a.dcm", study / "b", scratch=scratch)
    assert first.report.instances == 4
    assert second.skipped == {"study": "already-read"}
    assert third.skipped == {"a.dcm": "already-read"}
    assert fourth.skipped == {"b": "already-read"}


def test_what_was_given_by_itself_is_left_out_of_its_folder(study: Path, scratch: Path) -> None:
    first, second = judged(study / "b/2.dcm", study, scratch=scratch)
    assert first.read == ["2.dcm"]
    assert second.skipped == {"b/2.dcm": "already-read"}


def test_links_are_followed_within_the_folder_and_loops_end(
    study: Path, tmp_path: Path, judge: Judge
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/9.dcm").write_bytes(dicom("9"))
    (study / "c").symlink_to(tmp_path / "elsewhere")
    (study / "d.dcm").symlink_to(study / "a.dcm")
    (study / "e").symlink_to(study)
    (study / "f.dcm").symlink_to(tmp_path / "nowhere")
    (study / "g").symlink_to(study / "g")
    result = judge(study)
    assert result.read == ["B/1.dcm", "a.dcm", "b/10.dcm", "b/2.dcm"]
    assert result.skipped == {
        "c": "outside-link",
        "d.dcm": "already-read",
        "e": "already-read",
        "f.dcm": "inaccessible",
        "g": "inaccessible",
    }


def test_pipes_and_missing_inputs_are_named(study: Path, tmp_path: Path, judge: Judge) -> None:
    os.mkfifo(study / "pipe")
    assert judge(study).skipped == {"pipe": "special-file"}
    assert judge(study / "pipe").skipped == {"pipe": "special-file"}
    missing = judge(tmp_path / "gone.dcm")
    assert missing.skipped == {"gone.dcm": "inaccessible"}
    assert missing.report.skipped[0].detail == "no such file or directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(study: Path, judge: Judge) -> None:
    (study / "a.dcm").chmod(0)
    (study / "b").chmod(0)
    try:
        assert judge(study).skipped == {"a.dcm": "inaccessible", "b": "inaccessible"}
    finally:
        (study / "b").chmod(0o700)


def test_a_file_that_vanishes_before_it_is_read_is_named(study: Path, scratch: Path) -> None:
    package = study / "p.zip"
    package.write_bytes(zipped([("1.dcm", dicom()), ("2.dcm", dicom())]))
    (listing,) = list_inputs([study], scratch=scratch)
    (study / "a.dcm").unlink()
    package.unlink()
    skipped = [o for o in read_members(listing.refs) if not hasattr(o, "tags")]
    assert [(o.origin, o.kind) for o in skipped] == [
        ("a.dcm", "inaccessible"),
        ("p.zip!1.dcm", "inaccessible"),
        ("p.zip!2.dcm", "inaccessible"),
    ]


def test_empty_files_and_system_files_are_named(study: Path, judge: Judge) -> None:
    (study / "empty.dcm").touch()
    (study / ".DS_Store").write_bytes(b"x")
    assert judge(study).skipped == {".DS_Store": "system-file", "empty.dcm": "empty"}


def test_names_that_are_not_text_are_shown_escaped(tmp_path: Path, judge: Judge) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    try:
        (folder / os.fsdecode(b"gr\xf6\xdfe\x1b.dcm")).write_bytes(dicom())
    except OSError:
        pytest.skip("this file system keeps only UTF-8 names")
    assert judge(folder).read == [r"gr\xf6\xdfe\x1b.dcm"]


def test_what_is_shown_is_always_printable() -> None:
    assert shown("größe 1.dcm") == "größe 1.dcm"
    assert shown("\u202e\U000e0001\udcff\x85") == r"\u202e\U000e0001\xff\x85"


def test_folders_may_be_deeper_than_the_stack(tmp_path: Path, judge: Judge) -> None:
    deep = [tmp_path / "deep"]
    for _ in range(1200):
        deep.append(deep[-1] / "d")
    for folder in deep:
        folder.mkdir()
    (deep[-1] / "1.dcm").write_bytes(dicom())
    result = judge(deep[0])
    (deep[-1] / "1.dcm").unlink()
    for folder in reversed(deep):  # what clears up after tests is recursive
        folder.rmdir()
    assert result.report.instances == 1


def test_members_can_be_read_in_another_process(study: Path, scratch: Path) -> None:
    (study / "p.zip").write_bytes(zipped([("1.dcm", dicom())]))
    (listing,) = list_inputs([study], scratch=scratch)
    sent = pickle.loads(pickle.dumps(listing.refs))  # noqa: S301 - our own bytes
    assert list(read_members(sent)) == list(read_members(listing.refs))
