"""What is measured in a volume and its label maps: pure functions, one module a family.

found = measure(Segmentation(volume, [labels]))
for one in found.measurements:
    print(one.region, one.name, one.value, one.unit, one.reason)
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.adipose import adipose
from heltig.imaging.metrics.aorta import aorta
from heltig.imaging.metrics.calcium import calcium
from heltig.imaging.metrics.hemorrhage import hemorrhage
from heltig.imaging.metrics.l3 import l3_slice
from heltig.imaging.metrics.liver_fat import liver_fat
from heltig.imaging.metrics.measurement import Context, Measurement
from heltig.imaging.metrics.muscle import muscle
from heltig.imaging.metrics.organs import organs
from heltig.imaging.metrics.phase import ContrastPhase, PhaseLimits, PhaseProvider, contrast_phase
from heltig.imaging.metrics.quality import quality
from heltig.imaging.metrics.regions import BodyRegion, body_regions
from heltig.imaging.metrics.slabs import fat_slabs
from heltig.imaging.metrics.vertebra import vertebra
from heltig.imaging.segmentation import Segmentation

Family: TypeAlias = Callable[[Inventory, Context], tuple[Measurement, ...]]

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "organs": organs,
        "l3": l3_slice,
        "muscle": muscle,
        "adipose": adipose,
        "vertebra": vertebra,
        "hemorrhage": hemorrhage,
    }
)
"""What is always measured."""

OPTIONAL: Final[Mapping[str, Family]] = MappingProxyType(
    {"quality": quality, "liver_fat": liver_fat, "aorta": aorta, "calcium": calcium, "fat_slabs": fat_slabs}
)
"""What is measured only where it is asked for."""


@dataclass(frozen=True, slots=True)
class Results:
    """What was measured.

    Attributes:
        inventory: What there is of each structure.
        phase: The contrast phase.
        regions: The regions of the body.
        measurements: The numbers, and why others are missing.
    """

    inventory: Inventory
    phase: ContrastPhase
    regions: tuple[BodyRegion, ...]
    measurements: tuple[Measurement, ...]

    def one(self, name: str, region: str) -> Measurement | None:
        """The measurement of that name of that region; None where there is none."""
        return next((one for one in self.measurements if (one.name, one.region) == (name, region)), None)


def measure(
    segmentation: Segmentation,
    *,
    optional: Collection[str] = (),
    height_m: float | None = None,
    t1_weighted: bool = False,
    phase_limits: PhaseLimits | None = None,
    phase_providers: Sequence[PhaseProvider] = (),
) -> Results:
    """Measure all there is.

    Args:
        segmentation: The volume and its label maps.
        optional: Which of `OPTIONAL` are wanted, too.
        height_m: The height of the patient in metres, where it is known better than by the images.
        t1_weighted: The images are known to be T1-weighted MR.
        phase_limits: Medians that tell phases apart; those of `phase_hu/1` by default.
        phase_providers: What says the contrast phase, beside headers and values.

    Raises:
        KeyError: One of `optional` is not known.
    """
    inventory = Inventory(segmentation)
    readings = [provider(inventory) for provider in phase_providers]
    phase = contrast_phase(inventory, limits=phase_limits, others=readings)
    context = Context(phase.phase, height_m, t1_weighted)
    families = (*FAMILIES.values(), *(OPTIONAL[name] for name in dict.fromkeys(optional)))
    return Results(
        inventory,
        phase,
        body_regions(inventory),
        tuple(one for family in families for one in family(inventory, context)),
    )
