"""What a ZIP holds beside a study's instances is judged with the study."""

import io
import random
import zipfile
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import pytest
from unit.connectors.upload.made import CENTRAL, LOCAL, dicom, dicomdir, spoilt, zipped

from heltig.dicom.snapshot import read_snapshot, read_source, series_evidence, snapshot_id, source_facts
from heltig.dicom.study import StudyTable
from heltig.pipeline.check import check
from heltig.pipeline.reading import read_inputs
from heltig.pipeline.report import CheckReport
from heltig.reports import write_report
from heltig.rules.profile import DEFAULT

Members = Iterable[tuple[str | zipfile.ZipInfo, bytes]]
Write = Callable[..., Path]

FILES: Members = [(f"s/IM{n}.dcm", dicom(f"1.{n}", pixels=bytes([n]) * 512)) for n in range(1, 5)]
OTHER = dicom("2.1").replace(b"1.2.3", b"1.2.9")
"""An instance of another study."""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def run(content: bytes, name: str = "in.zip") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)
        return path

    return run


def judged(*paths: Path, deep: bool = False) -> CheckReport:
    return check(paths, DEFAULT, reference_date=date(2026, 1, 1), deep=deep)


def said(report: CheckReport, study: str = "1.2.3") -> dict[str, tuple[str, ...]]:
    """What the rules about the delivery say of a study: what was observed, by rule."""
    (found,) = (one for one in report.studies if one.key == study)
    told: dict[str, tuple[str, ...]] = {}
    for finding in found.findings:
        if finding.rule.startswith("SRC-"):
            told[finding.rule] = (*told.get(finding.rule, ()), finding.observed)
    return told


def flipped(package: bytes) -> bytes:
    """One byte of the pixels of the second instance is another."""
    place = package.index(b"\2" * 512)
    return package[:place] + b"\3" + package[place + 1 :]


def cut_short(package: bytes, nth: int) -> bytes:
    """The deflated bytes of a member are no deflated bytes."""
    place = -1
    for _ in range(nth + 1):
        place = package.index(LOCAL, place + 1)
    return package[: place + 45] + b"\xff" * 20 + package[place + 65 :]


def test_a_changed_byte_blocks_the_study_that_has_it(write: Write) -> None:
    package = zipped([*FILES, ("other.dcm", OTHER)], method=zipfile.ZIP_STORED)
    path = write(flipped(package))
    report = judged(path, deep=True)
    assert [kind.split(":")[0] for kind in said(report)["SRC-MEMBER-DAMAGED"]] == ["checksum"]
    (study,) = (study for study in report.studies if study.key == "1.2.3")
    (finding,) = (f for f in study.findings if f.rule == "SRC-MEMBER-DAMAGED")
    assert (study.readiness, finding.count, finding.instances) == ("BLOCKED", 1, ("1.2",))
    assert said(report, "1.2.9") == {}


def test_without_a_look_at_checksums_nobody_says_that_they_are_right(write: Write, tmp_path: Path) -> None:
    path = write(flipped(zipped(FILES, method=zipfile.ZIP_STORED)))
    loose = write(dicom("3"), "loose/1.dcm")
    for paths, deep, is_open in (([path], False, True), ([path], True, False), ([loose], True, True)):
        (study,) = judged(*paths, deep=deep).studies
        unseen = {rule.rule: rule.missing for rule in study.not_evaluable}
        assert (unseen.get("SRC-MEMBER-DAMAGED") == ("checksums",)) is is_open
    assert said(judged(path)) == {}


def test_two_members_of_one_name_and_other_content(write: Write) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        package = zipped([("1.dcm", dicom("1.1")), ("1.dcm", dicom("1.2")), ("other.dcm", OTHER)])
    with pytest.warns(UserWarning, match="Duplicate name"):
        same = zipped([("1.dcm", dicom("1.1")), ("1.dcm", dicom("1.1"))])
    report = judged(write(package))
    assert said(report)["SRC-MEMBER-TWICE"] == (
        "duplicate-name: another member has the same name and other content; unpacking keeps one of them",
    )
    assert said(report, "1.2.9") == {}
    assert "SRC-MEMBER-TWICE" not in said(judged(write(same, "same.zip")))


UNREAD: dict[str, tuple[str, bytes]] = {
    "damaged": ("damaged-member", cut_short(zipped(FILES), 3)),
    "encrypted": (
        "encrypted",
        spoilt(spoilt(zipped(FILES), LOCAL, 6, "<H", 1, nth=3), CENTRAL, 8, "<H", 1, nth=3),
    ),
    "of no bytes": ("empty-member", zipped([*FILES, ("s/IM9", b"")])),
    "only a prefix": ("unreadable", zipped([*FILES, ("s/notes.txt", bytes(128) + b"DICM")])),
    "a picture by a DICOM name": ("not-dicom", zipped([*FILES, ("s/IM9.dcm", b"\xff\xd8\xff" * 9)])),
    "a packed file": ("not-dicom", zipped([*FILES, ("s/IM9.dcm.gz", b"\x1f\x8b" * 9)])),
    "a cut ZIP inside": ("damaged-package", zipped([*FILES, ("more.zip", zipped(FILES)[:-9])])),
}


