"""A host knows the trail by an anchor of its own: no chain begins anew behind its back."""

import logging
import stat
from pathlib import Path

import pytest
from unit.audit.trails import NOW, Trail, opened

from heltig.audit.anchors import in_log
from heltig.audit.own_anchor import OwnAnchor
from heltig.audit.trail import accept, anchor, keep_anchor, rotate
from heltig.audit.verify import verify
from heltig.audit.walk import Verified
from heltig.pipeline.doctor.trail import trail as doctor
from heltig.settings import Settings

GONE = "UPDATE sequences SET {}tag = NULL, key_id = NULL WHERE name = 'audit'"
WITHOUT_KEY = {
    "wiped": ["DELETE FROM audit", GONE.format("value = 0, ")],
    "rewritten": [
        "UPDATE audit SET tag = NULL, key_id = NULL",
        "UPDATE audit SET actor = 'mallory' WHERE sequence = 4",
        "UPDATE audit SET action = 'service.start' WHERE action = 'audit.begin'",
        GONE.format(""),
    ],
    "cut off": [
        "DELETE FROM audit WHERE sequence > 4",
        "UPDATE sequences SET value = 4, tag = (SELECT tag FROM audit WHERE sequence = 4) "
        "WHERE name = 'audit'",
    ],
}


async def checked(trail: Trail, home: Path) -> Verified:
    return await trail.store.read(verify, trail.keys, own=OwnAnchor(Settings(home=home)))


@pytest.mark.parametrize("how", WITHOUT_KEY)
async def test_what_was_done_without_the_key_is_told_until_somebody_accepts_it(
    trail: Trail, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=tmp_path)
    await keep_anchor(trail.store, settings)
    assert (await checked(trail, tmp_path)).is_whole
    assert (await doctor(trail.store, settings)).state == "ok"
    await trail.tamper(*WITHOUT_KEY[how])
    with caplog.at_level(logging.ERROR):
        again = await opened(trail.url, tmp_path)
    assert "audit.broken" in caplog.text
    await again.write("verdicts are served all the same")
    await anchor(again.store, settings)
    assert not (await checked(again, tmp_path)).is_whole
    assert (await doctor(again.store, settings)).state == "failed"
    await accept(again.store, settings, again.keys, at=NOW, actor="cli", origin="cli", reason="drill")
    found = await checked(again, tmp_path)
    await again.store.close()
    assert found.is_whole, found.breaks
    assert (await doctor(trail.store, settings)).state == "ok"


async def test_only_its_owner_reads_it_and_damage_is_told(trail: Trail, tmp_path: Path) -> None:
    own = OwnAnchor(Settings(home=tmp_path))
    assert stat.S_IMODE(own.path.stat().st_mode) == 0o600
    own.path.write_text("{}")
    assert "damaged" in (await checked(trail, tmp_path)).breaks[0].why


async def test_an_old_key_that_leaked_is_not_good_again(trail: Trail, tmp_path: Path) -> None:
    (old,) = trail.keys.ids
    new = await rotate(trail.store, trail.keys, at=NOW, actor="cli", origin="cli")
    await keep_anchor(trail.store, Settings(home=tmp_path))
    await trail.tamper(
        "UPDATE audit SET action = 'key.create' WHERE action = 'audit.rotate-key'",
        "UPDATE audit SET key_id = :old",
        "UPDATE sequences SET key_id = :old WHERE name = 'audit'",
        old=old,
    )
    await trail.rewrite(trail.keys)
    assert (await trail.verified()).is_whole
    assert f"{new} took its place" in (await checked(trail, tmp_path)).breaks[0].why


def test_anchors_are_found_in_either_form_of_the_log() -> None:
    tag = "9f" * 32
    lines = [
        f'{{"sequence": 48213, "tag": "{tag}", "key": "5b0e6a1c", "event": "audit.anchor"}}',
        f"2026-03-01 12:00 [info] audit.anchor key=5b0e6a1c sequence=7 tag={tag}",
        "something else",
    ]
    assert [(one.sequence, one.tag.hex()) for one in in_log(lines)] == [(48213, tag), (7, tag)]
