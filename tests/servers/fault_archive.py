"""A loopback archive with what real ones do beside DICOMweb, and to those who list them.

Beside the faults of `heltig.demo.answer.Faults` (offset ignored, pages capped with or without a warning, 413,
429 and 503 with Retry-After, 401, a slow drip, bodies cut off, a lie about gzip, a page to log in, an object
in place of an array, a clock that is wrong) it has pages without an end, searches that are capped or refused
as a whole, counts that lie, keys that are ignored, the change feed of Azure's DICOM service (documented at
learn.microsoft.com, change-feed-overview) and the receive times of dcm4chee-arc (its issues #378, #1421).
"""

import asyncio
import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from heltig.demo import query
from heltig.demo.answer import Answer, Faults
from heltig.demo.archive import LoopbackArchive, Request
from heltig.demo.query import Instance
from servers.dicomweb import instance

RECEIVED, UPDATED = "77771020", "77771021"
CREATOR = "77770010"


@dataclass
class Habits:
    """What the archive does beside its faults.

    Attributes:
        endless: Every page of a search for studies is full, and of studies that nobody has seen.
        search_cap: Most rows of a search, however it is paged; Warning 299 says so.
        refuses_above: Searches that match more rows are refused with 413, whatever page is asked for.
        ignored_keys: Matching keys that it does not know.
        refused_keys: Matching keys for which it answers `refusal`, as Azure's DICOM service does.
        refusal: 400, 422 or 501.
        counts_lie_by: Added to the instances that it counts of a study.
        has_receive_times: It is a dcm4chee-arc.
        has_change_feed: It is an Azure DICOM service.
    """

    endless: bool = False
    search_cap: int | None = None
    refuses_above: int | None = None
    ignored_keys: frozenset[str] = frozenset()
    refused_keys: frozenset[str] = frozenset()
    refusal: int = 400
    counts_lie_by: int = 0
    has_receive_times: bool = False
    has_change_feed: bool = False


@dataclass(frozen=True)
class Change:
    """A row of the change feed."""

    sequence: int
    study: str
    action: str
    at: datetime

    @property
    def shown(self) -> dict[str, Any]:
        return {
            "Sequence": self.sequence,
            "StudyInstanceUid": self.study,
            "SeriesInstanceUid": f"{self.study}.1",
            "SopInstanceUid": f"{self.study}.1.1",
            "Action": self.action,
            "Timestamp": f"{self.at:%Y-%m-%dT%H:%M:%S.%f}Z",
            "State": "deleted" if self.action == "delete" else "current",
        }


@dataclass
class Told:
    """What the archive tells of its past.

    Attributes:
        changes: The change feed.
        received: When each study came.
        updated: When each study changed last.
    """

    changes: list[Change] = field(default_factory=list)
    received: dict[str, datetime] = field(default_factory=dict)
    updated: dict[str, datetime] = field(default_factory=dict)


