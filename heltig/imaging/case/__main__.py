"""The program of a case: an order on standard input, a line of JSON on standard output at each stage.

It exits with 0 at both of its ends, done and refused. Whatever else happens ends it with another number, and
a line on standard error that has no patient data.
"""

import errno
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from heltig.errors import HeltigError
from heltig.imaging.case.running import run
from heltig.imaging.order import DISK_FULL, Told, decoded
from heltig.logs import configure_logging

_FAULT: Final = 1
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)

_logger = logging.getLogger("heltig.imaging.case")


def main() -> int:
    """Run the case that standard input asks for.

    Returns:
        What to exit with.
    """
    tell = _teller()
    configure_logging("json")
    warnings.simplefilter("ignore")  # libraries quote values that they do not like
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        run(decoded(sys.stdin.buffer.read()), tell=tell, now=lambda: datetime.now(UTC))
    except Exception as problem:  # the log says of those that are not ours only what they are, and where
        why = os.strerror(problem.errno) if isinstance(problem, OSError) and problem.errno else ""
        _logger.exception("case_failed", extra={"fields": {"why": why} if why else {}})
        if _found_no_room(problem):
            return DISK_FULL
        return problem.exit_code if isinstance(problem, HeltigError) else _FAULT
    return 0


def _found_no_room(problem: BaseException | None) -> bool:
    """Whether a full disk is what an exception comes of."""
    while problem is not None:
        if isinstance(problem, OSError) and problem.errno in _NO_ROOM:
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def _teller() -> Callable[[Told], None]:
    """Keeps standard output for what the case tells: whatever libraries print goes to standard error."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(told: Told) -> None:
        out.write(msgspec.json.encode(told) + b"\n")
        out.flush()

    return tell


if __name__ == "__main__":
    sys.exit(main())
