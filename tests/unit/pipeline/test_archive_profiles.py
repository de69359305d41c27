"""The profiles of archives: read again when they change, and what becomes of an archive with a broken one."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from unit.clock import Clock
from unit.pipeline.scoring import NOW

from heltig.errors import ConfigurationError
from heltig.pipeline.archives.watching import archive_status
from heltig.pipeline.pull.service import LOOKED_UP, ArchiveProfiles
from heltig.rules.profile import DEFAULT
from heltig.store import archives
from heltig.store.archives import Archive, ArchiveOptions
from heltig.store.engine import Store
from heltig.store.records import Location

OLD, MAIN = Location("archive", "old-1"), Location("archive", "main")


def put(path: Path, text: str) -> None:
    path.write_text(text)


async def register(store: Store, name: str, profile: Path | None) -> None:
    options = ArchiveOptions(profile=None if profile is None else str(profile))
    await store.write(
        archives.add, Archive(name=name, qido_url="http://a", wado_url="http://a", options=options)
    )


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> Path:
    """The profile of archive `old-1`; archive `main` has none."""
    path = tmp_path / "site.toml"
    path.write_text('base = "house.toml"\noff = ["UID-ROOT"]')
    (tmp_path / "house.toml").write_text('off = ["VAL-CS"]')
    await register(store, "old-1", path)
    await register(store, "main", None)
    return path


async def test_a_profile_is_read_again_when_one_of_its_files_changed(store: Store, site: Path) -> None:
    clock = Clock(NOW)
    profiles = ArchiveProfiles(store, DEFAULT, clock=clock)
    assert (await profiles.of(OLD)).off == {"UID-ROOT", "VAL-CS"}
    put(site, 'base = "house.toml"\noff = ["PAT-ID-EMPTY"]')
    clock.now += LOOKED_UP - timedelta(microseconds=1)
    assert "UID-ROOT" in (await profiles.of(OLD)).off
    clock.now += timedelta(microseconds=1)
    assert (await profiles.of(OLD)).off == {"PAT-ID-EMPTY", "VAL-CS"}
    put(site.parent / "house.toml", 'off = ["VAL-DA"]')
    clock.now += LOOKED_UP
    assert (await profiles.of(OLD)).off == {"PAT-ID-EMPTY", "VAL-DA"}
    assert await profiles.of(MAIN) is DEFAULT


async def test_where_it_cannot_be_read_any_more_what_was_read_last_holds(
    store: Store, site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(NOW)
    profiles = ArchiveProfiles(store, DEFAULT, clock=clock)
    before = await profiles.of(OLD)
    put(site.parent / "house.toml", "of = []")
    for _ in range(3):
        clock.now += LOOKED_UP
        assert await profiles.of(OLD) is before
    [told] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "house.toml:1:1: of is no setting of a profile" in told.getMessage()
    put(site.parent / "house.toml", "")
    clock.now += LOOKED_UP
    assert (await profiles.of(OLD)).off == {"UID-ROOT"}


async def test_a_start_tells_of_a_broken_profile_and_other_archives_are_judged(
    store: Store, site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(site, "of = []")
    profiles = ArchiveProfiles(store, DEFAULT, clock=Clock(NOW))
    await profiles.tell_what_is_wrong()
    [told] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told.startswith("A profile cannot be read; studies of its archive stay PENDING: archive:old-1: ")
    assert "site.toml:1:1: of is no setting" in told
    with pytest.raises(ConfigurationError, match="old-1"):
        await profiles.of(OLD)
    assert await profiles.of(MAIN) is DEFAULT
    status = await store.read(archive_status, "old-1", now=NOW)
    assert status.state == "failing"
    assert str(site) in status.why
    assert "of is no setting" not in status.why  # not for everybody who may see how archives stand
    put(site, "off = []")
    assert (await profiles.of(OLD)).off == frozenset()
    assert (await store.read(archive_status, "old-1", now=NOW)).state == "unwatched"
