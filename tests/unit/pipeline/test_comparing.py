"""Two archives side by side."""

import csv
import io
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from servers.dicomweb import instance, study
from unit.pipeline.scoring import NOW, scoring, table_of
from unit.pipeline.watched import QUIET, Site

from connectors.base import InMemoryArchive
from heltig.errors import NotFoundError, UsageError
from heltig.pipeline.differences.comparing import Compared, Place, compare_page, compare_study, compared
from heltig.reports.comparison import COLUMNS, Format, write
from heltig.store import states
from heltig.store.engine import Store
from heltig.store.records import Location


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


OLD, NEW = Location("archive", "old"), Location("archive", "new")


@pytest.mark.parametrize("side", [OLD, NEW], ids=str)
async def test_where_one_gives_a_summary_the_same_instances_are_alike_and_not_equal(
    store: Store, side: Location
) -> None:
    site, judges = Two(store), scoring(store)
    await site.register("old")
    await site.register("new")
    whole, other = study("1.9", instances=2, patient="A"), study("1.9", instances=2, patient="B")
    await judges.score(table_of(whole), NEW if side == OLD else OLD)
    await judges.score(table_of(other, "all_attributes"), side)
    assert (await site.compare())["1.9"].status == "alike"
    await judges.score(table_of(whole, "all_attributes"), side)
    assert (await site.compare())["1.9"].status == "equal"


async def test_the_same_instances_in_other_series_are_different_though_neither_shows_all(
    store: Store,
) -> None:
    site, judges = Two(store), scoring(store)
    await site.register("old")
    await site.register("new")
    for place, first, second in ((OLD, "1.9.1", "1.9.2"), (NEW, "1.9.2", "1.9.1")):
        swapped = [instance("1.9", first, "1.9.8.1"), instance("1.9", second, "1.9.8.2")]
        await judges.score(table_of(swapped, "complete_study"), place)
    found = (await site.compare())["1.9"]
    assert found.status == "different"
    assert [one.series for one in found.differences] == ["1.9.1", "1.9.2"]
    assert {one.attributes for one in found.differences} == {("SeriesInstanceUID",)}
    file = io.StringIO()
    await write(
        compared(store, "old", "new"), "text", file, source="old", destination="new", everything=False
    )
    assert "1.9.1: instances that the other has in another series" in file.getvalue()


async def test_a_study_that_waits_only_to_be_judged_again_is_compared(store: Store) -> None:
    site, judges = Two(store), scoring(store)
    await site.register("old")
    await site.register("new")
    for place in (OLD, NEW):
        await judges.score(table_of(study("1.9", instances=2)), place)
    await store.write_durably(states.mark_pending, OLD, "1.9", study_uid="1.9", at=NOW)
    assert (await site.compare())["1.9"].status == "equal"


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


async def test_an_instance_that_is_there_twice_is_no_other_value(site: Two) -> None:
    """Where it is not known which instance is which, no attribute is blamed."""
    once = study("1.8", series=1, instances=4, date="20260102")
    site.put(site.old, *once)
    site.put(site.new, *once, deepcopy(once[1]))
    await site.pulled()
    (series,) = (await site.compare())["1.8"].differences
    assert (series.source_instances, series.destination_instances, series.attributes) == (4, 5, ())
    told = await written(site, "text")
    assert "1.8.1: 4 instances in the source and 5 in the destination, of the same UIDs" in told


async def test_keys_of_series_are_no_formulas_and_no_orders_to_a_terminal(site: Two) -> None:
    for archive, title in ((site.old, "a"), (site.new, "b")):
        for one in study("1.9", series=1, date="20260102"):
            one["0020000E"] = {"vr": "UI", "Value": ["=HYPERLINK(1)\x1b[2J"]}
            site.put(archive, one | {"00081030": {"vr": "LO", "Value": [title]}})
    await site.pulled()
    rows = csv.DictReader(io.StringIO(await written(site, "csv")))
    assert {row["differences"][:3] for row in rows if row["study"] == "1.9"} == {"'=H"}
    assert "\x1b" not in await written(site, "text")


async def written(site: Two, format_: Format) -> str:
    file = io.StringIO()
    found = compared(site.store, "old", "new")
    await write(found, format_, file, source="old", destination="new", everything=True)
    return file.getvalue()


async def test_what_a_migration_may_change_is_equal(site: Two) -> None:
    """The transfer syntax, the order, where bulk data lies, private blocks, how numbers are written."""
    block = {"vr": "LO", "Value": ["ACME 1"]}
    changes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "1.11": (
            {"00083002": {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]}},
            {"00083002": {"vr": "UI", "Value": ["1.2.840.10008.1.2.4.90"]}},
        ),
        "1.12": (
            {"7FE00010": {"vr": "OW", "BulkDataURI": "http://old/1"}},
            {"7FE00010": {"vr": "OW", "BulkDataURI": "http://new/1"}},
        ),
        "1.13": (
            {"00290010": block, "00291001": {"vr": "LO", "Value": ["x"]}},
            {"00290011": block, "00291101": {"vr": "LO", "Value": ["x"]}},
        ),
        "1.14": (
            {"00280030": {"vr": "DS", "Value": [0.5, 0.5]}},
            {"00280030": {"vr": "DS", "Value": ["0.50", "0.500"]}},
        ),
        "1.15": (
            {},
            {
                "77770010": {"vr": "LO", "Value": ["DCM4CHEE Archive 5"]},
                "77771020": {"vr": "DT", "Value": ["20260101"]},
            },
        ),
    }
    for uid, (before, after) in changes.items():
        instances = study(uid, series=1, instances=3, date="20260102")
        site.put(site.old, *(one | before for one in instances))
        site.put(site.new, *(one | after for one in reversed(instances)))
    await site.pulled()
    found = await site.compare()
    assert {uid: found[uid].status for uid in changes} == dict.fromkeys(changes, "equal")
