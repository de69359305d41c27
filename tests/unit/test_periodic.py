"""What happens again and again goes on, whatever becomes of it, and says when it does not succeed."""

import asyncio
import logging
from datetime import timedelta

import pytest

from heltig.errors import StorageError
from heltig.periodic import Periodic
from heltig.seldom import Seldom

HOUR = timedelta(hours=1)


async def calls(*outcomes: Exception | None, every: timedelta = HOUR) -> tuple[list[bool], list[float]]:
    """Whether each call left it failed, and how long it waited after each."""
    failed: list[bool] = []
    waits: list[float] = []
    left = list(outcomes)

    async def sweep() -> None:
        outcome = left.pop(0)
        if outcome is not None:
            raise outcome

    async def pause(seconds: float) -> None:
        failed.append(periodic.has_failed)
        waits.append(seconds)
        if not left:
            raise asyncio.CancelledError

    periodic = Periodic(every, sweep, pause=pause, log=Seldom())
    with pytest.raises(asyncio.CancelledError):
        await periodic.run()
    return failed, waits


async def test_no_exception_ends_it() -> None:
    outcomes = (None, ValueError("Doe^Jane"), None, StorageError("The disk is full."), OSError(28, "x"), None)
    failed, _ = await calls(*outcomes)
    assert failed == [False, True, False, True, True, False]


async def test_what_failed_is_tried_again_within_a_minute() -> None:
    _, waits = await calls(None, KeyError("a"), None)
    assert waits == [3600, 60, 3600]
    _, waits = await calls(KeyError("a"), None, every=timedelta(seconds=5))
    assert waits == [5, 5]


async def test_it_is_tried_again_at_once_where_the_database_was_away() -> None:
    _, waits = await calls(None, StorageError("The database is away."), StorageError("Still."), None)
    assert waits == [3600, 5, 5, 3600]


async def test_an_unexpected_error_is_named_by_class_and_place_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await calls(ValueError("Doe^Jane"))
    assert "ValueError at " in caplog.text
    assert "test_periodic.py:" in caplog.text
    assert "Doe" not in caplog.text


def test_the_same_reason_is_given_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = Seldom(clock=lambda: now)
    logger = logging.getLogger("heltig.test")
    for _ in range(3):
        for what in ("The runner waits", "look failed"):
            log.error(logger, what, "The database is away.")
    log.error(logger, "look failed", "The disk is full.")
    assert [record.getMessage() for record in caplog.records] == [
        "The runner waits: The database is away.",
        "look failed: The disk is full.",
    ]
    now = 60.0
    log.error(logger, "look failed", "The database is away.")
    assert len(caplog.records) == 3
