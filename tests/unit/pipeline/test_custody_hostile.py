"""Archives that do not do what they say, or do not say what they do: nothing that was held is lost."""

import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pydicom
import pytest
from integration.gated import files_of, uid_of
from servers.httpd import Asked
from servers.scripted import answer
from unit.pipeline.test_custody import (
    GATE,
    Site,
    Upstream,
    object_answer,
    response,
    site_before,
    stored_answer,
    version_of,
)

from heltig.errors import ArchiveError
from heltig.jobs.attempt import JobContext
from heltig.store import gate_studies, jobs, objects
from heltig.store.engine import Store
from heltig.store.objects import GateObject
from heltig.store.transaction import ReadTransaction

FILES = files_of("mg-screening", 6)[:2]
STUDY = uid_of("mg-screening", 6)
MULTIPART = {"Content-Type": 'multipart/related; type="application/dicom"; boundary="x y"'}
PART = b"--x y\r\nContent-Type: application/dicom\r\n\r\n"
END = b"\r\n--x y--"
KEEPS: dict[str, Callable[[bytes | None, bytes], bytes | None]] = {
    "all": lambda old, new: new,
    "old ones": lambda old, new: old or new,
    "nothing": lambda old, new: old,
    "them changed": lambda old, new: version_of(new, "COERCED"),
}
ANSWERS: dict[str, Callable[[list[str]], bytes]] = {
    "stored": stored_answer,
    "stored, with 500": lambda came: response(came, status=500),
    "half of them": lambda came: response(came[:1]),
    "nothing": lambda came: b"",
    "no names": lambda came: answer(b"{}", headers={"Content-Type": "application/dicom+json"}),
    "duplicates": lambda came: response(failed=dict.fromkeys(came, 0x0111), status=409),
}
GIVES: dict[str, Callable[[bytes], bytes]] = {
    "what it has": object_answer,
    "404": lambda have: answer(status=404),
    "500": lambda have: answer(status=500),
    "a page": lambda have: answer(b"<html>", headers={"Content-Type": "text/html"}),
    "a part without an end": lambda have: answer(PART + have, headers=MULTIPART),
    "half of it": lambda have: answer(PART + have[: len(have) // 2] + END, headers=MULTIPART),
    "it twice": lambda have: answer((PART + have + b"\r\n") * 2 + b"--x y--", headers=MULTIPART),
    "it without multipart": lambda have: answer(have, headers={"Content-Type": "application/dicom"}),
}
SHOWS = ["what it has", "nothing", "404", "everything"]


class Hostile(Upstream):
    """An archive with old versions; what it keeps, answers, gives and shows is not of one piece."""

    keeps, shows, gives_back = "all", "what it has", "what it has"

    def __call__(self, asked: Asked) -> bytes:
        if asked.method == "GET" and "?" not in asked.target:
            have = self.stored.get(asked.path.rpartition("/")[2])
            return answer(status=404) if have is None else GIVES[self.gives_back](have)
        if asked.method == "GET" and self.shows != "what it has":
            uids = [uid_of_file(file) for file in FILES] if self.shows == "everything" else []
            rows = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids]
            headers = {"Content-Type": "application/dicom+json"}
            return (
                answer(status=404)
                if self.shows == "404"
                else answer(json.dumps(rows).encode(), headers=headers)
            )
        before = dict(self.stored)
        told = super().__call__(asked)
        for uid, came in list(self.stored.items()) if asked.method == "POST" else []:
            kept = came if before.get(uid) is came else KEEPS[self.keeps](before.get(uid), came)
            self.stored |= {} if kept is None else {uid: kept}
            if kept is None:
                del self.stored[uid]
        return told


def uid_of_file(file: bytes) -> str:
    return str(pydicom.dcmread(io.BytesIO(file)).SOPInstanceUID)


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_before(Hostile(), store, tmp_path) as made:
        yield made


async def objects_at(site: Site) -> list[GateObject]:
    def known(transaction: ReadTransaction) -> list[GateObject]:
        row = gate_studies.row_of(transaction, GATE, STUDY)
        return [] if row is None else objects.of_study(transaction, row)

    return await site.store.read(known)


@pytest.mark.parametrize("keeps", KEEPS)
@pytest.mark.parametrize("says", ANSWERS)
async def test_what_was_held_is_in_the_archive_or_in_the_spool(site: Site, says: str, keeps: str) -> None:
    upstream = site.upstream
    assert isinstance(upstream, Hostile)
    upstream.keeps, upstream.answers = keeps, ANSWERS[says]
    old = {uid_of_file(file): version_of(file, "OLD") for file in FILES}
    turn = list(ANSWERS).index(says) + list(KEEPS).index(keeps)
    for number, upstream.gives_back in enumerate(islice(GIVES, turn % 2, None, 2), turn // 2):
        upstream.shows = SHOWS[number % len(SHOWS)]
        upstream.stored = dict(old)
        await site.take(site.gate("hold"), FILES)
        site.now[0] += timedelta(hours=1)  # whatever left it alone asks again
        await site.settling.look()
        for kind, desk in (("gate-settle", site.settling), ("forward", site.forwarding)):
            for job in await site.store.read(jobs.newest, kind=kind, state="queued"):
                try:
                    await desk.run(JobContext(job))
                except ArchiveError:
                    continue
                await site.store.write(jobs.cancel, job.id, now=site.now[0])
        left = {path.read_bytes() for path in site.files()}
        for one in await objects_at(site):
            file = next(file for file in FILES if uid_of_file(file) == one.sop_instance_uid)
            is_there = upstream.stored.get(one.sop_instance_uid) in (file, version_of(file, "COERCED"))
            assert is_there or (file in left and one.state != "forwarded"), upstream.gives_back
