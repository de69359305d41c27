"""Enumerated values that hold in every IOD, defined terms, and body parts with their laterality.

An *enumerated value* list is closed: another value is wrong. *Defined terms* are open: another value is
allowed, though others may not understand it (PS3.5 3.10).
"""

from functools import cache
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from heltig.standard.edition import read_table

Term: TypeAlias = str | int
Enumeration: TypeAlias = frozenset[Term]

RETIRED_MODALITIES = frozenset(
    {
        *("AS", "CD", "CF", "CP", "CS", "DD", "DF", "DM", "DS", "EC", "FA", "FS", "LP", "MA", "MS", "OPR"),
        *("ST", "VF"),
    }
)
"""Modality terms retired from PS3.3 C.7.3.1.1.1; old objects still have them."""

MODALITIES = frozenset(
    {
        *("ANN", "AR", "ASMT", "AU", "BDUS", "BI", "BMD", "CFM", "CR", "CT", "CTPROTOCOL", "DG", "DMS"),
        *("DOC", "DX", "ECG", "EEG", "EMG", "EOG", "EPS", "ES", "FID", "GM", "HC", "HD", "IO", "IOL"),
        *("IVOCT", "IVUS", "KER", "KO", "LEN", "LS", "M3D", "MG", "MR", "NM", "OAM", "OCT", "OP", "OPM"),
        *("OPT", "OPTBSV", "OPTENF", "OPV", "OSS", "OT", "PA", "PLAN", "POS", "PR", "PT", "PX", "REG"),
        *("RESP", "RF", "RG", "RTDOSE", "RTIMAGE", "RTINTENT", "RTPLAN", "RTRAD", "RTRECORD", "RTSEGANN"),
        *("RTSTRUCT", "RWV", "SEG", "SM", "SMR", "SR", "SRF", "STAIN", "TEXTUREMAP", "TG", "US", "VA"),
        *("XA", "XAPROTOCOL", "XC"),
    }
)
"""Modality terms in use (PS3.3 C.7.3.1.1.1)."""

_BY_HAND: dict[tuple[str, int], Enumeration] = {
    # PS3.3 C.7.6.1.1.2, and C.8.16.1 for enhanced objects, which mix frames
    ("ImageType", 1): frozenset({"ORIGINAL", "DERIVED", "MIXED"}),
    ("ImageType", 2): frozenset({"PRIMARY", "SECONDARY", "MIXED"}),
    ("FrameType", 1): frozenset({"ORIGINAL", "DERIVED"}),
    # PS3.3 C.10.5, C.18.6, C.18.9, and C.37.1.2, which alone has rectangles
    ("GraphicType", 1): frozenset(
        {
            *("CIRCLE", "ELLIPSE", "ELLIPSOID", "INTERPOLATED", "MULTIPOINT", "POINT", "POLYGON"),
            *("POLYLINE", "RECTANGLE"),
        }
    ),
    # PS3.3 C.7.6.3.1: the tables repeat these in modules without their enumeration
    ("PixelRepresentation", 1): frozenset({0, 1}),
    ("PlanarConfiguration", 1): frozenset({0, 1}),
}
"""Enumerations of one value of an attribute, or that the tables leave open though the text does not."""

