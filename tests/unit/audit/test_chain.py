"""The chain finds whatever somebody without the key did to the audit trail, and names the first entry."""

from pathlib import Path

import pytest
from unit.audit.trails import NOW, Trail, opened, record, tag_of
from unit.store.databases import render

from heltig import audit
from heltig.audit.anchors import Anchor
from heltig.errors import StorageError
from heltig.store import audit_trail
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction


async def test_a_trail_that_nobody_touched_is_whole(trail: Trail) -> None:
    found = await trail.verified()
    assert found.is_whole
    assert (found.first, found.last, found.entries, found.began) == (1, 10, 10, 0)
    assert found.keys == trail.keys.ids


async def test_tags_can_be_computed_by_other_means(trail: Trail) -> None:
    await trail.store.write_durably(record, 'Größe\t"\\\x1f\u2028\x7f😀', detail={"a": "é\n", "n": 1.5})
    entries = await trail.store.read(audit.entries)
    lines = await trail.store.read(details)
    before = bytes(32)
    for entry, line in zip(entries, lines, strict=True):
        fields = [
            entry.sequence,
            entry.at,
            entry.actor,
            entry.action,
            entry.subject,
            entry.outcome,
            entry.origin,
        ]
        before = tag_of([*fields, line, entry.key_id], before, trail.keys)
        assert before.hex() == entry.tag


def details(transaction: ReadTransaction) -> list[str]:
    """The details as they are exported."""
    found = audit_trail.lines(transaction, audit_trail.Wanted(), after=0, limit=100)
    return [bytes(line.detail).decode() for line in found]


FORGED = (
    "INSERT INTO audit (sequence, at, actor, action, subject, outcome, origin, detail, tag, key_id) "
    "SELECT 11, at, actor, action, subject, outcome, origin, detail, tag, key_id FROM audit "
    "WHERE sequence = 10"
)
HEAD = (
    "UPDATE sequences SET value = {}, tag = (SELECT tag FROM audit WHERE sequence = {}) WHERE name = 'audit'"
)
MOVE = "UPDATE audit SET sequence = {} WHERE sequence = {}"
RENUMBER = [MOVE.format(number, number + 1) for number in range(5, 10)]
SWAP = [MOVE.format(99, 4), MOVE.format(4, 5), MOVE.format(5, 99)]

TAMPERING = {
    "actor": (["UPDATE audit SET actor = 'nobody' WHERE sequence = 5"], 5),
    "time": (["UPDATE audit SET at = (SELECT at FROM audit WHERE sequence = 9) WHERE sequence = 5"], 5),
    "action": (["UPDATE audit SET action = 'archive.remove' WHERE sequence = 1"], 1),
    "outcome": (["UPDATE audit SET outcome = 'refused' WHERE sequence = 10"], 10),
    "detail": (["UPDATE audit SET detail = '{ }' WHERE sequence = 5"], 5),
    "tag": (["UPDATE audit SET tag = NULL WHERE sequence = 5"], 5),
    "tags of all": (["UPDATE audit SET tag = NULL, key_id = NULL"], 1),
    "key": (["UPDATE audit SET key_id = 'deadbeef' WHERE sequence = 5"], 5),
    "deleted": (["DELETE FROM audit WHERE sequence = 5"], 5),
    "deleted, the first": (["DELETE FROM audit WHERE sequence = 1"], 1),
    "deleted, the rest renumbered": (
        ["DELETE FROM audit WHERE sequence = 5", *RENUMBER, HEAD.format(9, 9)], 5,
    ),
    "deleted, all": (["DELETE FROM audit"], 1),
    "put in another order": (SWAP, 4),
    "cut off": (["DELETE FROM audit WHERE sequence > 7"], 8),
    "cut off, the number set back": (
        ["DELETE FROM audit WHERE sequence > 7", "UPDATE sequences SET value = 7 WHERE name = 'audit'"], 7,
    ),
    "added": ([FORGED], 11),
    "added, the head moved": ([FORGED, HEAD.format(11, 11)], 11),
    "the head row taken away": (["DELETE FROM sequences WHERE name = 'audit'"], 0),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERING)
async def test_tampering_is_found_and_the_first_entry_named(trail: Trail, how: str) -> None:
    statements, first = TAMPERING[how]
    await trail.tamper(*statements)
    found = await trail.verified()
    assert found.breaks
    assert found.breaks[0].sequence == first


async def test_a_trail_that_was_written_anew_without_the_key_is_bad_from_the_start(
    trail: Trail,
) -> None:
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 5")
    await trail.rewrite(bytes(32))
    found = await trail.verified()
    assert [one.sequence for one in found.breaks] == list(range(1, 11))


async def test_tags_that_were_taken_away_are_not_made_anew(trail: Trail, tmp_path: Path) -> None:
    await trail.tamper(
        "UPDATE audit SET tag = NULL, key_id = NULL",
        "UPDATE audit SET actor = 'nobody' WHERE sequence = 5",
        "UPDATE sequences SET tag = NULL, key_id = NULL WHERE name = 'audit'",
    )
    again = await opened(trail.url, tmp_path)
    found = await again.verified()
    await again.store.close()
    assert [one.sequence for one in found.breaks] == [*range(1, 11), 10]


async def test_an_anchor_finds_what_was_cut_off_with_the_head(trail: Trail) -> None:
    """Whoever can write the head row can cut off the end: only what is elsewhere says so."""
    end = await trail.verified()
    await trail.tamper("DELETE FROM audit WHERE sequence > 7", HEAD.format(7, 7))
    assert (await trail.verified()).is_whole
    found = await trail.verified(Anchor(end.last, end.tag))
    assert [one.sequence for one in found.breaks] == [8]
    assert "8 to 10 are missing" in found.breaks[0].why


async def test_an_anchor_finds_what_was_written_anew_with_the_key(trail: Trail) -> None:
    end = await trail.verified()
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 5")
    await trail.rewrite(trail.keys)
    assert (await trail.verified()).is_whole
    found = await trail.verified(Anchor(end.last, end.tag))
    assert [one.sequence for one in found.breaks] == [10]
    assert "written anew" in found.breaks[0].why


async def test_a_process_that_did_not_open_the_trail_cannot_add_to_it(trail: Trail) -> None:
    other = await Store.open(trail.url, render=render)
    with pytest.raises(StorageError, match="did not open it"):
        await other.write_durably(record)
    await other.close()
    assert (await trail.verified()).last == 10


async def test_nothing_can_be_recorded_without_the_head_row(trail: Trail) -> None:
    await trail.tamper("DELETE FROM sequences WHERE name = 'audit'")
    with pytest.raises(StorageError, match="audit verify"):
        await trail.store.write_durably(record, at=NOW)
