"""One measured number, or why there is none.

What was not measured has no value: it is never written as zero. Nothing here says what a value means for a
patient, and no value is compared with a limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from heltig.imaging.inventory import Inventory
from heltig.imaging.segmentation import Segmentation, SlicePlace

VERSION: Final = "metrics/1"

CM3: Final = "cm3"
CM2: Final = "cm2"
MM: Final = "mm"
HU: Final = "[hnsf'U]"
ONE: Final = "1"

Status: TypeAlias = Literal["measured", "truncated", "absent", "not_evaluated", "suppressed"]

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "absent": "No voxel has this label, though the segmentation could have given it.",
        "not_segmented": "No segmentation could have given this structure.",
        "too_small": "There are fewer than 27 voxels, or less than 0.1 cm³.",
        "sample_too_small": "Too few voxels are left for this measurement.",
        "cut_off": "The structure goes on beyond the images, or beyond what was reconstructed.",
        "not_ct": "Only CT has attenuation in Hounsfield units.",
        "no_hounsfield_units": "The values of this CT are not in Hounsfield units.",
        "tilted": "The gantry was tilted: nothing is measured on single slices.",
        "oblique": "The slices are more than 15 degrees off the axial plane.",
        "l3_ambiguous": "Which slice is the middle of L3 is not certain.",
        "slab_uncertain": "The vertebra, or one beside it, is not there as a whole, or out of order.",
        "slab_in_part": "On a slice of the slab there is none: the mask may be drawn on some slices alone.",
        "no_muscle_in_window": "No muscle on this slice has a value in the window.",
        "no_subcutaneous_fat": "There is no subcutaneous fat to divide by.",
        "no_height": "The height of the patient is not given, or is not possible.",
        "no_vertebral_bodies": "No segmentation says which part of the vertebra is its body.",
        "brain_cut_off": "The brain is not on the images as a whole.",
        "contrast_enhanced": "The images are contrast-enhanced.",
        "phase_not_native": "The images are not known to be without contrast agent.",
        "slice_distance": "The slices are further apart than this measurement allows.",
        "tube_voltage": "The tube voltage is not given, or not one that the formula holds for.",
    }
)
"""Why there is no value, in words."""

WARNINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "several_components": "There is more than one part of 5 cm³ or more; the volume is that of all.",
        "contrast_enhanced": "The images are contrast-enhanced, which raises the value.",
        "arms_beside": "Much of what is near the arms would have to go: nothing was taken away.",
        "height_given": "The height was given with the order; it is not that of the images.",
        "height_in_cm": "Patient's Size was written in centimetres, not in metres.",
        "tube_voltage": "The tube voltage is not given, or not from 110 to 130 kV.",
        "slice_distance": "The slices are more than 5 mm apart.",
        "axes_disagree": "The volume by its axes is less than 0.6 or more than 1.6 times that by its voxels.",
        "attenuation_range": "The mean is not from 40 to 100 HU.",
        "t1_only": "Brains are segmented on T1-weighted images, and these are not known to be such.",
    }
)
"""What to keep in mind about a value, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number.

    Attributes:
        name: What was measured, as `volume`.
        region: Where: the key of a structure, or a name of the method's own.
        value: The number; None where it was not measured.
        unit: In UCUM.
        status: `truncated` has a value where it holds for the part that is seen.
        reason: A key of `REASONS`; empty where the status is `measured`.
        method: How, in a few words or with the name of the rule.
        window: The values that count, both included.
        place: The slice that it was measured on.
        warnings: Keys of `WARNINGS`.
        version: Of the definitions.
    """

    name: str
    region: str
    value: float | None
    unit: str
    method: str
    status: Status = "measured"
    reason: str = ""
    window: tuple[float, float] | None = None
    place: SlicePlace | None = None
    warnings: tuple[str, ...] = ()
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class Context:
    """What is known besides the images and the masks.

    Attributes:
        phase: The contrast phase, one of `phase.PHASES`.
        height_m: The height of the patient in metres, where somebody gave it; it goes before the images'.
        t1_weighted: The images are known to be T1-weighted MR.
    """

    phase: str = "unknown"
    height_m: float | None = None
    t1_weighted: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """Why something cannot be measured."""

    status: Status
    reason: str


def gap_of(inventory: Inventory, key: str) -> Gap | None:
    """Why a structure cannot be measured; None where it can, as a whole or in part."""
    match inventory.status(key):
        case None:
            return Gap("not_evaluated", "not_segmented")
        case "absent":
            return Gap("absent", "absent")
        case "too_small":
            return Gap("not_evaluated", "too_small")
    return None


def hounsfield_gap(segmentation: Segmentation) -> Gap | None:
    """Why there is no attenuation; None where there is."""
    if segmentation.in_hounsfield:
        return None
    by_ct = segmentation.volume.technique.modality == "CT"
    return Gap("suppressed", "no_hounsfield_units" if by_ct else "not_ct")


def slice_gap(segmentation: Segmentation) -> Gap | None:
    """Why nothing is measured on axial slices; None where it is."""
    if segmentation.upright:
        return None
    return Gap("not_evaluated", "tilted" if segmentation.volume.tilted else "oblique")
