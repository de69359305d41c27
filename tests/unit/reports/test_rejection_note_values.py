import io
import logging
from pathlib import Path
from typing import Any

import msgspec
import pydicom
import pytest
from pydicom.config import strict_reading
from unit.dciodvfy import errors_by_dciodvfy
from unit.pipeline.test_evidence import instance, table
from unit.store.samples import MAIN, NOW, PROFILE, RULESET, TODAY, sha

from heltig.errors import ConflictError
from heltig.reports.legal_values import legal
from heltig.reports.rejection_note import rejection_note
from heltig.store.records import StoredVerdict
from heltig.verdict import Inputs, Verdict

CT = {"00080016": ("UI", "1.2.840.10008.5.1.4.1.1.2"), "00280010": ("US", 512)}
UIDS = {
    "0020000D": ("UI", "1.2.840.99.1"),
    "0020000E": ("UI", "1.2.840.99.1.1"),
    "00080018": ("UI", "1.2.840.99.1.1.1"),
}
JANE = {
    "00100010": ("PN", {"Alphabetic": "Doe^Jane"}), "00100020": ("LO", "J1"), "00100021": ("LO", "SITE"),
    "00100030": ("DA", "19700101"), "00100040": ("CS", "F"),
    "00080050": ("SH", "AJ"), "00200010": ("SH", "SJ"),
}  # fmt: skip
JOHN = {
    "00100010": ("PN", {"Alphabetic": "Abel^John"}), "00100020": ("LO", "Z9"), "00100021": ("LO", "SITE"),
    "00100030": ("DA", "19500101"), "00100040": ("CS", "M"),
    "00080050": ("SH", "BJ"), "00200010": ("SH", "AA"),
}  # fmt: skip
WHO = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
)
INVALID = [
    ("00100040", "CS", "ZZMARK sex!"),
    ("00100040", "CS", ["M", "F"]),
    ("00100030", "DA", "ZZMARK"),
    ("00100030", "DA", "20240231"),
    ("00080020", "DA", "2024.01.01"),
    ("00080030", "TM", "ZZMARK 25:00"),
    ("00080030", "TM", "250000"),
    ("00080050", "SH", "ZZMARK of more than sixteen"),
    ("00200010", "SH", ["ZZMARK", "TWO"]),
    ("00100020", "LO", "ZZMARK" * 20),
    ("00100020", "LO", "ZZMARK\x1b[31m"),
    ("00100020", "LO", "ZZMARK\nline"),
    ("00100021", "LO", "ZZMARK\x00b"),
    ("00100010", "PN", {"Alphabetic": "ZZMARK" * 20}),
    ("00100010", "PN", {"Alphabetic": "ZZMARK^a^b^c^d^e"}),
    ("00100010", "PN", {"Alphabetic": "ZZMARK=a=b=c"}),
    ("00100010", "PN", {"Alphabetic": "ZZMARK\ufffd"}),
    ("00080090", "PN", [{"Alphabetic": "ZZMARK^One"}, {"Alphabetic": "ZZMARK^Two"}]),
    ("00080090", "PN", {"Alphabetic": "^^^^"}),
]


def verdict(ruleset: str = RULESET.version) -> StoredVerdict:
    return StoredVerdict(
        location=MAIN,
        study_key="1.2",
        study_uid="1.2",
        revision=1,
        judged=NOW,
        verdict=Verdict(sha("verdict"), "BLOCKED", "BLOCKED", (), (), (), (), None),
        inputs=Inputs("c" * 64, RULESET.hash, PROFILE.hash, TODAY),
        ruleset=msgspec.structs.replace(RULESET, version=ruleset),
        profile=PROFILE,
    )


def note_on(*instances: dict[str, Any]) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(rejection_note(table(*instances), verdict())))


def who(note: pydicom.FileDataset) -> tuple[str, ...]:
    return tuple(str(note.get(keyword)) for keyword in WHO)


def test_of_two_patients_the_one_that_most_instances_have() -> None:
    note = note_on(*(instance(n, **CT | (JANE if n < 2 else JOHN)) for n in range(5)))
    assert who(note) == ("Abel^John", "Z9", "SITE", "19500101", "M", "BJ", "AA")


def test_of_two_patients_that_are_as_common_one_as_a_whole() -> None:
    note = note_on(*(instance(n, **CT | (JANE if n < 2 else JOHN)) for n in range(4)))
    assert who(note) == ("Doe^Jane", "J1", "SITE", "19700101", "F", "AJ", "SJ")


def test_a_study_as_one_of_the_patients_instances_has_it() -> None:
    one = {"00080050": ("SH", "A1"), "00200010": ("SH", "Z")}
    two = {"00080050": ("SH", "A2"), "00200010": ("SH", "B")}
    note = note_on(*(instance(n, **CT | JANE | study) for n, study in enumerate((one, two))))
    assert (note.AccessionNumber, note.StudyID) == ("A1", "Z")


@pytest.mark.parametrize(("tag", "vr", "value"), INVALID)
def test_what_is_not_legal_is_left_empty_and_told_nowhere(
    tag: str,
    vr: str,
    value: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    caplog.set_level(logging.DEBUG, logger="pydicom")
    made = rejection_note(table(instance(0, **CT | UIDS | JANE | {tag: (vr, value)})), verdict())
    assert (caplog.text, list(recwarn), capfd.readouterr()) == ("", [], ("", ""))
    file = tmp_path / "note.dcm"
    file.write_bytes(made)
    with strict_reading():
        note = pydicom.dcmread(file)
        str(note)
    assert b"ZZMARK" not in made
    assert tag == "00100021" or note[tag].is_empty
    assert errors_by_dciodvfy(file) == []


def test_what_is_legal_goes_in() -> None:
    assert (
        legal("PatientName", "Yamada^Tarou=山田^太郎=やまだ^たろう") == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    )
    assert legal("StudyTime", "0712") == "0712"
    assert legal("PatientID", "\u00e4" * 64) == "\u00e4" * 64
    assert legal("AccessionNumber", " 123 ") == "123"


@pytest.mark.parametrize("uid", ["1.2.abc", "1.2.\u0663", "1.02", "9.9", "1." + "2" * 64, "1.2\n3", "1"])
def test_a_study_that_cannot_be_named(uid: str) -> None:
    with pytest.raises(ConflictError, match="StudyInstanceUID"):
        rejection_note(table(instance(0, **CT | {"0020000D": ("UI", uid)})), verdict())


def test_instances_that_cannot_be_named() -> None:
    bad = instance(1, **CT | {"00080018": ("UI", "1.2.x")})
    assert len(note_on(instance(0, **CT), bad).ContentSequence) == 2  # the description, and one of them
    with pytest.raises(ConflictError, match="No instance"):
        rejection_note(table(bad), verdict())


def test_nothing_in_it_is_pydicoms_and_no_zone_is_claimed() -> None:
    note = note_on(instance(0, **CT))
    assert note.file_meta.ImplementationVersionName == "HELTIG"
    assert "TimezoneOffsetFromUTC" not in note
    assert b"PYDICOM" not in rejection_note(table(instance(0, **CT)), verdict())
    assert note.SoftwareVersions == RULESET.version
