"""Makes Prometheus' families of figures: their names, what they mean and their labels."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from heltig.api import request_counts
from heltig.api.request_counts import RequestCounts
from heltig.pipeline.archives.answering import is_timed
from heltig.pipeline.archives.measuring import EDGES
from heltig.pipeline.archives.status import STATES, ArchiveStatus, ServiceStatus
from heltig.store import breakers
from heltig.store.alert_kinds import ALERT_KINDS, AlertKind
from heltig.store.measurements import Answers, Count
from heltig.store.watch import Standing

ROLE: Final = "server"
"""What this process is: workers have no address of their own, their figures come from SQL."""

_BREAKERS: Final[Mapping[breakers.State, int]] = {"closed": 0, "half-open": 1, "open": 2}
_EVERY_SECOND_EDGE: Final = slice(0, None, 2)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a service at a time.

    Attributes:
        build: What is running, as labels.
        status: How archives and jobs stand.
        answers: How archives answered since the first day.
        standing: All studies, counted by how they stand.
        requests: What this process was asked.
        alerts: How many stand, by kind.
        analyses: How many are kept, by state and code.
    """

    now: datetime
    build: dict[str, str]
    status: ServiceStatus
    answers: Mapping[Answers, Count]
    standing: Sequence[Standing]
    requests: RequestCounts
    alerts: Mapping[AlertKind, int]
    analyses: Mapping[tuple[str, str], int]


def families(figures: Figures) -> Iterator[Metric]:
    """All of them."""
    yield InfoMetricFamily("heltig_build", "What is running.", value=figures.build)
    yield from _of_service(figures)
    for archive_gauges in (_of_archives, _of_queues, _of_breakers, _of_backfills):
        yield from archive_gauges(figures.status.archives)
    yield from _of_answers(figures.answers)
    yield from _of_requests(figures.requests)


def _of_service(figures: Figures) -> Iterator[Metric]:
    status = figures.status
    studies = GaugeMetricFamily(
        "heltig_studies",
        "Studies by their last verdict, and by whether it stands (state JUDGED); counted once a minute.",
        labels=("kind", "place", "state", "readiness"),
    )
    for one in figures.standing:
        studies.add_metric((one.kind, one.place, one.state, one.readiness or "none"), one.number)
    yield studies
    jobs = GaugeMetricFamily(
        "heltig_jobs", "Jobs that wait or are at work, and those that ended badly.", labels=("kind", "state")
    )
    for counted in status.jobs:
        jobs.add_metric((counted.kind, counted.state), counted.number)
    yield jobs
    analyses = GaugeMetricFamily(
        "heltig_analyses",
        "Analyses that are kept, by state; `code` says why one was refused or failed.",
        labels=("state", "code"),
    )
    for (state, code), number in figures.analyses.items():
        analyses.add_metric((state, code), number)
    yield analyses
    oldest = status.oldest_queued
    waited = max((figures.now - oldest).total_seconds(), 0.0) if oldest else 0.0
    yield GaugeMetricFamily(
        "heltig_oldest_job_seconds", "How long the oldest job that could start has waited.", value=waited
    )
    workers = GaugeMetricFamily(
        "heltig_workers", "Processes that work jobs off, heard of within a minute.", labels=("version",)
    )
    versions: dict[str, int] = defaultdict(int)
    for worker in status.workers:
        versions[worker.version] += 1
    for version, number in versions.items():
        workers.add_metric((version,), number)
    yield workers
    alerts = GaugeMetricFamily("heltig_alerts", "Alerts that stand.", labels=("kind",))
    for kind in ALERT_KINDS:
        alerts.add_metric((kind,), figures.alerts.get(kind, 0))
    yield alerts
    yield CounterMetricFamily(
        "heltig_changes",
        "Entries of the change feed: verdicts given and studies withdrawn.",
        value=status.changes,
    )


def _of_archives(archives: list[ArchiveStatus]) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "heltig_archive_state", "1 for the state that an archive is in.", labels=("archive", "state")
    )
    lag = _per_archive("lag_seconds", "How old, by our clock, the time is up to which all changes are known.")
    polled = _per_archive("polled_timestamp_seconds", "When it was last asked for what is new.")
    succeeded = _per_archive("succeeded_timestamp_seconds", "When that last came to an end.")
    for one in archives:
        for name in STATES:
            state.add_metric((one.name, name), int(one.state == name))
        for family, value in (
            (lag, one.lag_seconds),
            (polled, one.polled.timestamp() if one.polled else None),
            (succeeded, one.succeeded.timestamp() if one.succeeded else None),
        ):
            if value is not None:
                family.add_metric((one.name,), value)
    yield from (state, lag, polled, succeeded)


