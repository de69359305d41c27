"""Evidence in and out; what is stored again when a study changes, and what is not."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import func, select
from unit.store import holders
from unit.store.samples import MAIN, NOW, OTHER, STUDY, TODAY, judge, series, sha, snapshot

from heltig.errors import StorageError
from heltig.store import snapshots, states, studies, tables
from heltig.store.engine import Store
from heltig.store.packing import compress, pack_series
from heltig.store.records import NewSnapshot, Patient, PutSnapshot, SeriesBlob
from heltig.store.text import storable_key
from heltig.store.transaction import ReadTransaction, WriteTransaction


def rows(transaction: ReadTransaction, name: str) -> int:
    count = select(func.count()).select_from(getattr(tables, name))
    return int(transaction.connection.execute(count).scalar_one())


async def test_a_snapshot_comes_out_as_it_went_in(store: Store) -> None:
    new = snapshot([series(2, content="two"), series(1, content="one")], facts=b"\x00facts")
    put = await store.write(snapshots.put, new)
    assert put == PutSnapshot(new.snapshot, changed=True, pending=True, version=1)
    for wanted in (None, new.snapshot):
        found = await store.read(snapshots.get, MAIN, STUDY, snapshot=wanted)
        assert found is not None
        assert (found.snapshot, found.content_digest) == (new.snapshot, new.content_digest)
        assert (found.received, found.reference_date, found.facts) == (NOW, TODAY, b"\x00facts")
        assert [part.series_key for part in found.series] == [f"{STUDY}.1", f"{STUDY}.2"]
        assert [part.content[:3] for part in found.series] == [b"one", b"two"]
        assert [part.instances for part in found.series] == [3, 3]
        assert {(part.address, part.digest) for part in found.series} == {
            (blob.address, blob.digest) for blob in new.series
        }


async def test_what_was_never_stored_is_not_found(store: Store) -> None:
    assert await store.read(snapshots.get, MAIN, STUDY) is None
    assert await store.read(studies.find, MAIN, STUDY) is None
    await store.write(snapshots.put, snapshot())
    assert await store.read(snapshots.get, MAIN, STUDY, snapshot=sha("other")) is None
    assert await store.read(snapshots.get, OTHER, STUDY) is None


async def test_the_study_shows_what_the_snapshot_says(store: Store) -> None:
    new = snapshot(
        [series(1), series(2, instances=5)],
        study_date="20260228",
        accession_number="A1",
        modalities_in_study=("CT", "SR"),
    )
    await store.write(snapshots.put, new)
    study = await store.read(studies.find, MAIN, STUDY)
    assert study is not None
    assert (study.state, study.version, study.revision, study.readiness) == ("PENDING", 1, 0, None)
    assert (study.series, study.instances, study.snapshot) == (2, 8, new.snapshot)
    assert (study.first_seen, study.changed) == (NOW, NOW)
    assert study.attributes == new.attributes
    parts = await store.read(studies.series_of, MAIN, STUDY)
    assert [(part.series_key, part.modality, part.instances) for part in parts] == [
        (f"{STUDY}.1", "CT", 3),
        (f"{STUDY}.2", "CT", 5),
    ]
    assert parts[0].sop_instance_uids == tuple(f"{STUDY}.1.{n}" for n in (1, 2, 3))


async def test_an_unchanged_study_makes_no_new_snapshot(store: Store) -> None:
    """Though its raw evidence differs: an archive's bulk URIs, the order of keys."""
    first = snapshot([series(1)])
    await judge(store, first)
    blob = replace(first.series[0], address=sha("other bytes"), body=compress(b"other bytes"))
    again = replace(first, series=(blob,), snapshot=sha("again"))
    before = await store.read(studies.find, MAIN, STUDY)
    put = await store.write(snapshots.put, again)
    assert put == PutSnapshot(first.snapshot, changed=False, pending=False, version=2)
    assert await store.read(studies.find, MAIN, STUDY) == before
    assert await store.read(rows, "snapshots") == await store.read(rows, "contents") == 1


