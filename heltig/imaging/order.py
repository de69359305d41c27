"""What an analysis is asked to do and what it says while it does it: the two sides of a process boundary.

Whoever orders an analysis starts `python -m heltig.imaging.case` with an `Order` on its standard input, and
reads one `Told` a line from its standard output. Nothing here needs the extra `heltig[imaging]`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from heltig.errors import UsageError

State: TypeAlias = Literal[
    "queued",
    "selecting",
    "converting",
    "segmenting",
    "measuring",
    "rendering",
    "publishing",
    "done",
    "refused",
    "failed",
]

STATES: Final[tuple[State, ...]] = get_args(State)
"""In the order in which an analysis goes through them; the last three are ends."""

ENDS: Final[frozenset[State]] = frozenset({"done", "refused", "failed"})
"""`refused` is a normal outcome, with a code; `failed` is not."""


DISK_FULL: Final = 28
"""What a case exits with that found no room for what it writes: the number of ENOSPC."""

Modality: TypeAlias = Literal["CT", "MR"]

MODALITIES: Final[tuple[Modality, ...]] = get_args(Modality)
"""What can be analysed."""

OPTIONAL_FAMILIES: Final = ("quality", "liver_fat", "aorta", "calcium", "fat_slabs")
"""Families of measurements that are made only where they are asked for."""


class SegmenterOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One backend that is to run.

    Attributes:
        id: Its name, as `byo-nifti` or `totalsegmentator`.
        options: What it takes, by name: see the backend.
    """

    id: str
    options: Mapping[str, str] = {}


class Order(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One analysis.

    Attributes:
        analysis_id: Opaque; names the analysis in files and addresses.
        objects: The folder of the DICOM objects of the study, segmentations among them, in any order and
            depth; it is only read.
        output: A new or empty folder for everything that the analysis writes.
        segmenters: What finds structures, in the order in which they run.
        target: See `heltig.imaging.selection.request.Request`.
        slice_metrics: See there.
        modalities: See there.
        series: SeriesInstanceUID that has to be taken; None leaves the choice to the policy.
        policy: The site's own selection policy, a TOML file; None for the one that Heltig brings.
        optional: Which of `OPTIONAL_FAMILIES` are wanted.
        height_m: The height of the patient in metres, where it is known better than by the images.
        allow_identified: Objects that do not say Patient Identity Removed (0012,0062) = YES may be analysed.
        converter: `dcm2niix` converts the series a second time, and differences are flagged.
        phase_python: The python of an environment with the phase classifier of TotalSegmentator's wheel: what
            it says counts for the contrast phase, too. For whoever runs Heltig to give, never for a request.
        verdict: What the gate said of the study, as `READY`; None where it was not asked.
        override: Why a study that is not READY is analysed; None where it is READY.
        printed: A folder that keeps what programs of segmenters print, which may show what is in the images;
            None to keep nothing.
    """

    analysis_id: str
    objects: Path
    output: Path
    segmenters: tuple[SegmenterOrder, ...] = ()
    target: Literal["soft_tissue", "brain", "any"] = "soft_tissue"
    slice_metrics: bool = False
    modalities: tuple[str, ...] = ()
    series: str | None = None
    policy: Path | None = None
    optional: tuple[str, ...] = ()
    height_m: float | None = None
    allow_identified: bool = False
    converter: Literal["dcm2niix"] | None = None
    phase_python: Path | None = None
    verdict: str | None = None
    override: str | None = None
    printed: Path | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One line of what an analysis says of itself. No value of a patient is in it.

    Attributes:
        state: Where it is now.
        fingerprint: SHA-256 of all that decides the result, as soon as it is known, in hexadecimal digits:
            an analysis with the same one has the same results.
        series: SeriesInstanceUID that was selected, as soon as it is.
        code: Why it was refused: one of `heltig.imaging.refusal.CODES`, or of the policy's.
        observed: What was seen, in numbers.
    """

    state: State
    fingerprint: str = ""
    series: str = ""
    code: str = ""
    observed: str = ""


def encoded(order: Order) -> bytes:
    """An order as JSON."""
    return msgspec.json.encode(order, enc_hook=str)


def decoded(text: bytes) -> Order:
    """An order from JSON.

    Raises:
        UsageError: It is none.
    """
    try:
        return msgspec.json.decode(text, type=Order, dec_hook=_path)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"The order of an analysis cannot be read: {problem}.") from None


def _path(kind: type, value: Any) -> Any:
    return kind(value)  # Path, the only type here that JSON has not
