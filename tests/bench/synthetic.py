"""The input of the benchmarks: CT studies of any size, as DICOM JSON bodies and as Part 10 files.

An instance has 119 attributes, 6.9 KB of DICOM JSON and a file of 528 KB (512 × 512 × 2 bytes of pixels),
as a current CT scanner writes it. About 7 in 100 of its cells are its own; the others repeat through the
series.
The same arguments give the same bytes.
"""

import random
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from heltig.demo.attributes import Attributes, code, dicom_json
from heltig.demo.exam import Device, Exam, Person, Series, Site, pixels, stamp
from heltig.demo.modalities.tomography import CT_IMAGE, ct_slices
from heltig.demo.modalities.volume import Grid
from heltig.demo.part10 import part10

SHAPES = {"1x2000": (1, 2000), "20x100": (20, 100), "400x5": (400, 5)}
"""The three shapes of one amount of work: number of studies and instances of each."""

CHUNK = 64 * 1024
"""Size in bytes of the parts in which `chunks` gives a body, as a network would."""

_ROWS = 512
_PLACE = "http://archive.example/dicom-web/studies/{}/series/{}/instances/{}/bulk/7FE00010"
_SITE = Site(
    "Klinikum Nördtal", "Mühlenstraße 4", "Radiologie", "Großmann^Käthe^^Dr.", "Weiß^Jürgen", ("ISO_IR 100",),
    "NORDTAL",
)  # fmt: skip
_SCANNER = Device("Fjordlys Medical", "Spirale 64", "FL-64-20117", "VC12A", "CT2")


def instances(count: int, *, study: int = 0) -> Iterator[dict[str, Any]]:
    """The instances of one study in DICOM JSON, in order.

    Args:
        count: Number of instances, one series.
        study: Which study: another number gives another patient and other UIDs.
    """
    series = _series(study)
    template = _template(study)
    grid = Grid(count, 1.0, 384.0, size=_ROWS)
    for index in range(count):
        uid = series.uid("instance", index + 1)
        acquired = series.exam.at(series.seconds + index * 0.05)
        own = dicom_json(
            {
                "SOPInstanceUID": uid,
                "InstanceNumber": index + 1,
                "ImagePositionPatient": grid.position(index),
                "SliceLocation": grid.location(index),
                "ImagesInAcquisition": count,
                **stamp("Content", acquired),
                **stamp("Acquisition", acquired),
                "XRayTubeCurrent": 180 + index % 61,
                "Exposure": 90 + index % 31,
                "CTDIvol": 6.0 + index % 31 / 10,
                "LargestImagePixelValue": 1800 + index * 7 % 1500,
            }
        )
        place = _PLACE.format(series.exam.uid("study"), series.uid(), uid)
        yield {**template, **own, "7FE00010": {"vr": "OW", "BulkDataURI": place}}


def texts(count: int, *, study: int = 0) -> Iterator[bytes]:
    """The JSON text of each instance."""
    return map(msgspec.json.encode, instances(count, study=study))


def body(count: int, *, study: int = 0) -> bytes:
    """A WADO-RS metadata answer: the instances of one study as a JSON array."""
    return b"[" + b",".join(texts(count, study=study)) + b"]"


def bodies(shape: str, *, first: int = 0) -> list[bytes]:
    """The bodies of one of the `SHAPES`, one a study, from study `first` on."""
    studies, count = SHAPES[shape]
    return [body(count, study=study) for study in range(first, first + studies)]


def chunks(count: int, *, study: int = 0) -> Iterator[bytes]:
    """The body of one study in parts of `CHUNK` bytes, never held whole."""
    part = bytearray(b"[")
    for index, text in enumerate(texts(count, study=study)):
        part += b"," + text if index else text
        while len(part) >= CHUNK:
            yield bytes(part[:CHUNK])
            del part[:CHUNK]
    yield bytes(part + b"]")


def files(count: int, *, study: int = 0) -> Iterator[tuple[str, bytes]]:
    """Name and content of the Part 10 file of each instance, Explicit VR Little Endian."""
    noise = _noise()
    for index, instance in enumerate(instances(count, study=study)):
        start = 2 * (index * 7919 % (_ROWS * _ROWS))
        yield f"CT{index + 1:05}.dcm", part10(instance, {"7FE00010": noise[start:] + noise[:start]})


def write_folder(folder: Path, count: int) -> None:
    """Write the files of one study into a new folder."""
    folder.mkdir(parents=True)
    for name, content in files(count):
        (folder / name).write_bytes(content)


def write_zip(place: Path, count: int, *, deflated: bool) -> None:
    """Write the files of one study into a ZIP, stored or deflated."""
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in files(count):
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
            archive.writestr(member, content)


