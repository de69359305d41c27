"""When a job is tried again, and what its row says of why it has to be."""

import traceback
from datetime import timedelta
from pathlib import PurePath
from typing import Final

import msgspec

from heltig.errors import ArchiveClosedError, ArchivePausedError, HeltigError


class NotNowError(HeltigError):
    """Raised by a handler whose job has to wait for something that is not its own.

    `retry_after` is how long, where that is known.
    """


NOT_NOW: Final = (ArchivePausedError, ArchiveClosedError, NotNowError)
"""What says nothing about a job, only about when: it does not count as an attempt."""

NOT_NOW_WAIT: Final = timedelta(minutes=1)
"""How long to wait after one of these that does not know itself."""

NOT_HERE_WAIT: Final = timedelta(seconds=5)
"""How long to wait for the process that can do a job."""


class JobFailedError(Exception):
    """Raised by a handler whose job cannot succeed, however often it is tried.

    Its text says why, without patient data.
    """


class NotHereError(Exception):
    """Raised by a handler that cannot do a job in this process, while another process can.

    The job is put back as if it had not been tried.
    """


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How often a job is tried, and how long to wait in between.

    Attributes:
        first: Wait after the first attempt; each further one waits twice as long.
        longest: No wait is longer, but for one that an error asks for.
        attempts: After so many a job is dead: a person has to look.
    """

    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=10)
    attempts: int = 10

    def wait(self, attempts: int, error: BaseException | None = None) -> timedelta | None:
        """How long to wait after so many attempts; None when there have been enough.

        Args:
            attempts: At least 1.
            error: What ended the last one; it may know when trying again makes sense (`retry_after`).
        """
        if attempts >= self.attempts:
            return None
        wait = min(self.first * (1 << min(attempts - 1, 30)), self.longest)
        asked = error.retry_after if isinstance(error, HeltigError) else None
        return wait if asked is None else max(wait, timedelta(seconds=asked))


def not_now_wait(error: HeltigError | NotHereError) -> timedelta:
    """How long to wait after an error that does not count as an attempt."""
    if isinstance(error, NotHereError):
        return NOT_HERE_WAIT
    return NOT_NOW_WAIT if error.retry_after is None else timedelta(seconds=error.retry_after)


def described(error: BaseException) -> str:
    """What a job's row says of an exception.

    The text of our own errors holds no patient data. Any other's may: what is left of those is the class and
    where it was raised.
    """
    if isinstance(error, HeltigError | JobFailedError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
