"""Removes a study or an upload that came in wrongly, and contradicts others until it is gone."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from heltig import audit
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.retention.purging import Purging, locked_with_related
from heltig.store import jobs, removal, studies, uploads
from heltig.store.purging import Ages
from heltig.store.records import Location, Study
from heltig.store.transaction import ReadTransaction, WriteTransaction

MOST_REASON: Final = 2000  # characters


class RemovalDesk:
    """Removes what somebody says came in wrongly, under review or not."""

    def __init__(self, queue: JobQueue, *, clock: Callable[[], datetime]) -> None:
        self._queue = queue
        self._store = queue.store
        self._clock = clock

    async def remove_study(
        self, study_key: str, location: Location | None, *, reason: str, actor: str, origin: str
    ) -> Study:
        """Removes a study that came in wrongly from one location, with all that was made of it.

        Args:
            study_key: Its UID or key.
            location: Where; it may be left out where only one location has it.
            reason: Why, for the audit trail.
            actor: Who asks.
            origin: From where.

        Returns:
            The study as it was.

        Raises:
            NotFoundError: There is no such study.
            UsageError: There is no reason; or several locations have it, and none is named.
            ConflictError: A gate has objects of it in its custody.
        """
        insist_on_reason(reason)
        found = [
            study
            for study in await self._store.read(studies.find_everywhere, study_key)
            if location in (None, study.location)
        ]
        if not found:
            raise NotFoundError(f"There is no study {study_key}{f' at {location}' if location else ''}.")
        if len(found) > 1:
            named = ", ".join(str(study.location) for study in found)
            raise UsageError(f"Several locations have this study: {named}. Say which one.")
        await self._remove([found[0]], reason=reason, actor=actor, origin=origin)
        return found[0]

    async def remove_upload(self, name: str, *, reason: str, actor: str, origin: str) -> Sequence[Study]:
        """Removes an upload with all of its studies; the same bytes are judged anew when they come again.

        Raises:
            NotFoundError: There is no such upload, or it was purged before.
            UsageError: There is no reason.
            ConflictError: It is being judged.
        """
        insist_on_reason(reason)
        location = uploads.location_of(name)
        found = await self._store.read(_upload_to_purge, name)
        await self._remove(found, reason=reason, actor=actor, origin=origin)
        await self._store.write_durably(
            self._mark_purged, name, len(found), reason=reason, actor=actor, origin=origin, at=location
        )
        return found

    async def _remove(self, found: Sequence[Study], *, reason: str, actor: str, origin: str) -> None:
        purging = Purging(self._queue, Ages(self._clock(), {}))

        def remove(transaction: WriteTransaction, study: Study) -> None:
            row = studies.row_of(transaction, study.location, study.study_key)
            before = locked_with_related(transaction, row) or study
            if removal.is_in_custody(transaction, row):
                raise ConflictError(
                    f"{study.location} has objects of study {study.study_key} in its custody. Wait until "
                    "they are handed on, or decide about them with `heltig quarantine`."
                )
            audit.record(
                transaction,
                at=self._clock(),
                actor=actor,
                action="study.purge",
                subject=f"{study.location} {study.study_key}",
                outcome="success",
                origin=origin,
                detail={
                    "reason": reason,
                    "state": before.state,
                    "readiness": before.readiness,
                    "revision": before.revision,
                    "instances": before.instances,
                },
            )
            purging.remove_study(transaction, row)

        for study in found:
            await self._store.write_durably(remove, study)
        await purging.remove_leftovers()

    def _mark_purged(
        self,
        transaction: WriteTransaction,
        name: str,
        count: int,
        *,
        reason: str,
        actor: str,
        origin: str,
        at: Location,
    ) -> None:
        uploads.mark_purged(transaction, name, at=self._clock())
        audit.record(
            transaction,
            at=self._clock(),
            actor=actor,
            action="upload.purge",
            subject=str(at),
            outcome="success",
            origin=origin,
            detail={"reason": reason, "studies": count},
        )


def _upload_to_purge(transaction: ReadTransaction, name: str) -> list[Study]:
    upload = uploads.find(transaction, name)
    if upload is None or upload.purged is not None:
        raise NotFoundError(f"There is no upload {name}, or not any more.")
    job = jobs.find(transaction, upload.job)
    if job is not None and job.state in ("queued", "running"):
        raise ConflictError(f"Upload {name} is being judged by job {job.id}. Wait until that has ended.")
    location = uploads.location_of(name)
    found = [studies.find(transaction, location, key) for _, key in removal.studies_at(transaction, location)]
    return [study for study in found if study is not None]


def insist_on_reason(reason: str) -> None:
    """Insists that somebody says why.

    Raises:
        UsageError: They do not.
    """
    if not reason.strip() or len(reason) > MOST_REASON:
        raise UsageError(f"Say why, in up to {MOST_REASON:,} characters (--reason).")
