"""Uploads: a ZIP is received, examined and accepted as a durable job; the job judges what is in it."""

import asyncio
import hashlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import msgspec

from heltig import audit
from heltig.errors import InputError, NotFoundError
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import JobFailedError, NotHereError
from heltig.pipeline.identifiers.redaction import told_message
from heltig.pipeline.keep import Scoring
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.upload.package import JudgedPackage, examine_package, judge_package, limits_of
from heltig.pipeline.upload.spool import ABANDONED, Spool, Spooled
from heltig.rules.profile import Profile
from heltig.settings import Settings
from heltig.store import archives, jobs, removal, uploads
from heltig.store.jobs import Job, JobState, NewJob
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.store.uploads import Upload
from heltig.verdict import Readiness

KIND: Final = "upload"
"""The kind of job that judges an upload."""

PRIORITY: Final = -10
"""Before what archives are asked for: somebody waits for it."""

ENDED: Final[frozenset[JobState]] = frozenset({"succeeded", "failed", "dead", "cancelled"})
_KEPT_AFTER: Final[frozenset[JobState]] = frozenset({"queued", "running", "dead"})  # the dead may be retried

_FIRST_LOOK, _LONGEST_LOOK = 0.02, 0.5  # seconds


class Sender(msgspec.Struct, frozen=True):
    """Who uploads: the principal's name, and the address they come from."""

    name: str
    address: str


class Accepted(msgspec.Struct, frozen=True):
    """An upload that is on disk.

    Attributes:
        is_repeat: It was received before: this is the first one, and its job.
    """

    upload: Upload
    is_repeat: bool


