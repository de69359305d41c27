"""Attributes that other rules report on: one defect gives one finding."""

from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from heltig.rules.dose_grid import DOSE
from heltig.rules.geometry import PLANE
from heltig.rules.geometry_frames import OF_SLIDES, PLACED_BY_FRAME_OF_REFERENCE
from heltig.rules.instance_number import is_numbered
from heltig.rules.pixel_facts import is_image
from heltig.rules.planes import is_slice_class
from heltig.rules.structured_reports import is_report
from heltig.rules.uptake import PET_IMAGE
from heltig.standard import sop_classes
from heltig.standard.conditions import Find, When
from heltig.standard.dictionary import tag_of

_CT: Final = "1.2.840.10008.5.1.4.1.1.2"
_MR: Final = "1.2.840.10008.5.1.4.1.1.4"


class _Owner(NamedTuple):
    """What one rule reports, absent or without a value.

    Attributes:
        keywords: The attributes in the data set itself, sequences of functional groups included.
        of: Tells by its UID whether the rule looks at objects of a SOP Class.
        when: It looks at those only of which this is true.
        grouped: The attributes inside functional groups.
        in_items: The attributes in items of other sequences.
    """

    keywords: tuple[str, ...]
    of: Callable[[str], bool] = lambda _: True
    when: When | None = None
    grouped: tuple[str, ...] = ()
    in_items: tuple[str, ...] = ()


def _and(*parts: When) -> When:
    return When("and", parts=parts)


def _is(keyword: str, *values: str) -> When:
    return When("=", tag_of(keyword), 1, values)


def _has(keyword: str) -> When:
    return When("+", tag_of(keyword))


def _lacks(keyword: str) -> When:
    return When("-", tag_of(keyword))


def _is_enhanced_slice(sop_class_uid: str) -> bool:
    sop_class = sop_classes.lookup(sop_class_uid)
    return sop_class is not None and sop_class.enhanced and is_slice_class(sop_class_uid)


_PLANE: Final = tuple([keyword for _, keyword in PLANE])
_PLANE_GROUPS: Final = tuple([macro for macro, _ in PLANE])
_PIXELS: Final = (
    *("BitsAllocated", "BitsStored", "Columns", "HighBit", "PhotometricInterpretation"),
    *("PixelRepresentation", "Rows", "SamplesPerPixel"),
)
_PALETTES: Final = tuple(
    f"{colour}PaletteColorLookupTable{part}"
    for colour in ("Blue", "Green", "Red")
    for part in ("Data", "Descriptor")
)

