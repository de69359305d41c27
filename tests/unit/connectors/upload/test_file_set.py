"""What a DICOMDIR lists is held against what lies beside it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.connectors.upload.conftest import Judge
from unit.connectors.upload.made import dicom, dicomdir, zipped

from connectors.upload.file_set import read_file_set
from heltig.dicom.part10 import BytesSource, read_header

IMAGES = {f"IMAGES/IM{n}": dicom(f"1.{n}") for n in range(3)}
ALL = tuple(IMAGES)


def said(judge: Judge, members: Mapping[str, bytes]) -> dict[str, str]:
    """What is said of DICOMDIRs, by the file that it is said of."""
    facts = judge(zipped(members.items())).facts
    return {
        fact.origin.removeprefix("study.zip!"): fact.kind.removeprefix("dicomdir-")
        for fact in facts
        if fact.kind.startswith("dicomdir-")
    }


@pytest.mark.parametrize(
    ("index", "files"),
    [
        (ALL, ALL),
        (ALL, [name.lower() for name in ALL]),
        ([name.lower() for name in ALL], ALL),
        (ALL, [f"{name}.;1" for name in ALL]),
        (ALL, [name.replace("/", "\\") for name in ALL]),
        (["", *ALL, "", ALL[0]], ALL),
    ],
    ids=[
        "as it is",
        "lower case there",
        "lower case listed",
        "as ISO 9660 names them",
        "of Windows",
        "others",
    ],
)
def test_files_that_are_listed_and_there(judge: Judge, index: Iterable[str], files: Iterable[str]) -> None:
    assert said(judge, {"DICOMDIR": dicomdir(*index)} | dict(zip(files, IMAGES.values(), strict=True))) == {}


def test_what_is_missing_and_what_is_not_listed(judge: Judge) -> None:
    index = dicomdir("IMAGES/IM0", "IMAGES/IM8", inactive=["IMAGES/IM1", "IMAGES/IM9"])
    assert said(judge, {"DICOMDIR": index} | IMAGES) == {
        "IMAGES/IM8": "missing",
        "IMAGES/IM1": "unlisted",
        "IMAGES/IM2": "unlisted",
    }


def test_a_file_that_cannot_be_read_is_there_all_the_same(judge: Judge) -> None:
    members = {"DICOMDIR": dicomdir("A", "B"), "A": b"", "B": b"not DICOM", "viewer/README": b"?"}
    assert said(judge, members) == {}


def test_what_lies_outside_of_its_place_is_not_its_matter(judge: Judge) -> None:
    disc = {f"disc/{name}": content for name, content in IMAGES.items()}
    assert said(judge, {"disc/DICOMDIR": dicomdir(*ALL), "other.dcm": dicom("2.1")} | disc) == {}
    assert said(judge, {"disc/DICOMDIR": dicomdir(*ALL), "more.zip": zipped(IMAGES.items())} | disc) == {}
    assert said(judge, {"DICOMDIR": dicomdir(), "more.zip": zipped(IMAGES.items())}) == {}


def test_an_instance_below_several_is_listed_by_one(judge: Judge) -> None:
    inner = {"a/DICOMDIR": dicomdir("1"), "a/1": dicom("1.1"), "a/2": dicom("1.2")}
    assert said(judge, {"DICOMDIR": dicomdir("b/1"), "b/1": dicom("2.1")} | inner) == {"a/2": "unlisted"}


def test_one_that_cannot_be_read_whole(judge: Judge) -> None:
    whole = dicomdir(*ALL)
    for damaged in (whole[:-20], dicomdir(records=b"\xff" * 40), whole[: whole.index(b"\x04\x00\x20\x12")]):
        assert said(judge, {"DICOMDIR": damaged} | IMAGES) == {"DICOMDIR": "damaged"}


def test_a_directory_of_another_name_is_left_alone(judge: Judge) -> None:
    """Philips scanners keep a DIRFILE in each folder, with names that are relative to a folder further up."""
    assert said(judge, {"IMAGES/DIRFILE": dicomdir("PATIENT/IMAGES/IM9")} | IMAGES) == {}
    assert said(judge, {"dicomdir.;1": dicomdir(*ALL[1:])} | IMAGES) == {ALL[0]: "unlisted"}


def test_a_dicomdir_by_itself_is_held_against_nothing(judge: Judge, tmp_path: Path) -> None:
    assert [fact.kind for fact in judge(dicomdir("A/B"), name="DICOMDIR").facts] == ["dicomdir"]
    folder = tmp_path / "disc"
    folder.mkdir()
    (folder / "DICOMDIR").write_bytes(dicomdir("A/B"))
    assert [fact.origin for fact in judge(folder).facts if fact.kind == "dicomdir-missing"] == ["A/B"]


def test_names_lead_nowhere_and_are_shown_safely(judge: Judge) -> None:
    index = dicomdir("1.dcm", "../../etc/passwd", "/etc/passwd", "A\x1b[31m/B", "X" * 60_000)
    missing = sorted(said(judge, {"DICOMDIR": index, "1.dcm": dicom()}))
    assert [name[:16] for name in missing] == ["../../etc/passwd", "A\\x1b[31m/B", "X" * 16, "etc/passwd"]
    assert all(name.isprintable() and len(name) < 250 for name in missing)


@given(st.binary(max_size=200), st.booleans())
def test_hostile_records_never_raise(noise: bytes, is_after: bool) -> None:
    sound = dicomdir("A/B", "C")
    start = sound.index(b"\xfe\xff\x00\xe0")
    records = sound[start:] + noise if is_after else noise + sound[start:]
    data_set = read_header(BytesSource(dicomdir(records=records)), origin="DICOMDIR")
    file_set = read_file_set(data_set)
    assert file_set.damage or {"A/B", "C"} <= set(file_set.files) or not is_after