@pytest.mark.parametrize(("kind", "package"), UNREAD.values(), ids=UNREAD)
def test_what_could_not_be_read_needs_review(write: Write, kind: str, package: bytes) -> None:
    report = judged(write(package))
    (observed,) = said(report)["SRC-MEMBER-UNREAD"]
    assert observed.startswith(f"1 member: {kind}: ")
    assert report.studies[0].readiness != "READY"
    assert report.inputs[0].members == report.inputs[0].instances + len(report.inputs[0].skipped)


ORDINARY: Members = [
    ("README", b"hello"),
    ("report.pdf", b"%PDF-1.4"),
    ("viewer/start.exe", b"MZ" + bytes(99)),
    ("Thumbs.db", b"x"),
    (".gitkeep", b""),
    ("empty.txt", b""),
    ("DICOMDIR", dicomdir(*(name for name, _ in FILES))),
]


def test_a_zip_of_several_studies_is_told_a_folder_is_not(write: Write, tmp_path: Path) -> None:
    without = dicom("4.1").replace(b"1.2.3\0", bytes(6))
    one = write(zipped([*FILES, ("lost.dcm", without)]), "f/one.zip")
    inner = write(zipped([*FILES, ("more.zip", zipped([("o.dcm", OTHER)]))]), "f/inner.zip")
    write(OTHER, "f/loose.dcm")
    for path, told in ((one, {}), (inner, {"inner.zip": 1}), (tmp_path / "f", {"inner.zip": 1})):
        (given,) = judged(path).inputs
        found = [finding for finding in given.findings if finding.rule == "STU-MULTI-UID"]
        assert {finding.instances[0]: finding.count for finding in found} == told
        assert all(finding.observed == "instances of 2 studies" for finding in found)


def test_documents_and_viewers_say_nothing_of_a_study(write: Write) -> None:
    report = judged(write(zipped([*FILES, *ORDINARY])))
    assert said(report) == {}
    assert len(report.inputs[0].skipped) == 7


def test_a_folder_of_unrelated_things_is_no_package(write: Write, tmp_path: Path) -> None:
    write(bytes(128) + b"DICM", "in/broken.dcm")
    write(dicom("1.1"), "in/1.dcm")
    write(cut_short(zipped([*FILES, ("o.dcm", OTHER)]), 3), "in/a.zip")
    write(dicom("3").replace(b"1.2.3", b"1.2.8"), "in/loose.dcm")
    report = judged(tmp_path / "in")
    unread = {study.key: "SRC-MEMBER-UNREAD" in said(report, study.key) for study in report.studies}
    assert unread == {"1.2.3": True, "1.2.9": True, "1.2.8": False}


def test_a_study_in_several_zips_has_what_each_of_them_lacks(write: Write) -> None:
    paths = [write(package, f"{n}/in.zip") for n, (_, package) in enumerate(UNREAD.values())]
    (whole, *_) = said(judged(*paths))["SRC-MEMBER-UNREAD"]
    assert whole.startswith("1 member: damaged-member")
    assert len(said(judged(*paths))["SRC-MEMBER-UNREAD"]) == 6
    assert "2 members: not-dicom" in str(said(judged(*paths)))
    apart = judged(write(zipped([("o.dcm", OTHER)]), "o/in.zip"), *paths)
    assert said(apart, "1.2.9") == {}


def test_the_evidence_is_stored_and_does_not_depend_on_names_or_order(write: Write) -> None:
    def snapshot(package: bytes, name: str) -> tuple[str, StudyTable]:
        (study,) = read_inputs([write(package, name)], deep=True).studies
        return snapshot_id(study, series_evidence(study)), study

    lost: Members = [("x.dcm", b"\xff\xd8\xff"), ("y.dcm", b"")]
    members = [*FILES, *lost]
    ids = set()
    for seed in range(3):
        random.Random(seed).shuffle(members)
        renamed = [(f"{seed}/{n}.dcm", content) for n, (_, content) in enumerate(members)]
        for package in (zipped(members, method=0), zipped(renamed, method=0)):
            made, study = snapshot(flipped(package), f"{seed}.zip")
            ids.add(made)
    assert len(ids) == 1
    assert ids != {snapshot(zipped(members, method=0), "well.zip")[0]}
    assert ids != {snapshot(flipped(zipped(FILES, method=0)), "all.zip")[0]}
    evidence = series_evidence(study)
    stored = [series.content for series in evidence]
    again = read_snapshot(study.key, study.uid, read_source(source_facts(study.source)), stored)
    assert (again.source, again.faults) == (study.source, study.faults)
    assert [failure.kind for failure in again.source.failures] == ["member-unread"] * 2


def test_the_text_report_tells_it_once_and_names_the_file(write: Write) -> None:
    report = judged(write(flipped(zipped(FILES, method=zipfile.ZIP_STORED))), deep=True)
    text = io.StringIO()
    write_report(report, "text", text)
    told = text.getvalue()
    assert told.count("SRC-MEMBER-DAMAGED") == told.count("SRC-ZIP-SAFE") == 1
    assert " ".join(told.split()).count("file: in.zip!s/IM2.dcm: judged with the study above") == 1
