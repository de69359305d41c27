"""`/api/v1/alerts`: what those who run the service have to know."""

from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit
from heltig.pipeline.telling.alert_view import AlertView, alert_view
from heltig.store import alerts
from heltig.store.alerts import AlertState


class AlertPage(msgspec.Struct, frozen=True):
    """Some alerts, the newest first.

    Attributes:
        before: What to ask for the page after this one with; null on the last.
    """

    items: list[AlertView]
    limit: int
    before: int | None


@get("/api/v1/alerts", responses=responses(400, 401, 403, 503), tags=["Alerts"])
async def list_alerts(
    services: NamedDependency[Services],
    wanted_state: Annotated[AlertState | None, QueryParameter(name="state")] = None,
    before: Annotated[
        int | None, QueryParameter(ge=1, le=2**31 - 1, description="Only alerts with a lower number.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> AlertPage:
    """List alerts, the newest first: those that stand, those that ended, or both. No patient data."""
    found = await services.store.read(alerts.newest, state=wanted_state, before=before, limit=limit + 1)
    items = [alert_view(alert) for alert in found[:limit]]
    return AlertPage(items, limit, items[-1].id if len(found) > limit else None)
