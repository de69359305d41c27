"""How an archive stands, and the service that pulls from all of them, as REST tells it too."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.pipeline.archives.answering import Answering
from heltig.store.breakers import Breaker
from heltig.store.watch import Backfill, JobCount
from heltig.store.workers import Worker

ArchiveState: TypeAlias = Literal[
    "current", "behind", "failing", "stopped", "slow", "resting", "paused", "unwatched"
]

STATES: Final[Mapping[ArchiveState, str]] = {
    "current": "what it has is known",
    "behind": "it was last looked at longer ago than it should be, or its studies wait to be pulled",
    "failing": "the last look at it failed",
    "stopped": "it failed too often, and is left alone for a while",
    "slow": "a study of it has been waited for for more than a minute",
    "resting": "it is outside the hours in which it may be asked",
    "paused": "somebody said that nothing is to be asked of it for now",
    "unwatched": "nobody looks for new studies in it",
}
"""The states of an archive. `behind`, `failing` and `stopped` are for somebody to look at."""


class Cursor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far an archive was read by one strategy.

    Attributes:
        strategy: `feed`, `hot`, `warm` or `cold`.
        position: Where it goes on, in words; null before the first and after a whole round.
        covered: By the archive's clock: all that changed before is recorded.
        started: The round that is under way.
        finished: The last whole round.
        due: When it goes on.
        error: Why the last try failed.
    """

    strategy: str
    position: str | None
    covered: datetime | None
    started: datetime | None
    finished: datetime | None
    due: datetime
    error: str | None


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What waits to be done for an archive.

    Attributes:
        queued: Jobs that wait for a worker, or for their time.
        running: Jobs at work.
        failed: Jobs that ended badly for a reason that trying again does not mend.
        dead: Jobs that were given up after too many tries.
        settling: Studies that changed and are not pulled yet.
        due: Those of them that are quiet by now.
    """

    queued: int = 0
    running: int = 0
    failed: int = 0
    dead: int = 0
    settling: int = 0
    due: int = 0


class OperationAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """How an archive answered to one operation in one span of time; `operation` is null for all together."""

    window: str
    operation: str | None
    answering: Answering


class ArchiveStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How an archive stands.

    Attributes:
        state: In a word, see `STATES`; `why` says what is behind it.
        polled: When it was last asked for what is new.
        succeeded: When that last came to an end.
        lag_seconds: How long ago the time is up to which all its changes are known; null where none is.
        notes: What is particular about it, in words.
    """

    name: str
    title: str
    state: ArchiveState
    why: str
    polled: datetime | None
    succeeded: datetime | None
    lag_seconds: float | None
    queue: Queue
    cursors: list[Cursor]
    breakers: list[Breaker]
    answers: list[OperationAnswers]
    backfills: list[Backfill]
    probed: datetime | None
    notes: list[str]

    def answering(self, window: str) -> Answering:
        """How it answered in a span of time, all operations together."""
        return next(a.answering for a in self.answers if a.window == window and a.operation is None)


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the service that pulls stands.

    Attributes:
        archives: All of them, by name.
        workers: The processes that work jobs off.
        jobs: Jobs that are queued or running, or ended badly, by kind and state.
        oldest_queued: Since when the oldest of the jobs waits that could be started now.
        changes: The sequence of the last entry of the change feed.
    """

    archives: list[ArchiveStatus]
    workers: list[Worker]
    jobs: list[JobCount]
    oldest_queued: datetime | None
    changes: int
