"""What each rule costs on the studies of this site: the newest of them are judged with a watch in hand."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from heltig import audit
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.giving import stored_evidence
from heltig.pipeline.keep import Processes
from heltig.pipeline.score import time_stored
from heltig.pipeline.timing import RuleCosts
from heltig.rules.profile import Profile
from heltig.store import outdated
from heltig.store.jobs import NewJob
from heltig.store.transaction import WriteTransaction

KIND: Final = "time-rules"
"""The kind of job."""

MOST_STUDIES: Final = 200
MOST_INSTANCES: Final = 20_000
"""No further study is judged once there were so many instances: some seconds in all."""

_PRIORITY: Final = 10
"""After everything that somebody waits for."""


class RuleCostsDesk:
    """Queues and does the job."""

    def __init__(
        self, queue: JobQueue, processes: Processes, *, profile: Profile, clock: Callable[[], datetime]
    ) -> None:
        """Makes it.

        Args:
            queue: Where its jobs are queued.
            processes: Where judging is done.
            profile: The profile to judge under.
            clock: The time.
        """
        self._queue = queue
        self._processes = processes
        self._profile = profile
        self._clock = clock

    async def start(self, *, actor: str, origin: str) -> int:
        """Queues a job, unless one is queued or running; returns its id.

        Args:
            actor: Who asks for it, for the audit trail.
            origin: From where.
        """

        def queue(transaction: WriteTransaction) -> int:
            job = self._queue.enqueue(transaction, NewJob(kind=KIND, key=KIND, priority=_PRIORITY))
            audit.record(
                transaction,
                at=self._clock(),
                actor=actor,
                action="rules.time",
                subject=f"job {job}",
                outcome="success",
                origin=origin,
            )
            return job

        return await self._queue.store.write_durably(queue)

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`; the result is a `RuleCosts`. Nothing of any study is written."""
        store = self._queue.store
        newest = await store.read(outdated.newest, limit=MOST_STUDIES)
        by_rule, shared = Counter[str](), Counter[str]()
        studies, instances, seconds = 0, 0, 0.0
        for location, study_key in newest:
            found = await store.read(stored_evidence, location, study_key, self._clock())
            if found is None:
                continue
            _, stored, _, index_facts = found
            costs = await self._processes.run(time_stored, stored, self._profile, index_facts=index_facts)
            by_rule.update(costs.by_rule)
            shared.update(costs.shared)
            studies, instances, seconds = (
                studies + costs.studies,
                instances + costs.instances,
                seconds + costs.seconds,
            )
            context.progress(done=studies, total=len(newest))
            if instances >= MOST_INSTANCES:
                break
        result: dict[str, Any] = msgspec.to_builtins(
            RuleCosts(studies, instances, seconds, dict(by_rule.most_common()), dict(shared.most_common()))
        )
        return result
