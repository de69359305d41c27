"""What the pull service tells the log: events with fixed names and fields, for searches and for alarms.

Their names and fields are an interface, described in docs/operations.md. They are about archives, jobs and
numbers: there is no patient data in them, and no UID.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from heltig.pipeline.discovery.schedule import DISCOVER, PULL
from heltig.store.alerts import Alert
from heltig.store.breakers import Breaker
from heltig.store.jobs import Job
from heltig.store.records import Location

_OF_POLL: Final = ("outcome", "new", "changed", "unchanged", "gone")
_OF_PULL: Final = ("outcome", "readiness")

logger: Final = logging.getLogger("heltig.events")


def job_end(job: Job) -> None:
    """A job has ended: `poll` where it looked at an archive, `pull` where it pulled a study, else `job-end`.

    Give this to `JobQueue.on_end`.
    """
    took = (job.finished - job.started).total_seconds() if job.finished and job.started else 0.0
    fields: dict[str, Any] = {
        "job": job.id,
        "state": job.state,
        "attempts": job.attempts,
        "seconds": round(took, 3),
    }
    if job.state != "succeeded":
        fields["error"] = (job.error or "").partition(":")[0]  # the class
    match job.kind:
        case kind if kind == DISCOVER:
            about = _some(job.payload, "archive", "strategy") | _some(job.result or {}, *_OF_POLL)
            _tell("poll", about | fields, is_alarming=about.get("outcome") == "failed" or "error" in fields)
        case kind if kind == PULL:
            about = _some(job.payload, "archive") | _some(job.result or {}, *_OF_PULL)
            _tell("pull", about | fields, is_alarming="error" in fields)
        case kind:
            _tell("job-end", {"kind": kind, **fields}, is_alarming="error" in fields)


def settle(queued: int) -> None:
    """Studies that have come to rest were handed on to be pulled.

    Args:
        queued: How many.
    """
    _tell("settle", {"queued": queued})


def breaker(location: Location, now: Breaker) -> None:
    """An archive is left alone for one class of operations, tried again, or asked again.

    Args:
        location: The archive's.
        now: The breaker as it stands from now on.
    """
    fields = {
        "archive": location.name,
        "operation": now.operation,
        "state": now.state,
        "failures": now.failures,
        "openings": now.openings,
        "until": now.until.isoformat() if now.until else None,
    }
    _tell("breaker", fields, is_alarming=now.state == "open")


def alert(now: Alert, *, is_raised: bool) -> None:
    """An alert was raised, or ended.

    Args:
        now: The alert.
        is_raised: Which of them.
    """
    fields = {
        "alert": now.id,
        "kind": now.kind,
        "subject": now.subject,
        "state": "raised" if is_raised else "ended",
        "detail": now.detail,
    }
    _tell("alert", fields, is_alarming=is_raised)


def _some(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}


def _tell(name: str, fields: dict[str, Any], *, is_alarming: bool = False) -> None:
    logger.log(logging.WARNING if is_alarming else logging.INFO, name, extra={"fields": fields})
