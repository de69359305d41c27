"""Who was examined, where, when and on what: the modules that all objects of a study share (PS3.3 C.7)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from heltig.demo.attributes import BULK, Attributes


@dataclass(frozen=True)
class Person:
    """A made-up patient; height in metres, weight in kilograms."""

    name: str
    patient_id: str
    born: date
    sex: str
    height: float = 1.72
    weight: float = 74.0


@dataclass(frozen=True)
class Site:
    """A made-up institution; `charset` are the values of Specific Character Set that its names need."""

    institution: str
    address: str
    department: str
    referrer: str
    operator: str
    charset: tuple[str, ...]
    issuer: str


@dataclass(frozen=True)
class Device:
    """A made-up device, of a maker that does not exist."""

    manufacturer: str
    model: str
    serial: str
    software: str
    station: str


@dataclass(frozen=True)
class Exam:
    """One study of one person at one site; `name` and `seed` make all its UIDs.

    Attributes:
        seed: The seed of the whole set of studies.
        name: Name of the study within the set.
        person: The patient.
        site: The institution.
        start: Study date and time, local.
        description: Study Description.
        accession: Accession Number.
    """

    seed: int
    name: str
    person: Person
    site: Site
    start: datetime
    description: str
    accession: str

    def uid(self, *parts: object) -> str:
        """A UID under 2.25 (PS3.5 B.2) that the seed, the study's name and the parts fix."""
        text = "|".join(map(str, (self.seed, self.name, *parts)))
        return f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], 'big')}"

    def at(self, seconds: float) -> datetime:
        """The time so many seconds after the start of the study."""
        return self.start + timedelta(seconds=seconds)

    def study(self) -> Attributes:
        """Patient, General Study and Patient Study modules (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2)."""
        person, site = self.person, self.site
        born = (person.born.month, person.born.day)
        years = self.start.year - person.born.year - ((self.start.month, self.start.day) < born)
        return {
            **({"SpecificCharacterSet": list(site.charset)} if site.charset else {}),
            "PatientName": person.name,
            "PatientID": person.patient_id,
            "IssuerOfPatientID": site.issuer,
            "PatientBirthDate": f"{person.born:%Y%m%d}",
            "PatientSex": person.sex,
            "PatientAge": f"{years:03}Y",
            "PatientSize": person.height,
            "PatientWeight": person.weight,
            "StudyInstanceUID": self.uid("study"),
            **stamp("Study", self.start),
            "StudyID": f"{self.start:%j}{self.accession[-4:]}",
            "AccessionNumber": self.accession,
            "StudyDescription": self.description,
            "ReferringPhysicianName": site.referrer,
        }


@dataclass(frozen=True)
class Series:
    """One series of an exam on one device, begun so many seconds after the study."""

    exam: Exam
    number: int
    modality: str
    device: Device
    description: str
    seconds: float = 0.0
    body_part: str = ""
    protocol: str = ""

    def uid(self, *parts: object) -> str:
        """A UID that belongs to this series."""
        return self.exam.uid("series", self.number, *parts)

    def shared(self) -> Attributes:
        """The attributes that are the same in all instances (PS3.3 C.7.3.1, C.7.5.1, C.7.5.2)."""
        exam, device = self.exam, self.device
        optional = {
            "BodyPartExamined": self.body_part,
            "ProtocolName": self.protocol,
            "PatientPosition": "HFS" if self.modality in ("CT", "MR") else "",
        }
        return {
            **exam.study(),
            "Modality": self.modality,
            "SeriesInstanceUID": self.uid(),
            "SeriesNumber": self.number,
            **stamp("Series", exam.at(self.seconds)),
            "SeriesDescription": self.description,
            "OperatorsName": exam.site.operator,
            **stamp("PerformedProcedureStepStart", exam.start),
            "PerformedProcedureStepID": f"PPS{exam.accession[-6:]}",
            **{keyword: value for keyword, value in optional.items() if value},
            "Manufacturer": device.manufacturer,
            "ManufacturerModelName": device.model,
            "DeviceSerialNumber": device.serial,
            "SoftwareVersions": device.software,
            "StationName": device.station,
            "InstitutionName": exam.site.institution,
            "InstitutionAddress": exam.site.address,
            "InstitutionalDepartmentName": exam.site.department,
        }

    def document(self, number: int, sop_class: str, *, seconds: float) -> Attributes:
        """The shared attributes and those of SOP Common (PS3.3 C.12.1), for objects that are no images.

        Args:
            number: Instance Number.
            sop_class: SOP Class UID.
            seconds: Time of acquisition after the start of the series.
        """
        return {
            **self.shared(),
            "SOPClassUID": sop_class,
            "SOPInstanceUID": self.uid("instance", number),
            "InstanceNumber": number,
            **stamp("InstanceCreation", self.exam.at(self.seconds + seconds + 2)),
        }

    def image(self, number: int, sop_class: str, *, seconds: float) -> Attributes:
        """The same for an image, with the dates of the General Image module (PS3.3 C.7.6.1)."""
        return {
            **self.document(number, sop_class, seconds=seconds),
            **stamp("Content", self.exam.at(self.seconds + seconds + 1)),
            **stamp("Acquisition", self.exam.at(self.seconds + seconds)),
        }


def stamp(event: str, when: datetime) -> Attributes:
    """The date and the time attribute of an event, such as `StudyDate` and `StudyTime`."""
    return {f"{event}Date": f"{when:%Y%m%d}", f"{event}Time": f"{when:%H%M%S}.{when.microsecond // 1000:03}"}


def without(attributes: Attributes, keywords: Iterable[str]) -> Attributes:
    """The attributes but some."""
    dropped = set(keywords)
    return {keyword: value for keyword, value in attributes.items() if keyword not in dropped}


def pixels(
    rows: int, columns: int, *, stored: int = 12, allocated: int = 16, signed: bool = False,
    photometric: str = "MONOCHROME2",
) -> Attributes:  # fmt: skip
    """Image Pixel module (PS3.3 C.7.6.3); three samples a pixel, by pixel, for RGB."""
    colour: dict[str, Any] = {"PlanarConfiguration": 0} if photometric == "RGB" else {}
    return {
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": photometric,
        **colour,
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": allocated,
        "BitsStored": stored,
        "HighBit": stored - 1,
        "PixelRepresentation": int(signed),
        "PixelData": BULK,
    }
