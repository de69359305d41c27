"""Which structures the organ pictures show, and on which slices."""

from collections.abc import Mapping, Sequence, Set
from typing import Final

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.inventory import Inventory
from heltig.imaging.labels import STRUCTURES
from heltig.imaging.metrics.organs import ALL_OVER

_ORGANS: Final = frozenset(
    {
        *("spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "pancreas"),
        *("adrenal_gland_right", "adrenal_gland_left", "esophagus", "trachea", "thyroid_gland"),
        *("lung_left", "lung_right"),
        *("lung_upper_lobe_left", "lung_lower_lobe_left", "lung_upper_lobe_right"),
        *("lung_middle_lobe_right", "lung_lower_lobe_right", "small_bowel", "duodenum", "colon"),
        *("urinary_bladder", "prostate", "heart", "aorta", "inferior_vena_cava", "brain"),
        *("pulmonary_vein", "portal_vein_and_splenic_vein", "superior_vena_cava"),
    }
)
"""Of the structures that Heltig knows by name. Others, that somebody named himself, count as organs too."""

_MOST_SLICES: Final = 4
_MOST_SHOWN: Final = 30
"""Structures of one picture."""

_WELL_SHOWN: Final = 0.5
"""A slice shows a structure that has at least this part of its largest area there."""


def shown_organs(inventory: Inventory) -> tuple[str, ...]:
    """The organs that there is enough of; without one all other structures, those of the whole body last."""
    found = [key for key in inventory.found if inventory.has(key)]
    parts = [key for key in found if key not in ALL_OVER]
    organs = [key for key in parts if key in _ORGANS or key not in STRUCTURES]
    return tuple(organs or parts or found)


def organ_slices(inventory: Inventory, keys: Sequence[str], axis: int) -> list[tuple[int, list[str]]]:
    """Slices that show all structures well, as few as do, and what is on each, the largest first.

    A slice with too much for one picture is there twice.

    Args:
        inventory: What there is.
        keys: The structures.
        axis: Of the patient, which slices are across.
    """
    areas = {key: _areas(inventory, key, axis) for key in keys}
    missing = set(keys)
    chosen: list[tuple[int, list[str]]] = []
    while missing and len(chosen) < _MOST_SLICES:
        place = _best({key: areas[key] for key in keys if key in missing})
        on_it = _on(areas, place, missing)
        chosen.append((place, on_it))
        missing -= {key for key in on_it if _shows(areas[key])[place]}
    return sorted(chosen, key=lambda one: one[0])


def _areas(inventory: Inventory, key: str, axis: int) -> NDArray[np.int64]:
    """Pixels by slice."""
    segmentation = inventory.segmentation
    found = np.zeros(segmentation.shape[axis], np.int64)
    crop = segmentation.crop(key)
    across = tuple(other for other in range(3) if other != axis)
    found[crop.box[axis]] = np.count_nonzero(crop.mask, axis=across)
    return found


def _shows(areas: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(areas >= max(1.0, _WELL_SHOWN * areas.max()), np.bool_)


def _best(areas: Mapping[str, NDArray[np.int64]]) -> int:
    """The slice that shows most structures well; of several the one with most of them, then the first."""
    stacked = np.stack(list(areas.values()))
    shows = np.stack([_shows(one) for one in areas.values()])
    share = (stacked / stacked.max(axis=1, keepdims=True)).clip(0, 1) * shows
    return int(np.argmax(shows.sum(axis=0) + share.sum(axis=0) / (len(areas) + 1)))


def _on(areas: Mapping[str, NDArray[np.int64]], place: int, wanted: Set[str]) -> list[str]:
    """What is on a slice, the largest first; where it is too much, what no other slice shows goes before."""
    found = sorted((key for key, one in areas.items() if one[place]), key=lambda key: -int(areas[key][place]))
    kept = set(sorted(found, key=lambda key: key not in wanted)[:_MOST_SHOWN])
    return [key for key in found if key in kept]
