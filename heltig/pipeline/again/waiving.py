"""Waivers are given and revoked, and the studies that they concern judged again."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from heltig import audit
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.jobs.attempt import JobContext
from heltig.pipeline.again.studies import JudgingAgain, judge_again
from heltig.store import locations, states, studies, waivers
from heltig.store.jobs import NewJob
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.store.waivers import GivenWaiver, NewWaiver

GIVEN: Final = "waiver"
"""The kind of job that judges the studies again which a new waiver concerns."""

ENDED: Final = "waiver-end"
"""The kind of job that judges the studies again whose verdicts no longer hold."""

LONGEST: Final = timedelta(days=3653)
"""How long a waiver may hold: ten years."""

_PRIORITY: Final = -5
"""Before pulls: until then a look-up answers PENDING."""


class Given(msgspec.Struct, frozen=True):
    """A waiver that was given.

    Attributes:
        waiver: The waiver.
        concerns: The number of studies whose last verdict has a finding that it may cover.
        job: The job that judges them again.
    """

    waiver: GivenWaiver
    concerns: int
    job: int


class WaiverDesk:
    """Gives and revokes waivers, and sees that verdicts follow."""

    def __init__(self, again: JudgingAgain) -> None:
        self._again = again
        self._queue = again.queue
        self._store = again.queue.store
        self._clock = again.queue.clock

    async def give(self, new: NewWaiver, *, origin: str) -> Given:
        """Gives a waiver; the studies that it concerns are judged again, now and when it expires.

        Args:
            new: The waiver; without a digest that of the one finding with its rule, attributes and text.
            origin: From where, for the audit trail.

        Raises:
            UsageError: It makes no sense.
            NotFoundError: There is no such location, study or series, or no such finding there.
            ConflictError: Several findings have this text, and none of them was named by its digest.
        """
        _see_that_it_makes_sense(new)
        return await self._store.write_durably(self._give, new, origin)

    async def revoke(self, waiver: int, *, by: str, origin: str) -> GivenWaiver:
        """Ends a waiver at once: no verdict that relies on it is told any more.

        Args:
            waiver: Its id.
            by: Who revokes it.
            origin: From where.

        Raises:
            NotFoundError: There is no such waiver.
            ConflictError: It has expired.
        """
        return await self._store.write_durably(self._revoke, waiver, by, origin)

    async def judge_concerned(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `GIVEN`."""
        waiver = await self._store.read(waivers.get, int(context.payload["waiver"]))
        found = await self._store.read(waivers.concerned, waiver)
        scoring = self._again.scoring(actor=GIVEN, origin=f"waiver:{waiver.id}")
        return await judge_again(found, scoring, context, at_once=self._again.workers)

    async def judge_ended(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `ENDED`."""
        found = await self._store.read(waivers.ended, now=self._clock())
        scoring = self._again.scoring(actor=GIVEN, origin="waivers")
        return await judge_again(
            found, scoring, context, at_once=self._again.workers, failed=self._tell_ended
        )

    async def sweep(self) -> None:
        """Queues a job where verdicts no longer hold that nobody has judged again yet."""
        if await self._store.read(waivers.ended, now=self._clock()):
            await self._store.write(self._queue.enqueue, NewJob(kind=ENDED, key="sweep", priority=_PRIORITY))

    async def _tell_ended(self, location: Location, study_key: str) -> None:
        await self._store.write_durably(states.tell_ended, location, study_key, at=self._clock())

    def _give(self, transaction: WriteTransaction, new: NewWaiver, origin: str) -> Given:
        _see_that_it_is_known(transaction, new)
        waiver = waivers.add(transaction, msgspec.structs.replace(new, digest=_digest(transaction, new)))
        payload = {"waiver": waiver.id}
        job = self._queue.enqueue(
            transaction, NewJob(kind=GIVEN, key=str(waiver.id), priority=_PRIORITY, payload=payload)
        )
        self._queue.enqueue(
            transaction,
            NewJob(kind=ENDED, key=waiver.expires.isoformat(), priority=_PRIORITY, not_before=waiver.expires),
        )
        self._record(transaction, "waiver.give", waiver, by=waiver.author, at=waiver.created, origin=origin)
        return Given(waiver, len(waivers.concerned(transaction, waiver)), job)

    def _revoke(self, transaction: WriteTransaction, waiver: int, by: str, origin: str) -> GivenWaiver:
        at = self._clock()
        before = waivers.get(transaction, waiver)
        revoked = waivers.revoke(transaction, waiver, by=by, at=at)
        if before.revoked is None:
            self._queue.enqueue(transaction, NewJob(kind=ENDED, key=f"revoked {waiver}", priority=_PRIORITY))
            self._record(transaction, "waiver.revoke", revoked, by=by, at=at, origin=origin)
        return revoked

    def _record(
        self,
        transaction: WriteTransaction,
        action: audit.Action,
        waiver: GivenWaiver,
        *,
        by: str,
        at: datetime,
        origin: str,
    ) -> None:
        """Without the observed value and the reason: the waiver has them, and both may name a patient."""
        audit.record(
            transaction,
            at=at,
            actor=by,
            action=action,
            subject=f"waiver {waiver.id}",
            outcome="success",
            origin=origin,
            detail={
                "rule": waiver.rule,
                "scope": waiver.scope,
                "location": None if waiver.location is None else str(waiver.location),
                "study": waiver.study_key,
                "series": waiver.series_key,
                "expires": waiver.expires,
            },
        )


def _see_that_it_makes_sense(new: NewWaiver) -> None:
    if new.location is None and new.study_key is None:
        raise UsageError("Say what it covers: a study, a location, or a study at a location.")
    if new.series_key is not None and new.study_key is None:
        raise UsageError("A waiver for a series names its study, too.")
    if not new.reason.strip():
        raise UsageError("Say why: a waiver without a reason is of no use to whoever reads it later.")
    if new.expires <= new.created:
        raise UsageError("It would have expired already: give a time to come.")
    if new.expires > new.created + LONGEST:
        raise UsageError(
            f"It would hold for more than {LONGEST.days:,} days. Whoever accepts something for longer "
            "says so in the profile, or looks at it again."
        )


def _see_that_it_is_known(transaction: ReadTransaction, new: NewWaiver) -> None:
    if new.location is not None and locations.row_of(transaction, new.location) is None:
        raise NotFoundError(f"There is no location {new.location}.")
    if new.study_key is None:
        return
    known = [
        study
        for study in studies.find_everywhere(transaction, new.study_key)
        if new.location in (None, study.location)
    ]
    if not known:
        raise NotFoundError("Nothing is known of this study there. It was never pulled or uploaded.")
    if new.series_key is not None and not any(
        series.series_key == new.series_key
        for study in known
        for series in studies.series_of(transaction, study.location, study.study_key)
    ):
        raise NotFoundError("This study has no such series.")


def _digest(transaction: ReadTransaction, new: NewWaiver) -> str:
    """The digest of the finding that a waiver is for: somebody has to have seen what is accepted."""
    found = waivers.digests(transaction, new)
    if new.digest in found - {""}:
        return new.digest
    if new.digest or not found:
        raise NotFoundError(
            "No last verdict there has this finding: rule, tags, observed and digest have to be those of "
            "one, as /api/v1/studies/{study}/findings tells it."
        )
    if found == {""}:
        raise ConflictError(
            "This finding was told by an older version, which did not say what it had seen. Judge the study "
            "again with `heltig rescore`, and look at it anew."
        )
    if len(found) > 1:
        raise ConflictError(
            f"{len(found)} findings there have this text, and different data behind it. Give the digest of "
            "the one that is meant."
        )
    return found.pop()