class UploadDesk:
    """Takes uploads and judges them."""

    def __init__(
        self,
        queue: JobQueue,
        spool: Spool,
        pool: JudgingPool,
        *,
        settings: Settings,
        profile: Profile,
        clock: Callable[[], datetime],
    ) -> None:
        self._queue = queue
        self._store = queue.store
        self._spool = spool
        self._pool = pool
        self._size = settings.upload_max_size
        self._limits = limits_of(settings)
        self._profile = profile
        self._clock = clock
        self._keeps = settings.analysis_keep_uploads if settings.analysis_enabled else None
        queue.on_end(self._remove)

    async def take(self, chunks: AsyncIterator[bytes], *, target: str, sender: Sender) -> Accepted:
        """Receives a ZIP. When this returns, it and its job outlast a power cut.

        Args:
            chunks: Its bytes.
            target: The archive that its studies are meant for; empty for none.
            sender: Who sends it.

        Raises:
            NotFoundError: There is no such archive.
            InputError: It is refused; nothing of it is left.
            StorageError: It could not be written.
        """
        await self.see_target(target)
        return await self.accept(
            await self._spool.receive(chunks, limit=self._size), target=target, sender=sender
        )

    async def accept(self, spooled: Spooled, *, target: str, sender: Sender) -> Accepted:
        """Takes over a ZIP that is in the spool; does as `take` otherwise. The file is gone in any case."""
        try:
            return await self._accept(spooled, target=target, sender=sender)
        finally:
            spooled.path.unlink(missing_ok=True)

    async def see_target(self, target: str) -> None:
        """Sees that a target is an archive, or none.

        Raises:
            NotFoundError: There is no such archive.
        """
        if target and await self._store.read(archives.find, target) is None:
            raise NotFoundError(f"There is no archive {target}. `heltig archives list` names them.")

    async def same(self, digest: str, target: str) -> Upload | None:
        """The upload that bytes of such a SHA-256 would only repeat, if there is one."""
        return await self._store.read(
            uploads.find_same, digest=digest, profile_hash=self._profile.hash, target=target
        )

    async def ended(self, job: int, *, within: float) -> Job:
        """Waits until a job has ended, or for so many seconds; returns it as it stands then.

        Raises:
            NotFoundError: There is no such job.
        """
        end = asyncio.get_running_loop().time() + within
        wait = _FIRST_LOOK
        while True:
            found = await self._store.read(jobs.find, job)
            if found is None:
                raise NotFoundError(f"There is no job {job}.")
            if found.state in ENDED or asyncio.get_running_loop().time() >= end:
                return found
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, _LONGEST_LOOK)

    async def judge(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`: judges an upload's studies and publishes their verdicts.

        Raises:
            JobFailedError: Nothing in it can be judged.
            NotHereError: Its file is in the spool of another server.
            StorageError: A process died, or the database failed; trying again makes sense.
        """
        upload = await self._store.read(uploads.find, str(context.payload["upload"]))
        path = self._spool.of_upload(str(context.payload["upload"]))
        if not path.exists() and context.payload.get("spool", self._spool.name) != self._spool.name:
            raise NotHereError
        if upload is None or not path.exists():
            raise JobFailedError("The upload's file is gone. Send it again.")
        try:
            package = await self._pool.run(
                judge_package,
                path,
                self._profile,
                location=uploads.location_of(upload.name),
                limits=self._limits,
                received=upload.received,
                keyed=self._store.keyed,
            )
        except InputError as error:
            raise JobFailedError(str(error)) from error
        scoring = Scoring(
            self._store,
            self._pool,
            profile=self._profile,
            clock=self._clock,
            actor=KIND,
            origin=upload.name,
            queue=self._queue,
        )
        total = len(package.studies)
        kept = await scoring.keep(
            package.studies, progress=lambda done: context.progress(done=done, total=total)
        )
        return _result(package, [study.study.readiness for study in kept])

    async def sweep(self) -> None:
        """Removes files that nobody needs any more: judged, failed, or left by a process that was killed."""
        kept = await asyncio.to_thread(self._spool.uploads_kept)
        useless = await self._store.read(_useless, kept, self._is_kept)
        await asyncio.to_thread(self._spool.remove_uploads, useless)
        await asyncio.to_thread(self._spool.remove_abandoned)

    def _remove(self, job: Job) -> None:
        """Removes the file of an upload whose job has ended; what fails here is left to `sweep`.

        A job that was given up can be retried, and needs it then.
        """
        if job.kind == KIND and job.state != "dead" and not self._is_kept(job):
            with suppress(OSError):
                self._spool.remove_uploads([str(job.payload["upload"])])

    def _is_kept(self, job: Job) -> bool:
        """Whether the file of an upload that was judged is kept, for analyses of its studies."""
        if self._keeps is None or job.state != "succeeded":
            return False
        before = self._keeps.before(self._clock())
        return before is None or job.finished is None or job.finished > before

    async def _accept(self, spooled: Spooled, *, target: str, sender: Sender) -> Accepted:
        same = await self.same(spooled.digest, target)
        if same is not None:
            return Accepted(same, is_repeat=True)
        await self._pool.run(examine_package, spooled.path, self._limits)
        received = self._clock()
        name = f"{received:%Y%m%d}-{secrets.token_hex(6)}"
        new = Upload(
            name=name,
            digest=spooled.digest,
            profile_hash=self._profile.hash,
            target=target,
            job=0,
            size=spooled.size,
            received=received,
        )
        kept = await self._spool.keep(spooled, name)
        accepted: Accepted | None = None
        try:
            accepted = await self._store.write_durably(self._add, new, sender)
        finally:
            if accepted is None or accepted.is_repeat:
                kept.unlink(missing_ok=True)
        return accepted

    def _add(self, transaction: WriteTransaction, new: Upload, sender: Sender) -> Accepted:
        what = (new.digest, new.profile_hash, new.target)
        same = _find_same(transaction, new)
        if same is not None:
            return Accepted(same, is_repeat=True)
        job = self._queue.enqueue(
            transaction,
            NewJob(
                kind=KIND,
                # Of those who send the same at the same moment one gets the job; the others wait for it here.
                key=hashlib.sha256("\n".join(what).encode()).hexdigest(),
                group=KIND,
                priority=PRIORITY,
                payload={"upload": new.name, "spool": self._spool.name, "actor": sender.name},
            ),
        )
        same = _find_same(transaction, new)
        if same is not None:
            return Accepted(same, is_repeat=True)
        upload = msgspec.structs.replace(new, job=job)
        uploads.add(transaction, upload)
        audit.record(
            transaction,
            at=upload.received,
            actor=sender.name,
            action="upload.accept",
            subject=str(uploads.location_of(upload.name)),
            outcome="success",
            origin=sender.address,
            detail={"sha256": upload.digest, "size": upload.size, "target": upload.target, "job": job},
        )
        return Accepted(upload, is_repeat=False)


def _find_same(transaction: ReadTransaction, new: Upload) -> Upload | None:
    return uploads.find_same(transaction, digest=new.digest, profile_hash=new.profile_hash, target=new.target)


def _useless(
    transaction: ReadTransaction, kept: dict[str, float], is_kept: Callable[[Job], bool]
) -> list[str]:
    useless = []
    for name, age in kept.items():
        upload = uploads.find(transaction, name)
        job = jobs.find(transaction, upload.job) if upload else None
        if job is None:
            if age > ABANDONED.total_seconds():
                useless.append(name)
        elif job.state not in _KEPT_AFTER and not (is_kept(job) and _has_all(transaction, name, job)):
            useless.append(name)
    return useless


def _has_all(transaction: ReadTransaction, name: str, job: Job) -> bool:
    """Whether every study of an upload is still known; else somebody wants one to be gone."""
    there = removal.studies_at(transaction, uploads.location_of(name))
    return len(there) == (job.result or {}).get("studies")


def _result(package: JudgedPackage, readiness: Sequence[Readiness | None]) -> dict[str, Any]:
    """What the job says of the upload, without names of members: exports like to name them after patients."""
    return {
        "members": package.members,
        "instances": package.instances,
        "skipped": package.skipped,
        "studies": len(package.studies),
        "readiness": dict(Counter(readiness)),
        "findings": [
            {
                "rule": f.rule,
                "severity": f.severity,
                "message": told_message(f),
                "count": f.count,
                "remedy": f.remedy,
            }
            for f in package.findings
        ],
    }
