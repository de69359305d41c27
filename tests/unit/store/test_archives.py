"""Archives as an administrator configured them."""

import pytest
from msgspec.structs import replace
from sqlalchemy import update
from unit.store.samples import MAIN, NOW, STUDY, judge, snapshot

from heltig.credentials import BasicAuth
from heltig.errors import ConflictError, NotFoundError
from heltig.store import archives, tables, verdicts
from heltig.store.archives import Archive, ArchiveOptions
from heltig.store.engine import Store
from heltig.store.locations import row_of
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

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


BROKEN = {
    "a null": ({"options": '{"pollSeconds":null,"concurrency":4}'}, "options.pollSeconds: Expected `float`"),
    "an unknown option": ({"options": '{"sometime":1,"concurrency":4}'}, "options.sometime: "),
    "no object": ({"options": "[]"}, "options are no JSON object"),
    "no JSON": ({"options": "{"}, "options are no JSON object"),
    "credentials": ({"auth": '{"kind":"basic","secret":7}'}, "auth is none"),
}


async def spoil(store: Store, name: str, **columns: str) -> None:
    """Writes what no version of Heltig should have written."""

    def write(transaction: WriteTransaction) -> None:
        row = row_of(transaction, Location("archive", name))
        changed = update(tables.archives).where(tables.archives.c.location_row == row)
        transaction.connection.execute(changed.values(columns))

    await store.write(write)


@pytest.mark.parametrize("what", BROKEN)
async def test_an_entry_that_cannot_be_read_says_why_and_hides_no_other(store: Store, what: str) -> None:
    columns, why = BROKEN[what]
    other = replace(MAIN_ARCHIVE, name="other")
    for archive in (MAIN_ARCHIVE, other):
        await store.write(archives.add, archive)
    await spoil(store, "main", **columns)
    broken, whole = await store.read(archives.every)
    assert (broken.name, whole) == ("main", other)
    assert why in broken.broken
    assert broken.unreadable == (why.partition(" ")[0].rstrip(":"),)
    if "concurrency" in columns.get("options", ""):
        assert broken.options.concurrency == 4
    await store.write(archives.change, replace(broken, paused=True))
    paused = await store.read(archives.find, "main")
    assert paused == replace(broken, paused=True)  # nobody took its defaults for what it says
    await store.write(archives.change, MAIN_ARCHIVE)
    assert await store.read(archives.find, "main") == MAIN_ARCHIVE
    await spoil(store, "main", **columns)
    await store.write(archives.remove, "main")
    assert await store.read(archives.every) == [other]


async def test_what_a_probe_found_and_cannot_be_read_is_found_again(store: Store) -> None:
    await store.write(archives.add, MAIN_ARCHIVE)
    await spoil(store, "main", capabilities="[1]")
    assert await store.read(archives.find, "main") == MAIN_ARCHIVE
