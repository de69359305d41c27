"""Part 10 headers to a table, from a folder and from ZIPs, against `pydicom.dcmread`.

Run by hand: `python tests/bench/part10_reading.py`. 300 files of 528 KB lie in the page cache. Both sides end
with the same attributes decoded: pydicom reads them from each data set, Heltig each distinct value of a
column.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pydicom
import synthetic
from measuring import Row, at_least, machine, print_table, race

from heltig.dicom.study import StudyTable
from heltig.pipeline.reading import read_inputs
from heltig.standard.dictionary import tag_of

FILES = 300
ATTRIBUTES = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate", "SeriesDate",
    "AcquisitionDate", "ContentDate", "StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime",
    "AccessionNumber", "Modality", "Manufacturer", "InstitutionName", "ReferringPhysicianName",
    "StudyDescription", "SeriesDescription", "ManufacturerModelName", "PatientName", "PatientID",
    "PatientBirthDate", "PatientSex", "PatientAge", "BodyPartExamined", "SliceThickness", "KVP",
    "DeviceSerialNumber", "SoftwareVersions", "ProtocolName", "PatientPosition", "StudyInstanceUID",
    "SeriesInstanceUID", "StudyID", "SeriesNumber", "InstanceNumber", "ImagePositionPatient",
    "ImageOrientationPatient", "FrameOfReferenceUID", "SliceLocation", "SamplesPerPixel",
    "PhotometricInterpretation", "Rows", "Columns", "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope",
)  # fmt: skip
PYDICOM = f"pydicom `dcmread(stop_before_pixels=True)`, {len(ATTRIBUTES)} attributes"

_TAGS = tuple(map(tag_of, ATTRIBUTES))


def heltig(place: Path, _: int) -> int:
    """Read a folder or a ZIP to arranged tables and decode the attributes."""
    studies = read_inputs([place]).studies
    for study in studies:
        _decode(study)
    return sum(study.rows for study in studies)


def pydicom_folder(folder: Path, _: int) -> int:
    """The usual way for a folder."""
    files = sorted(folder.iterdir())
    for file in files:
        _read(pydicom.dcmread(file, stop_before_pixels=True))
    return len(files)


def pydicom_zip(place: Path, _: int) -> int:
    """The usual way for a ZIP."""
    with zipfile.ZipFile(place) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                _read(pydicom.dcmread(file, stop_before_pixels=True))
        return len(archive.infolist())


def _decode(study: StudyTable) -> None:
    for tag in _TAGS:
        column = study.columns[tag]
        for code in range(1, len(column.cells)):
            study.cell(column, code)


def _read(data_set: pydicom.Dataset) -> None:
    for keyword in ATTRIBUTES:
        data_set.get(keyword)


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        folder, stored, deflated = (Path(scratch, name) for name in ("folder", "stored.zip", "deflated.zip"))
        synthetic.write_folder(folder, FILES)
        synthetic.write_zip(stored, FILES, deflated=False)
        synthetic.write_zip(deflated, FILES, deflated=True)
        for what, place, usual, aim in (
            ("folder", folder, pydicom_folder, 12),
            ("stored ZIP", stored, pydicom_zip, 12),
            ("deflated ZIP", deflated, pydicom_zip, 10),
        ):
            ways = {"heltig": partial(heltig, place), "pydicom": partial(usual, place)}
            costs = race(ways)
            yield at_least(aim, what, costs["heltig"], PYDICOM, costs["pydicom"])


def main() -> None:
    print(machine("heltig", "pydicom"))
    print_table(f"Part 10 headers to table, {FILES} files of 528 KB, µs a file", rows())


if __name__ == "__main__":
    main()
