"""Studies that contradict one another: whoever comes first, both learn of it; and of its end."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from servers.dicomweb import instance
from unit.clock import Clock
from unit.pipeline.scoring import NOW, ThisProcess, scoring, table_of
from unit.pipeline.watched import BEGIN
from unit.store.databases import database_url

from connectors.base import InMemoryArchive
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.again.context import REJUDGE, withdraw
from heltig.pipeline.again.rejudge import LEFT, queue_the_rest, rejudge, rejudge_queued
from heltig.pipeline.keep import Scoring
from heltig.pipeline.publish import render
from heltig.pipeline.pull.listing import list_studies
from heltig.pipeline.pull.run import corrected, judged_again, pull_archive
from heltig.pipeline.score import score
from heltig.rules.profile import DEFAULT
from heltig.store import (
    changes,
    claims,
    jobs,
    leases,
    lookups,
    observations,
    states,
    studies,
    verdicts,
    waiting,
)
from heltig.store.engine import Store
from heltig.store.locations import ensure
from heltig.store.records import Location, StoredVerdict
from heltig.store.transaction import WriteTransaction

MAIN, OTHER, UPLOAD = Location("archive", "main"), Location("archive", "other"), Location("upload", "u1")
JANE = {"name": "Doe^Jane", "born": "19500101", "sex": "F"}
MARY = {"name": "Roe^Mary", "born": "19600202", "sex": "F"}


def image(study: str, number: int, **given: Any) -> dict[str, Any]:
    """One instance; `given`: series, sop, patient, name, born, sex, accession, frame, comment."""
    series = given.get("series", f"{study}.1")
    made = instance(study, series, given.get("sop", f"{series}.{number}"), number=number)
    made["00100020"]["Value"] = [given.get("patient", f"P{study}")]
    made["00100010"]["Value"] = [{"Alphabetic": given.get("name", f"Name^Of{study}")}]
    texts = {"born": ("00100030", "DA"), "sex": ("00100040", "CS"), "accession": ("00080050", "SH")}
    texts |= {"frame": ("00200052", "UI"), "comment": ("00204000", "LT")}
    for name, (tag, vr) in texts.items():
        if name in given:
            made[tag] = {"vr": vr, "Value": [given[name]]}
    return dict(sorted(made.items()))


def images(study: str, count: int = 3, **given: Any) -> list[dict[str, Any]]:
    return [image(study, number, **given) for number in range(1, count + 1)]


Arrival = tuple[Location, list[dict[str, Any]]]


async def arrive(using: Scoring, arrivals: Iterable[Arrival]) -> None:
    for location, content in arrivals:
        await using.score(table_of(content), location)


async def settle(using: Scoring) -> int:
    return len(await rejudge_queued(using))


async def standing(store: Store, *where: tuple[Location, str]) -> dict[tuple[Location, str], StoredVerdict]:
    found = {}
    for location, key in where:
        study = await store.read(studies.find, location, key)
        verdict = await store.read(verdicts.current, location, key)
        assert study is not None
        assert verdict is not None
        assert study.state == "JUDGED", (location, key)
        found[location, key] = verdict
    return found


def rules_of(verdict: StoredVerdict) -> list[str]:
    return [finding.rule for finding in verdict.verdict.findings if finding.level == "context"]


def observed(verdict: StoredVerdict) -> list[str]:
    return [finding.observed for finding in verdict.verdict.findings if finding.level == "context"]


def ids(verdicts: dict[Any, StoredVerdict]) -> dict[Any, str]:
    return {where: verdict.verdict.id for where, verdict in verdicts.items()}


PAIRS = {
    "SER-TWO-STUDIES": [images("1.1", series="1.9"), images("1.2", series="1.9")],
    "INS-SOPUID-TWO-STUDIES": [images("1.1"), [image("1.2", 1, sop="1.1.1.2"), image("1.2", 2)]],
    "STU-ACCESSION-SHARED": [images("1.1", accession="A1"), images("1.2", accession="A1")],
    "PAT-SPLIT-SUSPECT": [
        images("1.1", patient="A", **JANE),
        images("1.2", patient="B", **JANE | {"name": "DOE, JANE"}),
    ],
    "PAT-COLLISION-SUSPECT": [images("1.1", patient="A", **JANE), images("1.2", patient="A", **MARY)],
    "GEO-FOR-SHARED": [
        images("1.1", patient="A", frame="1.5", **JANE),
        images("1.2", patient="B", frame="1.5", **MARY),
    ],
}


@pytest.mark.parametrize("rule", PAIRS)
@pytest.mark.parametrize("places", [(MAIN, MAIN), (MAIN, OTHER), (MAIN, UPLOAD)], ids=str)
async def test_both_orders_end_in_the_same_verdicts(
    rule: str, places: tuple[Location, Location], tmp_path_factory: pytest.TempPathFactory
) -> None:
    arrivals = list(zip(places, PAIRS[rule], strict=True))
    ends = []
    for order in (arrivals, arrivals[::-1]):
        async with database_url(tmp_path_factory.mktemp("order")) as url:
            store = await Store.open(url, render=render)
            using = scoring(store)
            await arrive(using, order)
            assert await settle(using) == 1
            assert await settle(using) == 0
            found = await standing(store, (places[0], "1.1"), (places[1], "1.2"))
            assert [rules_of(verdict) for verdict in found.values()] == [[rule], [rule]]
            ends.append(ids(found))
            await store.close()
    assert ends[0] == ends[1]


async def test_the_archives_of_one_study_are_compared_both_ways(store: Store) -> None:
    using = scoring(store)
    await arrive(using, [(MAIN, images("1.1", 3)), (OTHER, images("1.1", 2)), (UPLOAD, images("1.1", 1))])
    assert await settle(using) == 1
    found = await standing(store, (MAIN, "1.1"), (OTHER, "1.1"), (UPLOAD, "1.1"))
    assert [rules_of(verdict) for verdict in found.values()] == [["STU-DIVERGES"], ["STU-DIVERGES"], []]
    assert observed(found[MAIN, "1.1"]) == ["archive:other: 1 instances only here"]
    await arrive(using, [(OTHER, images("1.1", 3))])
    assert await settle(using) == 1
    found = await standing(store, (MAIN, "1.1"), (OTHER, "1.1"))
    assert [rules_of(verdict) for verdict in found.values()] == [[], []]


async def test_attributes_are_compared_where_neither_archive_gives_a_summary(store: Store) -> None:
    using = scoring(store)
    await arrive(using, [(MAIN, images("1.1")), (OTHER, images("1.1", comment="other"))])
    await settle(using)
    found = await standing(store, (MAIN, "1.1"), (OTHER, "1.1"))
    assert [observed(verdict) for verdict in found.values()] == [
        ["archive:other: other attributes in 1 series"],
        ["archive:main: other attributes in 1 series"],
    ]
    await using.score(table_of(images("1.1", comment="other"), "all_attributes"), OTHER)
    await settle(using)
    found = await standing(store, (MAIN, "1.1"), (OTHER, "1.1"))
    assert [rules_of(verdict) for verdict in found.values()] == [[], []]


async def test_one_study_at_several_places_is_no_finding(store: Store) -> None:
    using = scoring(store)
    content = images("1.1", accession="A1", frame="1.5", patient="A", **JANE)
    await arrive(using, [(MAIN, content), (OTHER, content), (UPLOAD, content)])
    assert await settle(using) == 0
    found = await standing(store, (MAIN, "1.1"), (OTHER, "1.1"), (UPLOAD, "1.1"))
    assert [rules_of(verdict) for verdict in found.values()] == [[], [], []]


async def test_a_withdrawal_clears_the_finding_of_the_other_and_its_return_brings_it_back(
    store: Store,
) -> None:
    using = scoring(store)
    first, second = PAIRS["SER-TWO-STUDIES"]
    await arrive(using, [(MAIN, first)])
    alone = await standing(store, (MAIN, "1.1"))
    await arrive(using, [(MAIN, second)])
    await settle(using)
    both = await standing(store, (MAIN, "1.1"))
    await store.write_durably(withdraw, MAIN, "1.2", using.queue, at=NOW)
    waiting = await store.read(studies.find, MAIN, "1.1")
    assert waiting is not None
    assert waiting.state == "PENDING"
    assert await settle(using) == 1
    assert ids(await standing(store, (MAIN, "1.1"))) == ids(alone)
    gone = await store.read(studies.find, MAIN, "1.2")
    assert gone is not None
    assert gone.state == "WITHDRAWN"
    await arrive(using, [(MAIN, second)])
    assert await settle(using) == 1
    assert ids(await standing(store, (MAIN, "1.1"))) == ids(both)


async def test_a_study_that_was_corrected_clears_the_finding_of_the_other(store: Store) -> None:
    using = scoring(store)
    await arrive(using, [(MAIN, images("1.1", accession="A1")), (MAIN, images("1.2", accession="A1"))])
    await settle(using)
    await arrive(using, [(MAIN, images("1.2", accession="A2"))])
    assert await settle(using) == 1
    found = await standing(store, (MAIN, "1.1"), (MAIN, "1.2"))
    assert [rules_of(verdict) for verdict in found.values()] == [[], []]


async def test_a_third_study_is_told_and_tells(store: Store) -> None:
    using = scoring(store)
    arrivals = [(MAIN, images(f"1.{n}", accession="A1")) for n in (1, 2, 3)]
    await arrive(using, arrivals)
    assert await settle(using) == 2
    where = [(MAIN, f"1.{n}") for n in (1, 2, 3)]
    found = await standing(store, *where)
    assert [rules_of(verdict) for verdict in found.values()] == [["STU-ACCESSION-SHARED"] * 2] * 3
    revisions = [verdict.revision for verdict in found.values()]
    await arrive(using, arrivals)
    assert await settle(using) == 0
    assert [v.revision for v in (await standing(store, *where)).values()] == revisions


async def test_nothing_is_said_of_a_neighbour_that_nobody_needs_to_know_of(store: Store) -> None:
    """A name in two spellings under one PatientID is told to nobody: most archives are full of them."""
    using = scoring(store)
    await arrive(using, [(MAIN, images("1.1", patient="A", **JANE))])
    other_way = JANE | {"name": "DOE^JANE^^DR"}
    await arrive(using, [(MAIN, images("1.2", patient="A", **other_way))])
    assert await settle(using) == 0
    found = await standing(store, (MAIN, "1.1"), (MAIN, "1.2"))
    assert [verdict.inputs.index_facts for verdict in found.values()] == [(), ()]


@pytest.mark.parametrize("kind", ["accession", "sop", "patient", "frame"])
async def test_a_crowd_ends_alike_in_any_order_and_is_not_judged_for_ever(
    kind: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heltig.rules.index_facts.MOST", 3)
    monkeypatch.setattr("heltig.store.relations.MOST", 3)

    def member(n: int) -> Arrival:
        values: dict[str, Any] = {"accession": "A1"} if kind == "accession" else {}
        if kind == "sop":
            values = {"sop": "1.7.7"}
        if kind == "patient":
            values = {"patient": "A", "name": f"Name{n}^A", "born": f"195001{n:02}"}
        if kind == "frame":
            values = {"frame": "1.5", "born": f"195001{n:02}"}
        return MAIN, images(f"1.{n}", 1, **values)

    ends, again = [], []
    for order in (range(1, 9), range(8, 0, -1)):
        async with database_url(tmp_path_factory.mktemp("order")) as url:
            store = await Store.open(url, render=render)
            using = scoring(store)
            counts = []
            for n in order:
                await arrive(using, [member(n)])
                counts.append(await settle(using))
            found = await standing(store, *((MAIN, f"1.{n}") for n in range(1, 9)))
            assert all(fact.is_crowd for v in found.values() for fact in v.inputs.index_facts)
            assert all(v.inputs.index_facts for v in found.values())
            for n in (8, 7, 6, 5):
                await store.write_durably(withdraw, MAIN, f"1.{n}", using.queue, at=NOW)
                await settle(using)
            few = await standing(store, *((MAIN, f"1.{n}") for n in range(1, 5)))
            assert {len(v.inputs.index_facts) for v in few.values()} == {3}
            ends.append((ids(found), ids(few)))
            again.append(counts)
            await store.close()
    assert ends[0] == ends[1]
    assert again[0] == [0, 1, 2, 3, 4, 0, 0, 0]


class Interleaved(ThisProcess):
    """Judging that lets others go first now and then."""

    def __init__(self, pauses: Iterable[int]) -> None:
        super().__init__()
        self._pauses = iter(pauses)

    async def run(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        for _ in range(next(self._pauses, 0)):
            await asyncio.sleep(0)
        return await super().run(work, *args, **kwargs)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pauses=st.lists(st.integers(0, 30), min_size=12, max_size=12))
async def test_racing_workers_end_in_the_same_verdicts(
    pauses: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    contents = [
        images("1.1", series="1.9", accession="A1", patient="A", **JANE),
        images("1.2", series="1.9", accession="A1", patient="A", **MARY),
        images("1.3", accession="A1", patient="B", **JANE),
    ]
    arrivals = [(place, content) for content in contents for place in (MAIN, OTHER)]
    where = [(place, f"1.{n}") for n in (1, 2, 3) for place in (MAIN, OTHER)]
    ends = []
    for racing in (False, True):
        async with database_url(tmp_path_factory.mktemp("race")) as url:
            store = await Store.open(url, render=render)
            workers = [scoring(store, Interleaved(pauses[n::6])) for n in range(6)]
            if racing:
                pairs = zip(workers, arrivals, strict=True)
                await asyncio.gather(*(arrive(using, [arrival]) for using, arrival in pairs))
                await asyncio.gather(*(settle(using) for using in workers[:3]))
            else:
                await arrive(workers[0], arrivals)
            await settle(workers[0])
            ends.append(ids(await standing(store, *where)))
            counts = await store.read(jobs.counts)
            assert not counts.get((REJUDGE, "queued"))
            await store.close()
    assert ends[0] == ends[1]


async def test_a_study_that_comes_between_a_re_judgement_and_the_end_of_its_job_is_not_missed(
    store: Store,
) -> None:
    """The job is still running, and has nothing more to publish: it runs once more."""
    using = scoring(store)
    await arrive(using, [(MAIN, images(f"1.{n}", accession="A1")) for n in (1, 2)])
    third = [(MAIN, images("1.3", accession="A1"))]

    async def handle(context: JobContext) -> dict[str, Any]:
        result = await rejudge(context, scoring=using)
        while third:
            await arrive(scoring(store), [third.pop()])
        return result

    await store.write(waiting.hurry, REJUDGE)
    await Runner(using.queue, {REJUDGE: handle}, places=1).drain()
    await settle(using)
    found = await standing(store, *((MAIN, f"1.{n}") for n in (1, 2, 3)))
    assert [len(verdict.inputs.index_facts) for verdict in found.values()] == [2, 2, 2]


async def test_what_is_pending_and_judged_by_nobody_is_queued(store: Store) -> None:
    clock = Clock(NOW)
    using = Scoring(store, ThisProcess(), profile=DEFAULT, clock=clock, actor="test")
    queue = using.queue
    await arrive(using, [(MAIN, images(f"1.{n}")) for n in (1, 2)])
    await store.write_durably(states.mark_pending, MAIN, "1.1", study_uid="1.1", at=clock())
    await store.write_durably(states.mark_pending, MAIN, "1.9", study_uid="1.9", at=clock())  # never read
    assert await queue_the_rest(queue) == 0  # whoever did that may be about to judge it
    clock.advance(LEFT + timedelta(seconds=1))
    assert await queue_the_rest(queue) == 1
    assert await queue_the_rest(queue) == 0
    (job,) = await store.write(
        claims.claim, kinds=[REJUDGE], owner="me", now=clock(), until=clock() + LEFT, limit=9
    )
    assert await queue_the_rest(queue) == 0
    await store.write(leases.give_up, job.id, owner="me", state="dead", error="no", now=clock())
    assert await queue_the_rest(queue) == 0  # that is for a person to look at
    clock.advance(timedelta(seconds=1))
    await store.write_durably(states.mark_pending, MAIN, "1.1", study_uid="1.1", at=clock())
    clock.advance(LEFT + timedelta(seconds=1))
    assert await settle(using) == 1
    await standing(store, (MAIN, "1.1"), (MAIN, "1.2"))


async def test_a_study_that_is_to_be_read_again_is_not_judged_by_what_is_stored(store: Store) -> None:
    clock = Clock(NOW)
    using = Scoring(store, ThisProcess(), profile=DEFAULT, clock=clock, actor="test")
    await arrive(using, [(MAIN, images("1.1"))])
    await store.write_durably(states.mark_pending, MAIN, "1.1", study_uid="1.1", at=clock())

    def is_due(transaction: WriteTransaction) -> None:
        location = ensure(transaction, MAIN)
        seen = observations.find_many(transaction, location, ["1.1"])["1.1"]
        changed = replace(seen, fingerprint=b"1", changed=NOW, unsettled_since=NOW, due=NOW)
        observations.write(transaction, location, [changed])

    await store.write(is_due)
    clock.advance(LEFT + timedelta(seconds=1))
    assert await queue_the_rest(using.queue) == 0


async def test_a_study_that_comes_between_look_and_publication_is_not_missed(store: Store) -> None:
    """The second study lands while the first one is judged: nobody publishes without knowing of the other."""
    first, second = PAIRS["STU-ACCESSION-SHARED"]

    class Overtaken(ThisProcess):
        async def run(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
            result = await super().run(work, *args, **kwargs)
            if self.calls == ["score"]:
                await arrive(scoring(store), [(MAIN, second)])
            return result

    processes = Overtaken()
    using = scoring(store, processes)
    await arrive(using, [(MAIN, first)])
    assert processes.calls == ["score", "score_again"]
    await settle(using)
    found = await standing(store, (MAIN, "1.1"), (MAIN, "1.2"))
    assert [rules_of(v) for v in found.values()] == [["STU-ACCESSION-SHARED"]] * 2
    assert found[MAIN, "1.1"].revision == 1


@pytest.mark.parametrize("rule", ["", *PAIRS])
async def test_in_one_transaction_or_two_all_ends_alike(
    rule: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = PAIRS[rule] if rule else [images("1.1"), images("1.2")]
    ends = []
    for is_at_once in (True, False):
        if not is_at_once:
            monkeypatch.setattr(Store, "writes_alone", False)
        async with database_url(tmp_path_factory.mktemp("ways")) as url:
            store = await Store.open(url, render=render)
            using = scoring(store)
            await arrive(using, [(MAIN, content) for content in pair])
            await settle(using)
            found = await standing(store, (MAIN, "1.1"), (MAIN, "1.2"))
            ends.append(
                (
                    ids(found),
                    await store.read(changes.since, 0, limit=10),
                    [await store.read(studies.find, MAIN, key) for key in ("1.1", "1.2")],
                    await store.read(lookups.find_many, ["1.1", "1.2"]),
                )
            )
            await store.close()
    assert ends[0] == ends[1]


async def test_of_a_burst_each_study_is_judged_again_once_a_minute_at_most(store: Store) -> None:
    """Twenty studies with one accession number, one every ten seconds, and a worker that has time."""
    clock = Clock(BEGIN)
    using = Scoring(store, ThisProcess(), profile=DEFAULT, clock=clock, actor="test")
    using.queue = JobQueue(store, clock=clock)
    runner = Runner(using.queue, {REJUDGE: partial(rejudge, scoring=using)})
    where = [(MAIN, f"1.{n}") for n in range(1, 21)]
    for _, key in where:
        await arrive(using, [(MAIN, images(key, 1, accession="A1"))])
        clock.advance(timedelta(seconds=10))
        await runner.drain()
    clock.advance(timedelta(minutes=1))
    await runner.drain()
    found = await standing(store, *where)
    assert all(len(verdict.inputs.index_facts) == len(where) - 1 for verdict in found.values())
    assert max(verdict.revision for verdict in found.values()) <= 6  # in 200 s, and the first


async def test_a_verdict_with_facts_survives_judging_again(store: Store) -> None:
    using = scoring(store)
    await arrive(using, [(MAIN, content) for content in PAIRS["PAT-COLLISION-SUSPECT"]])
    await settle(using)
    before = await standing(store, (MAIN, "1.1"))
    feed = await store.read(changes.latest)
    kept = await using.score_again(MAIN, "1.1")
    assert kept.outcome == "unchanged"
    assert await standing(store, (MAIN, "1.1")) == before
    assert await store.read(changes.latest) == feed
    assert before[MAIN, "1.1"].verdict.readiness == "BLOCKED"


async def test_patients_are_not_named_in_jobs(store: Store) -> None:
    using = scoring(store)
    await arrive(using, [(MAIN, content) for content in PAIRS["PAT-COLLISION-SUSPECT"]])
    (job,) = await store.read(jobs.newest, kind=REJUDGE)
    assert job.payload == {"location": "archive:main", "study": "1.1"}
    assert job.key == "archive:main 1.1"


async def test_studies_of_one_upload_are_judged_once_each(store: Store) -> None:
    using = scoring(store)
    tables = [table_of(content) for content in PAIRS["SER-TWO-STUDIES"]]
    for table in tables:
        table.arrange()
    scored = [score(table, DEFAULT, location=UPLOAD, received=NOW) for table in tables]
    kept = await using.keep([study for study in scored if study])
    assert [one.study.readiness for one in kept] == ["BLOCKED", "BLOCKED"]
    assert await settle(using) == 0
    found = await standing(store, (UPLOAD, "1.1"), (UPLOAD, "1.2"))
    assert [verdict.revision for verdict in found.values()] == [1, 1]


async def test_a_pull_ends_with_the_studies_that_are_judged_again(store: Store) -> None:
    archive = InMemoryArchive()
    for content in PAIRS["SER-TWO-STUDIES"]:
        for one in content:
            archive.store(one)
    using = scoring(store)
    listing = await list_studies(archive, {})
    pulled = [study async for study in pull_archive(archive, listing.studies, scoring=using, concurrency=1)]
    again = await judged_again(archive.id, using)
    ends = corrected(pulled, again)
    assert {study.uid: study.readiness for study in ends} == {"1.1": "BLOCKED", "1.2": "BLOCKED"}
    assert all("SER-TWO-STUDIES" in study.rules for study in ends)
    assert await judged_again(archive.id, using) == []
    assert corrected(pulled, []) == pulled
