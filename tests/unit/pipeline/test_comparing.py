"""Two archives side by side."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from servers.dicomweb import instance, study
from unit.pipeline.watched import QUIET, Site

from connectors.base import InMemoryArchive
from heltig.errors import NotFoundError, UsageError
from heltig.pipeline.comparing import Compared, Place, compare_page, compare_study, compared
from heltig.reports.comparison import COLUMNS, Format, write
from heltig.store.engine import Store


class Two(Site):
    """Two archives that are watched."""

    def __init__(self, store: Store) -> None:
        self.old, self.new = InMemoryArchive("old"), InMemoryArchive("new")
        super().__init__(store, self.old, self.new)

    def put(self, archive: InMemoryArchive, *instances: dict[str, Any]) -> None:
        for one in instances:
            archive.store(one)

    async def pulled(self) -> None:
        await self.register("old")
        await self.register("new")
        await self.work()
        await self.pass_time(QUIET * 2)

    async def compare(self, **more: Any) -> dict[str, Compared]:
        found = [one async for one in compared(self.store, "old", "new", **more)]
        assert len({one.study for one in found}) == len(found)
        return {one.study: one for one in found}


@pytest.fixture
def site(store: Store) -> Two:
    made = Two(store)
    for uid in ("1.1", "1.2", "1.3", "1.4"):
        made.put(made.old, *study(uid, series=2, instances=2, date="20260102"))
    made.put(made.new, *study("1.1", series=2, instances=2, date="20260102"))  # the same
    made.put(made.new, *study("1.2", series=1, instances=2, date="20260102"))  # a series is missing
    made.put(made.new, *study("1.3", series=1, instances=2, date="20260102"))  # an attribute differs
    made.put(made.new, *(instance("1.3", "1.3.2", f"1.3.2.{n}", number=n, patient="Doe") for n in (1, 2)))
    made.put(made.new, *study("1.5", date="20260303"))
    return made


async def test_what_is_where_and_what_differs(site: Two) -> None:
    await site.pulled()
    found = await site.compare()
    assert {uid: one.status for uid, one in found.items()} == {
        "1.1": "equal",
        "1.2": "different",
        "1.3": "different",
        "1.4": "only-source",
        "1.5": "only-destination",
    }
    less = found["1.2"]
    assert (less.only_source, less.only_destination, less.differences) == (2, 0, ())
    assert (less.source_series, less.source_instances) == (2, 4)
    assert (less.destination_series, less.destination_instances) == (1, 2)
    (series,) = found["1.3"].differences
    assert series.series == "1.3.2"
    assert "PatientID" in series.attributes
    assert "Modality" not in series.attributes
    assert found["1.4"].destination_series is None

    assert set(await site.compare(dates=("20260301", ""))) == {"1.5"}
    assert set(await site.compare(dates=("", "20260201"))) == {"1.1", "1.2", "1.3", "1.4"}


async def test_pages_of_any_size_are_the_same_studies(site: Two) -> None:
    await site.pulled()
    whole = await site.compare()
    for limit in (1, 2, 4, 5):
        place: Place | None = Place()
        found: list[Compared] = []
        while place is not None:
            page = await site.store.read(
                compare_page, "old", "new", place=Place.parse(str(place)), dates=("", ""), limit=limit
            )
            found += page.items
            place = page.next
        assert {one.study: one for one in found} == whole
        assert len(found) == len(whole)


async def test_what_was_not_pulled_as_it_is_now_is_not_said_to_differ(site: Two) -> None:
    await site.pulled()
    site.put(site.new, instance("1.1", "1.1.3", "1.1.3.1", date="20260102"))
    site.clock.advance(QUIET)
    await site.work()
    one = await site.store.read(compare_study, "old", "new", "1.1")
    assert (one.status, one.destination_series) == ("not-read", None)


async def test_what_is_not_there_is_not_compared(site: Two) -> None:
    await site.pulled()
    for names, error in ((("old", "nobody"), NotFoundError), (("old", "old"), UsageError)):
        with pytest.raises(error):
            await site.store.read(compare_study, *names, "1.1")
    with pytest.raises(NotFoundError):
        await site.store.read(compare_study, "old", "new", "9.9")
    with pytest.raises(UsageError):
        Place.parse("elsewhere-1.2")


@pytest.mark.parametrize("format_", ["text", "csv", "json", "html"])
async def test_it_is_written_as_it_comes(site: Two, format_: Format, tmp_path: Path) -> None:
    await site.pulled()
    file = io.StringIO()
    counts = await write(
        compared(site.store, "old", "new"), format_, file, source="old", destination="new", everything=False
    )
    told = file.getvalue()
    assert counts == {"equal": 1, "different": 2, "only-source": 1, "only-destination": 1}
    assert "Doe" not in told
    assert "PatientID" in told
    assert "1.1.1" not in told
    if format_ == "json":
        *studies, summary = [json.loads(line) for line in told.splitlines()]
        assert len(studies) == 4
        assert summary["counts"]["different"] == 2
    if format_ == "csv":
        assert told.splitlines()[0] == ",".join(COLUMNS)
        assert len(told.splitlines()) == 5
    if format_ == "text":
        assert told.endswith("5 studies: 1 equal, 2 different, 1 only in old, 1 only in new.\n")
    if format_ == "html":
        assert told.count("<tr>") == 5
        assert "<script" not in told
