"""Files of one object, of which the attributes are the same: the pixels are looked at, too."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from unit.connectors.upload.made import dicom, zipped
from unit.dicom.part10.building import JPEG, JPEG_STREAM, fragments

from heltig.dicom.snapshot import read_snapshot, series_evidence
from heltig.pipeline.check import check
from heltig.pipeline.reading import read_inputs
from heltig.rules.profile import DEFAULT

ONE, OTHER = bytes(511) + b"\1", bytes(512)  # the first in the order of digests


def compressed(*streams: bytes) -> bytes:
    """An object that a converter compressed."""
    plain = dicom(syntax=JPEG)
    return plain[: plain.index(b"\xe0\x7f\x10\x00OW")] + fragments(*streams)


def written(folder: Path, files: Sequence[bytes]) -> Path:
    folder.mkdir()
    for number, content in enumerate(files):
        (folder / f"{number}.dcm").write_bytes(content)
    return folder


def found(*paths: Path, jobs: int = 1) -> dict[str, int]:
    """The rules about copies that find something, and how many instances each."""
    (study,) = check(paths, DEFAULT, reference_date=date(2026, 1, 1), jobs=jobs).studies
    return {one.rule[-4:]: one.count for one in study.findings if one.rule.startswith("INS-SOPUID-DUP")}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([dicom(), dicom()], {"SAME": 1}),
        ([dicom(pixels=ONE), dicom(pixels=OTHER)], {"DIFF": 2}),
        ([dicom(pixels=ONE), dicom(pixels=OTHER), dicom(pixels=ONE)], {"SAME": 1, "DIFF": 2}),
        ([dicom(), dicom("1.2.3.5", pixels=OTHER)], {}),
        ([dicom(), compressed(JPEG_STREAM)], {"SAME": 1}),
        ([compressed(JPEG_STREAM * 2), compressed(JPEG_STREAM, JPEG_STREAM)], {"SAME": 1}),
        ([compressed(JPEG_STREAM), compressed(JPEG_STREAM + b"\1\1")], {"DIFF": 2}),
        ([dicom(), compressed(JPEG_STREAM), compressed(JPEG_STREAM + b"\1\1")], {"DIFF": 3}),
    ],
)
def test_pixels_written_alike_are_compared(
    files: Sequence[bytes], expected: dict[str, int], tmp_path: Path
) -> None:
    package = tmp_path / "in.zip"
    package.write_bytes(zipped([(f"{number}.dcm", content) for number, content in enumerate(files)]))
    folder = written(tmp_path / "in", files)
    assert found(folder) == found(package) == expected


def test_files_of_one_name_in_several_inputs_are_told_apart_by_their_uid(tmp_path: Path) -> None:
    one = written(tmp_path / "one", [dicom("1.2.3.4", pixels=ONE), dicom("1.2.3.5", pixels=ONE)])
    two = written(tmp_path / "two", [dicom("1.2.3.5", pixels=ONE), dicom("1.2.3.4", pixels=ONE)])
    three = written(tmp_path / "three", [dicom("1.2.3.4", pixels=OTHER)])
    assert found(one, two) == {"SAME": 2}
    assert found(one, two, three) == {"SAME": 2, "DIFF": 2}


def test_the_evidence_is_the_same_whatever_the_files_are_called(tmp_path: Path) -> None:
    files = [
        dicom(pixels=ONE),
        dicom(pixels=OTHER),
        dicom("1.2.3.5", pixels=ONE),
        dicom("1.2.3.5", pixels=OTHER),
    ]
    (study,) = read_inputs([written(tmp_path / "one", files)]).studies
    (other,) = read_inputs([written(tmp_path / "two", files[::-1])]).studies
    evidence = series_evidence(study)
    assert len(study.faults) == 4
    assert series_evidence(other) == evidence
    kept = read_snapshot(study.key, study.uid, study.source, [one.content for one in evidence])
    assert series_evidence(kept) == evidence


def test_several_processes_compare_what_each_of_them_has(tmp_path: Path) -> None:
    files = [dicom(f"1.2.3.{number}", pixels=ONE) for number in range(200)]
    one, two = written(tmp_path / "one", files), written(tmp_path / "two", [*files[1:], dicom(pixels=OTHER)])
    assert found(one, two, jobs=2) == found(one, two) == {"SAME": 199, "DIFF": 2}