async def test_an_unchanged_study_that_waits_still_waits(store: Store) -> None:
    await judge(store, snapshot())
    await store.write(states.mark_pending, MAIN, STUDY, study_uid=STUDY, at=NOW)
    put = await store.write(snapshots.put, snapshot())
    assert (put.changed, put.pending, put.version) == (False, True, 3)


async def test_late_instances_do_not_copy_the_study(store: Store) -> None:
    old = [series(n) for n in range(1, 6)]
    await judge(store, snapshot(old))
    put = await store.write(snapshots.put, snapshot([*old[:4], series(5, instances=4)]))
    assert (put.changed, put.pending, put.version) == (True, True, 3)
    assert await store.read(rows, "contents") == 6
    assert await store.read(rows, "snapshots") == 2
    found = await store.read(snapshots.get, MAIN, STUDY)
    assert found is not None
    assert [part.instances for part in found.series] == [3, 3, 3, 3, 4]


async def test_the_same_evidence_at_two_locations_is_kept_once(store: Store) -> None:
    await store.write(snapshots.put, snapshot(location=MAIN))
    await store.write(snapshots.put, snapshot(location=OTHER))
    assert await store.read(rows, "contents") == 1
    found = await store.read(studies.find_everywhere, STUDY)
    assert [study.location for study in found] == [MAIN, OTHER]


async def test_a_study_can_be_again_what_it_was_once(store: Store) -> None:
    one, two = snapshot([series(1)]), snapshot([series(2)])
    for new in (one, two, one):
        put = await store.write(snapshots.put, new)
        assert (put.snapshot, put.changed) == (new.snapshot, True)
    assert await store.read(rows, "snapshots") == 2
    found = await store.read(snapshots.get, MAIN, STUDY)
    assert found is not None
    assert found.snapshot == one.snapshot


async def test_a_withdrawn_study_that_is_back_has_to_be_judged(store: Store) -> None:
    await judge(store, snapshot())
    await store.write_durably(states.withdraw, MAIN, STUDY, at=NOW)
    put = await store.write(snapshots.put, snapshot())
    assert (put.changed, put.pending, put.version) == (False, True, 4)


async def test_damaged_evidence_is_not_given_out(store: Store) -> None:
    new = snapshot()
    wrong = replace(new, series=(replace(new.series[0], body=compress(b"something else")),))
    await store.write(snapshots.put, wrong)
    with pytest.raises(StorageError, match="not what it was"):
        await store.read(snapshots.get, MAIN, STUDY)


async def test_bytes_that_are_no_evidence_are_not_given_out(store: Store) -> None:
    new = snapshot()
    wrong = replace(new, series=(replace(new.series[0], body=b"\x00\x01\x02"),))
    await store.write(snapshots.put, wrong)
    with pytest.raises(StorageError, match="cannot be decompressed"):
        await store.read(snapshots.get, MAIN, STUDY)


async def test_a_study_of_two_patients_shows_the_commoner_first(store: Store) -> None:
    jane = Patient(patient_id="P1", patient_name="Doe^Jane", instances=2)
    john = Patient(patient_id="P2", patient_name="Doe^John", patient_sex="M", instances=1)
    await store.write(snapshots.put, snapshot(patients=(jane, john)))
    await store.write(snapshots.put, snapshot([series(9)], patients=(john, jane)))
    study = await store.read(studies.find, MAIN, STUDY)
    assert study is not None
    assert study.attributes.patients == (john, jane)
    assert await store.read(rows, "patients") == 2


BROKEN = "a\0b\ud800c" + "x" * 400


