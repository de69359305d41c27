"""What each rule costs on the studies of this site: the newest of them are judged with a watch in hand."""

from collections import Counter
from typing import Any, Final

import msgspec

from heltig.jobs.attempt import JobContext
from heltig.pipeline.again.studies import JudgingAgain
from heltig.pipeline.giving import stored_evidence
from heltig.pipeline.score import time_stored
from heltig.pipeline.timing import RuleCosts
from heltig.store import outdated
from heltig.store.jobs import NewJob

KIND: Final = "time-rules"
"""The kind of job."""

MOST_STUDIES: Final = 200
MOST_INSTANCES: Final = 20_000
"""No further study is judged once there were so many instances: some seconds in all."""

_PRIORITY: Final = 10
"""After everything that somebody waits for."""


class RuleCostsDesk:
    """Queues and does the job."""

    def __init__(self, again: JudgingAgain) -> None:
        self._again = again

    async def start(self, *, actor: str, origin: str) -> int:
        """Queues a job, unless one is queued or running; returns its id.

        Args:
            actor: Who asks for it, for the audit trail.
            origin: From where.
        """
        return await self._again.start(
            NewJob(kind=KIND, key=KIND, priority=_PRIORITY), action="rules.time", actor=actor, origin=origin
        )

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`; the result is a `RuleCosts`. Nothing of any study is written."""
        queue, profile = self._again.queue, self._again.profile
        newest = await queue.store.read(outdated.newest, limit=MOST_STUDIES)
        by_rule, shared = Counter[str](), Counter[str]()
        studies, instances, seconds = 0, 0, 0.0
        for location, study_key in newest:
            found = await queue.store.read(stored_evidence, location, study_key, queue.clock())
            if found is None:
                continue
            _, stored, _, index_facts = found
            costs = await self._again.processes.run(time_stored, stored, profile, index_facts=index_facts)
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
