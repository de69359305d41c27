"""Why an object of an analysis is not published, by code."""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, str]] = {
    "TARGET_NOT_NAMED": "HELTIG_ANALYSIS_PUBLISH_TO does not name the archive any more.",
    "TARGET_REMOVED": "The archive is not configured any more.",
    "FILES_GONE": "The files of the analysis are not there any more, or not what it wrote.",
    "STUDY_ABSENT": "The archive does not have the study.",
    "IMAGES_ABSENT": "The archive does not have images any more that the results refer to.",
    "STUDY_DIFFERS": "Patient or study are not in the archive as they are in the results; the attributes are "
    "named. Order the analysis again.",
    "SEGMENTATION_ABSENT": "The archive refused the segmentation that this report refers to.",
    "NOT_SHOWN": "The archive said that it stored the object, and does not show it.",
    "GIVEN_UP": "The archive did not take it, however often it was tried: /api/v1/jobs says why.",
}
"""The codes of the service. Beside them `A900H` and the like: the Failure Reason (0008,1197) that an archive
gave (PS3.18 I.2.2)."""


class AbortError(Exception):
    """Nothing of an analysis can be published, however often it is tried.

    Attributes:
        code: One of `CODES`.
        observed: What was seen; no value of a patient.
    """

    def __init__(self, code: str, observed: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.observed = observed


def meaning_of_failure(code: str) -> str:
    """What a code means, in a sentence; empty where there is none."""
    if code in CODES:
        return CODES[code]
    return "The archive says so: Failure Reason (0008,1197) of PS3.18 I.2.2." if code else ""


def table() -> str:
    """The codes as a table in Markdown."""
    lines = ["| code | why |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{code}` | {meaning} |" for code, meaning in CODES.items())])
