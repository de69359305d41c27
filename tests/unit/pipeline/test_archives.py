"""Archives as entries: opened with their credentials, probed once a day."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from servers.dicomweb import study
from unit.pipeline.scoring import NOW
from unit.store.test_archives import spoil

from connectors.base import Capabilities, Faults, InMemoryArchive
from heltig.credentials import ArchiveAuth, BasicAuth, BearerAuth
from heltig.demo.archive import LoopbackArchive
from heltig.errors import ArchiveAccessError, ConfigurationError, UsageError
from heltig.pipeline.archives.administration import (
    add_archive,
    change_archive,
    find_archive,
    remove_archive,
)
from heltig.pipeline.archives.connecting import open_archive
from heltig.pipeline.archives.probing import PROBE_HOLDS, known_capabilities
from heltig.settings import Settings
from heltig.store import audit_trail
from heltig.store.archives import Archive
from heltig.store.engine import Store


async def added(store: Store, url: str = "http://pacs.example") -> None:
    await add_archive(
        store, Archive(name="memory", qido_url=url, wado_url=url), at=NOW, actor="test", origin="cli"
    )


async def test_adding_and_removing_is_audited(store: Store) -> None:
    await added(store)
    await remove_archive(store, "memory", at=NOW, actor="test", origin="cli")
    entries = await store.read(audit_trail.entries)
    assert [(entry.action, entry.subject, entry.actor) for entry in entries] == [
        ("archive.add", "archive:memory", "test"),
        ("archive.remove", "archive:memory", "test"),
    ]


async def test_changes_at_the_same_time_are_all_kept(store: Store) -> None:
    """A change is checked before it is written: what somebody else wrote meanwhile is not lost."""
    await added(store)
    patches = [{"title": "Main"}, {"options": {"weight": 3}}, {"stowUrl": "http://pacs.example/stow"}]
    await asyncio.gather(
        *(
            change_archive(store, Settings(), "memory", patch, at=NOW, actor="test", origin="cli")
            for patch in patches
        )
    )
    after = await find_archive(store, "memory")
    assert (after.title, after.options.weight, after.stow_url) == ("Main", 3, "http://pacs.example/stow")
    assert len(await store.read(audit_trail.entries, action="archive.change")) == len(patches)


async def test_an_archive_is_probed_once_a_day(store: Store) -> None:
    await added(store)
    archive = InMemoryArchive(faults=Faults(page_cap=5))
    now = NOW

    async def known() -> Capabilities:
        return await known_capabilities(
            store, await find_archive(store, "memory"), archive, clock=lambda: now
        )

    assert (await known()).page_cap == 5
    archive.faults = Faults(page_cap=7)
    now = NOW + PROBE_HOLDS - timedelta(seconds=1)
    assert (await known()).page_cap == 5
    now = NOW + PROBE_HOLDS
    assert (await known()).page_cap == 7


async def test_a_probe_in_a_bad_minute_does_not_forget_that_metadata_is_a_summary(store: Store) -> None:
    class Summary(InMemoryArchive):
        summary: bool | None = False

        async def probe(self) -> Capabilities:
            return Capabilities(all_attributes=self.summary)

    await added(store)
    archive = Summary()
    for day, (told, known) in enumerate([(False, False), (None, False), (True, True), (None, True)]):
        archive.summary = told
        entry = await find_archive(store, "memory")
        now = NOW + day * PROBE_HOLDS
        found = await known_capabilities(store, entry, archive, clock=lambda now=now: now)
        assert found.all_attributes is known


async def test_an_archive_that_keeps_a_study_to_itself_is_pulled_all_the_same(store: Store) -> None:
    class Secretive(InMemoryArchive):
        async def probe(self) -> Capabilities:
            raise ArchiveAccessError("403")

    await added(store)
    entry = await find_archive(store, "memory")
    assert await known_capabilities(store, entry, Secretive(), clock=lambda: NOW) == Capabilities()


async def test_an_entry_is_opened_with_its_credentials(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\n", encoding="utf-8")
    async with LoopbackArchive(study("1.2"), user="pacs", password="s3cret") as loopback:
        auth: ArchiveAuth = BasicAuth(username="pacs", secret=f"file:{password}")
        entry = Archive(name="main", qido_url=loopback.url, wado_url=loopback.url, auth=auth)
        async with open_archive(entry, Settings(), environ={}) as archive:
            assert len(await archive.search_studies({}, limit=5, offset=0)) == 1
    async with LoopbackArchive(study("1.2"), token="t0ken") as loopback:
        auth = BearerAuth(secret="env:TOKEN")
        entry = Archive(name="main", qido_url=loopback.url, wado_url=loopback.url, auth=auth)
        async with open_archive(entry, Settings(), environ={"TOKEN": "t0ken"}) as archive:
            assert len(await archive.search_studies({}, limit=5, offset=0)) == 1
        with pytest.raises(ConfigurationError, match="env:TOKEN"):
            async with open_archive(entry, Settings(), environ={}):
                pass


UNREADABLE = {
    "credentials": ({"auth": '{"kind":"basic","secret":7}'}, "auth", {"auth": {"kind": "none"}}),
    "credentials, made none": ({"auth": "{"}, "auth", {"auth": None}),
    "hours": ({"options": '{"hours":["sometime"]}'}, "options.hours", {"options": {"hours": None}}),
    "an option of another version": ({"options": '{"x":1}'}, "options.x", {"options": {"x": None}}),
    "options": ({"options": "[]"}, "options", {"options": {}}),
    "all options": ({"options": '{"weight":0}'}, "options.weight", {"options": None}),
}


@pytest.mark.parametrize("what", UNREADABLE)
async def test_what_cannot_be_read_is_not_lost_by_a_change_of_something_else(store: Store, what: str) -> None:
    columns, field, given = UNREADABLE[what]
    await added(store)
    await spoil(store, "memory", **columns)

    async def change(**patch: object) -> Archive:
        return await change_archive(store, Settings(), "memory", patch, at=NOW, actor="test", origin="cli")

    for patch in (
        {"title": "Main"},
        {"options": {"concurrency": 4}} if field != "options" else {"title": ""},
    ):
        with pytest.raises(UsageError, match=f"^{field}: what is stored cannot be read"):
            await change(**patch)
    assert (await find_archive(store, "memory")).unreadable == (field,)
    after = await change(title="Main", **given)
    assert (after.title, after.broken) == ("Main", "")
