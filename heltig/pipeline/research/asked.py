"""What is asked of an analysis, and why one is refused or fails."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.imaging import refusal

Target: TypeAlias = Literal["soft_tissue", "brain", "any"]
End: TypeAlias = Literal["refused", "failed"]


class Asked(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is to be done.

    Attributes:
        segmenters: What finds structures, by the names that the site's plan has, in their order; where there
            is nothing, what the plan has as `default`.
        target: What the selection looks for.
        slice_metrics: Something is measured on single slices.
        modalities: Which may be chosen; any where there is nothing.
        series: SeriesInstanceUID that has to be taken; null leaves the choice to the policy.
        optional: Families of measurements that are made only where they are asked for.
        height_m: The height of the patient in metres, where it is known better than by the images.
        converter: A second converter, whose differences are flagged.
    """

    segmenters: tuple[str, ...] = ()
    target: Target = "soft_tissue"
    slice_metrics: bool = False
    modalities: tuple[str, ...] = ()
    series: str | None = None
    optional: tuple[str, ...] = ()
    height_m: float | None = None
    converter: Literal["dcm2niix"] | None = None


class Code(msgspec.Struct, frozen=True):
    """Why the service ends an analysis.

    Attributes:
        end: The state that it ends in.
        meaning: In a sentence.
    """

    end: End
    meaning: str


CODES: Final[Mapping[str, Code]] = {
    "VERDICT_CHANGED": Code("refused", "The study, or its verdict, changed after the analysis was ordered."),
    "BYTES_GONE": Code(
        "refused",
        "Not all objects of the study are there any more: the archive does not give them, or the upload's "
        "ZIP is not kept (HELTIG_ANALYSIS_KEEP_UPLOADS).",
    ),
    "BYTES_DIFFER": Code("refused", "What was fetched is not what was judged: other SOP Instance UIDs."),
    "BYTES_TOO_LARGE": Code("refused", "The objects are larger than HELTIG_ANALYSIS_MAX_SIZE."),
    "CANCELLED": Code("failed", "Somebody cancelled it."),
    "PLAN_CHANGED": Code("failed", "The site's plan does not have a segmenter any more that was asked for."),
    "ORDER_WRONG": Code(
        "failed",
        "What was asked for makes no sense to what makes analyses, or the site's selection policy cannot be "
        "read: there is no such segmenter, or no such family of measurements.",
    ),
    "NOT_INSTALLED": Code(
        "failed", "The Python that makes analyses does not have heltig[imaging], or another version of it."
    ),
    "TIMED_OUT": Code("failed", "It took longer than HELTIG_ANALYSIS_SECONDS."),
    "ENDED_EARLY": Code(
        "failed", "Its process ended without a result: HELTIG_ANALYSIS_MEMORY may be too little, or it broke."
    ),
    "DISK_FULL": Code("failed", "There was no room left for what it writes. Make some, and order it again."),
    "OUTPUT_WRONG": Code("failed", "It wrote something that no analysis writes, or nothing."),
    "WORKER_LOST": Code("failed", "The workers that made it were lost, three times."),
    "JOB_ENDED": Code("failed", "Its job was given up: /api/v1/jobs says why."),
}
"""The codes of the service; those of the images, of masks and of the selection are in docs/imaging.md."""


def meaning_of(code: str) -> str:
    """Why an analysis ended so, in a sentence; empty for a code of the selection, whose audit says it."""
    return CODES[code].meaning if code in CODES else refusal.CODES.get(code, "")


class EndedError(Exception):
    """An analysis cannot go on, however often it is tried.

    Attributes:
        code: One of `CODES`.
        observed: What was seen, in numbers.
    """

    def __init__(self, code: str, observed: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.observed = observed

    @property
    def end(self) -> End:
        """The state that it ends in."""
        return CODES[self.code].end


def table() -> str:
    """The codes as a table in Markdown."""
    lines = ["| code | state | when |", "|---|---|---|"]
    lines += [f"| `{code}` | {one.end} | {one.meaning} |" for code, one in CODES.items()]
    return "\n".join(lines)
