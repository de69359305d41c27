"""A folder for the time of one run, beside what it makes: hidden, and gone at its end.

A run that is killed cannot take its own away. The next one in the same place does: a folder that nobody holds
locked is nobody's any more.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = ".heltig-unfinished-"
"""Says whose it is: what somebody else calls `.heltig-…`, as a HELTIG_HOME, is not taken away."""

_YOUNG_SECONDS: Final = 60.0
"""A folder that is younger may have been made a moment ago, and be locked in the next."""


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A new hidden folder in a folder, which goes at the end; what killed runs left beside it goes now.

    Raises:
        OSError: It cannot be made.
    """
    for left in parent.glob(f"{_PREFIX}*"):
        _take_away(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as name:
        lock = _locked(Path(name))
        try:
            yield Path(name)
        finally:
            if lock is not None:
                os.close(lock)


def _take_away(left: Path) -> None:
    with suppress(OSError):
        is_old = time.time() - left.lstat().st_mtime > _YOUNG_SECONDS
        lock = _locked(left) if is_old else None
        if lock is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """A lock on a folder, by the descriptor that holds it; None where there is none to be had."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody else has it, or the file system knows none
        os.close(descriptor)
        return None
    return descriptor
