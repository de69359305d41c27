import io
import stat
import struct
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from unit.connectors.upload.conftest import Judge
from unit.connectors.upload.made import CENTRAL, END, LOCAL, dicom, spoilt, zipped

from connectors.upload import KINDS, UNSAFE, Limits, unsafe

GOOD = ("series/IM1.dcm", dicom("1.1"))
BLANK = bytes(128) + b"DICM" + bytes(17 * 1024 * 1024)


def member(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def unnamed(name: bytes) -> bytes:
    """A ZIP with a second member of this name, as long as the one it takes the place of."""
    place = "x" * len(name)
    return zipped([GOOD, (place, dicom("1.2"))]).replace(place.encode(), name)


def encrypted() -> bytes:
    package = zipped([GOOD, ("2.dcm", dicom("1.2"))])
    return spoilt(spoilt(package, LOCAL, 6, "<H", 1, nth=1), CENTRAL, 8, "<H", 1, nth=1)


def method(number: int) -> bytes:
    package = zipped([GOOD, ("2.dcm", dicom("1.2"))])
    return spoilt(spoilt(package, LOCAL, 8, "<H", number, nth=1), CENTRAL, 10, "<H", number, nth=1)


def overlapping() -> bytes:
    """The second member's packed size reaches into the third."""
    package = zipped([GOOD, ("2.dcm", dicom("1.2")), ("3.dcm", dicom("1.3"))])
    return spoilt(package, CENTRAL, 20, "<L", 5000, nth=1)


UNSAFE_PACKAGES = {
    "up": ("traversal", unnamed(b"../../evil.dcm")),
    "up by backslash": ("traversal", unnamed(rb"..\..\evil.dcm")),
    "up in the middle": ("traversal", unnamed(b"a/../../evil.dcm")),
    "up as a folder": ("traversal", zipped([GOOD, ("../evil/", b"")])),
    "root": ("absolute-path", zipped([GOOD, ("/etc/evil.dcm", dicom())])),
    "share": ("absolute-path", unnamed(rb"\\host\share\evil.dcm")),
    "drive": ("absolute-path", zipped([GOOD, ("C:/evil.dcm", dicom())])),
    "link": ("special-member", zipped([GOOD, (member("l.dcm", stat.S_IFLNK | 0o777), b"/etc/passwd")])),
    "pipe": ("special-member", zipped([GOOD, (member("p.dcm", stat.S_IFIFO | 0o644), dicom())])),
    "encrypted": ("encrypted", encrypted()),
    "bomb": ("bomb", zipped([GOOD, ("BIG.dcm", BLANK)])),
    "overlap": ("overlap", overlapping()),
    "stored, two sizes": (
        "header-mismatch",
        spoilt(zipped([GOOD, ("2.dcm", dicom())], method=zipfile.ZIP_STORED), CENTRAL, 24, "<L", 9, nth=1),
    ),
}


@pytest.mark.parametrize(("kind", "package"), UNSAFE_PACKAGES.values(), ids=UNSAFE_PACKAGES)
def test_an_unsafe_member_is_named_and_the_others_are_read(judge: Judge, kind: str, package: bytes) -> None:
    result = judge(package)
    assert list(result.skipped.values()) == [kind]
    assert kind in UNSAFE
    assert {m.kind for m in unsafe(result.listing)} == {kind}
    assert result.report.members == result.report.instances + 1
    if kind != "overlap":
        assert "study.zip!series/IM1.dcm" in result.read


@pytest.mark.parametrize(("kind", "package"), UNSAFE_PACKAGES.values(), ids=UNSAFE_PACKAGES)
def test_nothing_is_written_for_an_unsafe_package(
    judge: Judge, tmp_path: Path, kind: str, package: bytes
) -> None:
    judge(package, deep=True)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["scratch", "study.zip"]


def test_two_entries_of_the_same_bytes_are_both_named(judge: Judge) -> None:
    package = spoilt(zipped([GOOD, ("2.dcm", dicom())]), CENTRAL, 42, "<L", 0, nth=1)
    assert judge(package).skipped == {
        "study.zip!series/IM1.dcm": "overlap",
        "study.zip!2.dcm": "header-mismatch",
    }


def test_a_method_that_is_not_read_is_not_unsafe(judge: Judge) -> None:
    result = judge(method(99))
    assert result.skipped == {"study.zip!2.dcm": "compression"}
    assert "99" in result.report.skipped[0].detail
    assert not unsafe(result.listing)


def test_blank_images_below_the_floor_are_no_bomb(judge: Judge) -> None:
    assert judge(zipped([("a.dcm", dicom(pixels=bytes(1024 * 1024)))])).skipped == {}


@pytest.mark.parametrize(
    ("limits", "skipped"),
    [
        (Limits(member_bytes=1000), {"study.zip!b.dcm": "too-large"}),
        (Limits(total_bytes=2000), {"study.zip!b.dcm": "too-large"}),
        (Limits(ratio=2, ratio_floor=1000), {"study.zip!b.dcm": "bomb"}),
        (Limits(members=1), {"study.zip": "too-many"}),
    ],
    ids=["member", "total", "ratio", "members"],
)
def test_limits(judge: Judge, limits: Limits, skipped: dict[str, str]) -> None:
    package = zipped([("a.dcm", dicom()), ("b.dcm", dicom(pixels=bytes(2000)))])
    assert judge(package, limits=limits).skipped == skipped
    assert set(skipped.values()) <= UNSAFE


def test_members_of_inner_zips_count_towards_the_limits(judge: Judge) -> None:
    package = zipped([("a.zip", zipped([GOOD])), ("b.zip", zipped([GOOD]))])
    assert judge(package, limits=Limits(members=3)).skipped == {"study.zip!b.zip": "too-many"}


def test_inner_zips_have_a_limit_of_their_own(judge: Judge, scratch: Path) -> None:
    inner = zipped([GOOD])
    package = zipped([("a.zip", inner), ("b.zip", inner), ("c.dcm", dicom())])
    result = judge(package, limits=Limits(inner_bytes=len(inner)))
    assert result.skipped == {"study.zip!b.zip": "too-large"}
    assert len(list(scratch.iterdir())) == 1


def test_names_that_collide_are_evidence_and_both_members_are_read(judge: Judge) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        package = zipped([("a/1.dcm", dicom("1")), ("a/1.dcm", dicom("2")), ("A/1.DCM", dicom("3"))])
    result = judge(package)
    assert result.read == ["study.zip!a/1.dcm", "study.zip!a/1.dcm#2", "study.zip!A/1.DCM"]
    assert result.odd == [
        ("study.zip!A/1.DCM", "case-collision"),
        ("study.zip!a/1.dcm#2", "duplicate-name"),
    ]


def test_names_that_differ_by_composition_collide(judge: Judge) -> None:
    result = judge(zipped([("M\u00fcller.dcm", dicom("1")), ("Mu\u0308ller.dcm", dicom("2"))]))
    assert [kind for _, kind in result.odd] == ["case-collision"]


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        (b"a\nb\x1b[31m.dcm", r"a\x0ab\x1b[31m.dcm"),
        ("a\u202excd.dcm".encode(), r"a\u202excd.dcm"),
        (b"series/CON.dcm", "series/CON.dcm"),
        (b"aux", "aux"),
    ],
    ids=["control", "direction", "device", "bare device"],
)
def test_bad_names_are_evidence_and_never_printed_raw(judge: Judge, name: bytes, origin: str) -> None:
    result = judge(unnamed(name))
    assert result.odd == [(f"study.zip!{origin}", "bad-name")]
    assert all(fact.detail.isprintable() and fact.origin.isprintable() for fact in result.facts)