def _series(study: int) -> Series:
    chance = random.Random(f"bench:{study}")
    born = date(1940, 1, 1) + timedelta(days=chance.randrange(20_000))
    person = Person(f"Muster^Person {study}", f"B{study:07}", born, chance.choice("FM"))
    start = datetime(2024, 1, 8, 7) + timedelta(minutes=chance.randrange(400_000))  # noqa: DTZ001 - local time
    exam = Exam(0, f"bench {study}", person, _SITE, start, "CT Thorax Abdomen", f"B24{study:07}")
    return Series(exam, 2, "CT", _SCANNER, "Thorax 1.0 B30f", 90, "CHEST", "Thorax Abdomen KM")


def _template(study: int) -> dict[str, Any]:
    """What all instances of a study have, in order of tags; `instances` puts its own values over it."""
    series = _series(study)
    first = ct_slices(series, Grid(1, 1.0, 384.0, size=_ROWS), frame=series.exam.uid("frame"), contrast=True)[
        0
    ]
    return dicom_json({**first, **pixels(_ROWS, _ROWS), **_more(series)})


def _more(series: Series) -> Attributes:
    """The rest of what a scanner writes: request, dose, gantry, references, a private block."""
    exam = series.exam
    scouts = [
        {
            "ReferencedSOPClassUID": CT_IMAGE,
            "ReferencedSOPInstanceUID": exam.uid("series", 1, "instance", number),
        }
        for number in (1, 2)
    ]
    request: Attributes = {
        "RequestedProcedureDescription": "CT Thorax und Abdomen mit Kontrastmittel",
        "RequestedProcedureID": f"RP{exam.accession}",
        "ScheduledProcedureStepDescription": "CT Thorax Abdomen",
        "ScheduledProcedureStepID": f"SPS{exam.accession}",
        "ScheduledProtocolCodeSequence": code("CTTHABKM", "99NORDTAL", "CT Thorax Abdomen KM"),
    }
    return {
        "InstanceCreatorUID": exam.uid("creator"),
        "TimezoneOffsetFromUTC": "+0100",
        "PerformingPhysicianName": "Weiß^Jürgen",
        "PhysiciansOfRecord": "Großmann^Käthe^^Dr.",
        "ProcedureCodeSequence": code("CTTHABKM", "99NORDTAL", "CT Thorax Abdomen KM"),
        "AnatomicRegionSequence": code("816094009", "SCT", "Chest, Abdomen and Pelvis"),
        "ReferencedImageSequence": scouts,
        "IrradiationEventUID": series.uid("irradiation"),
        "ScanOptions": "HELICAL MODE",
        "DateOfLastCalibration": "20240105",
        "TimeOfLastCalibration": "063012",
        "DistanceSourceToDetector": 1085.6,
        "DistanceSourceToPatient": 595.0,
        "FocalSpots": 1.2,
        "RevolutionTime": 0.5,
        "SingleCollimationWidth": 0.6,
        "TotalCollimationWidth": 38.4,
        "TableSpeed": 61.4,
        "TableFeedPerRotation": 30.7,
        "SpiralPitchFactor": 0.8,
        "DataCollectionCenterPatient": [0.0, -170.5, -512.5],
        "ReconstructionTargetCenterPatient": [3.25, -168.75, -512.5],
        "ExposureModulationType": "XYZ_EC",
        "EstimatedDoseSaving": 31.5,
        "CTDIvol": 6.0,
        "CTDIPhantomTypeCodeSequence": code("113691", "DCM", "IEC Body Dosimetry Phantom"),
        "SmallestImagePixelValue": 0,
        "LargestImagePixelValue": 1800,
        "LossyImageCompression": "00",
        "RequestAttributesSequence": [request],
        "00290010": {"vr": "LO", "Value": ["FJORDLYS CT HEADER 1"]},
        "00291008": {"vr": "CS", "Value": ["IMAGE NUM 4"]},
        "00291010": {"vr": "OB", "InlineBinary": "RkpM" * 63},
    }


@cache
def _noise() -> bytes:
    """Pixels of 12 bits whose lower five are noise, so that they deflate about as badly as a real CT."""
    chance = random.Random("pixels")
    drawn = chance.randbytes(_ROWS * _ROWS)
    picture = bytearray()
    for row in range(_ROWS):
        for column, byte in enumerate(drawn[row * _ROWS : (row + 1) * _ROWS]):
            inside = (row - 256) ** 2 * 2 + (column - 256) ** 2 < 50_000
            picture += ((1024 if inside else 0) + byte % 32).to_bytes(2, "little")
    return bytes(picture)
