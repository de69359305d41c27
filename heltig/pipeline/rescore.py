"""Stored studies judged again under the installed ruleset and a profile, without asking any archive.

A study whose verdict is of that ruleset and that profile already is not judged once more. So a run that was
interrupted goes on where it was, and one after which nothing changed costs next to nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from heltig import audit
from heltig.errors import NotFoundError
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import described
from heltig.pipeline.again import side_by_side
from heltig.pipeline.judging import RulesetName, ruleset_name
from heltig.pipeline.keep import Processes, Scoring
from heltig.pipeline.publish import render, standing_rules
from heltig.rules.profile import Profile
from heltig.store import outdated, studies, verdicts
from heltig.store.jobs import NewJob
from heltig.store.outdated import Selection
from heltig.store.records import Location, StoredVerdict
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Readiness, Verdict

KIND: Final = "rescore"
"""The kind of job, and the actor of the verdicts that it gives."""

MOST_LISTED: Final = 1000
"""Studies that a job's result lists one by one; all are counted."""

_PAGE: Final = 200
_PRIORITY: Final = 10
"""After everything that somebody waits for."""


class Move(msgspec.Struct, frozen=True, rename="camel"):
    """A study whose verdict became another.

    Attributes:
        before: Its readiness; `before_rules` those that kept it from being READY, the worst first.
        after: Likewise now.
    """

    location: str
    study: str
    before: Readiness
    before_rules: tuple[str, ...]
    after: Readiness
    after_rules: tuple[str, ...]


class RuleCount(msgspec.Struct, frozen=True):
    """Findings of one rule, waived ones too, before and after."""

    rule: str
    before: int
    after: int


class Failure(msgspec.Struct, frozen=True):
    """A study that could not be judged again, and why, without patient data. What was known of it stands."""

    location: str
    study: str
    error: str


class RescoreReport(msgspec.Struct, frozen=True, rename="camel"):
    """What judging again came to, or would come to.

    Attributes:
        dry_run: Nothing was written.
        studies: Studies looked at; the numbers below add up to it.
        unchanged: Studies with the same readiness and the same findings.
        changed: Studies with the same readiness and other findings.
        moved: Studies with another readiness.
        moves: These one by one, by location and study.
        rules: The rules with any finding before or after, by id.
        failed: Studies that could not be judged.
        rendered: Prepared answers of an older form that were made anew, or would be.
    """

    dry_run: bool
    ruleset: RulesetName
    profile: str
    studies: int
    unchanged: int
    changed: int
    moved: int
    moves: tuple[Move, ...]
    rules: tuple[RuleCount, ...]
    failed: tuple[Failure, ...]
    rendered: int


