"""Prepared answers: each sees the last commit."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import make_url
from unit.store.databases import SERVER
from unit.store.samples import MAIN, OTHER, STUDY, finding, judge, series, snapshot

from heltig.errors import StorageError
from heltig.store import lookups, removal, snapshots, studies
from heltig.store.engine import Store
from heltig.store.lookups import Lookups
from heltig.store.records import Location

ALIKE = ("1.2.137280152.92717", "1.2.671629830.870809")
"""They have the same CRC-32."""
THIRD = Location("upload", "third")


async def test_an_unknown_study_has_no_answer(store: Store) -> None:
    assert await Lookups(store).find(STUDY) == []
    assert await store.read(lookups.find_many, [STUDY]) == {}
    assert await store.read(lookups.find_many, []) == {}


async def test_every_location_answers(store: Store) -> None:
    await judge(store, snapshot(location=OTHER))
    await judge(store, snapshot(location=MAIN), finding(), readiness="BLOCKED")
    found = await Lookups(store).find(STUDY)
    assert [(answer.location, answer.readiness) for answer in found] == [
        ("archive:main", "BLOCKED"),
        ("archive:other", "READY"),
    ]
    assert await store.read(lookups.find_many, [STUDY, "1.2.3"]) == {STUDY: found}


async def test_keys_of_one_checksum_are_told_apart(store: Store) -> None:
    for count, key in enumerate(ALIKE, start=1):
        await judge(store, snapshot(study=key))
        found = {one: await Lookups(store).find(one) for one in ALIKE[:count]}
        assert {one: [answer.study_key for answer in answers] for one, answers in found.items()} == {
            one: [one] for one in ALIKE[:count]
        }
        assert await store.read(lookups.find_many, ALIKE) == found
        assert await Lookups(store).find(ALIKE[1]) == found.get(ALIKE[1], [])


async def test_an_answer_that_was_alone_gets_and_loses_others(store: Store) -> None:
    for count, location in enumerate((OTHER, MAIN, THIRD), start=1):
        for _ in range(2):  # first PENDING, then judged, then again
            await judge(store, snapshot(location=location))
            found = await Lookups(store).find(STUDY)
            assert len(found) == count
            assert await store.read(lookups.find_many, [STUDY]) == {STUDY: found}
    for number, location in enumerate((OTHER, THIRD, MAIN)):
        study = await store.read(studies.row_of, location, STUDY)
        await store.write(removal.remove_study, study)
        found = await Lookups(store).find(STUDY)
        assert len(found) == 2 - number
        assert await store.read(lookups.find_many, [STUDY]) == ({STUDY: found} if found else {})
    await judge(store, snapshot(location=THIRD))
    assert [answer.location for answer in await Lookups(store).find(STUDY)] == [str(THIRD)]


async def test_an_answer_is_never_older_than_the_last_commit(store: Store) -> None:
    answers = Lookups(store)
    await judge(store, snapshot())
    for number in range(2, 12):
        await store.write(snapshots.put, snapshot([series(number)]))
        [pending] = await answers.find(STUDY)
        assert pending.state == "PENDING"
        await judge(store, snapshot([series(number)]))
        [judged] = await answers.find(STUDY)
        assert (judged.state, judged.revision, judged.version) == ("JUDGED", number, 2 * number)


@pytest.mark.skipif(SERVER is not None, reason="about SQLite")
async def test_whoever_has_another_turn_sees_what_another_process_committed(store: Store, url: str) -> None:
    answers = Lookups(store)
    await judge(store, snapshot())
    with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as other:
        for revision in range(10, 20):
            [before] = await answers.find(STUDY)
            other.execute("UPDATE lookups SET revision = ?", [revision])
            assert await answers.find(STUDY) == [before]
            await asyncio.sleep(0)
            [after] = await answers.find(STUDY)
            assert after.revision == revision


async def test_look_ups_and_other_reads_share_a_turn(store: Store) -> None:
    answers = Lookups(store)
    await judge(store, snapshot())
    first, many, last = await asyncio.gather(
        answers.find(STUDY), store.look_up(lookups.find_many, [STUDY]), answers.find(STUDY)
    )
    assert first == last == many[STUDY]


async def test_many_are_found_at_once(store: Store) -> None:
    keys = [f"1.2.{number}" for number in range(30)]
    for key in keys[::2]:
        await judge(store, snapshot(study=key))
    asked = [*keys, *(f"1.3.{number}" for number in range(3000)), *keys]
    found = await store.read(lookups.find_many, asked)
    assert sorted(found) == sorted(keys[::2])


async def test_a_key_of_any_length_is_answered(store: Store) -> None:
    key = "1.2.3." * 50
    await judge(store, snapshot(study=key))
    [answer] = await Lookups(store).find(key)
    assert await store.read(lookups.find_many, [key]) == {key: [answer]}


@pytest.mark.parametrize("key", ["", "'; DROP TABLE lookups; --", "%", "\0", "\udc00"])
async def test_hostile_keys_are_only_unknown(store: Store, key: str) -> None:
    await judge(store, snapshot())
    assert await Lookups(store).find(key) == []
    assert len(await Lookups(store).find(STUDY)) == 1


@pytest.mark.skipif(SERVER is not None, reason="about SQLite")
async def test_a_closed_store_gives_no_answers(store: Store) -> None:
    answers = Lookups(store)
    await store.close()
    with pytest.raises(StorageError):
        await answers.find(STUDY)
    with pytest.raises(StorageError):
        Lookups(store)
