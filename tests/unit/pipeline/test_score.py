"""Studies judged and kept: what makes a revision, and what does not."""

from typing import Any

import msgspec
import pytest
from servers.dicomweb import instance, study
from unit.pipeline.scoring import NOW, ThisProcess, scoring

from connectors.base import Faults, InMemoryArchive
from heltig.errors import ConflictError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.again.context import arrive
from heltig.pipeline.keep import Kept, Scoring
from heltig.pipeline.pull.study import pull_study
from heltig.pipeline.score import score
from heltig.rules.profile import DEFAULT
from heltig.store import audit_trail, changes, states, studies, verdicts
from heltig.store.engine import Store
from heltig.store.records import Location

HERE = Location("archive", "memory")


def archive_of(content: list[dict[str, Any]], **faults: Any) -> InMemoryArchive:
    archive = InMemoryArchive(faults=Faults(**faults))
    for one in content:
        archive.store(one)
    return archive


async def scored(
    store: Store, archive: InMemoryArchive, uid: str = "1.2", using: Scoring | None = None
) -> Kept:
    return await (using or scoring(store)).score(await pull_study(archive, uid), HERE)


async def test_a_study_is_kept_with_its_verdict(store: Store) -> None:
    kept = await scored(store, archive_of(study("1.2")))
    found = await store.read(studies.find, HERE, "1.2")
    verdict = await store.read(verdicts.current, HERE, "1.2")
    assert found is not None
    assert verdict is not None
    assert (kept.outcome, kept.study) == ("judged", found)
    assert (found.state, found.revision, found.series, found.instances) == ("JUDGED", 1, 2, 6)
    assert found.attributes.patients[0].patient_id == "P1"
    assert (found.snapshot, verdict.inputs.reference_date) == (verdict.inputs.snapshot, NOW.date())
    entries = await store.read(audit_trail.entries)
    assert {(entry.actor, entry.origin) for entry in entries} == {("test", "cli")}
    assert [entry.action for entry in entries] == ["ruleset.use", "profile.use", "verdict.publish"]


async def test_what_did_not_change_is_not_judged_again(store: Store) -> None:
    archive = archive_of(study("1.2"))
    first = await scored(store, archive)
    again = await scored(store, archive)
    assert (again.outcome, again.study) == ("unchanged", first.study)
    assert await store.read(changes.latest) == 1


async def test_other_key_order_and_bulk_addresses_are_no_change(store: Store) -> None:
    content = study("1.2")
    first, second = (
        [one | {"7FE00010": {"vr": "OW", "BulkDataURI": f"http://{host}/bulk"}} for one in content]
        for host in ("a.example", "b.example")
    )
    await scored(store, archive_of(first))
    other_way = [dict(reversed(one.items())) for one in second]
    assert (await scored(store, archive_of(other_way))).outcome == "unchanged"


async def test_a_late_instance_makes_a_revision(store: Store) -> None:
    archive = archive_of(study("1.2"))
    await scored(store, archive)
    archive.store(instance("1.2", "1.2.1", "1.2.1.9"))
    kept = await scored(store, archive)
    assert (kept.outcome, kept.study.revision, kept.study.instances) == ("judged", 2, 7)
    assert await store.read(changes.latest) == 2


async def test_a_count_that_the_archive_corrects_makes_a_revision(store: Store) -> None:
    content = study("1.2")
    blocked = await scored(store, archive_of(content, withheld=frozenset({"1.2.1.3"})))
    assert blocked.study.readiness == "BLOCKED"
    kept = await scored(
        store, archive_of([one for one in content if b"1.2.1.3" not in msgspec.json.encode(one)])
    )
    assert (kept.outcome, kept.study.revision) == ("judged", 2)
    assert kept.study.readiness != "BLOCKED"


