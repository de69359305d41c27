"""An estimate of the fat fraction of the liver by its attenuation (8.10). Not made unless asked for.

The line is that of Radiology 2021;301:250: 65, 23 and -3 HU stand for 0.5, 25 and 40 per cent. It holds for
images without contrast agent at 120 kV only.
"""

from typing import Final

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.measurement import HU, Context, Gap, Measurement, gap_of, hounsfield_gap

PERCENT: Final = "%"

_SLOPE: Final = -0.58
_AT_ZERO: Final = 38.2
_KILOVOLT: Final = (115.0, 125.0)
_SAMPLE_CM3: Final = 100.0
_METHOD: Final = "-0.58 × HU + 38.2, from 0 to 100"


def liver_fat(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """The estimate, and the difference of liver and spleen."""
    liver, spleen = (_mean_of(inventory, key) for key in ("liver", "spleen"))
    value, difference = None, None
    gap = liver if isinstance(liver, Gap) else _unfit(inventory, context)
    if not gap and not isinstance(liver, Gap):
        value = min(100.0, max(0.0, _SLOPE * liver + _AT_ZERO))
    apart = next((one for one in (liver, spleen) if isinstance(one, Gap)), None)
    if not isinstance(liver, Gap) and not isinstance(spleen, Gap):
        difference = liver - spleen
    return (
        _result("fat_fraction_estimate", "liver", value, PERCENT, _METHOD, gap),
        _result("attenuation_difference", "liver-spleen", difference, HU, "difference of means", apart),
    )


def _mean_of(inventory: Inventory, key: str) -> float | Gap:
    gap = hounsfield_gap(inventory.segmentation) or gap_of(inventory, key)
    if gap:
        return gap
    values = inventory.distribution(key)
    return values.mean if values else Gap("not_evaluated", "sample_too_small")


def _unfit(inventory: Inventory, context: Context) -> Gap | None:
    """Why the formula does not hold."""
    kilovolt = inventory.segmentation.volume.technique.kvp
    low, high = _KILOVOLT
    if context.phase != "native":
        return Gap("suppressed", "phase_not_native")
    if kilovolt is None or not low <= kilovolt <= high:
        return Gap("suppressed", "tube_voltage")
    if inventory.volume_cm3("liver") < _SAMPLE_CM3:
        return Gap("not_evaluated", "sample_too_small")
    return None


def _result(
    name: str, region: str, value: float | None, unit: str, method: str, gap: Gap | None
) -> Measurement:
    gap = gap or Gap("measured", "")
    return Measurement(
        name=name, region=region, value=value, unit=unit, method=method, status=gap.status, reason=gap.reason
    )
