"""What whoever uses a gate is told of how the archive behind it fails: nothing of where that is."""

import copy
import re
from typing import Final

import structlog

from heltig.errors import ArchiveError, ConfigurationError, HeltigError

_ADDRESS: Final = re.compile(r"(?:https?|dicom)://[^\s]*[^\s:.,;)]")
"""An address in a text of ours, as `heltig.http` writes it: without spaces, perhaps with a colon after it."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.gate")


def without_address(error: ArchiveError | ConfigurationError, archive: str, *, request: str) -> HeltigError:
    """The same error with the archive's name in place of its addresses; the log has the addresses.

    What is wrong with how an archive is configured is for administrators: others are told that it is so.

    Args:
        error: As it was raised.
        archive: The archive's name.
        request: Names the request in the log.
    """
    if isinstance(error, ConfigurationError):
        told = "cannot be asked as it is configured. The log says why"
        said: HeltigError = ConfigurationError(f"Archive {archive} {told}.", retry_after=error.retry_after)
    else:
        text = _ADDRESS.sub(f"archive {archive}", error.detail)
        said = copy.copy(error)
        said.detail = f"{text[:1].upper()}{text[1:]}"
        said.args = (said.detail,)
    if said.detail != error.detail:
        log.warning("gate.archive-failed", gate=archive, request=request, reason=error.detail)
    return said
