"""The script of proposed changes, run by the real dcmodify on files that are then checked again."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from io import BytesIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.config import IGNORE
from synthetic import synthetic_study

from heltig.demo.samples import part10_files
from heltig.pipeline.check import check
from heltig.reports.dcmodify import Study, script
from heltig.rules.finding import Finding
from heltig.rules.profile import Profile

Spoil = Callable[[pydicom.Dataset], None]


@pytest.fixture(scope="module", autouse=True)
def _dcmtk() -> Iterator[None]:
    if not shutil.which("dcmodify") or not shutil.which("dcmdump"):
        pytest.skip("needs dcmodify and dcmdump (DCMTK)")
    modes = pydicom.config.settings
    before = modes.reading_validation_mode, modes.writing_validation_mode
    modes.reading_validation_mode = modes.writing_validation_mode = IGNORE
    yield
    modes.reading_validation_mode, modes.writing_validation_mode = before


def _clean_files() -> list[bytes]:
    return [content for _, content in islice(part10_files(synthetic_study("ct-chest")), 3)]


CLEAN = _clean_files()


def sets(**values: object) -> Spoil:
    def spoil(dataset: pydicom.Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return spoil


SPOILT: dict[str, Spoil] = {
    "PAT-ID-WHITESPACE": sets(PatientID=" A1"),
    "CHR-PN-LEAD-SPACE": sets(ReferringPhysicianName="  DOE^JOHN"),
    "CHR-TERM": sets(SpecificCharacterSet="ISO_IR 100"),
    "CHR-MISSING": sets(SpecificCharacterSet="ISO_IR 192", ReferringPhysicianName="Müller^Jürgen"),
    "CHR-CONTROL": sets(StationName="CT1\r"),
    "CHR-REPLACEMENT": sets(SpecificCharacterSet="ISO_IR 192", OperatorsName="MÃ¼ller^Eva"),
    "UID-PADDING": sets(FrameOfReferenceUID="1.2.3.4"),
    "ENC-GROUP-LENGTH": sets(),
    "INS-QUERY-ATTRS": sets(InstanceAvailability="ONLINE", RetrieveURL="http://archive/studies/1"),
    "PIX-ASPECT": sets(PixelAspectRatio=["1", "1"]),
    "VAL-DA": sets(SeriesDate="2024.04.02"),
    "VAL-TM-DT": sets(SeriesTime="14:04:38"),
    "VAL-AS": sets(PatientAge="66y"),
    "VAL-CS": sets(BodyPartExamined="chest"),
    "VAL-IS-DS": sets(KVP="120.00000000000000000"),
    "PAT-SEX-ENUM": sets(PatientSex="male"),
    "PAT-NAME-SHAPE": sets(PatientName="DOE, JANE"),
    "STU-ACCESSION-LEN": sets(AccessionNumber="A1\r"),
}
"""For each rule that proposes changes to every file alike, what it finds."""

FIRST = b"\x08\x00\x05\x00CS\x0a\x00"
AFTER_WRITING = {
    "CHR-MISSING": (FIRST + b"ISO_IR 192", FIRST + b"ISO_IR 6  "),
    "CHR-TERM": (FIRST + b"ISO_IR 100", FIRST + b"ISO-IR 100"),
    "ENC-GROUP-LENGTH": (FIRST, b"\x08\x00\x00\x00UL\x04\x00\x63\x00\x00\x00" + FIRST),
    "UID-PADDING": (b"UI\x08\x001.2.3.4\x00", b"UI\x08\x001.2.3.4 "),
}
"""Bytes to be put in the place of others in the file, where pydicom would not write it wrongly."""


def write(folder: Path, spoils: list[str], names: tuple[str, ...] = ("a", "b", "c")) -> None:
    """Clean files with some things spoilt, named as if somebody wished harm."""
    for name, content in zip(names, CLEAN, strict=True):
        dataset = pydicom.dcmread(BytesIO(content))
        for rule in spoils:
            SPOILT[rule](dataset)
        path = folder / f"-{name} $(touch harm)'\"\n;.dcm"
        dataset.save_as(path, enforce_file_format=True)
        for rule in spoils:
            old, new = AFTER_WRITING.get(rule, (b"", b""))
            if old:
                assert old in path.read_bytes()
                path.write_bytes(path.read_bytes().replace(old, new))


def findings(folder: Path) -> dict[str, tuple[Finding, ...]]:
    report = check([folder], Profile(), reference_date=date(2026, 1, 1))
    return {study.study_instance_uid or "": study.findings for study in report.studies}


def said(found: dict[str, tuple[Finding, ...]]) -> set[tuple[str, str]]:
    return {(finding.rule, finding.observed) for every in found.values() for finding in every}


def mend(folder: Path, found: dict[str, tuple[Finding, ...]]) -> subprocess.CompletedProcess[str]:
    """Runs the script on every file, in that folder, and takes the backups away."""
    path = folder.parent / "mend.sh"
    path.write_text(script(Study(uid, every) for uid, every in found.items()), "ascii")
    files = [file.name for file in sorted(folder.iterdir())]
    ran = subprocess.run(
        ["sh", str(path), *files], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    for backup in folder.glob("*.bak"):
        backup.unlink()
    return ran


def holds(spoils: list[str]) -> None:
    """What was spoilt is mended; nothing else is found afterwards that was not found before."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "files"
        folder.mkdir()
        write(folder, spoils)
        before = findings(folder)
        assert set(spoils) <= {rule for rule, _ in said(before)}
        ran = mend(folder, before)
        assert (ran.returncode, ran.stderr) == (0, "")
        after = findings(folder)
        assert not set(spoils) & {rule for rule, _ in said(after)}
        assert said(after) <= said(before)
        assert len(list(folder.iterdir())) == len(CLEAN)


