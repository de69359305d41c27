"""The beginning of the trail can be purged, behind a checkpoint that nobody without the key can make."""

import pytest
from unit.audit.trails import NOW, Trail

from heltig import audit
from heltig.audit.anchors import Anchor
from heltig.errors import StorageError, UsageError
from heltig.store.audit_checkpoints import Checkpoint


async def purge(trail: Trail, through: int) -> Checkpoint:
    return await trail.store.write_durably(
        audit.checkpoint, through=through, at=NOW, actor="purge", origin=""
    )


async def test_what_is_left_is_verified_from_the_checkpoint_on(trail: Trail) -> None:
    anchor = await anchor_of(trail, 4)
    made = await purge(trail, 4)
    assert (made.through, made.count) == (4, 4)
    found = await trail.verified(anchor)
    assert found.is_whole, found.breaks
    assert (found.first, found.last, found.entries, found.checkpoint) == (5, 11, 7, made)
    (entry,) = await trail.store.read(audit.entries, action="audit.checkpoint")
    assert entry.detail == {"through": 4, "count": 4, "tag": made.tag.hex()}
    await trail.write("later")
    await purge(trail, 11)
    found = await trail.verified()
    assert (found.is_whole, found.first, found.entries) == (True, 12, 2)


async def anchor_of(trail: Trail, sequence: int) -> Anchor:
    (entry,) = await trail.store.read(audit.entries, after=sequence - 1, limit=1)
    return Anchor(sequence, bytes.fromhex(entry.tag or ""))


@pytest.mark.parametrize("through", [0, 11])
async def test_only_what_is_there_can_be_purged(trail: Trail, through: int) -> None:
    with pytest.raises(UsageError, match="no entry"):
        await purge(trail, through)
    await purge(trail, 4)
    with pytest.raises(UsageError, match="no entry 4"):
        await purge(trail, 4)


async def test_a_trail_that_was_altered_is_not_purged(trail: Trail) -> None:
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 3")
    with pytest.raises(StorageError, match="changed at entry 3"):
        await purge(trail, 5)
    assert len(await trail.store.read(audit.entries)) == 10


async def test_the_database_deletes_only_what_a_checkpoint_covers(trail: Trail) -> None:
    await purge(trail, 4)
    for statement in (
        "DELETE FROM audit WHERE sequence = 5",
        "DELETE FROM audit_checkpoints",
        "UPDATE audit_checkpoints SET count = 1",
    ):
        with pytest.raises(StorageError, match="refused"):
            await trail.store.write(lambda t, s=statement: t.connection.exec_driver_sql(s))
    assert (await trail.verified()).is_whole


TAMPERING = {
    "taken away": (["DELETE FROM audit_checkpoints"], 1),
    "moved on, entries deleted": (
        ["DELETE FROM audit WHERE sequence < 7", "UPDATE audit_checkpoints SET through = 6"], 6,
    ),
    "another count": (["UPDATE audit_checkpoints SET count = 3"], 4),
    "of an unknown key": (["UPDATE audit_checkpoints SET key_id = 'deadbeef'"], 4),
    "further entries deleted": (["DELETE FROM audit WHERE sequence = 5"], 5),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERING)
async def test_a_checkpoint_that_was_tampered_with_is_found(trail: Trail, how: str) -> None:
    await purge(trail, 4)
    statements, first = TAMPERING[how]
    await trail.tamper(*statements)
    found = await trail.verified()
    assert found.breaks
    assert found.breaks[0].sequence == first