async def test_text_that_no_database_takes_is_mended(store: Store) -> None:
    patients = (Patient(patient_id=BROKEN, instances=1), Patient(patient_id=BROKEN + "y", instances=2))
    blob = pack_series(
        b"evidence",
        series_key="1.2.3",
        series_uid=BROKEN,
        digest=sha("evidence"),
        sop_instance_uids=[BROKEN, BROKEN],
        instances=2,
        series_description=BROKEN,
    )
    new = snapshot([blob], study_description=BROKEN, modalities_in_study=("C\\T", BROKEN), patients=patients)
    await store.write(snapshots.put, new)
    study = await store.read(studies.find, MAIN, STUDY)
    assert study is not None
    mended = "a\ufffdb\ufffdc" + "x" * 251
    assert study.attributes.study_description == mended
    assert study.attributes.modalities_in_study == ("CT",)
    assert study.attributes.patients == (Patient(patient_id=mended, instances=3),)
    [part] = await store.read(studies.series_of, MAIN, STUDY)
    assert (part.series_description, part.series_uid) == (mended, storable_key(BROKEN))
    assert part.sop_instance_uids == ("a\ufffdb\ufffdc" + "x" * 400,)
    [holder] = await store.read(holders.holders_of_instances, ["1.2", BROKEN])
    assert (holder.study_key, holder.uids) == (STUDY, (BROKEN,))
    [holder] = await store.read(holders.holders_of_series, ["1.2", BROKEN])
    assert (holder.study_key, holder.uids) == (STUDY, (BROKEN,))


@pytest.mark.parametrize("key", ["1." * 100, "no\0uid", "half \udc00", "1.2\n3", "ü" * 128, " "])
async def test_a_study_is_found_by_whatever_its_uid_is(store: Store, key: str) -> None:
    new = snapshot([replace(series(1), series_key=key, series_uid=key)], study=key)
    await store.write(snapshots.put, new)
    study = await store.read(studies.find, MAIN, key)
    assert study is not None
    assert study.study_key == storable_key(key)
    assert await store.read(snapshots.get, MAIN, key) is not None
    assert await store.read(studies.find, MAIN, key + "1") is None


async def test_nothing_of_a_snapshot_is_stored_when_its_end_fails(store: Store) -> None:
    names = [name for name in tables.__all__ if name.islower() and name != "sequences"]

    async def counts() -> list[int]:
        return [await store.read(rows, name) for name in names]

    await store.write(snapshots.put, snapshot())
    before = await counts()

    def fails(transaction: WriteTransaction) -> None:
        snapshots.put(transaction, snapshot([series(2), series(3)]))
        snapshots.put(transaction, snapshot(study="1.2.3", location=OTHER))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.write(fails)
    assert await counts() == before


UIDS = st.lists(st.integers(1, 12), max_size=6, unique=True)
STUDIES = st.lists(
    st.tuples(st.sampled_from(["1.5", "1.6"]), st.dictionaries(st.integers(1, 3), UIDS, max_size=3)),
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STUDIES)
async def test_the_index_always_has_the_newest_snapshots_and_nothing_else(
    store: Store, arrivals: Sequence[tuple[str, dict[int, list[int]]]]
) -> None:
    """UIDs are shared by studies here, as in broken data."""

    def blob(study: str, number: int, uids: list[int]) -> SeriesBlob:
        made = series(number, study=study, content=str(uids))
        return replace(
            made,
            digest=sha(f"{number} {uids}"),
            sop_instance_uids=tuple(f"1.9.{uid}" for uid in sorted(uids)),
        )

    expected: dict[str, dict[int, list[int]]] = {}
    for study in ("1.5", "1.6"):  # what an earlier example left
        await store.write(snapshots.put, snapshot([], study=study))
    for study, parts in arrivals:
        new: NewSnapshot = snapshot([blob(study, n, uids) for n, uids in parts.items()], study=study)
        await store.write(snapshots.put, new)
        expected[study] = parts
        everything = [f"1.9.{uid}" for uid in range(1, 13)]
        found = await store.read(holders.holders_of_instances, everything)
        assert {holder.study_key: set(holder.uids) for holder in found} == {
            key: uids
            for key, by_series in expected.items()
            if (uids := {f"1.9.{uid}" for part in by_series.values() for uid in part})
        }
        pairs = sum(len(uids) for by_series in expected.values() for uids in by_series.values())
        assert await store.read(rows, "instances") == pairs
