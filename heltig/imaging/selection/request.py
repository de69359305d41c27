"""What a series is wanted for: the choice depends on it as it does on the policy."""

from typing import Literal, TypeAlias

import msgspec

Target: TypeAlias = Literal["soft_tissue", "brain", "any"]
Region: TypeAlias = Literal["head", "neck", "thorax", "abdomen", "pelvis", "legs"]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be measured.

    Attributes:
        target: `soft_tissue` rejects series for lung, `brain` prefers 3-D T1 among MR; both prefer soft
            kernels among CT. `any` does none of it.
        slice_metrics: Something is measured on single slices: they have to be across the
            patient, and straight.
        modalities: The modalities of the policy that may be chosen; all of them if empty.
        region: Where it is; only warns.
    """

    target: Target = "soft_tissue"
    slice_metrics: bool = False
    modalities: tuple[str, ...] = ()
    region: Region | None = None
