"""The page that says how Heltig itself is: what `heltig doctor` and `/metrics` say, for people."""

import asyncio
import platform
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from litestar import HttpMethod, Response, route

from heltig import __version__
from heltig.api.services import Services, services_of
from heltig.auth.policy import refusal
from heltig.dashboard.jobs import KINDS_IN_WORDS
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.dashboard.pages import page
from heltig.pipeline.archives import watching
from heltig.pipeline.archives.status import ArchiveStatus
from heltig.pipeline.doctor.check import Check
from heltig.pipeline.doctor.host import host
from heltig.pipeline.doctor.services import access, proxies
from heltig.pipeline.judging import ruleset_name
from heltig.pipeline.retention import purge
from heltig.pipeline.retention.ages import Retention
from heltig.store import alerts, jobs, workers
from heltig.store.alerts import Alert
from heltig.store.database_size import kind_and_bytes
from heltig.store.migrations import HEAD, version
from heltig.store.purging import Kind
from heltig.store.transaction import ReadTransaction
from heltig.store.watch import JobCount
from heltig.store.workers import Worker

QUIET: Final = timedelta(seconds=30)
"""A worker that was not heard of for so long is late: it says every few seconds that it works."""

KEPT_CALLED: Final[Mapping[Kind, str]] = {
    "analyses": "Analyses",
    "uploads": "Uploads with their studies",
    "gate": "What gates know of studies handed on",
    "withdrawn": "Withdrawn studies",
    "verdicts": "Superseded verdicts",
    "snapshots": "Superseded evidence",
    "changes": "Change feed",
    "reports": "Backfills with their reports",
    "jobs": "Jobs that are done or let be",
    "failed_jobs": "Jobs that were given up",
    "deliveries": "Deliveries to receivers",
}
"""What a retention's kinds are called on the page."""

REMEMBERED: Final = timedelta(hours=24)
"""How long a worker is shown that was heard of no more."""


class KindOfJobs(msgspec.Struct, frozen=True, kw_only=True):
    """Unfinished jobs of a kind, and those that were given up."""

    kind: str
    queued: int = 0
    running: int = 0
    bad: int = 0


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows.

    Attributes:
        alerts: Those that stand.
        workers: Those that were heard of lately.
        oldest: Since when the oldest of the jobs waits that could start.
        archives: Those of which a breaker is open, or being tried.
        database: Which one, and its bytes.
        tables: The version that its tables have.
        purged: When the last purge was queued.
    """

    alerts: tuple[Alert, ...]
    workers: tuple[Worker, ...]
    jobs: tuple[KindOfJobs, ...]
    oldest: datetime | None
    archives: tuple[ArchiveStatus, ...]
    database: tuple[str, int]
    tables: str | None
    purged: datetime | None


@route("/service", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_health(request: AnyRequest) -> Response[str]:
    """The page."""
    services = services_of(request.app.state)
    now = services.clock()
    found = await services.store.read(health, now=now)
    runs_it = refusal(principal_of(request), "POST", "/api/v1/ops/purge") is None
    disk = await asyncio.to_thread(shutil.disk_usage, services.settings.home)
    return page(
        request,
        "health.html",
        now=now,
        shown=found,
        version=__version__,
        python=platform.python_version(),
        ruleset=ruleset_name(),
        profile=services.profile,
        newest_tables=HEAD,
        is_working=services.is_working(),
        quiet=QUIET,
        kinds=KINDS_IN_WORDS,
        disk=disk,
        kept=Retention.of(services.settings),
        kept_called=KEPT_CALLED,
        next_purge=found.purged + purge.EVERY if found.purged else None,
        checks=await asyncio.to_thread(_checks, services) if runs_it else (),
        redis=services.settings.redis_url is not None,
        sees_archives=refusal(principal_of(request), "GET", "/archives/{id}") is None,
        sees_trail=refusal(principal_of(request), "GET", "/audit") is None,
        sees_quarantine=refusal(principal_of(request), "GET", "/quarantine") is None,
    )


def health(transaction: ReadTransaction, *, now: datetime) -> Health:
    """Collects what the database knows."""
    service = watching.service_status(transaction, now=now, windows={})
    newest = jobs.newest(transaction, kind=purge.KIND, limit=20)
    return Health(
        alerts=tuple(alerts.standing(transaction)),
        workers=tuple(workers.heard_of(transaction, since=now - REMEMBERED)),
        jobs=_kinds(service.jobs),
        oldest=service.oldest_queued,
        archives=tuple(
            status
            for status in service.archives
            if any(breaker.state != "closed" for breaker in status.breakers)
        ),
        database=kind_and_bytes(transaction),
        tables=version(transaction),
        purged=next((job.created for job in newest if not job.payload.get("dryRun")), None),
    )


HEALTH: Final = (show_health,)
"""The routes."""


def _kinds(counted: Sequence[JobCount]) -> tuple[KindOfJobs, ...]:
    numbers: dict[str, dict[str, int]] = {}
    for one in counted:
        of_kind = numbers.setdefault(one.kind, {"queued": 0, "running": 0, "bad": 0})
        of_kind[one.state if one.state in of_kind else "bad"] += one.number
    return tuple(KindOfJobs(kind=kind, **found) for kind, found in sorted(numbers.items()))


def _checks(services: Services) -> tuple[Check, ...]:
    """Those of the doctor that ask nobody."""
    return (*host(services.settings), access(services.settings), proxies(services.settings))