class FaultArchive(LoopbackArchive):
    """A `LoopbackArchive` with habits.

    Attributes:
        habits: What it does; change or replace it at any time.
        told: What it tells of its past.
    """

    def __init__(self, instances: Iterable[Instance] = ()) -> None:
        super().__init__(instances)
        self.habits = Habits()
        self.told = Told()

    def begin_anew(self, instances: Iterable[Instance]) -> None:
        """Makes it as if it had just been started with these instances."""
        self._instances = list(instances)
        self.habits, self.told, self.faults = Habits(), Told(), Faults()
        self.requests.clear()

    def change(self, study: str, action: str = "create", *, ago: float = 3600.0, skipping: int = 0) -> None:
        """Adds a row to the change feed, and the instance or takes the study out.

        Args:
            study: Its StudyInstanceUID.
            action: `create`, `update` or `delete`.
            ago: Seconds since then.
            skipping: Sequence numbers that are left out before it.
        """
        last = self.told.changes[-1].sequence if self.told.changes else 0
        at = datetime.now(UTC) - timedelta(seconds=ago)
        self.told.changes.append(Change(last + 1 + skipping, study, action, at))
        if action == "delete":
            self.remove(study)
        elif action == "create":
            self.add([instance(study, f"{study}.1", f"{study}.1.{last + 1}")])

    def receive(self, study: str, *, ago: float, **attributes: Any) -> None:
        """Stores an instance of a study as dcm4chee does, so many seconds ago."""
        at = datetime.now(UTC) - timedelta(seconds=ago)
        self.told.received.setdefault(study, at)
        self.told.updated[study] = at
        self.add([instance(study, f"{study}.1", f"{study}.1.{len(self._instances)}", **attributes)])

    def _answer(self, request: Request, base: str) -> Answer:
        version, _, resource = request.path.strip("/").rpartition("changefeed")
        if self.habits.has_change_feed and "changefeed" in request.path:
            given = dict(pair.partition("=")[::2] for pair in request.query.split("&"))
            return self._feed(given, is_latest=resource == "/latest", has_windows="v2" in version)
        return super()._answer(request, base)

    def _feed(self, given: dict[str, str], *, is_latest: bool, has_windows: bool) -> Answer:
        changes = self.told.changes
        if is_latest:
            return Answer(200, text=json.dumps(changes[-1].shown)) if changes else Answer(204)
        offset, limit = int(given["offset"]), int(given["limit"])
        if not 1 <= limit <= (200 if has_windows else 100):
            return Answer(400, text="limit is out of range")
        if has_windows:
            first, last = (datetime.fromisoformat(given[name]) for name in ("startTime", "endTime"))
            inside = sorted((one for one in changes if first <= one.at < last), key=lambda one: one.at)
            found = inside[offset : offset + limit]
        else:
            found = [one for one in changes if offset < one.sequence <= offset + limit]
        return Answer(200, text=json.dumps([one.shown for one in found]))

    def _search(
        self, found: list[Instance], resource: str, parameters: list[tuple[str, str]], base: str
    ) -> Answer:
        keys = dict(parameters)
        if resource != "studies":
            return super()._search(found, resource, parameters, base)
        if self.habits.refused_keys & keys.keys():
            return Answer(self.habits.refusal, text="not an attribute to search by")
        if self.habits.endless:
            start = int(keys.get("offset", "0"))
            date = keys.get("StudyDate", "20260315").partition("-")[0]
            found = [
                instance(f"9.{n}", f"9.{n}.1", f"9.{n}.1.1", date=date)
                for n in range(start, start + int(keys["limit"]))
            ]
            return super()._search(found, resource, [("limit", keys["limit"])], base)
        if self.habits.has_receive_times:
            found = [self._with_times(one) for one in found if self._is_received(one, keys)]
        kept = [(key, value) for key, value in parameters if key not in self.habits.ignored_keys]
        matching = [(key, value) for key, value in kept if key not in ("limit", "offset")]
        rows = query.match_rows(query.study_rows(found, base), matching)
        if self.habits.refuses_above is not None and len(rows) > self.habits.refuses_above:
            return Answer(413, text="too many matches, narrow the search")
        if self.habits.search_cap is not None:
            allowed = {query.first_value(row, query.STUDY_UID) for row in rows[: self.habits.search_cap]}
            found = [one for one in found if query.first_value(one, query.STUDY_UID) in allowed]
        answer = super()._search(found, resource, kept, base)
        if self.habits.search_cap is not None and len(rows) > self.habits.search_cap and answer.status == 200:
            warning = f'299 {base} "There are {len(rows)} additional results that can be requested"'
            answer = replace(answer, headers=(("warning", warning),))
        if self.habits.counts_lie_by and answer.datasets:
            for row in answer.datasets:
                row[query.STUDY_INSTANCES]["Value"][0] += self.habits.counts_lie_by
        return answer

    def _is_received(self, one: Instance, keys: dict[str, str]) -> bool:
        if "StudyReceiveDateTime" not in keys:
            return True
        first, _, last = keys["StudyReceiveDateTime"].partition("-")
        at = self.told.received[query.first_value(one, query.STUDY_UID)]
        return _time(first) <= at and (not last or at <= _time(last))

    def _with_times(self, one: Instance) -> Instance:
        study = query.first_value(one, query.STUDY_UID)
        return {
            **one,
            CREATOR: {"vr": "LO", "Value": ["DCM4CHEE Archive 5"]},
            RECEIVED: {"vr": "DT", "Value": [f"{self.told.received[study]:%Y%m%d%H%M%S.%f}+0000"]},
            UPDATED: {"vr": "DT", "Value": [f"{self.told.updated[study]:%Y%m%d%H%M%S.%f}+0000"]},
        }


@contextmanager
def running_fault_archive() -> Iterator[FaultArchive]:
    """One for all tests of a module: to start and stop it takes longer than most tests."""
    archive = FaultArchive()
    asyncio.run(archive.__aenter__())
    try:
        yield archive
    finally:
        asyncio.run(archive.__aexit__(None, None, None))


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S.%f%z")


def many(count: int, *, days: int = 28, undated: int = 0) -> list[Instance]:
    """Studies of one instance each, on some days of January 2026, and some without a date."""
    dates = itertools.chain([""] * undated, (f"202601{1 + n % days:02}" for n in itertools.count()))
    return [instance(f"1.{n}", f"1.{n}.1", f"1.{n}.1.1", date=next(dates)) for n in range(count)]
