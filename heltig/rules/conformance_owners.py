"""Attributes that other rules report on: one defect gives one finding."""

from typing import Final

from heltig.standard.dictionary import tag_of

_OWNERS: Final[dict[str, tuple[str, ...]]] = {
    "CHR-MISSING": ("SpecificCharacterSet",),
    "DEI-METHOD": ("DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    "GEO-IPP-IOP-MISSING": (
        *("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"),
        *("PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence"),
    ),
    "INS-NUMBER-EMPTY": ("InstanceNumber",),
    "INS-SOPUID-MISSING": ("SOPClassUID", "SOPInstanceUID"),
    "PAT-ID-EMPTY": ("PatientID",),
    "PAT-SPECIES": (
        *("PatientBreedCodeSequence", "PatientBreedDescription", "PatientSexNeutered"),
        *("PatientSpeciesCodeSequence", "PatientSpeciesDescription", "ResponsiblePerson"),
        *("BreedRegistrationSequence", "ResponsibleOrganization", "ResponsiblePersonRole"),
    ),
    "PIX-FRAME-POINTER": ("FrameIncrementPointer",),
    "PIX-LOSSY-PAIR": ("LossyImageCompressionMethod", "LossyImageCompressionRatio"),
    "PIX-PALETTE": (
        *("BluePaletteColorLookupTableData", "BluePaletteColorLookupTableDescriptor"),
        *("GreenPaletteColorLookupTableData", "GreenPaletteColorLookupTableDescriptor"),
        *("RedPaletteColorLookupTableData", "RedPaletteColorLookupTableDescriptor"),
    ),
    "PIX-PET-UNITS": ("DecayCorrection", "RadiopharmaceuticalInformationSequence", "Units"),
    "PIX-PLANAR": ("PlanarConfiguration",),
    "PIX-REQUIRED": (
        *("BitsAllocated", "BitsStored", "Columns", "HighBit", "PhotometricInterpretation", "PixelData"),
        *("PixelRepresentation", "Rows", "SamplesPerPixel"),
    ),
    "PIX-RESCALE": ("RescaleIntercept", "RescaleSlope", "RescaleType"),
    "SER-LATERALITY": ("ImageLaterality", "Laterality"),
    "SER-MODALITY-MISSING": ("Modality",),
    "SER-NUMBER-EMPTY": ("SeriesNumber",),
    "SER-UID-MISSING": ("SeriesInstanceUID",),
    "STU-ACCESSION-EMPTY": ("AccessionNumber",),
    "STU-DATE-EMPTY": ("StudyDate",),
    "STU-UID-MISSING": ("StudyInstanceUID",),
    "VAL-CODE-SEQ": ("CodeMeaning", "CodeValue", "CodingSchemeDesignator", "LongCodeValue", "URNCodeValue"),
}

ABSENCE_REPORTED_ELSEWHERE: Final = frozenset(
    tag_of(keyword) for keywords in _OWNERS.values() for keyword in keywords
)
"""Attributes whose absence, or presence without a value, another rule reports."""

VALUES_REPORTED_ELSEWHERE: Final = frozenset(map(tag_of, ("ApprovalStatus", "Modality", "PatientSex")))
"""Attributes whose values IOD-SOP-MODALITY and PAT-SEX-ENUM judge; VAL-ENUM says why not ApprovalStatus."""
