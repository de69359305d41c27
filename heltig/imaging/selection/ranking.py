"""The order of candidates that are not rejected: a key of levels, the first that differs decides.

Ties go on to the next level, down to the UIDs, which are never the same: there is always one winner, whatever
the order in which series come.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from heltig.imaging.selection.candidates import Candidate
from heltig.imaging.selection.policy import Policy
from heltig.imaging.selection.preferring import preference_of, sequence_rank
from heltig.imaging.selection.request import Request

_UNNUMBERED: Final = math.inf


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What the order of candidates is decided by, the first level first. Smaller is better unless said.

    Attributes:
        modality: Its place in the policy.
        sequence: MR for a brain: see `sequence_rank`; else 0.
        phase: Its place in the policy; all phases that are not there share the last one.
        tilt: 1 where slices are tilted against the axis of their stack. Positions are always measured ones.
        elongation: MR: the longest edge of a voxel to the shortest, in tenths; those below a limit tie.
        coverage_tier: 0 where the coverage is close to the best of the same modality, sequence and phase.
        slice_mm: From slice to slice, in tenths of millimetres; those below a limit tie.
        preference: CT: what kernel, description and window say.
        coverage_mm: Greater is better.
        phase_probability: Greater is better.
        slices: Greater is better.
        series_number: Those without one come last.
        series_instance_uid: In the order of letters.
        study_instance_uid: In the order of letters.
        first_sop_instance_uid: In the order of letters.
    """

    modality: int
    sequence: int
    phase: int
    tilt: int
    elongation: float
    coverage_tier: int
    slice_mm: float
    preference: int
    coverage_mm: float
    phase_probability: float
    slices: int
    series_number: int | None
    series_instance_uid: str
    study_instance_uid: str
    first_sop_instance_uid: str

    @property
    def order(self) -> tuple[float | str, ...]:
        """Its levels, smaller before greater."""
        return tuple(_as_order(level, getattr(self, level)) for level in LEVELS)

    def decided_before(self, other: "Key") -> str:
        """The first level in which two keys differ; empty where none does."""
        pairs = zip(LEVELS, self.order, other.order, strict=True)
        return next((level for level, mine, theirs in pairs if mine != theirs), "")


LEVELS: Final = Key.__struct_fields__
_GREATER_FIRST: Final = frozenset({"coverage_mm", "phase_probability", "slices"})


def keys_of(candidates: Sequence[Candidate], policy: Policy, request: Request) -> list[Key]:
    """The key of each candidate; their coverage tiers depend on one another."""
    groups = [_group(candidate, policy, request) for candidate in candidates]
    best: dict[tuple[int, int, int], float] = {}
    for group, candidate in zip(groups, candidates, strict=True):
        best[group] = max(best.get(group, 0.0), candidate.coverage)
    return [
        _key(candidate, policy, request, group, best)
        for group, candidate in zip(groups, candidates, strict=True)
    ]


def _key(
    candidate: Candidate,
    policy: Policy,
    request: Request,
    group: tuple[int, int, int],
    best: Mapping[tuple[int, int, int], float],
) -> Key:
    modality, sequence, phase = group
    enough = max(policy.tier_part * best[group], best[group] - policy.tier_mm)
    is_ct = candidate.technique.modality == "CT"
    elongation = 1.0 if is_ct else max(candidate.spacing) / min(candidate.spacing)
    preference = preference_of(candidate, policy).score if is_ct and request.target != "any" else 0
    return Key(
        modality=modality,
        sequence=sequence,
        phase=phase,
        tilt=int(candidate.tilted),
        elongation=max(_tenths(elongation), policy.isotropic),
        coverage_tier=int(candidate.coverage < enough),
        slice_mm=max(_tenths(candidate.spacing[2]), policy.useful_slice_mm),
        preference=preference,
        coverage_mm=_tenths(candidate.coverage),
        phase_probability=candidate.phase.probability,
        slices=candidate.slices,
        series_number=candidate.technique.series_number,
        series_instance_uid=candidate.series_instance_uid,
        study_instance_uid=candidate.study_instance_uid,
        first_sop_instance_uid=candidate.first_sop_instance_uid,
    )


def _group(candidate: Candidate, policy: Policy, request: Request) -> tuple[int, int, int]:
    """Modality, sequence and phase, of which coverages are compared."""
    technique = candidate.technique
    for_brain = technique.modality == "MR" and request.target == "brain"
    return (
        _place(technique.modality, policy.modalities),
        sequence_rank(technique, policy) if for_brain else 0,
        _place(candidate.phase.name, policy.phases),
    )


def _place(name: str, names: Sequence[str]) -> int:
    return names.index(name) if name in names else len(names)


def _tenths(number: float) -> float:
    """Rounded to tenths, halves up."""
    return math.floor(number * 10 + 0.5) / 10


def _as_order(level: str, value: float | str | None) -> float | str:
    if value is None:
        return _UNNUMBERED
    return -value if level in _GREATER_FIRST and not isinstance(value, str) else value