_DEFINED: dict[str, frozenset[str]] = {
    "ConversionType": frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"}),  # PS3.3 C.8.6.1
    "DecayCorrection": frozenset({"NONE", "START", "ADMIN"}),  # PS3.3 C.8.9.1
    "DoseSummationType": frozenset(  # PS3.3 C.8.8.3
        {
            *("PLAN", "MULTI_PLAN", "PLAN_OVERVIEW", "FRACTION", "BEAM", "BRACHY", "FRACTION_SESSION"),
            *("BEAM_SESSION", "BRACHY_SESSION", "CONTROL_POINT", "RECORD"),
        }
    ),
    "LossyImageCompressionMethod": frozenset(  # PS3.3 C.7.6.1.1.5.1
        {
            *("ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_15444_15", "ISO_18181_1"),
            *("ISO_13818_2", "ISO_14496_10", "ISO_23008_2"),
        }
    ),
    "Modality": MODALITIES | RETIRED_MODALITIES,
    "PatientPosition": frozenset(  # PS3.3 C.7.3.1.1.2; the last eight face the gantry from the side
        {
            *("HFP", "HFS", "HFDR", "HFDL", "FFDR", "FFDL", "FFP", "FFS"),
            *("LFP", "LFS", "RFP", "RFS", "AFDR", "AFDL", "PFDR", "PFDL"),
        }
    ),
    "PhotometricInterpretation": frozenset(  # PS3.3 C.7.6.3.1.2, the last four retired
        {
            *("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "XYB", "YBR_FULL", "YBR_FULL_422"),
            *("YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"),
            *("HSV", "ARGB", "CMYK", "YBR_PARTIAL_422"),
        }
    ),
    "RescaleType": frozenset(  # PS3.3 C.11.1.1.2
        {"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}
    ),
    "SequenceVariant": frozenset(  # PS3.3 C.8.3.1
        {"SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"}
    ),
    "TypeOfPatientID": frozenset({"TEXT", "RFID", "BARCODE"}),  # PS3.3 C.7.1.1
    "Units": frozenset(  # PS3.3 C.8.9.1.1.3
        {
            *("CNTS", "NONE", "CM2", "CM2ML", "PCNT", "CPS", "BQML", "MGMINML", "UMOLMINML", "MLMING"),
            *("MLG", "1CM", "UMOLML", "PROPCNTS", "PROPCPS", "MLMINML", "MLML", "GML", "STDDEV"),
        }
    ),
    "VOILUTFunction": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),  # PS3.3 C.11.2
}


class BodyPart(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One defined term of Body Part Examined (0018,0015), PS3.16 annex L.

    Attributes:
        term: The defined term.
        meaning: Its code meaning.
        paired: Has a left and a right one (annex L does not say; highdicom's reading); `None` where sources
            disagree, or where the term names the side.
    """

    term: str
    meaning: str
    paired: bool | None


_body_parts = tuple(read_table("body_parts", list[BodyPart]).rows)

BODY_PARTS = MappingProxyType({part.term: part for part in _body_parts})
"""Defined terms of Body Part Examined for humans; animals have more (PS3.16 annex L)."""

UNPAIRED_BODY_PARTS = frozenset(part.term for part in _body_parts if part.paired is False)
"""Body parts that there is one of."""


def enumerated(keyword: str, value: int = 1) -> Enumeration | None:
    """Return the values that are allowed in every IOD; `None` when at least one IOD leaves them open.

    An IOD can allow fewer. Text is in upper case without padding, integers are those of US and SS attributes.

    Args:
        keyword: Keyword of the attribute.
        value: Which value of a multi-valued attribute, from 1. It matters to Image Type and Frame Type only.
    """
    by_hand = _BY_HAND.get((keyword, value))
    return by_hand if by_hand is not None else _enumerations().get(keyword)


def defined_terms(keyword: str) -> frozenset[str] | None:
    """Return the defined terms of an attribute, retired ones included; `None` where none are listed here."""
    if keyword == "BodyPartExamined":
        return frozenset(BODY_PARTS)
    return _DEFINED.get(keyword)


@cache
def known_terms() -> frozenset[str]:
    """All terms that stand here: enumerated values, defined terms and body parts, of whatever attribute."""
    lists = [*_BY_HAND.values(), *_enumerations().values(), *_DEFINED.values()]
    return frozenset(term for terms in lists for term in terms if isinstance(term, str)) | BODY_PARTS.keys()


@cache
def _enumerations() -> dict[str, Enumeration]:
    return dict(read_table("enumerations", list[tuple[str, Enumeration]]).rows)