_OWNERS: Final[tuple[tuple[str, _Owner], ...]] = (
    ("CHR-MISSING", _Owner(("SpecificCharacterSet",))),
    ("DEI-METHOD", _Owner(("DeidentificationMethod", "DeidentificationMethodCodeSequence"))),
    ("GEO-ENH-MISSING", _Owner((), when=_has("DimensionIndexSequence"), grouped=("DimensionIndexValues",))),
    (
        "GEO-ENH-MISSING",
        _Owner(
            _PLANE_GROUPS,
            of=PLACED_BY_FRAME_OF_REFERENCE.__contains__,
            when=_and(_has("FrameOfReferenceUID"), *map(_lacks, OF_SLIDES)),
            grouped=_PLANE,
        ),
    ),
    ("GEO-IPP-IOP-MISSING", _Owner(_PLANE, of=frozenset({_CT, _MR, PET_IMAGE}).__contains__)),
    (
        "GEO-IPP-IOP-MISSING",
        _Owner(
            _PLANE_GROUPS,
            of=_is_enhanced_slice,
            when=_is("ImageType", "ORIGINAL", "MIXED"),
            grouped=_PLANE,
        ),
    ),
    ("INS-NUMBER-EMPTY", _Owner(("InstanceNumber",), of=is_numbered)),
    ("INS-SOPUID-MISSING", _Owner(("SOPClassUID", "SOPInstanceUID"))),
    ("PAT-ID-EMPTY", _Owner(("PatientID",))),
    ("PAT-SPECIES", _Owner(("ResponsibleOrganization", "ResponsiblePerson"))),
    (
        "PIX-DATA-MISSING",
        _Owner(("DoubleFloatPixelData", "FloatPixelData", "PixelData"), of=is_image),
    ),
    ("PIX-DOSE-SCALING", _Owner(("DoseGridScaling",), of=DOSE.__eq__, when=_has("Rows"))),
    ("PIX-FRAME-POINTER", _Owner(("FrameTime", "FrameTimeVector", "GridFrameOffsetVector"))),
    ("PIX-LOSSY-PAIR", _Owner(("LossyImageCompressionMethod", "LossyImageCompressionRatio"))),
    (
        "PIX-OVERLAY-EMBEDDED",
        _Owner(("OverlayData",), when=_is("OverlayBitsAllocated", "8", "16", "32")),
    ),
    ("PIX-PALETTE", _Owner(_PALETTES, when=_is("PhotometricInterpretation", "PALETTE COLOR"))),
    ("PIX-PET-UNITS", _Owner(("DecayCorrection", "Units"), of=PET_IMAGE.__eq__, when=_is("Modality", "PT"))),
    (
        "PIX-PET-UNITS",
        _Owner(
            ("RadiopharmaceuticalInformationSequence",),
            of=PET_IMAGE.__eq__,
            when=_and(_is("Modality", "PT"), _is("Units", "BQML")),
        ),
    ),
    ("PIX-PLANAR", _Owner(("PlanarConfiguration",))),
    ("PIX-REQUIRED", _Owner(_PIXELS, of=is_image)),
    ("PIX-REQUIRED", _Owner(_PIXELS, when=_has("PixelData"))),
    (
        "PIX-RESCALE",
        _Owner(("RescaleIntercept", "RescaleSlope"), of=frozenset({_CT, PET_IMAGE}).__contains__),
    ),
    ("SER-MODALITY-MISSING", _Owner(("Modality",))),
    ("SER-NUMBER-EMPTY", _Owner(("SeriesNumber",))),
    ("SER-UID-MISSING", _Owner(("SeriesInstanceUID",))),
    ("STU-ACCESSION-EMPTY", _Owner(("AccessionNumber",))),
    ("STU-DATE-EMPTY", _Owner(("StudyDate",))),
    ("STU-UID-MISSING", _Owner(("StudyInstanceUID",))),
    ("VAL-REPORT-UNIT", _Owner((), of=is_report, in_items=("MeasurementUnitsCodeSequence",))),
)
"""Each rule with what it takes over, no more than it really looks at."""

READ_BY_OWNERS: Final = frozenset(map(tag_of, ("OverlayBitsAllocated", "Units")))
"""Attributes whose values tell whether a rule looks at an object, and that no condition of PS3.3 asks for."""


class Owned(NamedTuple):
    """Attributes whose absence, or presence without a value, other rules report.

    Attributes:
        in_data_set: In the data set itself, sequences of functional groups included.
        in_items: In items of sequences at any depth.
        in_groups: In the items of functional groups.
    """

    in_data_set: frozenset[str] = frozenset()
    in_items: frozenset[str] = frozenset()
    in_groups: frozenset[str] = frozenset()


_CODES: Final = frozenset(
    map(tag_of, ("CodeMeaning", "CodeValue", "CodingSchemeDesignator", "LongCodeValue", "URNCodeValue"))
)
"""Parts of coded entries: VAL-CODE-SEQ tells what they lack."""

NOTHING: Final = Owned()


def owned_by_others(sop_class_uid: str, find: Find) -> Owned:
    """What other rules report of an object.

    Args:
        sop_class_uid: Its SOP Class.
        find: Looks up the attributes of its data set.
    """
    owners = [owner for owner in _owners_of(sop_class_uid) if owner.when is None or owner.when.holds(find)]
    return Owned(
        frozenset([tag_of(keyword) for owner in owners for keyword in owner.keywords]),
        _CODES.union([tag_of(keyword) for owner in owners for keyword in owner.in_items]),
        frozenset([tag_of(keyword) for owner in owners for keyword in owner.grouped]),
    )


@cache
def _owners_of(sop_class_uid: str) -> tuple[_Owner, ...]:
    return tuple([owner for _, owner in _OWNERS if owner.of(sop_class_uid)])


def owners() -> tuple[str, ...]:
    """The rules that report them."""
    return (*dict.fromkeys(rule_id for rule_id, _ in _OWNERS), "VAL-CODE-SEQ")


VALUES_REPORTED_ELSEWHERE: Final = frozenset(map(tag_of, ("Modality", "PatientSex")))
"""Attributes whose values IOD-SOP-MODALITY and PAT-SEX-ENUM judge."""

NOT_OF_VAL_ENUM: Final = frozenset({tag_of("ApprovalStatus")})
"""Attributes that VAL-ENUM leaves alone: systems write them into objects whose IOD does not have them."""
