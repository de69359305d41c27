"""Objects that come again: in place of damaged files, after other versions of them, after another mode."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from integration.gated import files_of, uid_of
from servers.scripted import answer
from unit.pipeline.test_custody import GATE, Site, Upstream, response, site_before, stored_answer, uid_in

from heltig.errors import ArchiveError, ArchiveUnavailableError
from heltig.jobs.attempt import JobContext
from heltig.pipeline.gate.received import Decision
from heltig.store import gate_studies, jobs, objects, studies
from heltig.store.engine import Store
from heltig.store.gate_studies import Quarantined
from heltig.store.objects import GateObject
from heltig.store.transaction import ReadTransaction

FILES = files_of("mg-screening", 3)
STUDY = uid_of("mg-screening", 3)


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_before(Upstream(), store, tmp_path) as made:
        yield made


def pixels_changed(file: bytes) -> bytes:
    return file[:-1] + bytes([file[-1] ^ 1])


def written_anew(file: bytes) -> bytes:
    """The same object in other bytes: no rule sees a difference that keeps it back."""
    return b"II*\0" + file[4:]


def truncated(file: bytes) -> bytes:
    return file[:100]


def missing(file: bytes) -> None:
    return None


async def objects_at(site: Site) -> list[GateObject]:
    """What is known of the study's objects, in the order in which they are forwarded."""

    def known(transaction: ReadTransaction) -> list[GateObject]:
        row = gate_studies.row_of(transaction, GATE, STUDY)
        return [] if row is None else objects.of_study(transaction, row)

    return await site.store.read(known)


async def in_quarantine(site: Site) -> Sequence[Quarantined]:
    return await site.quarantine.waiting(gate="main", limit=10, offset=0)


@pytest.mark.parametrize("is_judged", [False, True])
@pytest.mark.parametrize("damage", [pixels_changed, truncated, missing])
async def test_what_comes_again_takes_the_place_of_a_file_that_is_damaged(
    site: Site, damage: Callable[[bytes], bytes | None], is_judged: bool
) -> None:
    await site.take(site.gate("hold"), FILES)
    for path in site.files():
        content = damage(path.read_bytes())
        path.unlink() if content is None else path.write_bytes(content)
    if is_judged:
        await site.work()
        assert not site.upstream.stored
        assert await in_quarantine(site)
    assert await site.take(site.gate("hold"), FILES) == [Decision()] * len(FILES)
    assert sorted(path.read_bytes() for path in site.files()) == sorted(FILES)
    await site.work()
    assert sorted(site.upstream.stored.values()) == sorted(FILES)
    assert not site.files()
    assert {one.state for one in await objects_at(site)} == {"forwarded"}
    assert not await in_quarantine(site)
    known = await site.store.read(studies.find, GATE, STUDY)
    assert known is not None
    assert (known.instances, known.readiness) == (len(FILES), "READY")


async def test_what_is_whole_and_comes_again_is_nothing_new(site: Site) -> None:
    await site.take(site.gate("hold"), FILES)
    before, files = await objects_at(site), site.files()
    assert await site.take(site.gate("hold"), FILES) == [Decision()] * len(FILES)
    assert (await objects_at(site), site.files()) == (before, files)


async def test_several_versions_that_come_again_as_they_came_are_nothing_new(site: Site) -> None:
    versions = [FILES[0], written_anew(FILES[0])]
    await site.take(site.gate("hold"), versions)
    before, files = await objects_at(site), site.files()
    await site.take(site.gate("hold"), versions)
    assert (await objects_at(site), site.files()) == (before, files)
    await site.take(site.gate("hold"), versions[::-1])
    assert [one.digest for one in await objects_at(site)] == [one.digest for one in before[::-1]]
    assert len(site.files()) == len(files)


@pytest.mark.parametrize("stage", ["one request", "held", "forwarding", "forwarded"])
async def test_the_archive_ends_with_the_version_that_came_last(site: Site, stage: str) -> None:
    gate, first, second = site.gate("hold"), FILES[0], written_anew(FILES[0])
    if stage == "one request":
        await site.take(gate, [first, second, first])
    else:
        await site.take(gate, [first])
        if stage == "forwarding":
            site.upstream.answers = lambda came: answer(status=503)
            with pytest.raises(ArchiveError):
                await site.work()
            site.upstream.answers = stored_answer
        elif stage == "forwarded":
            await site.work()
        await site.take(gate, [second])
        await site.take(gate, [first])
    await site.work()
    assert list(site.upstream.stored.values()) == [first]
    assert not site.files()
    last = hashlib.sha256(first).hexdigest()
    assert [(one.state, one.digest == last) for one in await objects_at(site)] == [
        ("forwarded", False),
        ("forwarded", True),
    ]


async def test_a_later_version_waits_until_the_one_before_is_there(site: Site) -> None:
    first, second = FILES[0], written_anew(FILES[0])
    await site.take(site.gate("hold"), [first, second])
    busy = [{uid_in(first): 0xA700}, {uid_in(first): 0xA700}]
    site.upstream.takes = lambda uid: not busy
    site.upstream.answers = lambda came: response(failed=busy.pop(), status=409) if busy else response(came)
    for _ in range(2):
        with pytest.raises(ArchiveUnavailableError, match="did not take 2 objects"):
            await site.work()
        assert not site.upstream.stored
        [job] = await site.store.read(jobs.newest, kind="forward", state="queued")
    await site.forwarding.run(JobContext(job))
    assert [len(came) for came in site.upstream.sent] == [1, 1, 1, 1]
    assert list(site.upstream.stored.values()) == [second]
    assert not site.files()


async def test_nothing_is_left_over_where_the_mode_changes_before_a_study_is_judged(site: Site) -> None:
    await site.take(site.gate("observe"), FILES)
    await site.take(site.gate("hold"), FILES)
    assert len(site.files()) == len(FILES)
    await site.work()
    assert not site.files()
    assert sorted(site.upstream.stored.values()) == sorted(FILES)
