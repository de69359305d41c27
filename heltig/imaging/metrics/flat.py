"""Some results under the short names that earlier pipelines used, for programs that read those."""

from typing import Final

from heltig.imaging.metrics import Results
from heltig.imaging.metrics.hemorrhage import KEY as HEMORRHAGE
from heltig.imaging.metrics.organs import EXPECTED

_ORGAN: Final = {
    "vol_cm3": "volume",
    "hu_mean": "attenuation_mean",
    "hu_std": "attenuation_sd",
}

_SINGLE: Final = {
    "SMA_cm2": ("SMA", "skeletal_muscle"),
    "muscle_HU_mean": ("SMD", "skeletal_muscle"),
    "muscle_HU_std": ("SMD_sd", "skeletal_muscle"),
    "hemorrhage_vol_cm3": ("hemorrhage_volume", HEMORRHAGE),
}

_SLICES: Final = tuple(f"hemorrhage_slice_{part}" for part in (15, 50, 85))


def flat_view(results: Results, case_id: str) -> dict[str, str | float | list[str] | list[int] | None]:
    """Short names and values; None where there is no value. Slices are indices counted from 0.

    Args:
        results: What was measured.
        case_id: What the caller calls the analysis.
    """
    evaluated = [region for region in results.regions if region.presence != "not_evaluated"]
    found: dict[str, str | float | list[str] | list[int] | None] = {
        "case_id": case_id,
        "modality": results.inventory.segmentation.volume.technique.modality,
        "body_regions": [one.name for one in evaluated if one.presence == "present"] if evaluated else None,
    }
    for organ in EXPECTED:
        for short, name in _ORGAN.items():
            found[f"{organ}_{short}"] = _value(results, name, organ)
    found["slice_L3"] = _value(results, "L3_slice", "vertebrae_L3")
    for short, (name, region) in _SINGLE.items():
        found[short] = _value(results, name, region)
    slices = [_value(results, name, HEMORRHAGE) for name in _SLICES]
    found["hemorrhage_analysis_slices"] = [int(one) for one in slices if one is not None] or None
    return found


def _value(results: Results, name: str, region: str) -> float | None:
    one = results.one(name, region)
    return one.value if one else None
