"""Which regions of the body are on the images, by the structures found there (rule regions/1, 8.9)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from heltig.imaging.inventory import Inventory

RULE: Final = "regions/1"

Presence: TypeAlias = Literal["present", "partial", "absent", "not_evaluated"]

_PART: Final = 0.1
"""A region is partly there from this part of the volume of one of its anchors on."""


class Anchor(NamedTuple):
    """Structures that show a region.

    Attributes:
        keys: The structures.
        least_cm3: The volume that shows it.
        together: Their volumes are added up, else the largest one counts.
        below: Only what is further down than any of these counts.
    """

    keys: tuple[str, ...]
    least_cm3: float
    together: bool = False
    below: tuple[str, ...] = ()


class Rule(NamedTuple):
    """Anchors, of which so many have to be there."""

    anchors: tuple[Anchor, ...]
    needed: int = 1


_LUNGS: Final = (
    *("lung_upper_lobe_left", "lung_lower_lobe_left", "lung_left", "lung_right"),
    *("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"),
)
_HIPS: Final = ("hip_left", "hip_right")

_HEART: Final = Anchor(("heart",), 150)
_THORACIC: Final = tuple(Anchor((f"vertebrae_T{number}",), 5) for number in range(4, 11))
_SACRUM: Final = Anchor(("sacrum",), 40)

_REGIONS: Final[Mapping[str, Sequence[Sequence[Rule]]]] = {
    "head": [[Rule((Anchor(("brain",), 300),))], [Rule((Anchor(("skull",), 150),))]],
    "neck": [
        [Rule(tuple(Anchor((f"vertebrae_C{number}",), 2) for number in range(3, 7)), 2)],
        [Rule((Anchor(("thyroid_gland",), 3),)), Rule((Anchor(("trachea",), 5),))],
    ],
    "thorax": [[Rule((Anchor(_LUNGS, 800, together=True),))], [Rule((_HEART,)), Rule(_THORACIC, 3)]],
    "abdomen": [
        [Rule((Anchor(("liver",), 300),))],
        [
            Rule(
                (
                    Anchor(("spleen",), 40),
                    Anchor(("kidney_left", "kidney_right"), 40),
                    Anchor(("pancreas",), 15),
                    Anchor(("stomach",), 40),
                ),
                2,
            )
        ],
    ],
    "pelvis": [[Rule((_SACRUM,)), Rule(tuple(Anchor((hip,), 80) for hip in _HIPS))]],
    "legs": [[Rule(tuple(Anchor((femur,), 80, below=_HIPS) for femur in ("femur_left", "femur_right")))]],
}
"""By region: ways to see that it is there; of each way all rules have to hold."""


@dataclass(frozen=True, slots=True)
class BodyRegion:
    """Whether a region is on the images.

    Attributes:
        name: head, neck, thorax, abdomen, pelvis or legs.
        presence: `partial` where one of its anchors has a tenth of its volume; `not_evaluated` where no label
            map could hold any of them.
        from_mm: Where its anchors begin, in millimetres towards the head; None where there are none.
        to_mm: Where they end.
        version: Of the rule.
    """

    name: str
    presence: Presence
    from_mm: float | None = None
    to_mm: float | None = None
    version: str = RULE


def body_regions(inventory: Inventory) -> tuple[BodyRegion, ...]:
    """All regions, from the head to the legs."""
    return tuple(_region(inventory, name, ways) for name, ways in _REGIONS.items())


def _region(inventory: Inventory, name: str, ways: Sequence[Sequence[Rule]]) -> BodyRegion:
    anchors = [anchor for way in ways for rule in way for anchor in rule.anchors]
    if not any(inventory.status(key) for anchor in anchors for key in anchor.keys):
        return BodyRegion(name, "not_evaluated")
    volumes = {anchor: _volume_cm3(inventory, anchor) for anchor in anchors}
    seen = [anchor for anchor in anchors if volumes[anchor] >= _PART * anchor.least_cm3]
    presence: Presence = "partial" if seen else "absent"
    if any(all(_holds(rule, volumes) for rule in way) for way in ways):
        presence = "present"
    places = list(_places(inventory, seen))
    if not places:
        return BodyRegion(name, presence)
    return BodyRegion(name, presence, min(places), max(places))


def _holds(rule: Rule, volumes: Mapping[Anchor, float]) -> bool:
    return sum(volumes[anchor] >= anchor.least_cm3 for anchor in rule.anchors) >= rule.needed


def _volume_cm3(inventory: Inventory, anchor: Anchor) -> float:
    volumes = [_below_cm3(inventory, key, anchor.below) for key in anchor.keys]
    return sum(volumes) if anchor.together else max(volumes)


def _below_cm3(inventory: Inventory, key: str, others: Sequence[str]) -> float:
    """The volume of what of a structure is further down than any of the others."""
    segmentation = inventory.segmentation
    boxes = [box for other in others if (box := segmentation.box(other))]
    if not boxes:
        return inventory.volume_cm3(key)
    lowest = min(box[2].start for box in boxes)
    crop = segmentation.crop(key)
    return segmentation.volume_cm3(int(crop.mask[:, :, : max(0, lowest - crop.box[2].start)].sum()))


def _places(inventory: Inventory, anchors: Sequence[Anchor]) -> Iterator[float]:
    """The lowest and the highest edge of each anchor."""
    segmentation = inventory.segmentation
    for key in (key for anchor in anchors for key in anchor.keys):
        box = segmentation.box(key)
        if box:
            yield segmentation.height_mm(box[2].start - 0.5)
            yield segmentation.height_mm(box[2].stop - 0.5)
