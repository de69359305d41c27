"""What the index says that studies have in common."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from unit.store.databases import SERVER
from unit.store.samples import MAIN, NOW, OTHER, series, sha, snapshot

from heltig.dicom.snapshot import source_facts
from heltig.dicom.source import METADATA_SHOWS, Source
from heltig.rules.index_facts import Identity, IndexFact
from heltig.store import relations, snapshots, states, studies, uid_index
from heltig.store.engine import Store
from heltig.store.records import Location, NewSnapshot, Patient
from heltig.store.relations import FAR, Relations, relations_of
from heltig.store.transaction import ReadTransaction

FACTS = source_facts(Source(shows=METADATA_SHOWS))


def study(number: int, location: Location = MAIN, **given: Any) -> NewSnapshot:
    """A study with nothing in common with others but for what is given."""
    uid = f"1.2.{number}"
    blob = replace(series(study=uid), frame_of_reference_uid=given.pop("frame", ""))
    sops = given.pop("sops", blob.sop_instance_uids)
    blob = replace(blob, sop_instance_uids=sops, digest=sha(" ".join(sops)))
    given.setdefault("patients", (Patient(patient_id=f"P{number}", instances=3),))
    return snapshot([blob], study=uid, location=location, facts=FACTS, **given)


class Everybody:
    """A hash that says the same of every UID."""

    def copy(self) -> "Everybody":
        return self

    def update(self, uid: bytes) -> None:
        pass

    def digest(self) -> bytes:
        return bytes(5)


async def put(store: Store, *new: NewSnapshot) -> None:
    for one in new:
        await store.write(snapshots.put, one)


async def of(store: Store, number: int, location: Location = MAIN) -> Relations:
    def found(transaction: ReadTransaction) -> Relations:
        return relations_of(transaction, studies.row_of(transaction, location, f"1.2.{number}"))

    return await store.read(found)


async def rows(store: Store, *numbers: int) -> set[int]:
    def found(transaction: ReadTransaction) -> set[int]:
        return {studies.row_of(transaction, MAIN, f"1.2.{number}") for number in numbers}

    return await store.read(found)


async def test_a_study_alone_has_nothing_in_common(store: Store) -> None:
    await put(store, study(1, accession_number="A1", frame="1.5"), study(2), study(1, OTHER))
    assert (await of(store, 2)) == Relations((), {})
    assert (await of(store, 1)).facts == (await of(store, 1, OTHER)).facts


async def test_of_a_study_at_several_locations_the_first_is_named_and_all_are_related(store: Store) -> None:
    upload = Location("upload", "u")
    await put(store, study(1, accession_number="A1"))
    for location in (upload, OTHER, MAIN):
        await put(store, study(2, location, accession_number="A1"))
    found = await of(store, 1)
    assert found.facts == (IndexFact("accession", "A1", "archive:main", "1.2.2", Identity(patient_id="P2")),)
    assert set(found.studies.values()) == {frozenset({"accession"})}
    assert len(found.studies) == 3
    await store.write_durably(states.withdraw, MAIN, "1.2.2", at=NOW)
    assert [fact.location for fact in (await of(store, 1)).facts] == ["archive:other"]


async def test_some_and_all_of_a_series_are_told_apart(store: Store) -> None:
    await put(store, study(1), study(2, sops=("1.2.1.1.1", "1.2.2.1.2")), study(3, sops=("1.2.2.1.2",)))
    first, second = await of(store, 1), await of(store, 2)
    assert first.facts == (IndexFact("instance", "1.2.1.1", "archive:main", "1.2.2", uids=("1.2.1.1.1",)),)
    assert second.facts == (
        IndexFact("instance", "1.2.2.1", "archive:main", "1.2.1", uids=("1.2.1.1.1",)),
        IndexFact("instance", "1.2.2.1", "archive:main", "1.2.3", uids=("1.2.2.1.2",)),
    )
    assert (await of(store, 3)).facts == (IndexFact("instance", "1.2.3.1", "archive:main", "1.2.2"),)
    assert set(second.studies) == await rows(store, 1, 3)


@pytest.mark.parametrize("most", [2000, 0])
async def test_uids_are_found_alike_all_at_once_and_one_by_one(
    store: Store, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relations, "_MOST_SERIES", most)
    await put(store, study(1), study(2, sops=("1.2.1.1.1", "1.2.1.1.2")))
    found = await of(store, 1)
    assert [fact.uids for fact in found.facts] == [("1.2.1.1.1", "1.2.1.1.2")]
    assert set(found.studies) == await rows(store, 2)


@pytest.mark.parametrize("most", [2000, 0])
async def test_uids_that_share_a_key_are_told_apart(
    store: Store, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relations, "_MOST_SERIES", most)
    monkeypatch.setattr(uid_index, "_WHOLE", Everybody())
    assert uid_index.keys_of(["1.2.1.1.1", "1.2.1.1.2"]) == uid_index.keys_of(["1.2.1.1.3"])
    await put(store, study(1, sops=("1.2.9.1", "1.2.9.2")), study(2, sops=("1.2.9.3",)))
    assert (await of(store, 1)).facts == (await of(store, 2)).facts == ()
    await put(store, study(2, sops=("1.2.9.2", "1.2.9.4")))
    assert [fact.uids for fact in (await of(store, 1)).facts] == [("1.2.9.2",)]
    await put(store, study(2, sops=("1.2.9.4",)))
    assert (await of(store, 1)).facts == ()


@pytest.mark.parametrize("kind", ["accession", "instance", "one by one", "patient_id", "patient", "frame"])
async def test_a_far_crowd_is_told_of_nobody(
    store: Store, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "one by one":
        monkeypatch.setattr(relations, "_MOST_SERIES", 0)

    def member(n: int) -> NewSnapshot:
        jane = {"patient_name": "Doe^Jane", "patient_birth_date": "19500101", "patient_sex": "F"}
        somebody = {"patient_name": f"N{n}", "patient_birth_date": f"19{n:02}0101", "patient_id": "P"}
        values: dict[str, Any] = {
            "accession": {"accession_number": "A1"},
            "patient_id": {"patients": (Patient(**somebody),)},
            "patient": {"patients": (Patient(patient_id=f"P{n}", **jane),)},
            "frame": {"frame": "1.5"},
        }.get(kind, {"sops": ("1.7.7",)})
        return study(n, **values)

    await put(store, *map(member, range(1, FAR + 2)))
    near = await of(store, 1)
    assert [fact.is_crowd for fact in near.facts] == [True]
    assert len(near.studies) == FAR
    await put(store, member(FAR + 2))
    assert (await of(store, 1)).facts == near.facts
    assert (await of(store, FAR + 2)).studies == {}


async def test_one_name_or_one_birth_date_is_one_person(store: Store) -> None:
    def named(n: int, name: str, born: str) -> NewSnapshot:
        who = Patient(patient_id="P", patient_name=name, patient_birth_date=born)
        return study(n, patients=(who,))

    await put(store, named(1, "Doe^Jane", "19500101"), named(2, "DOE, JANE", "19500101"))
    await put(store, named(3, "Doe^Jane", "19500111"), named(4, "Roe^Jane", "19500101"))
    await put(store, named(5, "", "19700101"), named(6, "Poe^Ann", ""))
    assert (await of(store, 1)) == Relations((), {})
    await put(store, named(7, "Roe^Mary", "19600202"))
    assert [fact.study for fact in (await of(store, 1)).facts] == ["1.2.7"]
    assert set((await of(store, 7)).studies) == await rows(store, 1, 2, 3, 4)


@pytest.mark.skipif(SERVER is not None, reason="about SQLite")
async def test_every_question_is_answered_by_an_index(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Table by table: the one that is looked for first must not be read from end to end."""
    await put(store, study(1, accession_number="A1", frame="1.5"), study(1, OTHER))

    def plans(transaction: ReadTransaction) -> list[str]:
        asked: list[tuple[str, Sequence[Any]]] = []
        raw = transaction.connection.connection.dbapi_connection
        assert raw is not None
        raw.set_trace_callback(lambda sql: asked.append((sql, ())))
        relations_of(transaction, studies.row_of(transaction, MAIN, "1.2.1"))
        raw.set_trace_callback(None)
        return [row[3] for sql, _ in asked for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]

    found = await store.read(plans)
    assert len(found) > 10
    assert [step for step in found if step.startswith("SCAN") and "locations" not in step] == []
