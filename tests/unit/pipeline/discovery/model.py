"""An archive in memory of which only the list of studies counts, with the limits that real ones have."""

import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.base import Page
from heltig.errors import ArchiveAnswerError
from heltig.pipeline.discovery.batch import Batch, Strategy

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A study as it is listed."""

    uid: str
    date: str = "20260315"
    time: str = "101112"
    modalities: tuple[str, ...] = ("CT",)
    instances: int | None = 3

    @property
    def row(self) -> bytes:
        shown: dict[str, object] = {"0020000D": {"vr": "UI", "Value": [self.uid]}}
        for tag, vr, values in (
            ("00080020", "DA", [self.date]),
            ("00080030", "TM", [self.time]),
            ("00080061", "CS", list(self.modalities)),
        ):
            shown[tag] = {"vr": vr, "Value": values} if values not in ([""], []) else {"vr": vr}
        if self.instances is not None:
            shown["00201208"] = {"vr": "IS", "Value": [self.instances]}
        return json.dumps(shown).encode()


@dataclass
class ModelArchive:
    """An archive; `search_studies` is all that it can do.

    Attributes:
        entries: Its studies, in its own order.
        page_cap: Most rows of a page.
        search_cap: Most rows of a search, however it is paged.
        warns: Says so where it gives less than there is.
        refuses_above: Searches that find more are refused with 413, whatever the page.
        ignores: Of `offset`, `StudyDate`, `StudyTime`, `ModalitiesInStudy`.
        refuses: Keys of searches that are refused, as Azure's DICOM service does, with `refusal`.
        undated_match: Studies without a date match every range of dates, as in dcm4chee.
        clock: Its time.
        before: Called before each search with its number.
        searches: The searches that came.
    """

    entries: list[Entry]
    page_cap: int | None = None
    search_cap: int | None = None
    warns: bool = False
    refuses_above: int | None = None
    ignores: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    refusal: int = 400
    undated_match: bool = False
    clock: datetime | None = NOON
    before: Callable[[int], None] = lambda number: None
    searches: list[dict[str, str]] = field(default_factory=list)
    id: str = "model"

    async def search_studies(self, query: Mapping[str, str], *, limit: int, offset: int) -> Page:
        self.before(len(self.searches))
        self.searches.append({**query, "limit": str(limit), "offset": str(offset)})
        if self.refuses & query.keys():
            raise ArchiveAnswerError("does not search by this", answer_status=self.refusal)
        found = [one for one in self.entries if self._matches(one, query)]
        if self.refuses_above is not None and len(found) > self.refuses_above:
            raise ArchiveAnswerError("too many", answer_status=413)
        allowed = found if self.search_cap is None else found[: self.search_cap]
        skip = 0 if "offset" in self.ignores else offset
        rows = [one.row for one in allowed[skip : skip + min(limit, self.page_cap or limit)]]
        return Page(rows, has_more=self.warns and skip + len(rows) < len(found), date=self.clock)

    def _matches(self, one: Entry, query: Mapping[str, str]) -> bool:
        keys = {key: value for key, value in query.items() if key not in self.ignores}
        if (dates := keys.get("StudyDate")) and not (self.undated_match and not one.date):
            first, _, last = dates.partition("-")
            if not (one.date and first <= one.date <= (last or first)):
                return False
        if times := keys.get("StudyTime"):
            first, _, last = times.partition("-")
            if not (one.time and first <= one.time <= last):
                return False
        return keys.get("ModalitiesInStudy", "") in ("", *one.modalities)


async def round_of(strategy: Strategy, cursor: str | None = None) -> list[Batch]:
    """A whole round."""
    async with aclosing(strategy.batches(cursor)) as batches:
        found = [batch async for batch in batches]
    assert [batch.is_last for batch in found] == [False] * (len(found) - 1) + [True]
    return found


async def broken_round(make: Callable[[], Strategy]) -> list[Batch]:
    """A round that is broken off after each batch, and gone on with by its cursor."""
    found: list[Batch] = []
    cursor: str | None = None
    while True:
        stream: AsyncGenerator[Batch, None] = make().batches(cursor)
        async with aclosing(stream) as batches:
            found.append(await anext(batches))
        cursor = found[-1].cursor
        if found[-1].is_last:
            return found


def uids(batches: Iterable[Batch]) -> set[str]:
    return {study.uid for batch in batches for study in batch.studies}