def _of_queues(archives: list[ArchiveStatus]) -> Iterator[Metric]:
    jobs = GaugeMetricFamily(
        "heltig_archive_jobs",
        "Jobs of an archive that wait or are at work, and those that ended badly.",
        labels=("archive", "state"),
    )
    settling = _per_archive("settling_studies", "Studies that changed and are not pulled yet.")
    due = _per_archive("due_studies", "Those of them that are quiet by now and wait for their turn.")
    for one in archives:
        queue = one.queue
        for name in ("queued", "running", "failed", "dead"):
            jobs.add_metric((one.name, name), getattr(queue, name))
        settling.add_metric((one.name,), queue.settling)
        due.add_metric((one.name,), queue.due)
    yield from (jobs, settling, due)


def _of_breakers(archives: list[ArchiveStatus]) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "heltig_archive_breaker",
        "Whether an archive is left alone for one class of operations: 0 no, 1 it is tried, 2 yes.",
        labels=("archive", "operation"),
    )
    for one in archives:
        for breaker in one.breakers:
            state.add_metric((one.name, breaker.operation), _BREAKERS[breaker.state])
    yield state


def _of_backfills(archives: list[ArchiveStatus]) -> Iterator[Metric]:
    studies = _per_archive("backfill_studies", "Studies of the backfills that are under way.")
    done = _per_archive("backfill_done_studies", "Those of them that are through.")
    for one in archives:
        if one.backfills:
            studies.add_metric((one.name,), sum(backfill.studies for backfill in one.backfills))
            done.add_metric((one.name,), sum(backfill.done for backfill in one.backfills))
    yield from (studies, done)


def _of_answers(counted: Mapping[Answers, Count]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "heltig_archive_requests",
        "Requests to archives by what became of them.",
        labels=("archive", "operation", "outcome"),
    )
    received = CounterMetricFamily(
        "heltig_archive_received_bytes", "Bytes of archives' answers.", labels=("archive", "operation")
    )
    seconds = HistogramMetricFamily(
        "heltig_archive_request_seconds",
        "Seconds to the last byte of an archive's answer; failures and broken-off ones are left out.",
        labels=("archive", "operation"),
    )
    numbers: dict[tuple[str, str, str], int] = defaultdict(int)
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    times: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
    for answers, count in counted.items():
        asked = (answers.archive, answers.operation)
        numbers[(*asked, answers.outcome)] += count.count
        sizes[asked] += count.received
        if is_timed(answers):
            buckets, sums = times.setdefault(asked, ([0] * (len(EDGES) + 1), [0.0]))
            buckets[answers.bucket] += count.count
            sums[0] += count.seconds
    for labels, number in numbers.items():
        requests.add_metric(labels, number)
    for labels_of_size, size in sizes.items():
        received.add_metric(labels_of_size, size)
    for labels_of_times, (buckets, (total,)) in times.items():
        cumulative = _cumulative(EDGES, buckets)
        shown = [*cumulative[:-1][_EVERY_SECOND_EDGE], cumulative[-1]]
        seconds.add_metric(labels_of_times, shown, total)
    yield from (requests, received, seconds)


def _of_requests(counted: RequestCounts) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "heltig_http_requests",
        "Requests that this process answered.",
        labels=("process", "method", "route", "status"),
    )
    seconds = HistogramMetricFamily(
        "heltig_http_request_seconds",
        "Seconds from a request to the end of its answer.",
        labels=("process", "route"),
    )
    for (method, route, status), number in counted.answers.items():
        answers.add_metric((ROLE, method, route, str(status)), number)
    for route, buckets in counted.buckets.items():
        cumulative = _cumulative(request_counts.EDGES, buckets)
        seconds.add_metric((ROLE, route), cumulative, counted.seconds[route])
    yield from (answers, seconds)


def _cumulative(edges: Iterable[float], buckets: Iterable[int]) -> list[tuple[str, float]]:
    """Buckets as Prometheus has them: each with all that are below it."""
    names = (*(f"{edge:.6g}" for edge in edges), "+Inf")
    total = 0
    summed = []
    for name, number in zip(names, buckets, strict=True):
        total += number
        summed.append((name, float(total)))
    return summed


def _per_archive(name: str, documentation: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"heltig_archive_{name}", documentation, labels=("archive",))
