"""Stored studies judged again under the installed ruleset and a profile, without asking any archive.

A study whose verdict is of that ruleset and that profile already is not judged once more. So a run that was
interrupted goes on where it was, and one after which nothing changed costs next to nothing.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from heltig.errors import NotFoundError, UsageError
from heltig.jobs.attempt import JobContext
from heltig.jobs.retries import described
from heltig.pipeline.again.rescore_report import Comparison, Failure, RescoreReport
from heltig.pipeline.again.rescore_selection import see_that_it_is_known
from heltig.pipeline.again.studies import JudgingAgain, side_by_side
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.identifiers.trials import see_that_it_may_be_tried
from heltig.pipeline.judging import ruleset_name
from heltig.pipeline.keep import ProfileOf, Scoring
from heltig.pipeline.publish import render
from heltig.rules.profile import Profile
from heltig.store import outdated, snapshots, studies, verdicts
from heltig.store.jobs import NewJob
from heltig.store.outdated import Selection
from heltig.store.records import Location, StoredVerdict
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Verdict

KIND: Final = "rescore"
"""The kind of job, and the actor of the verdicts that it gives."""

MOST_LISTED: Final = 1000
"""Studies that a job's result lists one by one; all are counted."""

_PAGE: Final = 200
_PRIORITY: Final = 10
"""After everything that somebody waits for."""


