"""The report as an encapsulated PDF (PS3.3 A.45.1)."""

from typing import Final

from pydicom.dataset import Dataset

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.headers import source_images
from heltig.imaging.dicom_out.identity import PDF, code_item, object_of
from heltig.imaging.documents.report import TITLE
from heltig.imaging.volume import Code

_CONCEPT: Final = Code("126000", "DCM", "Imaging Measurement Report")


def encapsulated_pdf(analysis: Analysis, document: bytes) -> Dataset:
    """The object of a report.

    Args:
        analysis: The analysis.
        document: The PDF file.

    Raises:
        Refused: The images do not agree on patient and study, or cannot be referred to.
    """
    made = object_of(analysis, PDF)
    made.ConversionType = "WSD"
    made.AcquisitionDateTime = None
    made.BurnedInAnnotation = "NO"  # the patient is not named
    made.DocumentTitle = TITLE
    made.ConceptNameCodeSequence = [code_item(_CONCEPT)]
    made.VerificationFlag = "UNVERIFIED"
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    made.EncapsulatedDocumentLength = len(document)
    sources = {one.sop_instance_uid: one.sop_class_uid for one in source_images(analysis.stack)}
    made.SourceInstanceSequence = [_source(uid, sop_class) for uid, sop_class in sources.items()]
    return made


def _source(uid: str, sop_class: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = uid
    return item