@pytest.mark.parametrize("rule", SPOILT)
def test_a_finding_with_a_proposal_is_gone_when_it_was_carried_out(rule: str) -> None:
    holds([rule])


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(sorted(SPOILT)), min_size=2, max_size=8, unique=True))
def test_several_proposals_together(rules: list[str]) -> None:
    of_character_sets = {"CHR-TERM", "CHR-MISSING", "CHR-REPLACEMENT"}  # one file has one
    chosen = [rule for rule in rules if rule not in of_character_sets]
    chosen += [rule for rule in rules if rule in of_character_sets][:1]
    if "CHR-MISSING" in chosen:
        chosen = [rule for rule in chosen if rule != "CHR-PN-LEAD-SPACE"]  # the same attribute
    holds(chosen)


def test_the_one_accession_number_goes_to_the_instances_without(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    write(folder, [])
    one = min(folder.iterdir())
    dataset = pydicom.dcmread(one)
    number = dataset.AccessionNumber
    del dataset.AccessionNumber
    dataset.save_as(one)
    before = findings(folder)
    assert "STU-ACCESSION-EMPTY" in {rule for rule, _ in said(before)}
    assert mend(folder, before).returncode == 0
    assert pydicom.dcmread(one).AccessionNumber == number
    assert said(findings(folder)) <= said(before)


HOSTILE = st.text(st.characters(codec="ascii", exclude_characters="\\\n\0"), min_size=1, max_size=20)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(HOSTILE)
def test_any_value_is_one_word_for_the_shell(text: str) -> None:
    core = text.strip()
    if not core or not core.isprintable():
        core = f"$(touch harm)'{core.encode().hex()}"
    with TemporaryDirectory() as place:
        folder = Path(place) / "files"
        folder.mkdir()
        dataset = pydicom.dcmread(BytesIO(CLEAN[0]))
        dataset.PatientID = f" {core}"
        dataset.save_as(folder / "a", enforce_file_format=True)
        assert mend(folder, findings(folder)).returncode == 0
        assert pydicom.dcmread(folder / "a").PatientID == core
        assert [file.name for file in folder.iterdir()] == ["a"]


def test_text_beyond_ascii_is_written_in_the_set_of_the_file(tmp_path: Path) -> None:
    for number, term in enumerate(("ISO_IR 100", "ISO_IR 192"), 1):
        folder = tmp_path / str(number) / "files"
        folder.mkdir(parents=True)
        dataset = pydicom.dcmread(BytesIO(CLEAN[0]))
        sets(SpecificCharacterSet=term, PatientName=" Müller^Eva")(dataset)
        dataset.save_as(folder / "a", enforce_file_format=True)
        assert mend(folder, findings(folder)).returncode == 0
        assert pydicom.dcmread(folder / "a").PatientName == "Müller^Eva"


def test_what_changed_since_and_what_has_a_backup_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    write(folder, ["PAT-ID-WHITESPACE"])
    found = findings(folder)
    changed, kept, plain = sorted(folder.iterdir())
    dataset = pydicom.dcmread(changed)
    dataset.PatientID = " B2"
    dataset.save_as(changed)
    Path(f"{kept}.bak").write_bytes(b"")
    content = kept.read_bytes()
    path = tmp_path / "mend.sh"
    path.write_text(script(Study(uid, every) for uid, every in found.items()), "ascii")
    files = [str(file) for file in (changed, kept, plain)]
    ran = subprocess.run(["sh", str(path), *files], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "it has a backup" in ran.stderr
    assert pydicom.dcmread(changed).PatientID == " B2"
    assert kept.read_bytes() == content
    assert pydicom.dcmread(plain).PatientID == "A1"
