"""Objects in custody: what an archive answers for each of them, however it does, and what becomes of them."""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pydicom
import pytest
from integration.gated import files_of, uid_of
from msgspec import structs
from servers.httpd import Asked, httpd
from servers.scripted import answer
from unit.pipeline.scoring import ThisProcess

from connectors.stow.multipart import MultipartReader
from heltig.audit.batches import Batches
from heltig.errors import ArchiveError, ArchiveUnavailableError, ConflictError, StorageError, UsageError
from heltig.gate.body import Incoming
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.administration import remove_archive
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.gate import refusal_codes as codes
from heltig.pipeline.gate.custody import Custody
from heltig.pipeline.gate.forward import ForwardDesk
from heltig.pipeline.gate.judging import GateJudging
from heltig.pipeline.gate.quarantine import QuarantineDesk
from heltig.pipeline.gate.received import Decision, Gate, Received
from heltig.pipeline.gate.settle import SettleDesk
from heltig.pipeline.gate.spool import GateSpool
from heltig.rules.profile import DEFAULT, Profile
from heltig.setting_types import Size
from heltig.settings import Settings
from heltig.store import archives, audit_trail, claims, gate_studies, jobs, studies, verdicts, waivers
from heltig.store.archives import Archive, ArchiveOptions
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.waivers import NewWaiver

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
IDLE = timedelta(seconds=30)
GATE = Location("gate", "main")


class Upstream:
    """An archive that takes what it is sent, and answers as a test wants it to.

    Attributes:
        stored: What it has, by SOP Instance UID.
        answers: Makes the answer of what came, by SOP Instance UID; None hangs up without one.
        takes: Whether it keeps an object.
        gives: Makes the answer with an object that is retrieved; None is one that it does not have.
        retrieved: How often it was asked for one.
        is_searched: It can be searched.
    """

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.answers: Callable[[list[str]], bytes | None] = stored_answer
        self.takes: Callable[[str], bool] = lambda uid: True
        self.gives: Callable[[bytes | None], bytes] = object_answer
        self.sent: list[list[str]] = []
        self.retrieved = 0
        self.is_searched = True

    def __call__(self, asked: Asked) -> bytes:
        if asked.method == "GET" and "?" not in asked.target:
            self.retrieved += 1
            return self.gives(self.stored.get(asked.path.rpartition("/")[2]))
        if asked.method == "GET":
            if not self.is_searched:
                return answer(status=503)
            rows = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in self.stored]
            return answer(json.dumps(rows).encode(), headers={"Content-Type": "application/dicom+json"})
        boundary = asked.headers["content-type"].partition("boundary=")[2]
        reader = MultipartReader(boundary, most_parts=1000)
        parts = [b""]
        for event in reader.feed(asked.body):
            if isinstance(event, bytes):
                parts[-1] += event
            else:
                parts.append(b"")
        reader.close()
        came = {uid_in(part): part for part in parts if part}
        self.sent.append(list(came))
        self.stored |= {uid: part for uid, part in came.items() if self.takes(uid)}
        return self.answers(list(came)) or b""


UIDS: dict[bytes, str] = {}


def uid_in(part: bytes) -> str:
    return UIDS[hashlib.sha256(part).digest()]


def response(stored: Sequence[str] = (), failed: dict[str, int] | None = None, *, status: int = 200) -> bytes:
    dataset: dict[str, Any] = {"00081190": {"vr": "UR"}}
    if stored:
        dataset["00081199"] = {
            "vr": "SQ",
            "Value": [{"00081155": {"vr": "UI", "Value": [u]}} for u in stored],
        }
    if failed:
        dataset["00081198"] = {
            "vr": "SQ",
            "Value": [
                {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [code]}}
                for uid, code in failed.items()
            ],
        }
    return answer(
        json.dumps(dataset).encode(), status=status, headers={"Content-Type": "application/dicom+json"}
    )


def object_answer(content: bytes | None) -> bytes:
    """As archives answer a retrieval: one part of several types."""
    if content is None:
        return answer(status=404)
    kind = 'multipart/related; type="application/dicom"; boundary="x y"'
    part = b"--x y\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--x y--"
    return answer(part, headers={"Content-Type": kind})


