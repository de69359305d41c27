"""What the measurements of an archive come to: how many answers, how fast, how many of them errors."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from heltig.pipeline.archives.measuring import EDGES
from heltig.store.measurements import Answers, Count, Outcome

ERRORS: Final[frozenset[Outcome]] = frozenset({"refused", "failed", "broken-off"})
"""Outcomes that are none of the ordinary: `not-found` is one, archives lose studies."""

_UNTIMED: Final[frozenset[Outcome]] = frozenset({"failed", "broken-off"})


class Answering(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How an archive answered in a span of time.

    Attributes:
        answers: Requests, whatever became of them.
        errors: Those that were refused, failed or broken off.
        error_rate: Errors among all, from 0 to 1; null without any request.
        answers_per_minute: On average.
        bytes_per_minute: On average, of bodies.
        p50: Seconds within which half of the answers ended; null without any. `p95` and `p99` likewise.
    """

    answers: int
    errors: int
    error_rate: float | None
    answers_per_minute: float
    bytes_per_minute: float
    p50: float | None
    p95: float | None
    p99: float | None


def answering(counted: Iterable[tuple[Answers, Count]], *, minutes: float) -> Answering:
    """What counts come to.

    Args:
        counted: What was counted.
        minutes: In how many minutes.
    """
    total = errors = received = 0
    timed: dict[int, int] = defaultdict(int)
    for answers, count in counted:
        total += count.count
        received += count.received
        errors += count.count if answers.outcome in ERRORS else 0
        if is_timed(answers):
            timed[answers.bucket] += count.count
    return Answering(
        answers=total,
        errors=errors,
        error_rate=errors / total if total else None,
        answers_per_minute=total / minutes,
        bytes_per_minute=received / minutes,
        p50=percentile(timed, 0.50),
        p95=percentile(timed, 0.95),
        p99=percentile(timed, 0.99),
    )


def is_timed(answers: Answers) -> bool:
    """Whether their times say how long an archive takes, and not how long we waited in vain."""
    return answers.outcome not in _UNTIMED


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """The seconds within which a share of answers ended, as if each bucket were filled evenly.

    It is in the bucket of the true one: at most 1.42 times off. What took longer than the last edge counts
    as that.

    >>> percentile({20: 50, 22: 50}, 0.5) == EDGES[20], percentile({}, 0.5)
    (True, None)
    """
    wanted = share * sum(buckets.values())
    passed = 0
    for bucket in sorted(buckets):
        inside = buckets[bucket]
        if passed + inside >= wanted and inside:
            low = EDGES[bucket - 1] if bucket > 0 else 0.0
            high = EDGES[min(bucket, len(EDGES) - 1)]
            return low + (high - low) * (wanted - passed) / inside
        passed += inside
    return None
