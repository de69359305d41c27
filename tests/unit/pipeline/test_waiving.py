"""Waivers in judging: which findings they cover, and what a verdict is worth when they change meanwhile."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from servers.dicomweb import study
from sqlalchemy import delete
from unit.clock import Clock
from unit.pipeline.scoring import NOW, ThisProcess

from connectors.base import InMemoryArchive
from heltig.dicom.study import StudyTable
from heltig.errors import ConfigurationError, ConflictError, StorageError
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import Retries
from heltig.jobs.runner import Runner
from heltig.pipeline.again.studies import JudgingAgain
from heltig.pipeline.again.waiving import ENDED, WaiverDesk
from heltig.pipeline.judging import judge
from heltig.pipeline.keep import Kept, Scoring
from heltig.pipeline.pull.study import pull_study
from heltig.rules.finding import Finding
from heltig.rules.profile import DEFAULT, Profile
from heltig.store import changes, publication, states, studies, tables, verdicts, waivers
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction
from heltig.store.waivers import GivenWaiver, NewWaiver

HERE = Location("archive", "memory")
ENDS = NOW + timedelta(hours=1)
RULE = "VAL-CS"


def archive(*series: str) -> InMemoryArchive:
    """An archive with study 1.2; the series named have a BodyPartExamined that is none."""
    made = InMemoryArchive()
    for one in study("1.2"):
        if one["0020000E"]["Value"][0] in series:
            one = one | {"00180015": {"vr": "CS", "Value": ["not;a;code"]}}
        made.store(one)
    return made


def scoring(store: Store, clock: Clock | None = None) -> Scoring:
    return Scoring(store, ThisProcess(), profile=DEFAULT, clock=clock or Clock(NOW), actor="test")


async def judged(store: Store, source: InMemoryArchive, clock: Clock | None = None) -> Kept:
    return await scoring(store, clock).score(await pull_study(source, "1.2"), HERE)


async def observed(store: Store) -> Finding:
    found: Finding = next(f for f in await findings(store) if f.rule == RULE)
    return found


async def pulled(source: InMemoryArchive) -> StudyTable:
    table = await pull_study(source, "1.2")
    table.arrange()
    return table


def judge_in_memory(table: StudyTable) -> Sequence[Finding]:
    return judge(table, DEFAULT, reference_date=NOW.date(), archive=HERE.name).verdict.findings


async def findings(store: Store) -> Any:
    stored = await store.read(verdicts.current, HERE, "1.2")
    assert stored is not None
    return stored.verdict.findings


async def is_waived(store: Store) -> bool:
    (waived,) = {finding.waived for finding in await findings(store) if finding.rule == RULE}
    return waived


async def give(store: Store, found: Finding, **changed: Any) -> GivenWaiver:
    values: dict[str, Any] = {"study_key": "1.2", "location": None, "series_key": None, **changed}
    new = NewWaiver(
        rule=found.rule,
        tags=found.tags,
        observed=found.observed,
        digest=found.digest,
        reason="known",
        author="dr-a",
        created=NOW,
        expires=ENDS,
        **values,
    )
    return await store.write(waivers.add, new)


@pytest.mark.parametrize(
    ("bad", "waived_for", "is_covered"),
    [
        (("1.2.1",), "1.2.1", True),
        (("1.2.1",), "1.2.2", False),
        (("1.2.1", "1.2.2"), "1.2.1", False),
        (("1.2.1", "1.2.2"), None, True),
    ],
)
async def test_a_waiver_for_a_series_covers_what_is_in_it_alone(
    store: Store, bad: tuple[str, ...], waived_for: str | None, is_covered: bool
) -> None:
    await judged(store, archive(*bad))
    await give(store, await observed(store), series_key=waived_for)
    kept = await scoring(store).score_again(HERE, "1.2")
    assert kept.outcome == ("judged" if is_covered else "unchanged")
    assert await is_waived(store) == is_covered


@pytest.mark.parametrize(
    ("scope", "is_covered"),
    [
        ({"location": HERE}, True),
        ({"location": HERE, "study_key": None}, True),
        ({"location": Location("archive", "other")}, False),
        ({"location": Location("archive", "other"), "study_key": None}, False),
        ({"study_key": "1.3"}, False),
    ],
)
async def test_a_waiver_covers_what_is_in_its_scope(
    store: Store, scope: dict[str, Any], is_covered: bool
) -> None:
    await judged(store, archive("1.2.1"))
    waiver = await give(store, await observed(store), **scope)
    assert await store.read(waivers.concerned, waiver) == ([(HERE, "1.2")] if is_covered else [])
    await scoring(store).score_again(HERE, "1.2")
    assert await is_waived(store) == is_covered


async def test_a_study_is_judged_with_the_waivers_that_are_there_when_it_comes(store: Store) -> None:
    [found] = [f for f in judge_in_memory(await pulled(archive("1.2.1"))) if f.rule == RULE]
    await give(store, found)
    await judged(store, archive("1.2.1"))
    assert await observed(store) == replace(found, waived=True)


async def test_a_verdict_is_refused_when_waivers_changed_since_it_was_judged(store: Store) -> None:
    await judged(store, archive("1.2.1"))
    waiver = await give(store, await observed(store))
    waived = await scoring(store).judge_stored(HERE, "1.2")
    await store.write(waivers.revoke, waiver.id, by="dr-b", at=NOW)
    with pytest.raises(ConflictError, match="waivers"):
        await store.write_durably(publication.publish, waived)
    unwaived = await scoring(store).judge_stored(HERE, "1.2")
    await give(store, await observed(store))
    with pytest.raises(ConflictError, match="waivers"):
        await store.write_durably(publication.publish, unwaived)
    assert await store.read(changes.latest) == 1


async def test_a_study_that_did_not_change_is_judged_again_once_its_verdict_no_longer_holds(
    store: Store,
) -> None:
    clock, source = Clock(NOW), archive("1.2.1")
    await judged(store, source, clock)
    await give(store, await observed(store))
    await scoring(store, clock).score_again(HERE, "1.2")
    assert await store.read(waivers.ended, now=ENDS - timedelta(microseconds=1)) == []
    assert await store.read(waivers.ended, now=ENDS) == [(HERE, "1.2")]
    clock.now = ENDS - timedelta(minutes=1)
    assert (await judged(store, source, clock)).outcome == "unchanged"
    clock.now = ENDS
    kept = await judged(store, source, clock)
    assert (kept.outcome, kept.study.revision, kept.study.state) == ("judged", 3, "JUDGED")
    assert await store.read(waivers.ended, now=ENDS) == []
    assert not await is_waived(store)


async def test_a_revoked_waiver_ends_the_verdicts_that_rely_on_it_and_no_others(store: Store) -> None:
    await judged(store, archive("1.2.1"))
    found_before = await observed(store)
    other = await give(store, replace(found_before, digest="0" * 32))
    waiver = await give(store, found_before)
    await scoring(store).score_again(HERE, "1.2")
    await store.write(waivers.revoke, other.id, by="dr-b", at=NOW)
    assert await store.read(waivers.ended, now=NOW) == []
    await store.write(waivers.revoke, waiver.id, by="dr-b", at=NOW)
    assert await store.read(waivers.ended, now=NOW) == [(HERE, "1.2")]
    found = await store.read(studies.find, HERE, "1.2")
    assert found is not None
    assert (found.at(NOW).state, found.at(NOW - timedelta(microseconds=1)).state) == ("PENDING", "JUDGED")


async def test_what_is_withdrawn_is_not_judged_again(store: Store) -> None:
    await judged(store, archive("1.2.1"))
    waiver = await give(store, await observed(store))
    await store.write_durably(states.withdraw, HERE, "1.2", at=NOW)
    assert await store.read(waivers.concerned, waiver) == []


async def test_no_waiver_is_ever_erased(store: Store) -> None:
    def erase(transaction: WriteTransaction) -> None:
        transaction.connection.execute(delete(tables.waivers))

    await judged(store, archive("1.2.1"))
    waiver = await give(store, await observed(store))
    with pytest.raises(StorageError, match="refused"):
        await store.write(erase)
    assert await store.read(waivers.get, waiver.id) == waiver


async def test_a_verdict_never_holds_with_a_waiver_that_is_revoked_meanwhile(store: Store) -> None:
    await judged(store, archive("1.2.1"))
    found_before = await observed(store)
    for _ in range(5):
        waiver = await give(store, found_before)
        await asyncio.gather(
            scoring(store).score_again(HERE, "1.2"),
            store.write(waivers.revoke, waiver.id, by="dr-b", at=NOW),
        )
        found = await store.read(studies.find, HERE, "1.2")
        assert found is not None
        assert found.at(NOW).state == "PENDING" or not await is_waived(store)
        await scoring(store).score_again(HERE, "1.2")
        assert not await is_waived(store)


async def test_the_change_feed_tells_once_of_a_verdict_that_ended_and_cannot_be_given_anew(
    store: Store,
) -> None:
    """Whoever follows the feed does not keep a verdict that no look-up tells any more."""
    clock, profiles = Clock(NOW), []

    async def profile_of(location: Location) -> Profile:
        if not profiles:
            raise ConfigurationError(f"{location}: its profile cannot be read")
        return profiles[0]

    async def told() -> list[tuple[str, int]]:
        return [(one.state, one.revision) for one in await store.read(changes.since, 0, limit=100)]

    source = archive("1.2.1")
    await judged(store, source, clock)
    await give(store, await observed(store))
    await scoring(store, clock).score_again(HERE, "1.2")
    assert await told() == [("JUDGED", 1), ("JUDGED", 2)]
    queue = JobQueue(store, clock=clock)
    desk = WaiverDesk(JudgingAgain(queue, ThisProcess(), DEFAULT, profile_of, workers=1))
    runner = Runner(queue, {ENDED: desk.judge_ended}, retries=Retries())
    clock.now = ENDS
    for _ in range(3):
        await desk.sweep()
        await runner.drain()
        clock.now += timedelta(hours=1)
    assert await told() == [("JUDGED", 1), ("JUDGED", 2), ("PENDING", 2)]
    profiles.append(DEFAULT)
    await desk.sweep()
    await runner.drain()
    assert await told() == [("JUDGED", 1), ("JUDGED", 2), ("PENDING", 2), ("JUDGED", 3)]