def version_of(file: bytes, name: str) -> bytes:
    """Another object under the same UID, as a correction is."""
    dataset = pydicom.dcmread(io.BytesIO(file))
    dataset.ProtocolName = name
    made = io.BytesIO()
    dataset.save_as(made)
    return made.getvalue()


def stored_answer(came: list[str]) -> bytes:
    return response(came)


@dataclass
class Site:
    """A gate with all that is behind it."""

    store: Store
    upstream: Upstream
    custody: Custody
    spool: GateSpool
    processes: ThisProcess
    settling: SettleDesk
    forwarding: ForwardDesk
    quarantine: QuarantineDesk
    now: list[datetime] = field(default_factory=lambda: [NOW])

    def gate(self, mode: Any, **options: Any) -> Gate:
        return Gate(archive="main", location=GATE, mode=mode, **options)

    def received(self, files: Sequence[bytes]) -> list[Received]:
        """Files as a door hands them over."""
        reader = MultipartReader("b", most_parts=1000)
        incoming = Incoming(reader, self.spool, "main", most=Size(2**40), most_part=Size(2**30), study=None)
        body = b"".join(b"--b\r\n\r\n" + file + b"\r\n" for file in files) + b"--b--"
        parts = [part for part in incoming.feed(body) if isinstance(part, Received)]
        assert len(parts) == len(files)
        UIDS.update(
            {hashlib.sha256(f).digest(): p.sop_instance_uid for f, p in zip(files, parts, strict=True)}
        )
        return parts

    async def take(self, gate: Gate, files: Sequence[bytes]) -> list[Decision]:
        return await self.custody.take(gate, self.received(files), sender="test", request="1")

    async def work(self) -> None:
        """Lets time pass until everything is at rest, and does what is queued then."""
        self.now[0] += IDLE + timedelta(seconds=1)
        await self.settling.look()
        for kind, desk in (("gate-settle", self.settling), ("forward", self.forwarding)):
            for job in await self.store.read(jobs.newest, kind=kind, state="queued"):
                await desk.run(JobContext(job))
                await self.store.write(jobs.cancel, job.id, now=self.now[0])

    def files(self) -> list[Path]:
        return sorted(self.spool.path_of("main").glob("*.dcm"))


@asynccontextmanager
async def site_before(
    upstream: Upstream, store: Store, folder: Path, *, profile: Profile = DEFAULT
) -> AsyncIterator[Site]:
    now = [NOW]

    def clock() -> datetime:
        return now[0]

    async def profile_of(location: Location) -> Profile:
        return profile

    async with httpd(upstream) as server:
        options = ArchiveOptions(gate="hold")
        entry = Archive(name="main", qido_url=server.root, wado_url=server.root, options=options)
        await store.write(archives.add, entry)
        queue, processes = JobQueue(store, clock=clock), ThisProcess()
        spool = GateSpool(folder / "gate", name="here", reserve=Size(0))
        opens = OpenArchives(store, Settings(home=folder), environ={}, clock=clock)
        judging = GateJudging(store, spool, processes, profile_of=profile_of, clock=clock)
        yield Site(
            store=store,
            upstream=upstream,
            custody=Custody(store, spool, opens, judging, batches=Batches(store, clock=clock), clock=clock),
            spool=spool,
            processes=processes,
            settling=SettleDesk(queue, spool, processes, profile_of=profile_of, clock=clock),
            forwarding=ForwardDesk(queue, spool, opens, clock=clock),
            quarantine=QuarantineDesk(queue, spool, profile_of=profile_of, clock=clock),
            now=now,
        )
        await opens.close()


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_before(Upstream(), store, tmp_path) as made:
        yield made


FILES = files_of("mg-screening")
STUDY = uid_of("mg-screening")


async def test_held_objects_are_forwarded_once_they_are_judged(site: Site) -> None:
    assert await site.take(site.gate("hold"), FILES) == [Decision()] * 4
    assert len(site.files()) == 4
    assert not site.upstream.sent
    known = await site.store.read(studies.find, GATE, STUDY)
    assert known is not None
    assert known.state == "PENDING"
    await site.work()
    known = await site.store.read(studies.find, GATE, STUDY)
    assert known is not None
    assert (known.state, known.readiness, known.instances) == ("JUDGED", "READY", 4)
    assert sorted(site.upstream.stored.values()) == sorted(FILES)
    assert not site.files()


