"""What overviews count, kept in the transaction of each verdict."""

from datetime import timedelta
from importlib import import_module
from typing import Any

from sqlalchemy import select
from unit.store.samples import MAIN, NOW, OTHER, finding, judge, series, snapshot

from heltig.store import devices, overview, search, snapshots, states, study_rules
from heltig.store.engine import Store
from heltig.store.records import Device
from heltig.store.study_query import StudyQuery
from heltig.store.study_rules import RuleCount
from heltig.store.tables import study_rules as table
from heltig.store.transaction import ReadTransaction, WriteTransaction

DAY = timedelta(days=1)


async def counts(store: Store) -> dict[str, RuleCount]:
    found = await store.read(study_rules.by_rule, since=NOW - DAY, before=NOW - 2 * DAY)
    return {count.rule: count for count in found}


async def test_a_study_counts_once_for_each_rule_and_family(store: Store) -> None:
    await judge(
        store,
        snapshot(study="1.1"),
        finding("PAT-ID-EMPTY", "review"),
        finding("PAT-ID-EMPTY", "block", observed="other"),
        finding("PAT-NAME-EMPTY", "review"),
        finding("UID-CHARS", "note"),
        finding("UID-ROOT", "block", waived=True),
    )
    await judge(store, snapshot(study="1.2", location=OTHER), finding("PAT-ID-EMPTY", "review"))
    found = await counts(store)
    assert sorted(found) == ["PAT-ID-EMPTY", "PAT-NAME-EMPTY", "UID-CHARS"]
    assert list(found["PAT-ID-EMPTY"].studies.items()) == [("block", 1), ("review", 1)]
    assert (found["PAT-ID-EMPTY"].total, found["PAT-ID-EMPTY"].severity) == (2, "block")
    assert (found["PAT-ID-EMPTY"].lately, found["PAT-ID-EMPTY"].earlier) == (2, 0)
    assert await store.read(study_rules.by_location) == {(MAIN, "PAT"): 1, (OTHER, "PAT"): 1}


async def test_the_next_verdict_takes_the_place_of_the_last_and_a_study_that_goes_takes_its_own(
    store: Store,
) -> None:
    await judge(store, snapshot(), finding("PAT-ID-EMPTY"))
    await judge(store, snapshot(facts=b"others"), finding("UID-CHARS"))
    assert list(await counts(store)) == ["UID-CHARS"]
    await store.write_durably(states.withdraw, MAIN, snapshot().study_key, at=NOW)
    assert await counts(store) == {}
    assert await store.read(overview.judged_at) == {}
    await judge(store, snapshot(facts=b"others"), finding("UID-CHARS"))
    assert list(await counts(store)) == ["UID-CHARS"]
    assert await store.read(overview.judged_at) == {MAIN: 1}


async def test_a_study_counts_for_the_devices_that_it_comes_from(store: Store) -> None:
    ct, console, cr = Device("Acme", "CT 9", "CT1"), Device("Acme", "Console", "WS"), Device("Beta", "", "")
    await judge(store, snapshot(study="1.1", devices=(ct, console)), finding("PAT-ID-EMPTY"))
    await judge(store, snapshot(study="1.2", devices=(console, ct, Device()), location=OTHER))
    await judge(store, snapshot(study="1.3", devices=(cr,)), finding("UID-CHARS"), finding("UID-X", "note"))
    await judge(store, snapshot(study="1.4"), finding("UID-CHARS"))
    await store.write(states.mark_pending, MAIN, "1.5", study_uid="1.5", at=NOW)
    assert await counted(store) == {
        (ct, console): (2, {"PAT": 1}), (cr,): (1, {"UID": 1}), (Device(),): (1, {"UID": 1}),
    }  # fmt: skip
    # A new snapshot brings its devices along, a study that goes takes its own away.
    await store.write(snapshots.put, snapshot([series(2, study="1.3")], study="1.3", devices=(ct, console)))
    await store.write_durably(states.withdraw, MAIN, "1.4", at=NOW)
    assert await counted(store) == {(ct, console): (3, {"PAT": 1, "UID": 1})}
    rows = await store.read(search.search, StudyQuery(), now=NOW, limit=9)
    assert len(rows) == 3
    assert await store.read(devices.devices_of, [1, 3, 4]) == {1: (ct, console), 3: (ct, console)}
    assert await store.read(devices.unread) == 0


async def counted(store: Store) -> dict[tuple[Device, ...], tuple[int, dict[str, int]]]:
    return {one.devices: (one.studies, dict(one.families)) for one in await store.read(devices.counts)}


async def test_weeks_are_told_by_when_a_study_was_first_seen(store: Store) -> None:
    await judge(store, snapshot(), finding("PAT-ID-EMPTY"))
    [count] = await store.read(study_rules.by_rule, since=NOW + DAY, before=NOW - DAY)
    assert (count.total, count.lately, count.earlier) == (1, 0, 1)


async def test_verdicts_and_arrivals_by_span(store: Store) -> None:
    await judge(store, snapshot(study="1.1"), finding())
    await judge(store, snapshot(study="1.2", location=OTHER), readiness="BLOCKED")
    times = [NOW - 2 * DAY, NOW - DAY, NOW, NOW + DAY]
    assert await store.read(overview.verdicts_between, times) == [{}, {}, {"READY": 1, "BLOCKED": 1}]
    assert await store.read(overview.seen_between, times) == {MAIN: [0, 0, 1], OTHER: [0, 0, 1]}
    await store.write(states.mark_pending, MAIN, "1.3", study_uid="1.3", at=NOW - DAY)
    assert await store.read(overview.pending) == overview.Waiting(1, NOW - DAY)
    assert await store.read(overview.judged_at) == {MAIN: 1, OTHER: 1}
    assert await store.read(overview.quarantined) == overview.Waiting(0, None)


async def test_a_migrated_database_counts_what_stands(store: Store) -> None:
    """What the migration fills in is what the verdicts left there, row by row."""
    await judge(
        store,
        snapshot(study="1.1"),
        finding("PAT-NAME-EMPTY", "note"),
        finding("PAT-ID-EMPTY", "review"),
        finding("PAT-ID-EMPTY", "block", observed="other"),
        finding("PAT-SEX", "review"),
        finding("OWN", "review"),
        finding("UID-ROOT", "block", waived=True),
    )
    await judge(store, snapshot(study="1.2", location=OTHER), finding("UID-CHARS", "review"))
    await judge(store, snapshot(study="1.2", location=OTHER, facts=b"others"), finding("UID-ROOT"))
    await judge(store, snapshot(study="1.3"), finding("UID-ROOT"))
    await store.write_durably(states.withdraw, MAIN, "1.3", at=NOW)

    def rows(transaction: ReadTransaction) -> list[tuple[Any, ...]]:
        then = [column for column in table.c if column.name != "device_set_row"]  # which came after it
        ordered = select(*then).order_by(table.c.study_row, table.c.rule)
        return [tuple(row) for row in transaction.connection.execute(ordered)]

    def fill_anew(transaction: WriteTransaction) -> None:
        script = _script()
        transaction.connection.execute(table.delete())
        family = script._FAMILY[transaction.connection.dialect.name]
        transaction.connection.exec_driver_sql(script._FILL.format(family=family))

    before = await store.read(rows)
    assert len(before) == 5
    await store.write(fill_anew)
    assert await store.read(rows) == before


def _script() -> Any:
    return import_module("heltig.store.migrations.versions.0014_study_rules")
