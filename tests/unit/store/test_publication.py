"""Verdicts: written in one piece, never edited, refused when the study has changed."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, func, select, update
from unit.store.databases import render
from unit.store.samples import (
    MAIN,
    NOW,
    OTHER,
    PROFILE,
    RULESET,
    STUDY,
    finding,
    judge,
    put_judged_with,
    series,
    sha,
    snapshot,
    verdict,
)

from heltig import audit
from heltig.errors import ConflictError, NotFoundError, StorageError
from heltig.store import (
    changes,
    judged_with,
    lookups,
    publication,
    snapshots,
    states,
    studies,
    tables,
    verdicts,
)
from heltig.store.engine import Store
from heltig.store.records import NewVerdict, Published, PutSnapshot
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Waiver

LATER = NOW + timedelta(hours=1)


@pytest.fixture
async def put(store: Store) -> PutSnapshot:
    """A study that waits for its verdict."""
    await store.write(put_judged_with)
    return await store.write(snapshots.put, snapshot())


async def publish(store: Store, new: NewVerdict) -> Published:
    return await store.write_durably(publication.publish, new)


async def test_a_verdict_comes_out_as_it_went_in(store: Store, put: PutSnapshot) -> None:
    new = verdict(
        put,
        finding(observed="Zürich\n", tags=("00400275/00400007", "00100020")),
        finding("STU-DATE-FUTURE", "review", waived=True, level="value", instances=()),
        readiness="BLOCKED",
        waivers=(Waiver("1", "STU-DATE-FUTURE", "20990101", LATER),),
        facts=("accession A1 is in study 1.2.3 too",),
    )
    published = await publish(store, new)
    stored = await store.read(verdicts.current, MAIN, STUDY)
    assert stored is not None
    assert stored == published.verdict
    assert (stored.verdict, stored.inputs) == (new.verdict, new.inputs)
    assert (stored.location, stored.study_key, stored.study_uid) == (MAIN, STUDY, STUDY)
    assert (stored.revision, stored.judged) == (1, NOW)
    assert stored.ruleset == msgspec.structs.replace(RULESET, manifest=b"")
    assert stored.profile == msgspec.structs.replace(PROFILE, text=b"")


async def test_the_study_the_answer_the_feed_and_the_audit_follow(store: Store, put: PutSnapshot) -> None:
    new = verdict(
        put, finding(), finding("X", "review"), finding("Y", "block", waived=True), readiness="BLOCKED"
    )
    published = await publish(store, new)
    study = await store.read(studies.find, MAIN, STUDY)
    assert study is not None
    assert study == published.study
    assert (study.state, study.version, study.revision, study.readiness) == ("JUDGED", 2, 1, "BLOCKED")
    assert (study.judged, study.blocks, study.reviews, study.notes) == (NOW, 1, 1, 0)

    [answer] = await lookups.Lookups(store).find(STUDY)
    assert (answer.state, answer.readiness, answer.revision, answer.version) == ("JUDGED", "BLOCKED", 1, 2)
    assert (answer.location, answer.verdict_id) == ("archive:main", new.verdict.id)
    assert answer.body == render(published)

    [change] = await store.read(changes.since, 0, limit=10)
    assert change == changes.Change(
        sequence=1,
        at=NOW,
        location=MAIN,
        study_key=STUDY,
        study_uid=STUDY,
        state="JUDGED",
        revision=1,
        readiness="BLOCKED",
        verdict_id=new.verdict.id,
    )
    [entry] = await store.read(audit.entries)
    assert (entry.actor, entry.action, entry.subject) == (
        "worker",
        "verdict.publish",
        f"archive:main {STUDY}",
    )
    assert entry.detail == {"verdict": new.verdict.id, "revision": 1, "readiness": "BLOCKED"}


async def test_a_new_revision_supersedes(store: Store, put: PutSnapshot) -> None:
    await publish(store, verdict(put, finding(), readiness="BLOCKED"))
    second = verdict(put, version=2, at=LATER)
    await publish(store, second)
    study = await store.read(studies.find, MAIN, STUDY)
    assert study is not None
    assert (study.revision, study.readiness, study.blocks, study.judged) == (2, "READY", 0, LATER)
    history = await store.read(verdicts.history, MAIN, STUDY)
    assert [(old.revision, old.verdict.readiness) for old in history] == [(2, "READY"), (1, "BLOCKED")]
    first = await store.read(verdicts.revision, MAIN, STUDY, 1)
    assert first is not None
    assert first.verdict.findings == (finding(),)
    assert await store.read(verdicts.revision, MAIN, STUDY, 3) is None
    assert [c.revision for c in await store.read(changes.since, 0, limit=10)] == [1, 2]


async def test_the_same_verdict_again_is_no_new_revision(store: Store, put: PutSnapshot) -> None:
    new = verdict(put, finding(), readiness="BLOCKED")
    first = await publish(store, new)
    version = await store.write(states.mark_pending, MAIN, STUDY, study_uid=STUDY, at=LATER)
    again = await publish(store, msgspec.structs.replace(new, version=version, judged=LATER))
    assert again.verdict == first.verdict
    assert (again.study.state, again.study.revision, again.study.judged) == ("JUDGED", 1, NOW)
    assert len(await store.read(verdicts.history, MAIN, STUDY)) == 1


async def test_an_earlier_verdict_can_come_again_as_a_new_revision(store: Store, put: PutSnapshot) -> None:
    """A ruleset is rolled back: what it says now is what it said then."""
    one, two = verdict(put, finding()), verdict(put, finding("X"))
    for version, new in enumerate((one, two, one), start=1):
        await publish(store, msgspec.structs.replace(new, version=version))
    history = await store.read(verdicts.history, MAIN, STUDY)
    assert [old.verdict.id for old in history] == [one.verdict.id, two.verdict.id, one.verdict.id]


@pytest.mark.parametrize(
    "name", ["verdicts", "findings", "snapshots", "snapshot_series", "contents", "changes"]
)
async def test_the_database_refuses_to_edit(store: Store, name: str) -> None:
    await judge(store, snapshot(), finding())
    table = getattr(tables, name)
    edit = update(table).values({column.name: column for column in table.columns})
    with pytest.raises(StorageError, match="refused"):
        await store.write(lambda transaction: transaction.connection.execute(edit))


async def test_a_verdict_on_what_has_changed_since_is_refused(store: Store, put: PutSnapshot) -> None:
    newer = await store.write(snapshots.put, snapshot([series(1), series(2)]))
    for stale in (verdict(put), verdict(put, version=newer.version), verdict(newer, version=put.version)):
        with pytest.raises(ConflictError, match="changed since it was judged"):
            await publish(store, stale)
    assert await store.read(verdicts.current, MAIN, STUDY) is None
    assert await store.read(changes.latest) == 0
    assert await store.read(audit.entries) == []
    await publish(store, verdict(newer))


async def test_whoever_asks_for_a_new_judgement_makes_the_one_under_way_stale(
    store: Store, put: PutSnapshot
) -> None:
    """The context changed: another study arrived with the same UIDs."""
    version = await store.write(states.mark_pending, MAIN, STUDY, study_uid=STUDY, at=NOW)
    with pytest.raises(ConflictError):
        await publish(store, verdict(put))
    await publish(store, verdict(put, version=version))


async def test_of_racing_workers_one_publishes(store: Store, put: PutSnapshot, url: str) -> None:
    other = await Store.open(url, render=render)
    made = [verdict(put, finding(f"RULE-{n}")) for n in range(8)]
    results = await asyncio.gather(
        *(publish((store, other)[n % 2], new) for n, new in enumerate(made)), return_exceptions=True
    )
    await other.close()
    won = [result for result in results if isinstance(result, Published)]
    lost = [result for result in results if isinstance(result, ConflictError)]
    assert (len(won), len(lost)) == (1, 7)
    assert await store.read(verdicts.current, MAIN, STUDY) == won[0].verdict
    assert await store.read(changes.latest) == 1


async def test_nothing_of_a_verdict_is_stored_when_its_answer_cannot_be_made(
    store: Store, put: PutSnapshot, url: str
) -> None:
    class Broken:
        form = "broken"

        def __call__(self, published: Published, /) -> bytes:
            raise ValueError("cannot render")

    other = await Store.open(url, render=Broken())
    with pytest.raises(ValueError, match="cannot render"):
        await publish(other, verdict(put, finding()))
    await other.close()

    def rows(transaction: ReadTransaction, name: str) -> int:
        return int(
            transaction.connection.execute(
                select(func.count()).select_from(getattr(tables, name))
            ).scalar_one()
        )

    assert [await store.read(rows, name) for name in ("verdicts", "findings", "changes", "audit")] == [0] * 4
    study = await store.read(studies.find, MAIN, STUDY)
    assert study is not None
    assert (study.state, study.version) == ("PENDING", 1)


async def test_a_verdict_needs_a_transaction_that_survives_a_power_cut(
    store: Store, put: PutSnapshot
) -> None:
    with pytest.raises(RuntimeError, match="write_durably"):
        await store.write(publication.publish, verdict(put))


async def test_a_verdict_needs_its_study_its_ruleset_and_its_profile(store: Store) -> None:
    waiting = await store.write(snapshots.put, snapshot())
    with pytest.raises(NotFoundError, match="ruleset and profile"):
        await publish(store, verdict(waiting))
    with pytest.raises(NotFoundError, match="archive:other does not have this study"):
        await publish(store, verdict(waiting, location=OTHER))


async def test_a_pending_study_shows_its_last_verdict_beside_it(store: Store) -> None:
    first = await judge(store, snapshot(), finding(), readiness="BLOCKED")
    await store.write(snapshots.put, snapshot([series(1), series(2)]))
    [answer] = await lookups.Lookups(store).find(STUDY)
    assert (answer.state, answer.readiness, answer.revision) == ("PENDING", "BLOCKED", 1)
    shown = msgspec.json.decode(answer.body, type=Published)
    assert shown.verdict == first.verdict
    assert shown.study.state == "PENDING"
    assert shown.study.instances == 6


async def test_a_withdrawn_study_keeps_its_verdicts_and_is_in_the_feed(store: Store) -> None:
    await judge(store, snapshot(), finding(), readiness="BLOCKED")
    await store.write_durably(states.withdraw, MAIN, STUDY, at=LATER)
    study = await store.read(studies.find, MAIN, STUDY)
    assert study is not None
    assert (study.state, study.readiness, study.changed) == ("WITHDRAWN", "BLOCKED", LATER)
    assert await store.read(verdicts.current, MAIN, STUDY) is not None
    feed = await store.read(changes.since, 0, limit=10)
    assert [(change.state, change.revision) for change in feed] == [("JUDGED", 1), ("WITHDRAWN", 1)]
    with pytest.raises(NotFoundError):
        await store.write_durably(states.withdraw, OTHER, STUDY, at=LATER)


async def test_a_study_is_known_as_pending_before_anything_was_pulled(store: Store) -> None:
    assert await store.write(states.mark_pending, MAIN, STUDY, study_uid=STUDY, at=NOW) == 1
    [answer] = await lookups.Lookups(store).find(STUDY)
    assert (answer.state, answer.readiness, answer.revision) == ("PENDING", None, 0)
    put = await store.write(snapshots.put, snapshot())
    assert (put.changed, put.pending, put.version) == (True, True, 2)


async def test_the_feed_is_read_in_pages(store: Store) -> None:
    await store.write(put_judged_with)
    for number in range(1, 6):
        await judge(store, snapshot(study=f"1.2.{number}"))
    assert await store.read(changes.latest) == 5
    page = await store.read(changes.since, 1, limit=2)
    assert [(change.sequence, change.study_key) for change in page] == [(2, "1.2.2"), (3, "1.2.3")]
    assert await store.read(changes.since, 5, limit=2) == []


async def test_rulesets_and_profiles_stay_what_they_were(store: Store) -> None:
    await store.write(put_judged_with)
    other = msgspec.structs.replace(RULESET, version="9", manifest=b"edited")
    await store.write(judged_with.put_ruleset, other)
    assert await store.read(judged_with.ruleset, RULESET.hash) == RULESET
    assert await store.read(judged_with.profile, PROFILE.hash) == PROFILE
    assert await store.read(judged_with.ruleset, sha("none")) is None
    assert await store.read(judged_with.profile, sha("none")) is None


@pytest.mark.parametrize("name", ["rulesets", "profiles", "snapshots"])
async def test_what_a_verdict_rests_on_cannot_be_deleted(store: Store, name: str) -> None:
    await judge(store, snapshot(), finding())
    statement: Any = delete(getattr(tables, name))
    with pytest.raises(StorageError, match=r"FOREIGN KEY|foreign key"):
        await store.write(lambda transaction: transaction.connection.execute(statement))
