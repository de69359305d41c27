"""Watched archives: what comes, changes and goes is pulled when it has come to rest, and only then."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace
from servers.dicomweb import instance, study
from unit.pipeline.watched import QUIET, STOP, Site

from connectors.base import Faults, InMemoryArchive
from heltig.demo.studies import make_studies
from heltig.errors import ArchiveAccessError, ArchiveClosedError, ArchiveUnavailableError
from heltig.jobs.attempt import JobContext
from heltig.pipeline.discovery.observe import ask_for
from heltig.pipeline.identifiers.hashing import Hashing
from heltig.pipeline.pull.settle import settle
from heltig.store import archives, audit_trail, changes, jobs, lookups, observations, rewriting
from heltig.store.engine import Store
from heltig.store.keyed import Keyed
from heltig.store.records import Location

HERE = Location("archive", "memory")

MINUTE = timedelta(minutes=1)


@pytest.fixture
def archive() -> InMemoryArchive:
    return InMemoryArchive()


@pytest.fixture
async def site(store: Store, archive: InMemoryArchive) -> Site:
    made = Site(store, archive)
    await made.register()
    return made


def put(archive: InMemoryArchive, uid: str, **numbers: int) -> None:
    for one in study(uid, **numbers):
        archive.store(one)


async def state(site: Site, uid: str) -> str:
    found = await site.study(uid)
    assert found is not None
    return found.state


async def test_a_new_study_is_pending_and_judged_when_it_was_quiet(site: Site, archive) -> None:
    put(archive, "1.2.1")
    await site.work()
    told = await site.store.read(lookups.find_many, ["1.2.1"])
    assert [lookup.state for lookup in told["1.2.1"]] == ["PENDING"]
    found = await site.study("1.2.1")
    assert found is not None
    assert (found.revision, found.attributes.study_date) == (0, "20260102")
    await site.pass_time(QUIET - MINUTE)
    assert await state(site, "1.2.1") == "PENDING"
    await site.pass_time(MINUTE)
    found = await site.study("1.2.1")
    assert found is not None
    assert (found.state, found.revision, found.instances) == ("JUDGED", 1, 6)
    seen = await site.observed("1.2.1")
    assert seen is not None
    assert (seen.due, seen.unsettled_since) == (None, None)


async def test_nothing_is_written_of_what_looks_as_it_did(site: Site, archive) -> None:
    put(archive, "1.2.1")
    await site.pass_time(QUIET + MINUTE)
    before = (await site.study("1.2.1"), await site.observed("1.2.1"))
    latest = await site.store.read(changes.latest)
    await site.pass_time(timedelta(minutes=10))
    assert (await site.study("1.2.1"), await site.observed("1.2.1")) == before
    assert await site.store.read(changes.latest) == latest


async def test_how_a_study_is_listed_is_known_under_the_key_and_turned_with_the_rest(
    site: Site, archive
) -> None:
    put(archive, "1.2.1")
    await site.pass_time(QUIET + MINUTE)
    before = await site.observed("1.2.1")
    latest = await site.store.read(changes.latest)
    keyed = site.store.keyed = Keyed(b"k" * 32)
    await site.store.write(rewriting.begin, keyed)
    while await site.store.write(rewriting.turn, Hashing(keyed)):
        pass
    turned = await site.observed("1.2.1")
    assert before is not None
    assert turned is not None
    assert turned.fingerprint not in (before.fingerprint, b"")
    await site.pass_time(timedelta(minutes=10))
    assert await site.observed("1.2.1") == turned  # it looks as it did
    assert await site.store.read(changes.latest) == latest
    put(archive, "1.2.1", series=3)
    await site.pass_time(QUIET + MINUTE)
    again = await site.observed("1.2.1")
    assert again is not None
    assert again.fingerprint != turned.fingerprint


async def test_a_burst_puts_the_verdict_off(site: Site, archive) -> None:
    for number in range(1, 6):
        archive.store(instance("1.2.1", "1.2.1.1", f"1.2.1.1.{number}", number=number))
        await site.pass_time(MINUTE)
        assert await state(site, "1.2.1") == "PENDING"
    await site.pass_time(QUIET)
    found = await site.study("1.2.1")
    assert found is not None
    assert (found.state, found.revision, found.instances) == ("JUDGED", 1, 5)


async def test_late_instances_make_a_new_revision_and_are_pending_meanwhile(site: Site, archive) -> None:
    put(archive, "1.2.1", series=1, instances=2)
    await site.pass_time(QUIET + MINUTE)
    first = await site.verdict("1.2.1")
    archive.store(instance("1.2.1", "1.2.1.2", "1.2.1.2.1"))
    await site.pass_time(MINUTE)
    found = await site.study("1.2.1")
    assert found is not None
    assert (found.state, found.revision) == ("PENDING", 1)
    assert found.readiness == (first.verdict.readiness if first else None)
    await site.pass_time(QUIET)
    found = await site.study("1.2.1")
    assert found is not None
    assert (found.state, found.revision, found.instances) == ("JUDGED", 2, 3)


async def test_a_study_that_is_gone_is_withdrawn_and_comes_back(site: Site, archive) -> None:
    put(archive, "1.2.1")
    put(archive, "1.2.2")
    await site.pass_time(QUIET + MINUTE)
    archive.remove("1.2.1")
    await site.pass_time(MINUTE)
    assert await state(site, "1.2.1") == "WITHDRAWN"
    assert await state(site, "1.2.2") == "JUDGED"
    put(archive, "1.2.1")
    await site.pass_time(MINUTE)
    assert await state(site, "1.2.1") == "PENDING"
    await site.pass_time(QUIET)
    assert await state(site, "1.2.1") == "JUDGED"


async def test_a_study_that_goes_before_it_is_pulled_is_withdrawn(site: Site, archive) -> None:
    put(archive, "1.2.1")
    await site.work()
    archive.remove("1.2.1")
    await site.pass_time(QUIET)
    assert await state(site, "1.2.1") == "WITHDRAWN"


async def test_most_studies_that_vanish_at_once_are_not_asked_for(site: Site, archive) -> None:
    for number in range(30):
        put(archive, f"1.2.{number}", series=1, instances=1)
    await site.pass_time(QUIET + MINUTE)
    for number in range(20):
        archive.remove(f"1.2.{number}")
    await site.pass_time(timedelta(minutes=5))
    assert {await state(site, f"1.2.{number}") for number in range(30)} == {"JUDGED"}
    for number in range(10):
        put(archive, f"1.2.{number}", series=1, instances=1)
    await site.pass_time(timedelta(minutes=5))
    states = [await state(site, f"1.2.{number}") for number in range(30)]
    assert states == ["JUDGED"] * 10 + ["WITHDRAWN"] * 10 + ["JUDGED"] * 10


async def test_counts_that_do_not_agree_are_waited_for(site: Site, archive) -> None:
    archive.faults = Faults(withheld=frozenset({"1.2.1.1.2"}))
    put(archive, "1.2.1")
    await site.pass_time(timedelta(minutes=20))
    assert await state(site, "1.2.1") == "PENDING"
    archive.faults = Faults()
    await site.pass_time(timedelta(minutes=30))
    assert await state(site, "1.2.1") == "JUDGED"
    assert not {"SRC-UNSETTLED", "SRC-SERIES-COUNT"} & await site.rules("1.2.1")


async def test_what_is_missing_for_as_long_as_is_waited_is_missing(site: Site, archive) -> None:
    archive.faults = Faults(withheld=frozenset({"1.2.1.1.2"}))
    put(archive, "1.2.1")
    await site.pass_time(STOP - MINUTE)
    assert await state(site, "1.2.1") == "PENDING"
    await site.pass_time(2 * MINUTE)
    found = await site.study("1.2.1")
    assert found is not None
    assert (found.state, found.readiness) == ("JUDGED", "BLOCKED")
    rules = await site.rules("1.2.1")
    assert "SRC-SERIES-COUNT" in rules
    assert "SRC-UNSETTLED" not in rules


async def test_a_study_that_keeps_changing_is_judged_all_the_same_and_again_when_quiet(
    site: Site, archive
) -> None:
    minutes = int(STOP / MINUTE)
    for number in range(minutes + 1):
        archive.store(instance("1.2.1", "1.2.1.1", f"1.2.1.1.{number}", number=number))
        await site.pass_time(MINUTE)
        assert await state(site, "1.2.1") == ("PENDING" if number < minutes else "JUDGED")
    assert await standing(site, "1.2.1") == ("JUDGED", "NEEDS_REVIEW", 1)
    assert "SRC-UNSETTLED" in await site.rules("1.2.1")
    assert "SRC-SERIES-COUNT" not in await site.rules("1.2.1")
    await site.pass_time(QUIET + MINUTE)
    assert "SRC-UNSETTLED" not in await site.rules("1.2.1")
    found = await site.study("1.2.1")
    assert found is not None
    assert (found.state, found.revision, found.instances) == ("JUDGED", 2, minutes + 1)


class Unwell(InMemoryArchive):
    """An archive that has an error for its metadata."""

    error: Exception | None = None

    async def search_series(self, study: str) -> list[bytes]:
        if self.error is not None:
            raise self.error
        return await super().search_series(study)


@pytest.fixture
async def ailing(store: Store) -> Site:
    made = Site(store, Unwell())
    await made.register()
    return made


def held(site: Site) -> Unwell:
    archive = site.opens.held["memory"]
    assert isinstance(archive, Unwell)
    return archive


async def standing(site: Site, uid: str) -> tuple[str, str | None, int]:
    found = await site.study(uid)
    assert found is not None
    return found.state, found.readiness, found.revision


async def dead(site: Site) -> list[str]:
    found = await site.store.read(jobs.newest, kind="pull")
    return [job.state for job in found if job.state in ("dead", "failed")]


async def test_what_cannot_be_read_could_not_be_evaluated_and_is_asked_for_again(ailing: Site) -> None:
    put(held(ailing), "1.2.1")
    held(ailing).error = ArchiveUnavailableError("http://archive.example/studies/1.2.1/series: 500")
    await ailing.pass_time(timedelta(minutes=50))
    assert await standing(ailing, "1.2.1") == ("PENDING", None, 0)
    assert await dead(ailing) == []
    await ailing.pass_time(timedelta(minutes=20))
    assert await dead(ailing) == ["dead"]
    assert await standing(ailing, "1.2.1") == ("JUDGED", "NEEDS_REVIEW", 1)
    assert await ailing.rules("1.2.1") == {"SRC-UNREAD"}
    await ailing.pass_time(timedelta(hours=23), step=timedelta(minutes=30))
    assert await standing(ailing, "1.2.1") == ("JUDGED", "NEEDS_REVIEW", 1)
    held(ailing).error = None
    await ailing.pass_time(timedelta(hours=2), step=timedelta(minutes=30))
    found = await ailing.study("1.2.1")
    assert found is not None
    assert (found.state, found.revision, found.instances) == ("JUDGED", 2, 6)
    assert "SRC-UNREAD" not in await ailing.rules("1.2.1")


async def test_a_changed_study_that_cannot_be_read_stays_pending_with_its_last_verdict(ailing: Site) -> None:
    put(held(ailing), "1.2.1", series=1, instances=1)
    await ailing.pass_time(QUIET + MINUTE)
    judged = await standing(ailing, "1.2.1")
    held(ailing).store(instance("1.2.1", "1.2.1.1", "1.2.1.1.2"))
    held(ailing).error = ArchiveUnavailableError("http://archive.example/studies/1.2.1/series: 500")
    await ailing.pass_time(timedelta(hours=2))
    assert await dead(ailing) == ["dead"]
    assert await standing(ailing, "1.2.1") == ("PENDING", *judged[1:])
    entries = await ailing.store.read(audit_trail.entries)
    assert "study.unread" in {entry.action for entry in entries}


async def test_a_definite_refusal_is_not_tried_again(ailing: Site) -> None:
    put(held(ailing), "1.2.1")
    held(ailing).error = ArchiveAccessError("http://archive.example/studies/1.2.1/series: 403")
    await ailing.pass_time(QUIET + MINUTE)
    assert await dead(ailing) == ["failed"]
    assert await ailing.rules("1.2.1") == {"SRC-UNREAD"}
    (job,) = await ailing.store.read(jobs.newest, kind="pull")
    assert job.attempts == 1


async def test_a_person_may_retry_what_was_given_up(ailing: Site) -> None:
    put(held(ailing), "1.2.1")
    held(ailing).error = ArchiveAccessError("http://archive.example/studies/1.2.1/series: 403")
    await ailing.pass_time(QUIET + MINUTE)
    held(ailing).error = None
    (job,) = await ailing.store.read(jobs.newest, kind="pull")
    await ailing.store.write(jobs.retry, job.id)
    await ailing.work()
    assert "SRC-UNREAD" not in await ailing.rules("1.2.1")


async def test_an_archive_that_is_closed_costs_no_attempt_and_loses_nothing(site: Site, archive) -> None:
    put(archive, "1.2.1")
    await site.work()
    site.opens.closed["memory"] = ArchiveClosedError("closed", retry_after=600)
    await site.pass_time(timedelta(hours=5), step=timedelta(minutes=10))
    assert await standing(site, "1.2.1") == ("PENDING", None, 0)
    assert await dead(site) == []
    del site.opens.closed["memory"]
    await site.pass_time(timedelta(minutes=20))
    assert await state(site, "1.2.1") == "JUDGED"


async def test_a_paused_archive_is_not_asked(site: Site, archive) -> None:
    entry = await site.store.read(archives.find, "memory")
    assert entry is not None
    await site.store.write(archives.change, replace(entry, paused=True))
    put(archive, "1.2.1")
    await site.pass_time(timedelta(minutes=10))
    assert await site.study("1.2.1") is None
    await site.store.write(archives.change, entry)
    await site.pass_time(timedelta(minutes=10))
    assert await state(site, "1.2.1") == "JUDGED"


async def test_a_study_that_changes_while_it_is_read_has_no_verdict_on_what_was_read(store: Store) -> None:
    class Growing(InMemoryArchive):
        async def search_series(self, study: str) -> list[bytes]:
            found = await super().search_series(study)
            if self.grows:
                self.grows = False
                site.clock.advance(MINUTE)
                self.store(instance("1.2.1", "1.2.1.1", "1.2.1.1.9"))
                await site.work()  # somebody else looks, while this one waits for the database
            return found

        grows = False

    archive = Growing()
    site = Site(store, archive)
    await site.register()
    put(archive, "1.2.1", series=1, instances=2)
    await site.work()
    site.clock.advance(QUIET + MINUTE)
    archive.grows = True
    await site.work()
    assert await standing(site, "1.2.1") == ("PENDING", None, 0)
    await site.pass_time(QUIET + MINUTE)
    found = await site.study("1.2.1")
    assert found is not None
    assert (found.state, found.revision, found.instances) == ("JUDGED", 1, 3)


async def test_two_workers_on_one_job_do_no_harm(site: Site, archive) -> None:
    put(archive, "1.2.1")
    await site.work()
    site.clock.advance(QUIET)
    await settle(site.store, site.queue, now=site.clock(), queue_most=10)
    (job,) = await site.store.read(jobs.newest, kind="pull")
    results = await asyncio.gather(*(site.desk.run(JobContext(job)) for _ in range(3)))
    assert "judged" in {result["outcome"] for result in results}
    assert await standing(site, "1.2.1") == ("JUDGED", "NEEDS_REVIEW", 1)
    assert await site.store.read(changes.latest) == 1
    assert (await site.desk.run(JobContext(job)))["outcome"] == "settled"


async def test_a_ready_study_that_turns_blocked_is_told_to_operators(site: Site, archive) -> None:
    ready = next(one for one in make_studies() if one.expectation == "READY" and len(one.datasets) < 30)
    for one in ready.datasets:
        archive.store(one)
    uid = ready.datasets[0]["0020000D"]["Value"][0]
    await site.pass_time(QUIET + MINUTE)
    assert (await standing(site, uid))[1] == "READY", await site.rules(uid)
    assert "verdict.reverse" not in {entry.action for entry in await site.store.read(audit_trail.entries)}
    for number, one in enumerate(ready.datasets):
        another = {
            "00080018": {"vr": "UI", "Value": [f"{uid}.9.{number}"]},
            "00100020": {"vr": "LO", "Value": ["ANOTHER"]},
        }
        archive.store({**one, **another})
    await site.pass_time(QUIET + 2 * MINUTE)
    assert (await standing(site, uid))[1] == "BLOCKED"
    entries = await site.store.read(audit_trail.entries)
    (told,) = [entry for entry in entries if entry.action == "verdict.reverse"]
    assert told.subject == f"archive:memory {uid}"


async def test_no_more_pulls_are_queued_than_may_be_and_the_newest_come_first(store: Store, archive) -> None:
    site = Site(store, archive)
    await site.register()
    for number in range(30):
        put(archive, f"1.2.{number}", series=1, instances=1)
    await site.work()
    site.clock.advance(QUIET)
    seen = [await site.observed(f"1.2.{number}") for number in range(30)]
    later = [replace(one, priority=2) for one in seen[:20] if one]
    await store.write(lambda t: observations.write(t, 1, later))
    assert await settle(store, site.queue, now=site.clock(), queue_most=12) == 12
    assert await settle(store, site.queue, now=site.clock(), queue_most=12) == 0
    queued = await store.read(jobs.newest, kind="pull")
    assert {job.payload["study"] for job in queued if job.priority == 0} == {
        f"1.2.{number}" for number in range(20, 30)
    }
    assert {job.group for job in queued} == {"archive:memory"}


async def test_an_archive_is_pulled_under_its_own_profile(store: Store, archive) -> None:
    site = Site(store, archive)
    await site.register(profile="migration")
    put(archive, "1.2.1")
    await site.pass_time(QUIET + MINUTE)
    found = await site.verdict("1.2.1")
    assert found is not None
    assert found.profile.name == "migration"


async def test_a_study_is_asked_for_by_hand(site: Site, archive) -> None:
    put(archive, "1.2.1")
    await site.store.write(ask_for, HERE, "1.2.1", priority=0, now=site.clock())
    await site.store.write(ask_for, HERE, "1.2.2", priority=0, now=site.clock())
    await site.pass_time(QUIET + MINUTE)
    assert await state(site, "1.2.1") == "JUDGED"
    assert await site.study("1.2.2") is None  # it never was there


@pytest.mark.parametrize("is_handed_on", [False, True])
async def test_what_a_clock_saw_that_was_ahead_is_judged_no_later(site: Site, archive, is_handed_on) -> None:
    put(archive, "1.2.1")
    day = timedelta(days=1)
    site.clock.advance(day)
    await site.work()
    if is_handed_on:
        site.clock.advance(QUIET)
        assert await settle(site.store, site.queue, now=site.clock(), queue_most=10) == 1
        site.clock.advance(-QUIET)
    site.clock.advance(-day)
    await site.pass_time(2 * QUIET + MINUTE)
    assert await state(site, "1.2.1") == "JUDGED"


async def test_a_study_that_was_given_up_is_not_asked_for_earlier(ailing: Site) -> None:
    put(held(ailing), "1.2.1")
    held(ailing).error = ArchiveAccessError("http://archive.example/studies/1.2.1/series: 403")
    await ailing.pass_time(QUIET + 2 * MINUTE)
    seen = await ailing.observed("1.2.1")
    assert seen is not None
    assert seen.due is not None
    assert seen.due - ailing.clock() > timedelta(hours=23)
    await ailing.pass_time(timedelta(minutes=5))
    assert await ailing.observed("1.2.1") == seen