async def rescore(
    scoring: Scoring,
    profile: Profile,
    selection: Selection,
    *,
    dry_run: bool,
    since: datetime | None,
    at_once: int,
    profile_of: ProfileOf | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RescoreReport:
    """Judges stored studies again.

    Args:
        scoring: Judges them, and keeps the verdicts.
        profile: The profile it judges under, where `profile_of` does not say otherwise.
        selection: Which studies.
        dry_run: Write nothing.
        since: When a run began that this one goes on with: of what was judged later the verdict before counts
            as the one before. None for a new run: what others judged meanwhile is none of its changes.
        at_once: Studies judged at a time.
        profile_of: What `scoring` takes the profiles of locations from, where that is not one for all.
        progress: Told how many of how many are done.

    Raises:
        StorageError: The database failed.
    """
    store = scoring.store
    run = _Run(scoring, profile, profile_of, dry_run=dry_run, since=since)
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

    def __init__(
        self,
        scoring: Scoring,
        profile: Profile,
        profile_of: ProfileOf | None,
        *,
        dry_run: bool,
        since: datetime | None,
    ) -> None:
        self.done = 0
        self._scoring = scoring
        self._profile = profile
        self._profile_of = profile_of
        self._dry_run = dry_run
        self._since = since
        self._compared = Comparison()
        self._gone = 0
        self._under_own = 0
        self._failed: list[Failure] = []

    async def judge(self, location: Location, study_key: str) -> None:
        """One study; what fails for it is its outcome."""
        self.done += 1
        found = await self._scoring.store.read(_known, location, study_key, self._since)
        if found is None:
            self._gone += 1  # or first judged while this runs
            return
        before, last = found
        try:
            is_current = await self._is_current(last, location)
            after, by_other = last.verdict, False
            if not is_current:
                after, by_other = await self._again(location, study_key)
        except Exception as error:  # a fault of ours, too: it must not keep the others from it
            if isinstance(error, NotFoundError) and await self._scoring.store.read(
                _gone, location, study_key
            ):
                self._gone += 1
            else:
                self._failed.append(Failure(str(location), study_key, described(error)))
        else:
            self._compared.add(location, study_key, after if by_other else before.verdict, after)

    def report(self, rendered: int) -> RescoreReport:
        """What it came to."""
        return RescoreReport(
            dry_run=self._dry_run,
            ruleset=ruleset_name(),
            profile=self._profile.name,
            profile_hash=self._profile.hash,
            under_own_profiles=self._under_own,
            studies=self.done,
            unchanged=self._compared.unchanged + self._gone,
            changed=len(self._compared.changes),
            moved=len(self._compared.moves),
            transitions=self._compared.transitions,
            moves=tuple(sorted(self._compared.moves, key=lambda move: (move.location, move.study))),
            changes=tuple(sorted(self._compared.changes, key=lambda change: (change.location, change.study))),
            rules=self._compared.rules,
            failed=tuple(sorted(self._failed, key=lambda failure: (failure.location, failure.study))),
            rendered=rendered,
        )

    async def _is_current(self, last: StoredVerdict, location: Location) -> bool:
        profile = await self._profile_of(location) if self._profile_of else self._profile
        self._under_own += profile.hash != self._profile.hash
        return (last.inputs.ruleset, last.inputs.profile) == (ruleset_name().hash, profile.hash)

    async def _again(self, location: Location, study_key: str) -> tuple[Verdict, bool]:
        """The verdict now, and whether somebody else was quicker to give it."""
        if self._dry_run:
            return (await self._scoring.judge_stored(location, study_key)).verdict, False
        kept = await self._scoring.score_again(location, study_key)
        given = await self._scoring.store.read(verdicts.current, location, study_key)
        if given is None:
            raise NotFoundError(f"{location} does not have this study any more.")
        return given.verdict, kept.by_other or kept.outcome == "unchanged"


def _known(
    transaction: ReadTransaction, location: Location, study_key: str, since: datetime | None
) -> tuple[StoredVerdict, StoredVerdict] | None:
    """The verdict on a study when this began, and the last one."""
    study = studies.find(transaction, location, study_key)
    last = verdicts.current(transaction, location, study_key)
    before = last
    while since is not None and before is not None and before.judged > since:
        before = verdicts.revision(transaction, location, study_key, before.revision - 1)
    if study is None or last is None or before is None or study.state == "WITHDRAWN":
        return None
    return before, last


def _gone(transaction: ReadTransaction, location: Location, study_key: str) -> bool:
    """There is nothing to judge any more: the study was withdrawn, or it and its evidence were taken away."""
    study = studies.find(transaction, location, study_key)
    if study is None or study.state == "WITHDRAWN":
        return True
    return snapshots.get(transaction, location, study_key) is None


class RescoreDesk:
    """Queues and does jobs that judge stored studies again."""

    def __init__(self, again: JudgingAgain) -> None:
        self._again = again

    async def start(
        self,
        selection: Selection,
        *,
        dry_run: bool,
        profile: Profile | None = None,
        sight: Sight,
        actor: str,
        origin: str,
    ) -> int:
        """Queues a job, unless the same is queued or running; returns its id.

        Args:
            selection: Which studies.
            dry_run: Write nothing.
            profile: Another profile than the service's own, for a dry run: what the next upload or pull gives
                is judged under the service's, and verdicts under two of them would only take turns.
            sight: What they see of patients.
            actor: Who asks for it, for the audit trail.
            origin: From where.

        Raises:
            UsageError: Another profile, and no dry run.
            HiddenError: Another profile, which asks for identifiers that they do not see.
            NotFoundError: The selection names what there is not.
        """
        if profile is not None and not dry_run:
            raise UsageError(
                "Another profile than the service's own is for a dry run. To judge under it, start the "
                "service with it (HELTIG_PROFILE), and then judge again."
            )
        own = self._again.profile
        under = profile or own
        read = see_that_it_may_be_tried(under, own=own, sight=sight)
        await self._again.queue.store.read(see_that_it_is_known, selection, under)
        payload: dict[str, Any] = {"selection": msgspec.to_builtins(selection), "dryRun": dry_run}
        if profile is not None:
            payload["profile"] = profile.text.decode()
        key = hashlib.sha256(msgspec.json.encode(payload)).hexdigest()
        return await self._again.start(
            NewJob(kind=KIND, key=key, priority=_PRIORITY, payload=payload),
            action="rescore.start",
            actor=actor,
            origin=origin,
            detail={**payload, "profile": under.hash, **({"identifiers": read} if read else {})},
        )

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`; of each kind of study its result lists `MOST_LISTED` at most."""
        text = context.payload.get("profile")
        tried = None if text is None else msgspec.json.decode(text, type=Profile)
        report = await rescore(
            self._again.scoring(actor=KIND, origin=f"job {context.job.id}", profile=tried),
            tried or self._again.profile,
            msgspec.convert(context.payload["selection"], Selection),
            dry_run=bool(context.payload["dryRun"]),
            since=context.job.created,  # it may go on with what it began before the service stopped
            at_once=self._again.workers,
            profile_of=None if tried else self._again.profile_of,
            progress=lambda done, total: context.progress(done=done, total=total),
        )
        listed = msgspec.structs.replace(
            report,
            moves=report.moves[:MOST_LISTED],
            changes=report.changes[:MOST_LISTED],
            failed=report.failed[:MOST_LISTED],
        )
        result: dict[str, Any] = msgspec.to_builtins(listed)
        return result
