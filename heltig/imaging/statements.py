"""What every output of an analysis says about itself, word for word."""

from typing import Final

RESEARCH_USE: Final = (
    "Research use only. Not a medical device. Not for diagnosis, triage, treatment or clinical decisions. "
    "Values are unverified outputs of third-party or classical segmentation."
)
"""Stands in every document and object that an analysis writes."""

GATE_USE: Final = (
    "Operational QA of DICOM metadata; non-diagnostic; verdict concerns archive readiness, not image content."
)
"""What a verdict is: said wherever an analysis names the verdict of its study."""

FOOTER: Final = "RESEARCH USE ONLY - not for diagnosis"
"""Stands in pictures."""

SERIES_PREFIX: Final = "RESEARCH USE ONLY – "
"""Begins Series Description (0008,103E) of every series that an analysis writes."""
