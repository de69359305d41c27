"""Studies out of an archive, judged and kept: several at a time, and none ends the run for the others."""

import asyncio
import traceback
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import PurePath
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from connectors.base import Archive, Capabilities
from heltig import audit
from heltig.dicom.study import StudyTable
from heltig.errors import (
    ArchiveError,
    ArchiveNotFoundError,
    ArchivePausedError,
    ArchiveRestingError,
    ArchiveStudyError,
    HeltigError,
    StorageError,
    UpgradedError,
)
from heltig.pipeline.again.context import withdraw
from heltig.pipeline.again.rejudge import rejudge_queued
from heltig.pipeline.discovery.observe import saw
from heltig.pipeline.keep import Kept, Scoring
from heltig.pipeline.pull.listing import ListedStudy
from heltig.pipeline.pull.problems import may_pass
from heltig.pipeline.pull.study import pull_study
from heltig.store import observations, studies, verdicts
from heltig.store.observations import Observation
from heltig.store.records import Location, Study
from heltig.store.transaction import WriteTransaction
from heltig.verdict import Readiness

MOST_FAILURES: Final = 5
"""Studies that fail one after the other, for a reason that is not their own, before the run ends."""

MOST_NOT_GIVEN: Final = 25
"""Studies of which nothing comes, one after the other, from an archive that answers searches, before the run
ends: neighbours may be broken in one way, and none may keep the run from what is behind them."""

_CHANGED: Final = (
    "It changed while it was read, as far as the service that watches this archive knows: it pulls the study "
    "once it is quiet."
)

AHEAD: Final = 2
"""Studies that are judged or stored while others are asked for."""


