"""What all objects of an analysis have in common: whose they are, who made them, and what they are not for.

UIDs are made of the fingerprint of the analysis, and dates and times are those of its start: the same
analysis writes the same objects, byte by byte, so that to store them twice is to store them once.
"""

import hashlib
import io
import re
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from heltig import __version__
from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.headers import patient_and_study
from heltig.imaging.metrics.measurement import VERSION as METRICS_VERSION
from heltig.imaging.own_results import IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION, MANUFACTURER, MODEL
from heltig.imaging.segment.naming import OWN_SCHEME
from heltig.imaging.statements import GATE_USE, RESEARCH_USE, SERIES_PREFIX
from heltig.imaging.volume import Code
from heltig.standard.dictionary import tag_of

SOFTWARE_VERSIONS: Final = (__version__, METRICS_VERSION)

_PROCESSING: Final = Code("109102", "DCM", "Processing Equipment")  # CID 7005
_ACQUISITION: Final = Code("109101", "DCM", "Acquisition Equipment")

_SHORT: Final = 16  # letters of VR SH
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ud800-\udfff]")

_ACQUIRED_BY: Final = ("Manufacturer", "ManufacturerModelName")
_SERIAL_NUMBER: Final = "none"
"""Device Serial Number (0018,1000) is asked for, and software has none."""


class Kind(NamedTuple):
    """A kind of object. Each has a series of its own.

    Attributes:
        name: What its UIDs are made of, and its file is called.
        sop_class_uid: SOP Class UID (0008,0016).
        modality: Modality (0008,0060).
        series_number: Series Number (0020,0011).
        description: Series Description (0008,103E), after its prefix.
    """

    name: str
    sop_class_uid: str
    modality: str
    series_number: int
    description: str


SEG: Final = Kind("seg", "1.2.840.10008.5.1.4.1.1.66.4", "SEG", 9001, "Segmentation")
LABEL_MAP: Final = SEG._replace(sop_class_uid="1.2.840.10008.5.1.4.1.1.66.7")
SR: Final = Kind("sr", "1.2.840.10008.5.1.4.1.1.88.34", "SR", 9002, "Measurements")
COMPREHENSIVE_SR: Final = SR._replace(sop_class_uid="1.2.840.10008.5.1.4.1.1.88.33")
SECONDARY_CAPTURE: Final = Kind("sc", "1.2.840.10008.5.1.4.1.1.7", "OT", 9003, "Pictures")
PRESENTATION_STATE: Final = Kind("gsps", "1.2.840.10008.5.1.4.1.1.11.1", "PR", 9004, "Outlines")
PDF: Final = Kind("pdf", "1.2.840.10008.5.1.4.1.1.104.1", "DOC", 9005, "Report")


def uid_of(fingerprint: str, role: str) -> str:
    """A UID for a role that something has in an analysis, of the form that PS3.5 B.2 gives to UUIDs.

    Args:
        fingerprint: Of the analysis.
        role: As `seg 1`; each names one thing.
    """
    digest = hashlib.sha256(f"{role} {fingerprint}".encode()).digest()
    return f"2.25.{UUID(bytes=digest[:16], version=5).int}"


def instance_uid(analysis: Analysis, kind: Kind, number: int = 1) -> str:
    """SOP Instance UID (0008,0018) of an object of an analysis."""
    return uid_of(analysis.fingerprint, f"{kind.name} {kind.sop_class_uid} {number}")


def series_uid(analysis: Analysis, kind: Kind) -> str:
    """Series Instance UID (0020,000E) of the objects of a kind."""
    return uid_of(analysis.fingerprint, f"series {kind.name}")


def tracking_uid(study_instance_uid: str, structure: str) -> str:
    """Tracking UID (0062,0021) of a structure: the same in all analyses of a study."""
    return uid_of(study_instance_uid, f"tracking {structure}")


