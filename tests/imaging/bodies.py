"""Bodies to measure, as volumes with label maps, and ways to look at what was measured."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from imaging.phantom import Box, Index, Part, Phantom, Ring, Triple

from heltig.imaging.metrics import Results, measure
from heltig.imaging.segmentation import Segmentation

LEVELS: Final = ("S1", "L5", "L4", "L3", "L2", "L1", "T12")
"""Vertebrae of the torso, from below."""

TORSO_SPACING: Final = (1.0, 1.0)
CENTRE: Final = (175.0, 125.0)
MUSCLE, SUBCUTANEOUS, VISCERAL = 50, -100, -90


def segmentation(*phantoms: Phantom, **technique: Any) -> Segmentation:
    """The voxels of the first phantom, and the labels of all of them, a map each."""
    return Segmentation(phantoms[0].volume(**technique), [phantom.label_map() for phantom in phantoms])


def results(*phantoms: Phantom, optional: Iterable[str] = (), **technique: Any) -> Results:
    return measure(segmentation(*phantoms, **technique), optional=tuple(optional))


def value(found: Results, name: str, region: str) -> float | None:
    one = found.one(name, region)
    assert one is not None, f"no {name} of {region}"
    return one.value


def why(found: Results, name: str, region: str) -> tuple[str, str]:
    """Status and reason of what has no value."""
    one = found.one(name, region)
    assert one is not None, f"no {name} of {region}"
    assert one.value is None
    return one.status, one.reason


def summary(found: Results) -> dict[tuple[str, str], Any]:
    """All that was measured, but for how the slices are numbered in the array."""
    return {
        (one.name, one.region): (
            one.status,
            one.reason,
            None if one.value is None or "slice" in one.name else float(f"{one.value:.9g}"),
            one.place and round(one.place.height_mm, 6),
        )
        for one in found.measurements
    }


def drawn(phantom: Phantom, parts: Iterable[Part]) -> Phantom:
    """Other labels on the grid of a phantom."""
    return Phantom.of(phantom.shape, phantom.spacing, parts)


def first_slice(level: str, slices: int) -> int:
    return 2 + LEVELS.index(level) * (slices + 1)


def torso(
    slices: int = 6,
    *,
    muscle: Any = MUSCLE,
    process: tuple[int, int] = (0, 0),
    levels: Iterable[str] = LEVELS,
    more: Iterable[Part] = (),
) -> Phantom:
    """Fat, a ring of muscle, visceral fat and a spine whose vertebrae are 30 mm high.

    Args:
        slices: How many slices a vertebra has. One slice lies between two.
        muscle: Values of the muscle.
        process: How deep the spinous process of L3 is, in voxels, and how many slices it goes down.
        levels: Vertebrae with a label.
        more: What is drawn over all this.
    """
    dz = 30 / slices
    shape = (350, 250, len(LEVELS) * (slices + 1) + 3)
    parts: list[Part] = [
        Ring("subcutaneous_fat", CENTRE, (170, 120), SUBCUTANEOUS, inner=(150, 100)),
        Ring("skeletal_muscle", CENTRE, (150, 100), muscle, inner=(125, 80)),
        Ring("torso_fat", (175, 110), (60, 30), VISCERAL),
    ]
    for level in levels:
        low = first_slice(level, slices)
        parts.append(Box(f"vertebrae_{level}", (155, 150, low), (195, 185, low + slices), 200))
    if process[0]:
        low = first_slice("L3", slices)
        parts.append(
            Box("vertebrae_L3", (172, 185, low - process[1]), (178, 185 + process[0], low + slices), 300)
        )
    return Phantom.of(shape, (*TORSO_SPACING, dz), [*parts, *more])


def boxes(shape: Index, spacing: Triple, **keys: tuple[Index, Index, Any]) -> Phantom:
    """A phantom of boxes: first voxel, one past the last, values."""
    return Phantom.of(shape, spacing, [Box(key, *found) for key, found in keys.items()])


def rotation(axis: int, degrees: float) -> Any:
    """A rotation about one of the patient's axes."""
    angle = np.radians(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    found = np.eye(3)
    a, b = [one for one in range(3) if one != axis]
    found[a, a], found[a, b], found[b, a], found[b, b] = cosine, -sine, sine, cosine
    return found
