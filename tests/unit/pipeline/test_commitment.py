"""Of which objects it is said that they are stored, and the job that reports it."""

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pydicom
import pytest
from integration.gated import files_of
from unit.pipeline.test_custody import UIDS, Site, Upstream, site_before

from connectors.dimse.door import Commitment, Committed, Reference, Sender
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import JobFailedError
from heltig.pipeline.gate.commitment import KIND, CommitmentDesk
from heltig.store import jobs
from heltig.store.engine import Store

FILES = files_of("cr-chest")
SENDER = Sender("CT1", "127.0.0.1", "an association")
UNKNOWN = ("1.2", "1.2.3.404")
FAILED = 0x0110


class Peers:
    """Where results are reported.

    Attributes:
        reported: What was.
    """

    def __init__(self) -> None:
        self.reported: list[tuple[Sender, Committed]] = []
        self.are_known = True

    def __call__(self, sender: Sender, committed: Committed) -> None:
        if not self.are_known:
            raise LookupError(sender.ae_title)
        self.reported.append((sender, committed))


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    for content, (_, uid) in zip(FILES, references(), strict=True):
        UIDS[hashlib.sha256(content).digest()] = uid
    async with site_before(Upstream(), store, tmp_path) as made:
        yield made


def desk_of(site: Site, peers: Peers | None = None) -> CommitmentDesk:
    queue = JobQueue(site.store, clock=lambda: site.now[0])
    return CommitmentDesk(queue, site.spool, site.custody._opens, report=peers or Peers())


def request(*references: Reference) -> Commitment:
    return Commitment(sender=SENDER, transaction_uid="1.2.3.99", references=references)


def references() -> list[Reference]:
    found = (pydicom.dcmread(io.BytesIO(file)) for file in FILES)
    return [(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID)) for dataset in found]


async def verified(site: Site, *asked: Reference) -> tuple[set[Reference], dict[Reference, int]]:
    committed = await desk_of(site).verify("main", request(*asked))
    return set(committed.stored), dict(committed.failed)


async def test_what_is_held_is_stored(site: Site) -> None:
    await site.take(site.gate("hold"), FILES)
    known = references()
    assert await verified(site, *known, UNKNOWN) == (set(known), {UNKNOWN: FAILED})
    other_class = ("1.2", known[0][1])
    assert await verified(site, other_class) == (set(), {other_class: FAILED})


async def test_what_is_gone_from_the_spool_is_not_stored(site: Site) -> None:
    await site.take(site.gate("hold"), FILES)
    known = references()
    lost, *_ = site.files()
    reference = next(one for one in known if UIDS[hashlib.sha256(lost.read_bytes()).digest()] == one[1])
    lost.write_bytes(b"")
    assert await verified(site, *known) == ({*known} - {reference}, {reference: FAILED})
    lost.unlink()
    assert await verified(site, *known) == ({*known} - {reference}, {reference: FAILED})
    await site.take(site.gate("hold"), FILES)
    assert await verified(site, *known) == (set(known), {})


async def test_what_was_forwarded_is_stored_as_long_as_the_archive_shows_it(site: Site) -> None:
    await site.take(site.gate("hold"), FILES)
    await site.work()
    known = references()
    assert site.files() == []
    assert await verified(site, *known) == (set(known), {})
    lost = known[0]
    del site.upstream.stored[lost[1]]
    assert await verified(site, *known) == ({*known} - {lost}, {lost: FAILED})


async def test_a_result_is_reported_by_a_job(site: Site) -> None:
    peers = Peers()
    desk = desk_of(site, peers)
    await site.take(site.gate("hold"), FILES)
    assert await desk.take("main", request(*references(), UNKNOWN)) == 0
    assert await desk.take("main", request(*references(), UNKNOWN)) == 0  # asked again: the same job
    [job] = await site.store.read(jobs.newest, kind=KIND, state="queued")
    assert await desk.run(JobContext(job)) == {"stored": len(FILES), "failed": 1}
    [(sender, committed)] = peers.reported
    assert (sender, committed.transaction_uid) == (SENDER, "1.2.3.99")
    assert committed.failed == ((UNKNOWN, FAILED),)


async def test_a_peer_that_is_none_any_more_gets_no_result(site: Site) -> None:
    peers = Peers()
    peers.are_known = False
    desk = desk_of(site, peers)
    await desk.take("main", request(UNKNOWN))
    [job] = await site.store.read(jobs.newest, kind=KIND, state="queued")
    with pytest.raises(JobFailedError, match="HELTIG_DICOM_PEERS"):
        await desk.run(JobContext(job))
