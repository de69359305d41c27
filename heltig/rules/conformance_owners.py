"""Attributes that other rules report on: one defect gives one finding."""

from functools import cache
from typing import Final, NamedTuple

from heltig.standard import sop_classes
from heltig.standard.dictionary import tag_of

_CT: Final = "1.2.840.10008.5.1.4.1.1.2"
_MR: Final = "1.2.840.10008.5.1.4.1.1.4"
_PET: Final = "1.2.840.10008.5.1.4.1.1.128"


class _Owner(NamedTuple):
    """What one rule reports, absent or without a value, in the data set itself.

    Attributes:
        keywords: The attributes.
        of: The SOP Classes whose objects it looks at; all where none are named.
        enhanced: It looks at objects with functional groups, too.
    """

    keywords: tuple[str, ...]
    of: tuple[str, ...] = ()
    enhanced: bool = False


_OWNERS: Final[dict[str, _Owner]] = {
    "CHR-MISSING": _Owner(("SpecificCharacterSet",)),
    "DEI-METHOD": _Owner(("DeidentificationMethod", "DeidentificationMethodCodeSequence")),
    "GEO-IPP-IOP-MISSING": _Owner(
        (
            *("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"),
            *("PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence"),
        ),
        of=(_CT, _MR, _PET),
        enhanced=True,
    ),
    "INS-NUMBER-EMPTY": _Owner(("InstanceNumber",)),
    "INS-SOPUID-MISSING": _Owner(("SOPClassUID", "SOPInstanceUID")),
    "PAT-ID-EMPTY": _Owner(("PatientID",)),
    "PAT-SPECIES": _Owner(("ResponsibleOrganization", "ResponsiblePerson")),
    "PIX-DATA-MISSING": _Owner(("DoubleFloatPixelData", "FloatPixelData", "PixelData")),
    "PIX-FRAME-POINTER": _Owner(("FrameTime", "FrameTimeVector", "GridFrameOffsetVector")),
    "PIX-LOSSY-PAIR": _Owner(("LossyImageCompressionMethod", "LossyImageCompressionRatio")),
    "PIX-PALETTE": _Owner(
        (
            *("BluePaletteColorLookupTableData", "BluePaletteColorLookupTableDescriptor"),
            *("GreenPaletteColorLookupTableData", "GreenPaletteColorLookupTableDescriptor"),
            *("RedPaletteColorLookupTableData", "RedPaletteColorLookupTableDescriptor"),
        )
    ),
    "PIX-PET-UNITS": _Owner(
        ("DecayCorrection", "RadiopharmaceuticalInformationSequence", "Units"), of=(_PET,)
    ),
    "PIX-PLANAR": _Owner(("PlanarConfiguration",)),
    "PIX-REQUIRED": _Owner(
        (
            *("BitsAllocated", "BitsStored", "Columns", "HighBit", "PhotometricInterpretation"),
            *("PixelRepresentation", "Rows", "SamplesPerPixel"),
        )
    ),
    "PIX-RESCALE": _Owner(("RescaleIntercept", "RescaleSlope"), of=(_CT, _PET)),
    "SER-LATERALITY": _Owner(("ImageLaterality", "Laterality")),
    "SER-MODALITY-MISSING": _Owner(("Modality",)),
    "SER-NUMBER-EMPTY": _Owner(("SeriesNumber",)),
    "SER-UID-MISSING": _Owner(("SeriesInstanceUID",)),
    "STU-ACCESSION-EMPTY": _Owner(("AccessionNumber",)),
    "STU-DATE-EMPTY": _Owner(("StudyDate",)),
    "STU-UID-MISSING": _Owner(("StudyInstanceUID",)),
}


class Owned(NamedTuple):
    """Attributes whose absence, or presence without a value, other rules report.

    Attributes:
        in_data_set: In the data set itself, functional group macros included.
        in_items: In items of sequences at any depth.
    """

    in_data_set: frozenset[str] = frozenset()
    in_items: frozenset[str] = frozenset()


_CODES: Final = frozenset(
    map(tag_of, ("CodeMeaning", "CodeValue", "CodingSchemeDesignator", "LongCodeValue", "URNCodeValue"))
)
"""Parts of coded entries: VAL-CODE-SEQ tells what they lack."""

NOTHING: Final = Owned()


@cache
def owned_by_others(sop_class_uid: str) -> Owned:
    """What other rules report of objects of a SOP Class."""
    sop_class = sop_classes.lookup(sop_class_uid)
    enhanced = sop_class is not None and sop_class.enhanced
    keywords = [
        keyword
        for owner in _OWNERS.values()
        if not owner.of or sop_class_uid in owner.of or (enhanced and owner.enhanced)
        for keyword in owner.keywords
    ]
    return Owned(frozenset(map(tag_of, keywords)), _CODES)


def owners() -> tuple[str, ...]:
    """The rules that report them."""
    return (*_OWNERS, "VAL-CODE-SEQ")


VALUES_REPORTED_ELSEWHERE: Final = frozenset(map(tag_of, ("ApprovalStatus", "Modality", "PatientSex")))
"""Attributes whose values IOD-SOP-MODALITY and PAT-SEX-ENUM judge; VAL-ENUM says why not ApprovalStatus."""