def object_of(analysis: Analysis, kind: Kind, *, number: int = 1) -> Dataset:
    """A data set with all that does not depend on what it shows, and its File Meta Information.

    It has the modules of patient and study, clinical trials among them, General Series, General Equipment
    and SOP Common (PS3.3 C.7.1 to C.7.5, C.12.1), and Content Date and Time.

    Args:
        analysis: The analysis.
        kind: What it is.
        number: Its Instance Number (0020,0013), counted from 1.

    Raises:
        Refused: The images do not agree on patient and study, or have text that cannot be read.
    """
    made = patient_and_study(analysis.stack)
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = kind.sop_class_uid
    made.SOPInstanceUID = instance_uid(analysis, kind, number)
    made.SeriesInstanceUID = series_uid(analysis, kind)
    made.Modality = kind.modality
    made.SeriesNumber = kind.series_number
    made.SeriesDescription = SERIES_PREFIX + kind.description
    made.InstanceNumber = number
    date, time = _date_and_time(analysis.started, made)
    made.SeriesDate = made.ContentDate = made.InstanceCreationDate = date
    made.SeriesTime = made.ContentTime = made.InstanceCreationTime = time
    made.Manufacturer = MANUFACTURER
    made.ManufacturerModelName = MODEL
    made.DeviceSerialNumber = _SERIAL_NUMBER
    made.SoftwareVersions = list(SOFTWARE_VERSIONS)
    made.ContentQualification = "RESEARCH"
    made.CodingSchemeIdentificationSequence = [_own_scheme()]
    made.ContributingEquipmentSequence = [*_acquired_by(analysis), _processed_by(analysis)]
    made.file_meta = _file_meta(made)
    return made


def encoded(made: Dataset) -> bytes:
    """An object as the bytes of a Part 10 file; a large one is better saved to one."""
    file = io.BytesIO()
    dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


def code_item(code: Code) -> Dataset:
    """An item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    value = legal_text(code.value)
    keyword = "CodeValue" if len(value) <= _SHORT else "LongCodeValue"
    setattr(item, keyword, value)
    item.CodingSchemeDesignator = legal_text(code.scheme, most=_SHORT) or OWN_SCHEME
    item.CodeMeaning = legal_text(code.meaning) or value
    return item


def legal_text(text: str, *, most: int = 64) -> str:
    """Text as VR LO takes it (PS3.5 6.2): without control characters and backslashes, of so many letters."""
    return _CONTROL.sub(" ", text)[:most].strip()


def put(made: Dataset, keyword: str, value: str) -> None:
    """Set an attribute to a value of the images, which may break rules that pydicom would warn of."""
    vr = dictionary_VR(keyword)
    as_text = vr in ("DS", "IS")  # pydicom would make a number of it, and fail at what is none
    tag = int(tag_of(keyword), 16)
    made.add(DataElement(tag, vr, value, already_converted=as_text, validation_mode=IGNORE))


def _date_and_time(moment: datetime, made: Dataset) -> tuple[str, str]:
    """A moment as DA and TM, in the zone that the object says its times are in; else in UTC."""
    offset = str(made.get("TimezoneOffsetFromUTC", "") or "")
    try:
        zone = datetime.strptime(offset, "%z").tzinfo
    except ValueError:
        zone = None
    local = moment.astimezone(zone or UTC)
    return local.strftime("%Y%m%d"), local.strftime("%H%M%S")


def _acquired_by(analysis: Analysis) -> list[Dataset]:
    """The equipment that made the images, where they name it."""
    technique = analysis.volume.technique
    if not technique.manufacturer:
        return []
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item(_ACQUISITION)]
    for keyword, value in zip(_ACQUIRED_BY, (technique.manufacturer, technique.model), strict=True):
        if value:
            put(item, keyword, value)
    return [item]


def _processed_by(analysis: Analysis) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item(_PROCESSING)]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = MODEL
    item.SoftwareVersions = list(SOFTWARE_VERSIONS)
    item.ContributionDateTime = analysis.started.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
    item.ContributionDescription = f"{RESEARCH_USE} {GATE_USE}"
    return item


def _own_scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = OWN_SCHEME
    item.CodingSchemeName = "Names that Heltig gives"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item


def _file_meta(made: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = made.SOPClassUID
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    return meta
