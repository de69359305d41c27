"""The selection policy as data: `select/1` is shipped, a site's TOML file may replace parts of it."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from heltig.errors import ConfigurationError
from heltig.imaging.order import Modality
from heltig.imaging.selection.words import check

_SHIPPED: Final = "select-1.toml"

Words = tuple[Annotated[str, msgspec.Meta(min_length=1)], ...]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Range = tuple[float, float]


PhaseName: TypeAlias = Literal[
    "native", "arterial", "portal_venous", "delayed", "enhanced_unclassified", "unknown"
]
"""The phases of contrast enhancement that are told apart."""


class ImageTypes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words of Image Type (0008,0008) of what was calculated from images.

    Attributes:
        reformatted: Other planes, or projections, through images.
        maps: Something else than the images' own values.
    """

    reformatted: Words
    maps: Words


class Descriptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words of Series Description (0008,103E).

    Attributes:
        excused: Phrases that are not read.
        unwanted: By modality, or "*" for all: a series with one of them is rejected.
        lung: By modality: so is one with these, where soft tissue is to be measured.
    """

    excused: Words
    unwanted: Mapping[str, Words]
    lung: Mapping[str, Words]


class Maker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What kernels of one manufacturer are called, each by its whole value.

    Attributes:
        words: Words of Manufacturer (0008,0070).
        preferred: Kernels for soft tissue.
        avoided: Kernels for lung and bone.
    """

    words: Words
    preferred: Words
    avoided: Words


class Kernels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What speaks for and against a reconstruction, if soft tissue is to be measured.

    Attributes:
        preferred: Words of kernel and description.
        avoided: Words of kernel and description.
        makers: Kernels of manufacturers, which are read first.
    """

    preferred: Words
    avoided: Words
    makers: tuple[Maker, ...]


class Windows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Windows that tell what a reconstruction is made for, each from and to."""

    soft_center: Range
    soft_width: Range
    lung_center: Range
    lung_width: Range


class Sequences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """MR sequences.

    Attributes:
        t1: Words of descriptions and sequence names of T1-weighted images.
        other: Words of other ones; they win where both are there.
        gradient_echo_most_te_ms: A 3-D gradient echo of this echo time or less counts as T1-weighted.
    """

    t1: Words
    other: Words
    gradient_echo_most_te_ms: Positive


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a series is chosen. What each value does: docs/imaging.md and the comments of the shipped file."""

    version: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_.-]+/[0-9]+$")]
    modalities: tuple[Modality, ...]
    phases: tuple[PhaseName, ...]
    min_slices: Mapping[str, Annotated[int, msgspec.Meta(ge=2)]]
    most_pixel_mm: Positive
    most_slice_mm: Positive
    most_degrees_off_axis: Positive
    tier_part: Annotated[float, msgspec.Meta(gt=0, le=1)]
    tier_mm: Positive
    useful_slice_mm: Positive
    isotropic: Annotated[float, msgspec.Meta(ge=1)]
    image_types: ImageTypes
    descriptions: Descriptions
    kernels: Kernels
    windows: Windows
    sequences: Sequences
    body_parts: Mapping[str, Words]

    @property
    def digest(self) -> str:
        """SHA-256 of all its values: audits of one digest were made by one policy."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


@cache
def shipped() -> Policy:
    """The policy `select/1`."""
    return msgspec.convert(_shipped_tables(), Policy)


def site_policy(text: str) -> Policy:
    """The shipped policy with what a site's file replaces: tables are merged, lists and values replaced.

    Args:
        text: TOML.

    Raises:
        ConfigurationError: It is no TOML, has what no policy has, or changes values but not the version.
    """
    try:
        policy = msgspec.convert(_merged(_shipped_tables(), tomllib.loads(text)), Policy)
        for hint in _texts(msgspec.to_builtins(policy)):
            check(hint)
    except ValueError as error:  # those of tomllib, msgspec and of hints are such
        raise ConfigurationError(f"The selection policy cannot be read: {error}.") from error
    if policy.version == shipped().version and policy.digest != shipped().digest:
        raise ConfigurationError(
            f"The selection policy differs from {policy.version}: give it a version of its own, as "
            '`version = "site/1"`, so that audits say which one chose.'
        )
    return policy


def _shipped_tables() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(_SHIPPED).read_text(encoding="utf-8"))


def _texts(value: Any) -> Iterator[str]:
    """All texts in tables and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _merged(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(tables)
    for name, change in changes.items():
        known = merged.get(name)
        both = isinstance(known, Mapping) and isinstance(change, Mapping)
        merged[name] = _merged(known, change) if both else change  # type: ignore[arg-type]
    return merged