async def test_a_study_of_which_nothing_came_is_blocked_and_found_by_its_row(store: Store) -> None:
    kept = await scored(store, archive_of(study("1.2"), metadata_levels=()))
    assert (kept.study.readiness, kept.study.instances) == ("BLOCKED", 0)
    assert kept.study.attributes.patients[0].patient_id == "P1"
    assert kept.study.attributes.modalities_in_study == ("CT",)
    assert kept.study.attributes.study_date == "20260102"


@pytest.mark.parametrize("uid", ["1.2.LETTERS", "9" * 70, "x" * 300, "1.2 3", "é"])
async def test_a_broken_uid_is_judged_and_found_like_any_other(store: Store, uid: str) -> None:
    archive = archive_of(study(uid))
    kept = await scored(store, archive, uid)
    assert kept.outcome == "judged"
    assert await store.read(studies.find, HERE, uid) == kept.study
    assert (await scored(store, archive, uid)).outcome == "unchanged"
    await store.write(states.mark_pending, HERE, uid, study_uid=uid, at=NOW)
    again = await scored(store, archive, uid)
    assert (again.outcome, again.study.revision) == ("judged", 1)


async def test_a_study_that_comes_back_keeps_its_verdict(store: Store) -> None:
    archive = archive_of(study("1.2"))
    await scored(store, archive)
    await store.write_durably(states.withdraw, HERE, "1.2", at=NOW)
    kept = await scored(store, archive)
    assert (kept.outcome, kept.study.state, kept.study.revision) == ("judged", "JUDGED", 1)


async def test_the_stored_evidence_is_judged_where_it_reads_otherwise_than_what_came(store: Store) -> None:
    content = study("1.2")
    await scored(store, archive_of(content))
    await store.write(states.mark_pending, HERE, "1.2", study_uid="1.2", at=NOW)
    processes = ThisProcess()
    other_way = [dict(reversed(one.items())) | {"00880140": {"vr": "UI"}} for one in content]
    kept = await scored(store, archive_of(other_way), using=scoring(store, processes))
    assert (kept.outcome, kept.study.state, kept.study.revision) == ("judged", "JUDGED", 1)
    assert processes.calls == ["score", "score_again"]


async def test_judging_again_gives_the_same_verdict(store: Store) -> None:
    await scored(store, archive_of(study("1.2"), withheld=frozenset({"1.2.1.3"})))
    before = await store.read(verdicts.current, HERE, "1.2")
    await store.write(states.mark_pending, HERE, "1.2", study_uid="1.2", at=NOW)
    await scoring(store).score_again(HERE, "1.2")
    assert await store.read(verdicts.current, HERE, "1.2") == before


async def test_a_study_that_changes_while_it_is_judged_is_judged_again(store: Store) -> None:
    await scored(store, archive_of(study("1.2")))
    await store.write(states.mark_pending, HERE, "1.2", study_uid="1.2", at=NOW)

    class Disturbed(ThisProcess):
        left = 2

        async def run(self, work, /, *args, **kwargs):
            if self.left:
                self.left -= 1
                await store.write(states.mark_pending, HERE, "1.2", study_uid="1.2", at=NOW)
            return await super().run(work, *args, **kwargs)

    processes = Disturbed()
    kept = await scoring(store, processes).score_again(HERE, "1.2")
    assert kept.study.state == "JUDGED"
    assert len(processes.calls) == 3
    processes.left = 100
    with pytest.raises(ConflictError):
        await scoring(store, processes).score_again(HERE, "1.2")


async def test_a_process_that_dies_before_the_verdict_leaves_a_study_that_waits_for_it(store: Store) -> None:
    archive = archive_of(study("1.2"))
    table = await pull_study(archive, "1.2")
    table.arrange()
    judged = score(table, DEFAULT, location=HERE, received=NOW)
    assert judged is not None
    await store.write(arrive, judged.snapshot, JobQueue(store))
    waiting = await store.read(studies.find, HERE, "1.2")
    assert waiting is not None
    assert (waiting.state, waiting.revision) == ("PENDING", 0)
    kept = await scored(store, archive)
    assert (kept.outcome, kept.study.state, kept.study.revision) == ("judged", "JUDGED", 1)
