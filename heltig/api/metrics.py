"""`/metrics`: figures for Prometheus.

What several processes share lives in SQL and comes from there with every scrape, so that each server tells
the same and counters never go back when a process ends. What only this process knows, the requests that it
answered, is labelled with its role. Labels are archives, operations, states, kinds and routes, nothing of a
study.
"""

import asyncio
import platform
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from litestar import HttpMethod, Request, Response, route
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from heltig import __version__
from heltig.api import metric_families
from heltig.api.metric_families import Figures
from heltig.api.problems import responses
from heltig.api.request_counts import RequestCounts
from heltig.api.services import Services
from heltig.pipeline.archives import watching
from heltig.pipeline.judging import ruleset_name
from heltig.pipeline.telling.trail_conditions import TrailWatch
from heltig.store import alerts, analyses, archives, measurements, watch
from heltig.store.alert_kinds import AlertKind
from heltig.store.transaction import ReadTransaction
from heltig.store.watch import Standing

RECOUNTED: Final = timedelta(minutes=1)
"""How often all studies are counted: that reads an entry of an index for each of them."""

_TEXT: Final = ResponseSpec(
    str, generate_examples=False, description="Prometheus text format", media_type="text/plain"
)


class Scrapes:
    """Collects the figures of a service; keeps for a while what is costly to count."""

    def __init__(self, requests: RequestCounts) -> None:
        """Makes it.

        Args:
            requests: Those that this process answered.
        """
        self._requests = requests
        self._standing: list[Standing] = []
        self._counted: datetime | None = None
        self._counting = asyncio.Lock()

    async def figures(self, services: Services) -> Figures:
        """What is to be told now.

        Raises:
            StorageError: The database could not be read.
        """
        now = services.clock()
        async with self._counting:
            if self._counted is None or now - self._counted >= RECOUNTED:
                self._standing = await services.store.read(watch.standing)
                self._counted = now
        return await services.store.read(
            _figures, self._standing, self._requests, trail=services.trail, now=now
        )


@route(
    "/metrics",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    responses={200: _TEXT, **responses(400, 401, 403, 503)},
    tags=["Health"],
)
async def metrics(request: Request[Any, Any, State], services: NamedDependency[Services]) -> Response[bytes]:
    """Give figures for Prometheus: archives, queue, workers, verdicts, requests. No patient data, no UIDs."""
    scrapes: Scrapes = request.app.state["scrapes"]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ready(metric_families.families(await scrapes.figures(services))))
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": media_type, "cache-control": "no-store"})


class _Ready(Collector):
    """Families that were made already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)

    def describe(self) -> list[Metric]:
        return []


def _figures(
    transaction: ReadTransaction,
    standing: list[Standing],
    requests: RequestCounts,
    *,
    trail: TrailWatch,
    now: datetime,
) -> Figures:
    names = [archive.name for archive in archives.every(transaction)]
    return Figures(
        now=now,
        build={
            "version": __version__,
            "ruleset": ruleset_name().hash[:12],
            "standard": ruleset_name().standard,
            "python": platform.python_version(),
        },
        status=watching.service_status(transaction, now=now, windows={}),
        answers=measurements.ever(transaction, names),
        standing=standing,
        requests=requests,
        alerts=_alerts(transaction, trail),
        analyses=analyses.counts(transaction),
    )


def _alerts(transaction: ReadTransaction, trail: TrailWatch) -> dict[AlertKind, int]:
    """How many stand; of the audit trail at least as this host sees it, whatever the database says."""
    counts = alerts.counts(transaction)
    here = sum(1 for _ in trail.conditions(transaction, host=""))
    return {**counts, "audit-broken": max(counts.get("audit-broken", 0), here)}