async def rescore(
    scoring: Scoring,
    profile: Profile,
    selection: Selection,
    *,
    dry_run: bool,
    since: datetime,
    at_once: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RescoreReport:
    """Judges stored studies again.

    Args:
        scoring: Judges them, and keeps the verdicts.
        profile: The profile it judges under.
        selection: Which studies.
        dry_run: Write nothing.
        since: When this began: of what was judged later the verdict before counts as the one before.
        at_once: Studies judged at a time.
        progress: Told how many of how many are done.

    Raises:
        StorageError: The database failed.
    """
    store = scoring.store
    run = _Run(scoring, profile, dry_run=dry_run, since=since)
    total = await store.read(outdated.count, selection)

    async def one(study: tuple[int, Location, str]) -> None:
        await run.judge(study[1], study[2])
        progress(run.done, max(total, run.done))

    after = 0
    while page := await store.read(outdated.chosen, selection, after=after, limit=_PAGE):
        await side_by_side(page, one, at_once=at_once)
        after = page[-1][0]
    rendered = 0
    if dry_run:
        rendered = await store.read(outdated.of_other_form, render.form)
    else:
        while number := await store.write(outdated.render_again, limit=_PAGE):
            rendered += number
    return run.report(rendered)


class _Run:
    """One run: what it found so far."""

    def __init__(self, scoring: Scoring, profile: Profile, *, dry_run: bool, since: datetime) -> None:
        self.done = 0
        self._scoring = scoring
        self._profile = profile
        self._dry_run = dry_run
        self._since = since
        self._outcomes = Counter[str]()
        self._before = Counter[str]()
        self._after = Counter[str]()
        self._moves: list[Move] = []
        self._failed: list[Failure] = []

    async def judge(self, location: Location, study_key: str) -> None:
        """One study; what fails for it is its outcome."""
        self.done += 1
        found = await self._scoring.store.read(_known, location, study_key, self._since)
        if found is None:
            self._outcomes["unchanged"] += 1  # first judged while this runs, or gone meanwhile
            return
        before, last = found
        try:
            after = last.verdict if self._is_current(last) else await self._again(location, study_key)
        except NotFoundError:
            self._outcomes["unchanged"] += 1
        except Exception as error:  # a fault of ours, too: it must not keep the others from it
            self._failed.append(Failure(str(location), study_key, described(error)))
        else:
            self._compare(location, study_key, before.verdict, after)

    def report(self, rendered: int) -> RescoreReport:
        """What it came to."""
        return RescoreReport(
            dry_run=self._dry_run,
            ruleset=ruleset_name(),
            profile=self._profile.name,
            studies=self.done,
            unchanged=self._outcomes["unchanged"],
            changed=self._outcomes["changed"],
            moved=self._outcomes["moved"],
            moves=tuple(sorted(self._moves, key=lambda move: (move.location, move.study))),
            rules=tuple(
                RuleCount(rule, self._before[rule], self._after[rule])
                for rule in sorted(self._before.keys() | self._after.keys())
            ),
            failed=tuple(sorted(self._failed, key=lambda failure: (failure.location, failure.study))),
            rendered=rendered,
        )

    def _is_current(self, last: StoredVerdict) -> bool:
        return (last.inputs.ruleset, last.inputs.profile) == (ruleset_name().hash, self._profile.hash)

    async def _again(self, location: Location, study_key: str) -> Verdict:
        if self._dry_run:
            return (await self._scoring.judge_stored(location, study_key)).verdict
        await self._scoring.score_again(location, study_key)
        given = await self._scoring.store.read(verdicts.current, location, study_key)
        if given is None:
            raise NotFoundError(f"{location} has no study {study_key} any more.")
        return given.verdict

    def _compare(self, location: Location, study_key: str, before: Verdict, after: Verdict) -> None:
        self._before.update(finding.rule for finding in before.findings)
        self._after.update(finding.rule for finding in after.findings)
        if before.readiness != after.readiness:
            self._outcomes["moved"] += 1
            self._moves.append(
                Move(
                    str(location),
                    study_key,
                    before.readiness,
                    tuple(standing_rules(before)),
                    after.readiness,
                    tuple(standing_rules(after)),
                )
            )
        else:
            self._outcomes["unchanged" if before.findings == after.findings else "changed"] += 1


def _known(
    transaction: ReadTransaction, location: Location, study_key: str, since: datetime
) -> tuple[StoredVerdict, StoredVerdict] | None:
    """The verdict on a study when this began, and the last one."""
    study = studies.find(transaction, location, study_key)
    last = verdicts.current(transaction, location, study_key)
    before = last
    while before is not None and before.judged > since:
        before = verdicts.revision(transaction, location, study_key, before.revision - 1)
    if study is None or last is None or before is None or study.state == "WITHDRAWN":
        return None
    return before, last


class RescoreDesk:
    """Queues and does jobs that judge stored studies again."""

    def __init__(
        self,
        queue: JobQueue,
        processes: Processes,
        *,
        profile: Profile,
        clock: Callable[[], datetime],
        workers: int,
    ) -> None:
        """Makes it.

        Args:
            queue: Where its jobs are queued.
            processes: Where judging is done.
            profile: The profile to judge under.
            clock: The time.
            workers: Studies judged at a time.
        """
        self._queue = queue
        self._processes = processes
        self._profile = profile
        self._clock = clock
        self._workers = workers

    async def start(self, selection: Selection, *, dry_run: bool, actor: str, origin: str) -> int:
        """Queues a job, unless the same is queued or running; returns its id.

        Args:
            selection: Which studies.
            dry_run: Write nothing.
            actor: Who asks for it, for the audit trail.
            origin: From where.
        """
        payload = {"selection": msgspec.to_builtins(selection), "dryRun": dry_run}
        key = hashlib.sha256(msgspec.json.encode(payload)).hexdigest()

        def queue(transaction: WriteTransaction) -> int:
            job = self._queue.enqueue(
                transaction, NewJob(kind=KIND, key=key, priority=_PRIORITY, payload=payload)
            )
            audit.record(
                transaction,
                at=self._clock(),
                actor=actor,
                action="rescore.start",
                subject=f"job {job}",
                outcome="success",
                origin=origin,
                detail=payload,
            )
            return job

        return await self._queue.store.write_durably(queue)

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`; its result is a report that lists `MOST_LISTED` studies at most."""
        selection = msgspec.convert(context.payload["selection"], Selection)
        scoring = Scoring(
            self._queue.store,
            self._processes,
            profile=self._profile,
            clock=self._clock,
            actor=KIND,
            origin=f"job {context.job.id}",
            queue=self._queue,
        )
        report = await rescore(
            scoring,
            self._profile,
            selection,
            dry_run=bool(context.payload["dryRun"]),
            since=context.job.created,
            at_once=self._workers,
            progress=lambda done, total: context.progress(done=done, total=total),
        )
        listed = msgspec.structs.replace(
            report, moves=report.moves[:MOST_LISTED], failed=report.failed[:MOST_LISTED]
        )
        result: dict[str, Any] = msgspec.to_builtins(listed)
        return result
