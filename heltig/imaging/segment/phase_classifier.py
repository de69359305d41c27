"""Phase provider (c): the contrast phase classifier that is part of TotalSegmentator's wheel (8.7).

It takes medians of sixteen structures and four vessels of the neck and says how many seconds after the
injection the images were made. It needs no weights, but xgboost and scikit-learn, so it runs in an
environment of its own. Where it is given nothing it answers *native, for sure*; here it is only asked where
there is enough to judge by.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.phase import PhaseReading
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.external import limits, new_folder, run_segmenter
from heltig.imaging.segment.installed import OF_THE_CLASSIFIER, distribution_version, missing_distribution
from heltig.imaging.segment.segmenter import Availability

CLASSIFIER: Final = "phase_totalsegmentator/1"

TRUNK: Final = (
    *("liver", "pancreas", "urinary_bladder", "gallbladder", "heart", "aorta", "inferior_vena_cava"),
    *("portal_vein_and_splenic_vein", "iliac_vena_left", "iliac_vena_right"),
    *("iliac_artery_left", "iliac_artery_right", "pulmonary_vein", "brain", "colon", "small_bowel"),
)
NECK: Final = (
    *("internal_carotid_artery_right", "internal_carotid_artery_left"),
    *("internal_jugular_vein_right", "internal_jugular_vein_left"),
)
"""In the order in which the classifier takes them; what is not there is 0."""

_ILIAC: Final = ("iliac_vena_left", "iliac_vena_right", "iliac_artery_left", "iliac_artery_right")
_WITNESSES: Final = (
    ("liver",),
    ("inferior_vena_cava",),
    ("portal_vein_and_splenic_vein",),
    ("heart",),
    _ILIAC,
)
_LEAST_WITNESSES: Final = 3

_PHASES: Final = ((10.0, "native"), (60.0, "arterial"), (float("inf"), "portal_venous"))
"""Seconds below which a phase is; what is later is portal venous or later still."""

_PROGRAM: Final = Path(__file__).with_name("phase_classifier_program.py")
_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseClassifier:
    """The classifier.

    Attributes:
        python: The python of the environment that has TotalSegmentator's wheel, xgboost and scikit-learn.
        workdir: Where folders for its runs are made.
    """

    python: Path
    workdir: Path

    @property
    def version(self) -> str:
        """Rule and version of the wheel: with another one, answers may be others."""
        return f"{CLASSIFIER} {distribution_version(self.python, 'totalsegmentator') or 'unknown'}"

    def available(self) -> Availability:
        """Whether its environment has all it needs."""
        missing = missing_distribution(self.python, OF_THE_CLASSIFIER)
        if missing:
            return Availability("missing_executable", f"Its environment has no {missing}.")
        return Availability("ok")

    def reading(self, inventory: Inventory) -> PhaseReading:
        """What it says. `unknown` where there is too little to judge by, or where it does not run.

        Raises:
            OSError: The folder for its runs cannot be written.
        """
        gap = _gap(inventory)
        if gap:
            return PhaseReading(CLASSIFIER, "unknown", (gap,))
        medians = [_median(inventory, key) for key in (*TRUNK, *NECK)]
        try:
            seconds = self._asked(medians)
        except Refused as reason:
            return PhaseReading(CLASSIFIER, "unknown", (reason.code,))
        mean = statistics.fmean(seconds)
        evidence = (
            f"mean {mean:.4g} s",
            f"min {min(seconds):.4g} s",
            f"max {max(seconds):.4g} s",
            f"sd {statistics.pstdev(seconds):.4g} s",
        )
        return PhaseReading(CLASSIFIER, next(phase for below, phase in _PHASES if mean < below), evidence)

    def _asked(self, medians: Sequence[float]) -> list[float]:
        ended = run_segmenter(
            [self.python, "-I", _PROGRAM],
            folder=new_folder(self.workdir, "phase"),
            within=limits(_SECONDS, None),
            stdin=json.dumps(medians).encode(),
        )
        try:
            seconds = msgspec.json.decode(ended.output, type=list[float])
        except (msgspec.DecodeError, UnicodeDecodeError):
            seconds = []
        if not seconds:
            raise Refused("SEGMENTER_FAILED", "no seconds")
        return seconds


def _gap(inventory: Inventory) -> str:
    """Why it is not asked; empty where it may be."""
    if not inventory.segmentation.in_hounsfield:
        return "not in Hounsfield units"
    if not inventory.has("aorta"):
        return "no aorta"
    witnesses = sum(any(map(inventory.has, keys)) for keys in _WITNESSES)
    if witnesses < _LEAST_WITNESSES:
        return f"{witnesses} of {_LEAST_WITNESSES} other structures"
    if inventory.has("brain") and not all(map(inventory.has, NECK)):
        return "a brain without vessels of the neck"
    return ""


def _median(inventory: Inventory, key: str) -> float:
    values = inventory.distribution(key) if inventory.has(key) else None
    return float(values.median) if values else 0.0