async def test_a_mixed_answer_counts_by_instance_whatever_its_status(site: Site) -> None:
    site.upstream.answers = lambda came: response(came[:1], {came[1]: 0xC000}, status=409)
    site.upstream.takes = lambda uid: uid not in site.upstream.sent[0][1:3]
    told = await site.take(site.gate("observe"), FILES)
    # named as stored; named as failed; not named and not there; not named and there
    assert [one.code for one in told] == [0, 0xC000, codes.PROCESSING_FAILURE, 0]
    assert len(site.files()) == 2


@pytest.mark.parametrize("status", [400, 500])
async def test_what_an_answer_without_names_leaves_open_is_compared(site: Site, status: int) -> None:
    site.upstream.answers = lambda came: answer(b"<html>", status=status)
    site.received(FILES)
    old = {uid_in(file): version_of(file, "OLD") for file in FILES[:1]}
    site.upstream.stored |= old
    site.upstream.takes = lambda uid: uid not in old
    told = await site.take(site.gate("observe"), FILES)
    assert [one.code for one in told] == [codes.PROCESSING_FAILURE, 0, 0, 0]


async def test_what_became_of_objects_whose_answer_was_lost_is_compared(site: Site) -> None:
    site.upstream.answers = lambda came: None
    site.upstream.takes = lambda uid: uid != site.upstream.sent[0][0]
    told = await site.take(site.gate("observe"), FILES)
    assert [one.code for one in told] == [codes.PROCESSING_FAILURE, 0, 0, 0]


@pytest.mark.parametrize("mode", ["observe", "enforce", "hold"])
@pytest.mark.parametrize("status", [0, 400, 403, 404, 429, 500, 501, 502, 503, 504, 507])
async def test_other_bytes_under_a_uid_are_never_taken_for_what_was_sent(
    site: Site, mode: str, status: int
) -> None:
    """An archive that has an old version of each, and stores nothing, whatever it says of that."""
    site.received(FILES)
    old = {uid_in(file): version_of(file, "OLD") for file in FILES}
    site.upstream.stored = dict(old)
    site.upstream.takes = lambda uid: False
    site.upstream.answers = lambda came: answer(status=status) if status else None
    if mode == "hold":
        assert await site.take(site.gate("hold"), FILES) == [Decision()] * 4
        with pytest.raises(ArchiveError):
            await site.work()
        assert len(site.files()) == 8  # four of them only to know their UIDs
        assert len(site.upstream.sent) == 1
    elif status == 400:
        told = await site.take(site.gate(mode), FILES)
        assert {one.code for one in told} == {codes.PROCESSING_FAILURE}
    else:
        with pytest.raises(ArchiveError):
            await site.take(site.gate(mode), FILES)
    is_answer = status in (403, 404, 429, 501, 503, 507)
    assert site.upstream.retrieved == (0 if is_answer else 4)


async def test_an_archive_that_does_not_give_what_it_has_leaves_it_unknown(site: Site) -> None:
    site.upstream.answers = lambda came: answer(b"", status=400)
    for given in (
        answer(status=406),
        answer(b"<html>", headers={"Content-Type": "text/html"}),
        answer(status=503),
        answer(b"--x\r\n\r\n", headers={"Content-Type": "multipart/related; boundary=x"}),
        answer(b"", headers={"Content-Type": "multipart/related"}),
    ):
        site.upstream.gives = lambda content, given=given: given  # type: ignore[misc]
        [told] = await site.take(site.gate("observe"), FILES[:1])
        assert (told.code, told.comment) == (
            codes.PROCESSING_FAILURE,
            "The archive does not say what became of it",
        )


async def test_nothing_taken_and_no_answer_is_an_error_that_leaves_nothing(site: Site) -> None:
    site.upstream.answers = lambda came: None
    site.upstream.takes = lambda uid: False
    with pytest.raises(ArchiveError):
        await site.take(site.gate("observe"), FILES)
    assert not site.files()


