"""Judging in this process, and a clock that stands still."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from heltig.pipeline.keep import Scoring
from heltig.rules.profile import DEFAULT
from heltig.store.engine import Store

T = TypeVar("T")

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


class ThisProcess:
    """Where `Scoring` judges when one process is enough.

    Attributes:
        calls: The names of the functions that were called.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def run(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        self.calls.append(work.__name__)
        return work(*args, **kwargs)


def scoring(store: Store, processes: ThisProcess | None = None) -> Scoring:
    return Scoring(
        store, processes or ThisProcess(), profile=DEFAULT, clock=lambda: NOW, actor="test", origin="cli"
    )
