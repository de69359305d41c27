"""When a job is tried again, and what is written of why."""

from datetime import timedelta

import pytest

from heltig.errors import ArchiveRateLimitedError, StorageError
from heltig.jobs.retries import JobFailedError, Retries, described


def test_waits_double_up_to_the_longest_and_end() -> None:
    waits = [Retries().wait(attempts) for attempts in range(1, 11)]
    seconds = [None if wait is None else wait.total_seconds() for wait in waits]
    assert seconds == [30, 60, 120, 240, 480, 600, 600, 600, 600, None]


def test_a_wait_stays_the_longest_after_any_number_of_attempts() -> None:
    assert Retries(attempts=10**6).wait(5000) == timedelta(minutes=10)


@pytest.mark.parametrize(("asked", "waited"), [(5, 30), (90, 90), (1200, 1200)])
def test_an_error_that_knows_when_is_heeded(asked: float, waited: float) -> None:
    error = ArchiveRateLimitedError("Archive main asks for a pause.", retry_after=asked)
    assert Retries().wait(1, error) == timedelta(seconds=waited)


def test_an_error_cannot_ask_for_more_attempts() -> None:
    assert Retries(attempts=1).wait(1, StorageError("locked", retry_after=1)) is None


def test_only_our_own_errors_are_written_with_their_text() -> None:
    def raised(error: Exception) -> str:
        try:
            raise error
        except Exception as caught:
            return described(caught)

    assert raised(StorageError("The disk is full.")) == "The disk is full."
    assert raised(JobFailedError("The archive was removed.")) == "The archive was removed."
    assert raised(ValueError("Doe^Jane")).startswith("ValueError at test_retries.py:")
    assert "Doe" not in raised(ValueError("Doe^Jane"))
