"""The sample files through pydicom, and the bytes that are wrong on purpose."""

import io
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.multival import MultiValue
from synthetic import synthetic_studies

from heltig.demo.samples import part10_files, write_samples
from heltig.demo.studies import SyntheticStudy

STUDIES = synthetic_studies()


def read(content: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def shown(element: pydicom.DataElement) -> list[str]:
    """The values as DICOM JSON has them, as text."""
    value = element.value
    if value is None or value == "" or element.VM == 0:
        return []
    values = list(value) if isinstance(value, MultiValue | list) else [value]
    if element.VR == "AT":
        return [f"{int(tag):08X}" for tag in values]
    return [str(part) for part in values]


def expected(element: dict[str, Any]) -> list[str]:
    groups = ("Alphabetic", "Ideographic", "Phonetic")
    values = element.get("Value", [])
    if element["vr"] == "PN":
        return ["=".join(name.get(group, "") for group in groups).rstrip("=") for name in values]
    return ["" if value is None else str(value) for value in values]


def differences(dataset: pydicom.Dataset, instance: Any) -> Iterator[str]:
    if {f"{int(element.tag):08X}" for element in dataset} != set(instance):
        yield "tags"
    for tag, element in instance.items():
        read_back = dataset[int(tag, 16)]
        if element["vr"] != read_back.VR:
            yield f"{tag}: {read_back.VR}"
        elif element["vr"] == "SQ":
            for item, own in zip(read_back.value, element.get("Value", []), strict=True):
                yield from differences(item, own)
        elif not {"BulkDataURI", "InlineBinary"} & set(element) and shown(read_back) != expected(element):
            yield tag


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_pydicom_reads_what_the_metadata_shows(study: SyntheticStudy) -> None:
    for (_, content), instance in list(zip(part10_files(study), study.datasets, strict=True))[::5]:
        with warnings.catch_warnings():
            if study.rules:  # pydicom warns of some of the values that are wrong on purpose
                warnings.simplefilter("ignore", UserWarning)
            dataset = read(content)
            assert not list(differences(dataset, instance))
        if "PixelData" in dataset:
            bits = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated
            length = (bits * int(dataset.get("NumberOfFrames", 1)) + 7) // 8
            assert len(dataset.PixelData) == length + length % 2


def test_wrongly_declared_bytes_are_on_disk() -> None:
    study = STUDIES["charset-wrong"]
    _, content = next(part10_files(study))
    assert "König^Jörg".encode("latin-1") in content
    assert "Klinikum Nördtal".encode() in content
    assert study.datasets[0]["00100010"]["Value"] == [{"Alphabetic": "K\ufffdnig^J\ufffdrg"}]


def test_long_decimals_are_on_disk() -> None:
    study = STUDIES["ds-too-long"]
    _, content = next(part10_files(study))
    written = "\\".join(study.datasets[0]["00200032"]["Value"])
    assert all(len(text) > 16 for text in written.split("\\"))
    assert written.encode() in content


def test_japanese_names_switch_their_character_sets() -> None:
    _, content = next(part10_files(STUDIES["mr-brain"]))
    assert b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=" in content


def test_folders_and_zips(tmp_path: Path) -> None:
    studies = list(STUDIES.values())[3:9]
    written = write_samples(studies, tmp_path / "new" / "samples")
    assert [place.name for place in written] == [
        studies[0].name, studies[1].name, f"{studies[2].name}.zip",
        studies[3].name, studies[4].name, f"{studies[5].name}.zip",
    ]  # fmt: skip
    folder, package = written[0], written[2]
    assert [file.read_bytes() for file in sorted(folder.rglob("*.dcm"))] == [
        content for _, content in sorted(part10_files(studies[0]))
    ]
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == [f"{studies[2].name}/{name}" for name, _ in part10_files(studies[2])]
        assert read(archive.read(names[0])).PatientID == "LP-33107"


def test_the_same_samples_are_the_same_bytes(tmp_path: Path) -> None:
    packages = [
        write_samples(list(STUDIES.values())[5:8], tmp_path / name)[2].read_bytes() for name in ("a", "b")
    ]
    assert packages[0] == packages[1]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    studies = list(STUDIES.values())[5:8]
    (tmp_path / f"{studies[2].name}.zip").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_samples(studies, tmp_path)
    assert (tmp_path / f"{studies[2].name}.zip").read_bytes() == b"mine"