class PulledStudy(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one study.

    Attributes:
        uid: The StudyInstanceUID that was asked for.
        outcome: `judged` anew, `unchanged`, `gone` from the archive and so withdrawn, `not found` there nor
            here, or `failed`: what was known of it stands.
        readiness: Of the verdict that stands; None where there is none.
        rules: Those that keep it from being READY, the worst first.
        error: Why it failed, without patient data.
    """

    uid: str
    outcome: Literal["judged", "unchanged", "gone", "not found", "failed"]
    readiness: Readiness | None = None
    revision: int = 0
    series: int = 0
    instances: int = 0
    blocks: int = 0
    reviews: int = 0
    notes: int = 0
    rules: tuple[str, ...] = ()
    error: str = ""


async def pull_archive(
    archive: Archive,
    listed: Iterable[ListedStudy],
    *,
    scoring: Scoring,
    capabilities: Capabilities | None = None,
    concurrency: int = 2,
    asked: Callable[[str], None] = lambda uid: None,
) -> AsyncGenerator[PulledStudy, None]:
    """Pulls, judges and keeps studies; yields each as it is done.

    While studies are judged the next ones are asked for. What is wrong with a study, or with how the archive
    answers for it, becomes its outcome. Only where the archive or the database fails for study after study
    does the run end.

    Args:
        archive: The archive.
        listed: The studies, as `list_studies` found them.
        scoring: Judges and keeps them.
        capabilities: What is known of the archive.
        concurrency: Studies that are asked for at the same time.
        asked: Told of each study before it is asked for.

    Raises:
        ArchiveError: The archive is out of order, or refuses us.
        StorageError: The database is; or Heltig was upgraded meanwhile.
    """
    run = _Run(archive, scoring, capabilities, asyncio.Semaphore(concurrency), asked)
    done: asyncio.Queue[PulledStudy | None] = asyncio.Queue()
    waiting = iter(listed)
    errors: list[HeltigError] = []

    async def work() -> None:
        try:
            while not errors and (study := next(waiting, None)):
                done.put_nowait(await run.pull(study))
        except HeltigError as error:
            errors.append(error)  # what others have read meanwhile is still judged and kept
        finally:
            done.put_nowait(None)

    tasks = [asyncio.create_task(work()) for _ in range(concurrency + AHEAD)]
    working = len(tasks)
    try:
        while working:
            pulled = await done.get()
            if pulled is None:
                working -= 1
            else:
                yield pulled
        if errors:
            raise errors[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def judged_again(archive: str, scoring: Scoring) -> list[PulledStudy]:
    """Judges the studies again that contradict one that came, or no longer contradict one that went.

    Args:
        archive: The archive's name.
        scoring: Judges and keeps them.

    Returns:
        Those of them that are in this archive.

    Raises:
        StorageError: The database failed.
    """
    again = await rejudge_queued(scoring)
    here = [kept for kept in again if kept.study.location == Location("archive", archive)]
    return [_pulled(kept.study.study_key, kept, await rules_behind(scoring, kept.study)) for kept in here]


def corrected(pulled: Iterable[PulledStudy], again: Iterable[PulledStudy]) -> list[PulledStudy]:
    """What became of studies, with the last word on those that were judged again."""
    last = {study.uid: study for study in again}
    return [last.get(study.uid, study) if study.readiness else study for study in pulled]


async def rules_behind(scoring: Scoring, study: Study) -> tuple[str, ...]:
    """The rules that keep a study from being READY, the worst first."""
    if study.readiness == "READY":
        return ()
    verdict = await scoring.store.read(verdicts.current, study.location, study.study_key)
    findings = verdict.verdict.findings if verdict else ()
    standing = (f.rule for f in findings if f.severity != "note" and not f.waived)
    return tuple(dict.fromkeys(standing))


class _Run:
    """One run over an archive's studies."""

    def __init__(
        self,
        archive: Archive,
        scoring: Scoring,
        capabilities: Capabilities | None,
        asking: asyncio.Semaphore,
        asked: Callable[[str], None],
    ) -> None:
        self._archive = archive
        self._location = Location("archive", archive.id)
        self._scoring = scoring
        self._capabilities = capabilities
        self._asking = asking
        self._asked = asked
        self._failures = 0
        self._not_given = 0
        self._not_kept = 0

    async def pull(self, listed: ListedStudy) -> PulledStudy:
        """One study; raises only for what the next study would fail for too."""
        try:
            pulled = await self._pull(listed)
        except ArchiveNotFoundError as error:
            self._failures = self._not_given = 0
            return await self._gone(listed.uid, error)
        except ArchiveStudyError as error:
            self._not_given += 1
            _end_after(MOST_NOT_GIVEN, self._not_given, error)
            return PulledStudy(uid=listed.uid, outcome="failed", error=error.detail)
        except (UpgradedError, ArchivePausedError, ArchiveRestingError):
            raise
        except ArchiveError as error:
            self._failures += 1
            _end_after(MOST_FAILURES, self._failures, error)
            return PulledStudy(uid=listed.uid, outcome="failed", error=error.detail)
        except StorageError as error:
            self._not_kept += 1
            _end_after(MOST_FAILURES, self._not_kept, error)
            return PulledStudy(uid=listed.uid, outcome="failed", error=error.detail)
        except HeltigError as error:
            return PulledStudy(uid=listed.uid, outcome="failed", error=error.detail)
        except Exception as error:  # a fault of ours, that this study brings out
            return PulledStudy(uid=listed.uid, outcome="failed", error=_where(error))
        self._not_kept = 0
        return pulled

    async def _pull(self, listed: ListedStudy) -> PulledStudy:
        known = await self._scoring.store.read(observations.find, self._location, listed.uid)
        async with self._asking:
            self._asked(listed.uid)
            table = await self._read(listed)
            trouble = _passing(table)
            if trouble:
                table = await self._read(listed)
                trouble = _passing(table)
        self._failures = self._not_given = 0  # now: to judge it may take longer than the next ones to fail
        if trouble and known and known.changed:
            return await self._in_part(listed, known, trouble)
        if trouble:
            listed = replace(listed, rows=())  # who watches or backfills its archive finds it new

        def confirm(transaction: WriteTransaction) -> bool:
            pulled, now = table.source.study_rows, self._scoring.clock()
            return saw(
                transaction,
                self._location,
                listed,
                known,
                pulled=pulled,
                keyed=self._scoring.store.keyed,
                now=now,
            )

        kept = await self._scoring.score(table, self._location, confirm=confirm)
        if kept.outcome == "outdated":
            return PulledStudy(uid=listed.uid, outcome="failed", error=_CHANGED)
        return _pulled(listed.uid, kept, await rules_behind(self._scoring, kept.study))

    async def _read(self, listed: ListedStudy) -> StudyTable:
        return await pull_study(
            self._archive, listed.uid, listed=listed.rows, capabilities=self._capabilities
        )

    async def _in_part(self, listed: ListedStudy, known: Observation, trouble: str) -> PulledStudy:
        """A study of which a part did not come, and may come the next time: it is due until it does."""
        if known.unsettled_since is None:
            now = self._scoring.clock()
            await self._scoring.store.write(observations.put_off, known, due=now, since=now)
        return PulledStudy(
            uid=listed.uid,
            outcome="failed",
            error=f"Not all of it came, and it was asked for twice: {trouble}. What was known of it stands.",
        )

    async def _gone(self, uid: str, error: ArchiveNotFoundError) -> PulledStudy:
        """Withdraws a study that the archive had once."""
        store = self._scoring.store
        before = await store.read(studies.find, self._location, uid)
        if before is None:
            return PulledStudy(uid=uid, outcome="not found", error=error.detail)
        if before.state != "WITHDRAWN":
            await store.write_durably(self._withdraw, before)
        return PulledStudy(uid=uid, outcome="gone", revision=before.revision)

    def _withdraw(self, transaction: WriteTransaction, study: Study) -> None:
        at = self._scoring.clock()
        known = observations.find(transaction, study.location, study.study_key)
        if known and known.changed:
            observations.forget(transaction, known)
        withdraw(transaction, study.location, study.study_key, self._scoring.queue, at=at)
        audit.record(
            transaction,
            at=at,
            actor=self._scoring.actor,
            action="study.withdraw",
            subject=f"{study.location} {study.study_key}",
            outcome="success",
            origin=self._scoring.origin,
        )


def _pulled(uid: str, kept: Kept, rules: tuple[str, ...]) -> PulledStudy:
    study = kept.study
    return PulledStudy(
        uid=uid,
        outcome="judged" if kept.outcome == "judged" else "unchanged",
        readiness=study.readiness,
        revision=study.revision,
        series=study.series,
        instances=study.instances,
        blocks=study.blocks,
        reviews=study.reviews,
        notes=study.notes,
        rules=rules,
    )


def _passing(table: StudyTable) -> str:
    """Why not all of a study came, where that may pass: without its UIDs; empty where it will not."""
    return next((f.detail.rpartition(": ")[2] for f in table.source.failures if may_pass(f)), "")


def _end_after(most: int, failed: int, error: HeltigError) -> None:
    """Raises the error that ends the run, once that many studies have failed one after the other."""
    if failed >= most:
        rest = f"The last {failed} studies failed so: the run ends here. What is done is kept."
        raise type(error)(f"{error.detail} {rest}") from error


def _where(error: Exception) -> str:
    """A fault of ours by its class and place: its text could hold patient data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"Heltig failed ({type(error).__name__}{place}). Please report this; the study was not judged."
