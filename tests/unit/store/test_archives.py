"""Archives as an administrator configured them."""

import pytest
from msgspec.structs import replace
from unit.store.samples import MAIN, NOW, STUDY, judge, snapshot

from heltig.credentials import BasicAuth
from heltig.errors import ConflictError, NotFoundError
from heltig.store import archives, verdicts
from heltig.store.archives import Archive, ArchiveOptions
from heltig.store.engine import Store

MAIN_ARCHIVE = Archive(
    name="main",
    qido_url="https://pacs/dicom-web",
    wado_url="https://pacs/dicom-web",
    auth=BasicAuth(username="heltig", secret="env:HELTIG_SECRET_PACS"),
    options=ArchiveOptions(concurrency=4, hours=("mon-fri 19:00-06:00",), timezone="Europe/Zurich"),
)


async def test_an_archive_comes_out_as_it_went_in(store: Store) -> None:
    other = Archive(
        name="a",
        title="Zürich",
        qido_url="http://a/q",
        wado_url="http://a/w",
        stow_url="http://a/s",
        feed_url="http://a",
        capabilities={"offset": True, "page_cap": None},
        probed=NOW,
        paused=True,
    )
    await store.write(archives.add, MAIN_ARCHIVE)
    await store.write(archives.add, other)
    assert await store.read(archives.find, "main") == MAIN_ARCHIVE
    assert await store.read(archives.every) == [other, MAIN_ARCHIVE]
    assert await store.read(archives.find, "none") is None


async def test_an_archive_can_be_changed(store: Store) -> None:
    await store.write(archives.add, MAIN_ARCHIVE)
    changed = replace(MAIN_ARCHIVE, paused=True, capabilities={}, probed=NOW)
    await store.write(archives.change, changed)
    assert await store.read(archives.find, "main") == changed
    with pytest.raises(NotFoundError, match="no archive other"):
        await store.write(archives.change, replace(changed, name="other"))


async def test_a_name_is_taken_until_the_archive_is_removed(store: Store) -> None:
    await store.write(archives.add, MAIN_ARCHIVE)
    with pytest.raises(ConflictError, match="archive main"):
        await store.write(archives.add, MAIN_ARCHIVE)
    await store.write(archives.remove, "main")
    assert await store.read(archives.every) == []
    with pytest.raises(NotFoundError, match="no archive main"):
        await store.write(archives.remove, "main")
    await store.write(archives.add, MAIN_ARCHIVE)


async def test_verdicts_outlive_their_archive(store: Store) -> None:
    await store.write(archives.add, MAIN_ARCHIVE)
    await judge(store, snapshot(location=archives.location_of("main")))
    await store.write(archives.remove, "main")
    assert await store.read(verdicts.current, MAIN, STUDY) is not None