async def test_what_is_too_much_at_once_is_sent_in_halves(site: Site) -> None:
    site.upstream.takes = lambda uid: len(site.upstream.sent[-1]) == 1
    site.upstream.answers = lambda came: response(came) if len(came) == 1 else answer(status=413)
    assert [one.code for one in await site.take(site.gate("observe"), FILES)] == [0] * 4
    assert [len(came) for came in site.upstream.sent] == [4, 2, 1, 1, 2, 1, 1]


def refuse_known(upstream: Upstream) -> None:
    """Makes an archive refuse what it has an object of the same UID of, whatever its bytes."""
    before: set[str] = set()

    def takes(uid: str) -> bool:
        before.clear()
        before.update(upstream.stored)
        return uid not in before

    def answers(came: list[str]) -> bytes:
        known = [uid for uid in came if uid in before]
        new = [uid for uid in came if uid not in before]
        return response(new, dict.fromkeys(known, 0x0111), status=409 if known else 200)

    upstream.takes, upstream.answers = takes, answers


@pytest.mark.parametrize("mode", ["observe", "enforce"])
async def test_a_duplicate_is_there_where_its_bytes_are_whoever_sent_them(site: Site, mode: str) -> None:
    site.received(FILES)
    first, second, third = FILES[:3]
    site.upstream.stored = {uid_in(first): first, uid_in(second): version_of(second, "OLD")}
    refuse_known(site.upstream)
    told = await site.take(site.gate(mode), [first, second, third])
    assert [one.code for one in told] == [0, 0x0111, 0]
    assert [one.code for one in await site.take(site.gate(mode), [first, third])] == [0, 0]


async def test_a_held_duplicate_goes_where_its_bytes_are_and_waits_where_others_are(site: Site) -> None:
    site.received(FILES)
    site.upstream.stored = {uid_in(file): file for file in FILES[:3]}
    site.upstream.stored[uid_in(FILES[3])] = version_of(FILES[3], "OLD")
    refuse_known(site.upstream)
    before = len(site.files())
    await site.take(site.gate("hold"), FILES)
    await site.work()
    [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    assert (found.objects, found.study.reason) == (1, "The archive refuses it (0111H).")
    assert len(site.files()) == before + 1


async def test_another_refusal_is_told_though_the_archive_has_the_bytes(site: Site) -> None:
    assert await site.take(site.gate("observe"), FILES[:1]) == [Decision()]
    site.upstream.answers = lambda came: response((), dict.fromkeys(came, 0xA900), status=409)
    assert [one.code for one in await site.take(site.gate("observe"), FILES[:1])] == [0xA900]


async def test_what_an_archive_says_is_told_though_it_cannot_be_searched(site: Site) -> None:
    site.upstream.answers = lambda came: response(came[1:], {came[0]: codes.PROCESSING_FAILURE}, status=202)
    site.upstream.is_searched = False
    told = await site.take(site.gate("observe"), FILES)
    assert [one.code for one in told] == [codes.PROCESSING_FAILURE, 0, 0, 0]


async def test_the_archive_ends_with_what_came_last_under_a_uid(site: Site) -> None:
    one, other = FILES[0], version_of(FILES[0], "OTHER")
    assert await site.take(site.gate("observe"), [one, other, other, one]) == [Decision()] * 4
    assert list(site.upstream.stored.values()) == [one]
    assert len(site.upstream.sent) == 3
    site.upstream.stored.clear()
    refuse_known(site.upstream)
    told = await site.take(site.gate("observe"), [one, other, one])
    assert [decision.code for decision in told] == [0, 0x0111, 0]
    assert list(site.upstream.stored.values()) == [one]


def with_other_pixels(file: bytes) -> bytes:
    place = file.index(b"\xe0\x7f\x10\x00") + 200
    return file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]


async def test_other_pixels_under_a_uid_keep_a_held_study_back(site: Site) -> None:
    await site.take(site.gate("hold"), [*FILES, with_other_pixels(FILES[0])])
    await site.work()
    assert site.upstream.sent == []
    assert len(site.files()) == len(FILES) + 1


