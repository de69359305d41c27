"""Judging in this process, a clock that stands still, and studies as archives give them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from heltig.dicom.json_stream import InstanceSplitter
from heltig.dicom.source import METADATA_SHOWS, Source
from heltig.dicom.study import StudyTable
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


def table_of(content: Sequence[dict[str, Any]], *hides: str) -> StudyTable:
    """A study as an archive gives it that lists nothing, and does not show some things."""
    uid = content[0]["0020000D"]["Value"][0]
    table = StudyTable(uid, uid, Source(shows=METADATA_SHOWS - {"query", *hides}, asked_for=uid))
    splitter = InstanceSplitter()
    for dataset in [*splitter.feed(msgspec.json.encode(content)), *splitter.close()]:
        table.add(dataset)
    return table
