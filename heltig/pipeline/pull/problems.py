"""Why metadata did not come, or not all of it: in words that stay the same and name no address."""

import re
from typing import Final

from heltig.dicom.cell import Fault
from heltig.errors import (
    ArchiveAddressError,
    ArchiveAnswerError,
    ArchiveAnswerTooLargeError,
    ArchiveError,
    ArchiveNotFoundError,
    ArchiveUnavailableError,
)

LOST: Final = ("metadata-missing", "metadata-cut")
"""Kinds of failures with which something of a study did not come."""

ENDS_EARLY: Final = "the answer ends before its end"
EMPTY: Final = "the answer is empty"
OTHER: Final = "the answer is no DICOM JSON"
TOO_LARGE: Final = "the answer is over our limit"
SILENT: Final = "there is no answer"
_NO_ADDRESS: Final = "no address can be made of its UID"
_ABSENT: Final = "the archive does not have it"
_STATUS: Final = "the archive answers {}"
_REFUSED: Final = re.compile(re.escape(_STATUS).replace(re.escape("{}"), r"(4\d\d)"))
_PASSING_REFUSALS: Final = frozenset({407, 423, 425})
"""Refusals (4xx) that say nothing of what was asked for: a proxy's, "locked" and "too early"."""


def problem_of(error: ArchiveError) -> str:
    """Why an answer was refused."""
    match error:
        case ArchiveNotFoundError():
            return _ABSENT
        case ArchiveAnswerTooLargeError():
            return TOO_LARGE
        case ArchiveAddressError():
            return _NO_ADDRESS
        case ArchiveAnswerError(answer_status=int(status)):
            return _STATUS.format(status)
        case ArchiveUnavailableError():
            return SILENT
        case _:
            return OTHER


def is_definite(error: ArchiveError) -> bool:
    """Whether an error is the archive's answer to what was asked, and will be the same tomorrow."""
    match error:
        case ArchiveNotFoundError() | ArchiveAddressError():
            return True
        case ArchiveAnswerError(answer_status=int(status)):
            return 400 <= status < 500 and status not in _PASSING_REFUSALS
        case _:
            return False


def may_pass(failure: Fault) -> bool:
    """Whether what an archive did not give may come the next time that it is asked.

    Args:
        failure: Of `heltig.pipeline.pull.gathering.Gathered.failures`.
    """
    if failure.kind not in LOST or any(
        words in failure.detail for words in (_ABSENT, _NO_ADDRESS, TOO_LARGE)
    ):
        return False
    refused = _REFUSED.search(failure.detail)
    return refused is None or int(refused[1]) in _PASSING_REFUSALS