async def test_other_pixels_are_kept_back_while_the_version_before_waits_for_the_archive(site: Site) -> None:
    site.upstream.answers = lambda came: response((), dict.fromkeys(came, 0xA700), status=409)
    await site.take(site.gate("hold"), FILES)
    with pytest.raises(ArchiveUnavailableError):
        await site.work()
    assert len(site.files()) == len(FILES)
    site.upstream.answers = stored_answer
    await site.take(site.gate("hold"), [with_other_pixels(FILES[0]), FILES[1]])
    await site.work()
    [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    assert (found.readiness, found.objects) == ("BLOCKED", 1)
    assert site.upstream.stored == {uid_in(file): file for file in FILES}


async def test_one_object_twice_in_a_request_is_sent_once(site: Site) -> None:
    assert await site.take(site.gate("observe"), [FILES[0], FILES[0]]) == [Decision()] * 2
    assert [len(came) for came in site.upstream.sent] == [1]
    assert len(site.files()) == 1


@pytest.mark.parametrize(
    ("failing", "code", "sent"), [("closed", codes.PROCESSING_FAILURE, 0), ("open", 0, 1)]
)
async def test_what_cannot_be_judged_is_refused_unless_the_gate_fails_open(
    site: Site, failing: Any, code: int, sent: int
) -> None:
    async def dying(*_: Any, **__: Any) -> Any:
        raise StorageError("A process died.")

    site.processes.run = dying  # type: ignore[method-assign]
    told = await site.take(site.gate("enforce", failing=failing), FILES[:2])
    assert {one.code for one in told} == {code}
    assert len(site.upstream.sent) == sent


async def test_a_refusal_for_good_waits_for_a_person(site: Site) -> None:
    site.upstream.answers = lambda came: response(came[1:], {came[0]: 0x0122})
    await site.take(site.gate("hold"), FILES)
    await site.work()
    [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    assert (found.objects, found.study.reason) == (1, "The archive refuses it (0122H).")
    assert len(site.files()) == 1
    site.upstream.answers = stored_answer
    await site.quarantine.release(found.study.id, reason="It knows the class now.", actor="a", origin="x")
    [entry] = await site.store.read(audit_trail.entries, action="quarantine.release")
    assert (entry.actor, entry.origin, entry.detail["instances"]) == ("a", "x", 1)
    assert entry.detail["reason"] == "It knows the class now."
    await site.work()
    assert not site.files()
    assert not await site.quarantine.waiting(gate=None, limit=10, offset=0)


async def test_a_refusal_that_may_pass_is_tried_again(site: Site) -> None:
    site.upstream.answers = lambda came: response((), dict.fromkeys(came, 0xA700), status=409)
    await site.take(site.gate("hold"), FILES)
    with pytest.raises(ArchiveUnavailableError):
        await site.work()
    assert len(site.files()) == 4


async def test_a_file_that_is_not_what_came_is_never_sent(site: Site) -> None:
    await site.take(site.gate("hold"), FILES)
    damaged = site.files()[0]
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    await site.work()
    [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    assert found.study.reason == "A file of the spool is not what was received."
    assert sorted(map(len, site.upstream.sent)) == [3]


async def test_what_comes_while_a_study_is_judged_makes_it_wait_again(site: Site) -> None:
    gate = site.gate("hold")
    await site.take(gate, FILES[:2])
    run = site.processes.run

    async def judging(work: Any, *args: Any, **kwargs: Any) -> Any:
        if work.__name__ == "score":
            await site.take(gate, FILES[2:])
        return await run(work, *args, **kwargs)

    site.processes.run = judging  # type: ignore[method-assign]
    await site.work()
    assert not site.upstream.sent
    site.processes.run = run  # type: ignore[method-assign]
    await site.work()
    assert sorted(site.upstream.stored.values()) == sorted(FILES)


async def test_many_senders_share_transactions(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    transactions = 0
    write = site.store.write_durably

    async def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal transactions
        transactions += 1
        return await write(*args, **kwargs)

    monkeypatch.setattr(site.store, "write_durably", counted)
    gate, files = site.gate("hold"), files_of("ct-liver")[:40]
    told = await asyncio.gather(*(site.take(gate, [file]) for file in files))
    assert told == [[Decision()]] * 40
    assert len(site.files()) == 40
    assert transactions < 10


async def test_whoever_stops_waiting_leaves_what_may_be_written_down(site: Site) -> None:
    """A row that is committed after its sender went away must find its file."""
    taking = asyncio.create_task(site.take(site.gate("hold"), FILES))
    for _ in range(100_000):  # it takes some turns until it waits for the disk
        if (writing := site.custody._ledger._writing) is not None:
            break
        await asyncio.sleep(0)
    assert writing is not None
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await writing
    assert len(site.files()) == 4
    await site.work()
    assert len(site.upstream.stored) == 4


async def test_files_without_rows_go_after_a_while(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.take(site.gate("hold"), FILES[:1])
    site.received(FILES[1:2])
    await site.settling.sweep()
    assert len(site.files()) == 2
    monkeypatch.setattr("heltig.pipeline.gate.spool.ABANDONED", timedelta(seconds=-60))
    await site.settling.sweep()
    assert len(site.files()) == 1


async def test_objects_without_a_name_are_refused(site: Site) -> None:
    [one] = site.received(FILES[:1])
    broken = Received(**{**{f: getattr(one, f) for f in one.__struct_fields__}, "sop_instance_uid": "a b"})
    [told] = await site.custody.take(site.gate("hold"), [broken], sender="test", request="1")
    assert told.code == codes.NO_IDENTITY
    assert not site.files()


async def test_what_was_thrown_away_may_come_again(site: Site) -> None:
    files = files_of("modality-mixed")
    await site.take(site.gate("hold"), files)
    await site.work()
    [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    assert (found.objects, found.readiness) == (len(files), "BLOCKED")
    await site.quarantine.discard(found.study.id, reason="A phantom.", actor="a", origin="")
    known = await site.store.read(studies.find, GATE, uid_of("modality-mixed"))
    assert known is not None
    assert known.state == "WITHDRAWN"
    assert not site.files()
    await site.take(site.gate("hold"), files)
    await site.work()
    [again] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    assert again.objects == len(files)
    known = await site.store.read(studies.find, GATE, uid_of("modality-mixed"))
    assert known is not None
    assert (known.state, known.instances) == ("JUDGED", len(files))


async def test_what_was_forwarded_and_comes_again_is_forwarded_again(site: Site) -> None:
    """The archive may have lost it since."""
    for round in (1, 2):
        await site.take(site.gate("hold"), FILES)
        await site.work()
        assert [len(came) for came in site.upstream.sent] == [4] * round
        assert not site.files()
    known = await site.store.read(studies.find, GATE, STUDY)
    assert known is not None
    assert (known.instances, known.readiness) == (4, "READY")


async def test_what_comes_late_is_judged_with_what_was_forwarded(site: Site) -> None:
    files = files_of("two-patient-ids")
    await site.take(site.gate("hold"), files[:2])
    await site.work()
    await site.take(site.gate("hold"), files[-2:])
    await site.work()
    [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    shown = await site.quarantine.show(found.study.id)
    assert [one.state for one in shown.objects] == ["forwarded"] * 2 + ["quarantined"] * 2
    known = await site.store.read(studies.find, GATE, uid_of("two-patient-ids"))
    assert known is not None
    assert (known.instances, known.readiness) == (4, "BLOCKED")


async def test_where_two_have_to_agree_one_persons_waiver_opens_no_gate(store: Store, tmp_path: Path) -> None:
    files, study = files_of("two-patient-ids"), uid_of("two-patient-ids")
    profile = structs.replace(DEFAULT, second_person=frozenset({"release"}))
    async with site_before(Upstream(), store, tmp_path, profile=profile) as site:
        await site.take(site.gate("hold"), files)
        await site.work()
        stored = await store.read(verdicts.current, GATE, study)
        assert stored is not None
        for one in stored.verdict.findings:
            new = NewWaiver(
                rule=one.rule,
                tags=one.tags,
                observed=one.observed,
                digest=one.digest,
                study_key=study,
                reason="Both are hers.",
                author="a",
                created=NOW,
                expires=NOW + timedelta(days=9),
            )
            await store.write(waivers.add, new)
        [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
        await store.write(gate_studies.arrive, GATE, study, due=site.now[0], now=site.now[0])
        await site.work()
        [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
        assert found.study.reason == "It is READY by waivers alone, BLOCKED without them."
        assert not site.upstream.sent
        outcome = await site.quarantine.release(found.study.id, reason="Yes", actor="cli:root", origin="")
        assert outcome.asked is not None
        given = partial(site.quarantine.consent, found.study.id, outcome.asked.id, reason="Yes", origin="")
        for actor in ("cli:root", "cli:other", "user:Root", "token:root"):
            with pytest.raises(ConflictError):
                await given(actor=actor)
        told = await site.take(site.gate("enforce"), files)
        assert any("PAT-ID-CONFLICT" in one.comment for one in told)


async def test_what_nobody_forwards_any_more_waits_for_a_person(site: Site) -> None:
    site.upstream.answers = lambda came: answer(b"", status=503)
    site.upstream.takes = lambda uid: False
    await site.take(site.gate("hold"), FILES)
    with pytest.raises(ArchiveUnavailableError):
        await site.work()
    [job] = await site.store.read(jobs.newest, kind="forward")
    await site.forwarding.sweep()
    assert not await site.quarantine.waiting(gate="main", limit=10, offset=0)  # somebody will try again
    await site.store.write(jobs.cancel, job.id, now=site.now[0])
    await site.forwarding.sweep()
    [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    assert found.objects == 4
    assert "discarded" in found.study.reason
    site.upstream.answers, site.upstream.takes = stored_answer, lambda uid: True
    await site.quarantine.release(found.study.id, reason="It is back.", actor="a", origin="")
    await site.work()
    assert sorted(site.upstream.stored.values()) == sorted(FILES)
    assert not site.files()


async def test_an_archive_whose_gate_keeps_objects_is_not_removed(site: Site) -> None:
    await site.take(site.gate("hold"), files_of("modality-mixed"))
    for _ in range(2):  # while they wait to be judged, and while they wait for a person
        with pytest.raises(ConflictError, match="keeps"):
            await remove_archive(site.store, "main", at=NOW, actor="a", origin="")
        await site.work()
    [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    await site.quarantine.discard(found.study.id, reason="A phantom.", actor="a", origin="")
    await remove_archive(site.store, "main", at=NOW, actor="a", origin="")


async def test_what_may_be_forwarded_while_some_is_being_forwarded_is_not_forgotten(site: Site) -> None:
    await site.take(site.gate("hold"), FILES[:2])
    site.now[0] += IDLE + timedelta(seconds=1)
    await site.settling.look()
    for kind, desk in (("gate-settle", site.settling), ("forward", site.forwarding)):
        [job] = await site.store.read(jobs.newest, kind=kind, state="queued")
        until = site.now[0] + timedelta(hours=1)
        assert await site.store.write(claims.claim, kinds=[kind], owner="w", now=site.now[0], until=until)
        if kind == "gate-settle":
            await desk.run(JobContext(job))
            await site.store.write(jobs.cancel, job.id, now=site.now[0])
    await site.take(site.gate("hold"), FILES[2:])
    site.now[0] += IDLE + timedelta(seconds=1)
    await site.settling.look()
    [job] = await site.store.read(jobs.newest, kind="gate-settle", state="queued")
    await site.settling.run(JobContext(job))
    [forward] = await site.store.read(jobs.newest, kind="forward")
    assert (forward.state, forward.not_before) == ("running", site.now[0])  # it runs once more after its end


async def test_nobody_decides_about_a_study_of_which_more_came(site: Site) -> None:
    files = files_of("two-patient-ids")
    await site.take(site.gate("hold"), [files[0], files[-1]])
    await site.work()
    [found] = await site.quarantine.waiting(gate="main", limit=10, offset=0)
    await site.take(site.gate("hold"), files[1:2])
    with pytest.raises(ConflictError):
        await site.quarantine.release(found.study.id, reason="Now!", actor="a", origin="")
    with pytest.raises(UsageError):
        await site.quarantine.discard(found.study.id, reason="  ", actor="a", origin="")
