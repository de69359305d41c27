"""The index over SOP Instance UIDs."""

import random

from msgspec.structs import replace
from unit.store import holders
from unit.store.holders import Holder
from unit.store.samples import MAIN, OTHER, STUDY, series, snapshot

from heltig.store import snapshots
from heltig.store.engine import Store
from heltig.store.uid_index import uid_key


async def test_who_has_a_uid_is_found_at_any_location(store: Store) -> None:
    shared = f"{STUDY}.1.2"
    await store.write(snapshots.put, snapshot())
    await store.write(snapshots.put, snapshot(location=OTHER))
    other = replace(series(7, study="1.9"), sop_instance_uids=("1.9.7.1", shared))
    await store.write(snapshots.put, snapshot([other], study="1.9"))
    assert await store.read(holders.holders_of_instances, [shared, "1.9.7.1", "1.2.3"]) == [
        Holder(MAIN, "1.2.840.99.1", (shared,)),
        Holder(MAIN, "1.9", (shared, "1.9.7.1")),
        Holder(OTHER, "1.2.840.99.1", (shared,)),
    ]
    assert await store.read(holders.holders_of_instances, ["1.2.3"]) == []


async def test_who_has_a_series_uid_is_found(store: Store) -> None:
    await store.write(snapshots.put, snapshot([series(1), series(2)]))
    same = replace(series(1), series_key="1.9.1")
    await store.write(snapshots.put, snapshot([same], study="1.9"))
    uids = [f"{STUDY}.1", f"{STUDY}.2", "1.2.3"]
    assert await store.read(holders.holders_of_series, uids) == [
        Holder(MAIN, STUDY, (f"{STUDY}.1", f"{STUDY}.2")),
        Holder(MAIN, "1.9", (f"{STUDY}.1",)),
    ]


async def test_more_uids_than_a_query_takes(store: Store) -> None:
    large = series(1, instances=2500)
    await store.write(snapshots.put, snapshot([large]))
    [holder] = await store.read(holders.holders_of_instances, large.sop_instance_uids)
    assert holder.uids == large.sop_instance_uids


def test_the_uids_of_a_series_lie_together() -> None:
    """Within 2**40 of one another, of 2**64: so they cost one page of the index."""
    root = "1.2.840.113619.2.55.3.604688119.971.1445434402.311"
    keys = [uid_key(f"{root}.{number}") for number in range(500)]
    assert max(keys) - min(keys) < 2**40
    assert len(set(keys)) == 500


def test_keys_spread_over_64_bits() -> None:
    rng = random.Random(1)
    keys = [uid_key(f"1.2.{rng.randrange(10**9)}.{rng.randrange(10**9)}") for _ in range(2000)]
    assert len(set(keys)) == 2000
    assert min(keys) < -(2**62)
    assert max(keys) > 2**62


def test_a_key_never_changes() -> None:
    """Rows of years ago have to be found."""
    uids = ("1.2.840.10008.1.1", "2.25.1", "", "no uid")
    assert [uid_key(uid) for uid in uids] == [
        9051134125653530746,
        -2150800672797293794,
        -3546608357248522450,
        -3546608657587079180,
    ]