def test_names_are_utf8_whether_they_say_so_or_not_else_cp437(judge: Judge) -> None:
    assert judge(unnamed("größe.dcm".encode())).read[1] == "study.zip!größe.dcm"
    assert judge(unnamed("größe.dcm".encode("cp437"))).read[1] == "study.zip!größe.dcm"
    package = unnamed("größe.dcm".encode("latin-1"))
    for magic, flags in ((LOCAL, 6), (CENTRAL, 8)):
        package = spoilt(package, magic, flags, "<H", 0x0800, nth=1)
    result = judge(package)
    assert result.odd == [(r"study.zip!gr\xf6\xdfe.dcm", "bad-name")]


def test_an_empty_name_is_odd(judge: Judge) -> None:
    package = zipped([("x", dicom())])
    # A name of no bytes: what was the name becomes the member's extra field, too short to be one.
    for magic, length in ((LOCAL, 26), (CENTRAL, 28)):
        package = spoilt(spoilt(package, magic, length, "<H", 0), magic, length + 2, "<H", 1)
    result = judge(package)
    assert result.read == ["study.zip!"]
    assert result.odd == [("study.zip!", "bad-name")]


def test_members_of_no_bytes_and_system_files_are_set_aside(judge: Judge) -> None:
    litter = [
        "__MACOSX/._IM1.dcm",
        "__MACOSX/x.dcm",
        "a/.DS_Store",
        "a/Thumbs.db",
        r"a\desktop.ini",
        "._b.dcm",
    ]
    result = judge(zipped([GOOD, ("empty.dcm", b""), ("folder/", b""), *((n, b"x") for n in litter)]))
    assert result.skipped == {
        "study.zip!empty.dcm": "empty-member",
        **{f"study.zip!{name}": "system-file" for name in litter},
    }
    assert result.report.members == 8


