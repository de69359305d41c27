"""A job of kind `pull`: one study of an archive, pulled, judged and kept.

The job layer tries again where that makes sense, and only it. Whatever happens to a job, the study's
observation says what is still to be done: `PullDesk.sweep` finds those that no job will do.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from heltig import audit
from heltig.dicom.cell import Fault
from heltig.dicom.source import Source
from heltig.dicom.study import StudyTable
from heltig.errors import (
    ArchiveAccessError,
    ArchiveCredentialsError,
    ArchiveError,
    ArchiveNotFoundError,
    NotFoundError,
)
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import JobFailedError
from heltig.pipeline.again.context import withdraw
from heltig.pipeline.archives.opened import OpenArchives, Opened
from heltig.pipeline.archives.patience import attempt
from heltig.pipeline.discovery.fingerprint import pulled_as
from heltig.pipeline.discovery.schedule import PULL
from heltig.pipeline.giving import Confirm
from heltig.pipeline.keep import Processes, ProfileOf, Scoring
from heltig.pipeline.pull.asked import NOT_FOUND
from heltig.pipeline.pull.counts import agrees
from heltig.pipeline.pull.problems import is_definite
from heltig.pipeline.pull.settle import rest_of
from heltig.pipeline.pull.study import pull_study
from heltig.store import handing_on, observations, removal, states, studies
from heltig.store.archives import location_of
from heltig.store.handing_on import HandedOn
from heltig.store.locations import ensure
from heltig.store.observations import Observation
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

NEXT_DAY: Final = timedelta(days=1)
"""After so long a study is asked for again whose pull was given up."""

MOST_AT_ONCE: Final = 100
"""Studies that one sweep looks at."""

_CHANGING: Final = Fault("unsettled", "its archive goes on listing it otherwise")
_DISAGREEING: Final = Fault(
    "unsettled", "its archive counts otherwise than it delivers, and went on listing it"
)
_UNREAD: Final = Fault("unread", "nothing of it could be read")
_IS_CUT: Final = re.compile(r".*~[0-9a-f]{32}", re.DOTALL)


class PullDesk:
    """Handles jobs of kind `pull`."""

    def __init__(
        self,
        archives: OpenArchives,
        queue: JobQueue,
        processes: Processes,
        *,
        profile_of: ProfileOf,
        clock: Callable[[], datetime],
    ) -> None:
        """Makes it.

        Args:
            archives: The archives.
            queue: Takes the re-judgements of others.
            processes: Where judging is done.
            profile_of: Gives the profile of an archive.
            clock: The time.
        """
        self._archives = archives
        self._queue = queue
        self._store = queue.store
        self._clock = clock
        self._scoring = Scoring(
            queue.store, processes, profile=profile_of, clock=clock, actor=PULL, queue=queue
        )

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Pulls the study that the job names, unless it changed again meanwhile or nothing is asked of it.

        Raises:
            ArchiveError: The archive does not answer; trying again makes sense.
            ConfigurationError: A secret, a certificate or a profile cannot be read; likewise.
            JobFailedError: The archive refuses definitely.
            StorageError: The database failed, or a process that judged died; likewise.
        """
        location = location_of(str(context.payload["archive"]))
        known = await self._store.look_up(observations.find, location, str(context.payload["study"]))
        if known is None:
            return {"outcome": "unknown"}
        if known.unsettled_since is None:
            return {"outcome": "settled"}
        if _changed_after(known, context.job.created) and known.due and known.due > self._clock():
            return {"outcome": "postponed"}
        uid = known.study_uid or known.study_key
        if _IS_CUT.fullmatch(uid):
            raise JobFailedError(
                "Its StudyInstanceUID is too long, or no text: no address can be made of it."
            )
        try:
            async with self._archives.use(location.name) as opened:
                at_once = bool(context.payload.get("atOnce"))
                return await self._pull(opened, known, uid, at_once=at_once, received=context.received)
        except NotFoundError:
            return {"outcome": "no archive"}  # should it come again, the sweep finds the study

    async def sweep(self) -> int:
        """Sees to the studies whose pulls have ended without a word; returns their number.

        One whose pull was given up could not be evaluated: that is its verdict, where it had none. Where it
        had one it is PENDING, with that beside it. All others are pulled again.

        Raises:
            StorageError: The database failed, or a process that judged died.
        """
        left = await self._store.read(handing_on.pulled_by_nobody, kind=PULL, limit=MOST_AT_ONCE)
        for one in left:
            await self._see_to(one)
        return len(left)

    async def _pull(
        self,
        opened: Opened,
        known: Observation,
        uid: str,
        *,
        at_once: bool,
        received: Callable[[], None],
    ) -> dict[str, Any]:
        try:
            with attempt():
                table = await pull_study(opened.archive, uid, capabilities=opened.capabilities)
        except ArchiveNotFoundError:
            received()
            return await self._gone(opened.location, known)
        except ArchiveError as error:
            if _is_refusal(error):
                raise JobFailedError(error.detail) from error
            raise
        received()
        table.arrange()
        whole = agrees(table)
        options = replace(opened.options, quiet_seconds=0.0) if at_once else opened.options
        rest = rest_of(known, agrees=whole, now=self._clock(), options=options)
        if rest.state == "waiting":
            await self._store.write(observations.put_off, known, due=rest.due)
            return {"outcome": "waiting"}
        seen = pulled_as(known.fingerprint, table.source.study_rows, keyed=self._store.keyed)
        confirm: Confirm = partial(observations.settle, known=known, fingerprint=seen)
        if rest.state == "overdue":
            table.source = replace(
                table.source,
                shows=table.source.shows - {"complete_study"},
                failures=(*table.source.failures, _CHANGING if whole else _DISAGREEING),
            )
            confirm = partial(observations.put_off, known=known, due=rest.due, since=self._clock())
        kept = await self._scoring.score(table, opened.location, confirm=confirm)
        return {"outcome": kept.outcome, "readiness": kept.study.readiness, "revision": kept.study.revision}

    async def _gone(self, location: Location, known: Observation) -> dict[str, Any]:
        return {"outcome": await self._store.write_durably(self._withdraw, location, known)}

    def _withdraw(self, transaction: WriteTransaction, location: Location, known: Observation) -> str:
        if (
            not known.fingerprint
            and known.state == "PENDING"
            and self._is_blank(transaction, location, known)
        ):
            # It was asked for and never seen: nothing stays of it, and nobody is told of what never was.
            observations.lock_location(transaction, ensure(transaction, location))
            if not observations.forget(transaction, known):
                return "outdated"
            removal.remove_study(transaction, known.row)
            return NOT_FOUND
        if not observations.forget(transaction, known):
            return "outdated"
        if known.state != "WITHDRAWN":
            withdraw(transaction, location, known.study_key, self._queue, at=self._clock())
            self._record(transaction, "study.withdraw", location, known.study_key)
        return "gone"

    @staticmethod
    def _is_blank(transaction: WriteTransaction, location: Location, known: Observation) -> bool:
        study = studies.find(transaction, location, known.study_key)
        return study is not None and not study.revision and study.snapshot is None

    async def _see_to(self, one: HandedOn) -> None:
        known, location, now = one.observation, one.location, self._clock()
        if not (one.given_up and known.unsettled_since and one.given_up > known.unsettled_since):
            await self._store.write(observations.put_off, known, due=now)
            return
        study = await self._store.read(studies.find, location, known.study_key)
        if study is None or study.revision:
            await self._store.write_durably(self._say_unread, location, known)
            return
        table = StudyTable(study.study_key, study.study_uid)
        table.source = Source(shows=frozenset(), asked_for=study.study_uid, failures=(_UNREAD,))
        confirm = partial(observations.put_off, known=known, due=now + NEXT_DAY, since=now)
        await self._scoring.score(table, location, confirm=confirm)

    def _say_unread(self, transaction: WriteTransaction, location: Location, known: Observation) -> None:
        """A study that has a verdict, and of which nobody knows whether it still holds."""
        now = self._clock()
        if not observations.put_off(transaction, known, due=now + NEXT_DAY, since=now):
            return
        if known.state == "JUDGED":
            states.mark_pending(transaction, location, known.study_key, study_uid=None, at=now)
        self._record(transaction, "study.unread", location, known.study_key)

    def _record(
        self, transaction: WriteTransaction, action: audit.Action, location: Location, study_key: str
    ) -> None:
        audit.record(
            transaction,
            at=self._clock(),
            actor=PULL,
            action=action,
            subject=f"{location} {study_key}",
            outcome="success",
            origin="",
        )


def _is_refusal(error: ArchiveError) -> bool:
    """Whether an error is what the archive says of this study, and will say again in ten minutes."""
    if isinstance(error, ArchiveCredentialsError):
        return False  # it says so of every study: the archive is left alone for a while
    return isinstance(error, ArchiveAccessError) or is_definite(error)


def _changed_after(known: Observation, time: datetime) -> bool:
    return known.changed is not None and known.changed > time
