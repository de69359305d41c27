"""What the pull service tells the log: events with fixed names and fields, for searches and for alarms.

Their names and fields are an interface, described in docs/operations.md. Each is of archives, jobs and
numbers: there is no patient data in them, and no UID, so nothing of a study is passed to these functions.
"""

import logging
from datetime import datetime, timedelta
from typing import Final, Literal

from heltig.errors import HeltigError
from heltig.store import breakers
from heltig.store.jobs import Job
from heltig.store.records import Location
from heltig.verdict import Readiness

logger: Final = logging.getLogger("heltig.events")


def poll(
    location: Location,
    strategy: str,
    *,
    new: int,
    changed: int,
    unchanged: int,
    gone: int,
    took: timedelta,
    is_whole: bool,
    error: HeltigError | None = None,
) -> None:
    """An archive was looked at by one strategy, or could not be.

    Args:
        location: The archive's.
        strategy: `feed`, `hot`, `warm` or `cold`.
        new: Studies seen for the first time.
        changed: Studies that look otherwise than before.
        unchanged: The others.
        gone: Studies that are asked for by UID, since they are not listed any more.
        took: How long it took.
        is_whole: The round has come to its end.
        error: Why it did not go on.
    """
    fields = {
        "archive": location.name,
        "strategy": strategy,
        "new": new,
        "changed": changed,
        "unchanged": unchanged,
        "gone": gone,
        "seconds": _seconds(took),
        "whole": is_whole,
    }
    _tell("poll", fields, error)


def settle(*, queued: int, left: int) -> None:
    """Studies that have come to rest were handed on to be pulled.

    Args:
        queued: How many.
        left: Those that are due too and wait, since the queue is long.
    """
    _tell("settle", {"queued": queued, "left": left})


def pull(
    location: Location,
    job: int,
    *,
    outcome: Literal["judged", "unchanged", "withdrawn", "put-off", "failed"],
    instances: int = 0,
    readiness: Readiness | None = None,
    took: timedelta,
    error: HeltigError | None = None,
) -> None:
    """A study was pulled, or could not be.

    Args:
        location: The archive's.
        job: The job's id, by which the study can be found.
        outcome: What became of it.
        instances: Of the study.
        readiness: The verdict that was given.
        took: How long it took.
        error: Why it failed.
    """
    fields = {
        "archive": location.name,
        "job": job,
        "outcome": outcome,
        "instances": instances,
        "readiness": readiness,
        "seconds": _seconds(took),
    }
    _tell("pull", fields, error)


def breaker(
    location: Location,
    operation: str,
    state: breakers.State,
    *,
    failures: int,
    until: datetime | None,
    error: HeltigError | None = None,
) -> None:
    """An archive is left alone for one class of operations, tried again, or asked as ever again.

    Args:
        location: The archive's.
        operation: The class.
        state: From now on.
        failures: One after the other.
        until: When it is tried.
        error: The last failure.
    """
    fields = {
        "archive": location.name,
        "operation": operation,
        "state": state,
        "failures": failures,
        "until": until.isoformat() if until else None,
    }
    _tell("breaker", fields, error, is_alarming=state == "open")


def job_end(job: Job) -> None:
    """A job has ended, and is never tried again by itself; give this to `JobQueue.on_end`."""
    took = job.finished - job.started if job.finished and job.started else timedelta()
    fields = {
        "job": job.id,
        "kind": job.kind,
        "group": job.group,
        "state": job.state,
        "attempts": job.attempts,
        "seconds": _seconds(took),
    }
    _tell("job-end", fields, is_alarming=job.state in ("failed", "dead"))


def _tell(
    name: str, fields: dict[str, object], error: HeltigError | None = None, *, is_alarming: bool = False
) -> None:
    if error is not None:
        fields["error"] = type(error).__name__
    level = logging.WARNING if error is not None or is_alarming else logging.INFO
    logger.log(level, name, extra={"fields": fields})


def _seconds(took: timedelta) -> float:
    return round(took.total_seconds(), 3)