def test_a_zip_without_members_is_named(judge: Judge) -> None:
    for empty in (zipped([]), zipped([("folder/", b"")])):
        (member,) = judge(empty).report.skipped
        assert (member.origin, member.kind) == ("study.zip", "empty-package")
        assert "holds no files; pack" in member.detail


PROGRAM = b"MZ" + bytes(4000)


def test_a_zip_behind_a_program_is_told_as_one(judge: Judge) -> None:
    made = io.BytesIO(PROGRAM)
    with zipfile.ZipFile(made, "a") as adjusted:  # its offsets are from the start of the program
        adjusted.writestr(*GOOD)
    for package in (PROGRAM + zipped([GOOD]), made.getvalue()):
        for name in ("study.zip", "study.exe"):
            (member,) = judge(package, name=name).report.skipped
            assert member.kind == "damaged-package"
            assert "in front of the ZIP, as in a self-extracting program; make a plain ZIP" in member.detail
    (program,) = judge(PROGRAM, name="viewer.exe").report.skipped
    assert (program.kind, program.detail) == ("not-dicom", "it is a Windows program")


def test_a_dicom_file_that_ends_like_a_zip_is_none(judge: Judge) -> None:
    assert judge(dicom(pixels=zipped([GOOD])), name="1.dcm").report.instances == 1


def test_many_entries_are_listed_one_by_one(judge: Judge) -> None:
    result = judge(zipped([GOOD, *((f"many/{n:05}.dcm", b"") for n in range(2000))]))
    assert (result.report.members, result.report.instances) == (2001, 1)


def test_every_kind_is_explained() -> None:
    assert all(k.meaning and k.remedy.endswith(".") for k in KINDS.values())
    assert {KINDS[kind].about for kind in UNSAFE} == {"package"}


def test_packed_sizes_are_bytes_between_headers(judge: Judge) -> None:
    """What overlapping means is right for ZIPs that do not: they are read whole."""
    package = zipped([(f"{n}.dcm", dicom(str(n))) for n in range(5)])
    places = [n for n in range(len(package)) if package.startswith(LOCAL, n)]
    packed = [struct.unpack_from("<L", package, place + 18)[0] for place in places]
    end = package.index(CENTRAL)
    assert [b - a - 30 - 5 for a, b in pairwise([*places, end])] == packed
    assert judge(package).skipped == {}
    assert END in package
