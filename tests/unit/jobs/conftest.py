from datetime import UTC, datetime

import pytest
from unit.clock import Clock

from heltig.jobs.queue import JobQueue
from heltig.store.engine import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def queue(store: Store, clock: Clock) -> JobQueue:
    return JobQueue(store, clock=clock)
