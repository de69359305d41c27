"""`GET /api/v1/comparison`: the same studies in two archives, side by side."""

from collections import Counter
from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from heltig.api.looks import shows
from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.api.v1.paging import DEFAULT_LIMIT, Limit
from heltig.errors import UsageError
from heltig.pipeline.differences.comparing import (
    Compared,
    ComparedPage,
    Place,
    Status,
    compare_page,
    compare_study,
    days_of,
)


class ComparisonPage(msgspec.Struct, frozen=True):
    """Some studies in two archives.

    Attributes:
        counts: Of the studies of this page, how many there are of each status.
        items: Those that were asked for.
        next: What to ask for the page after this one with, as `after`; null on the last.
    """

    counts: dict[Status, int]
    items: list[Compared]
    next: str | None


@get("/api/v1/comparison", responses=responses(400, 401, 403, 404, 503), tags=["Archives"])
async def compare_archives(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    source: FromQuery[str],
    destination: FromQuery[str],
    study: FromQuery[str | None] = None,
    first: Annotated[date | None, QueryParameter(name="from", description="This day and later.")] = None,
    last: Annotated[date | None, QueryParameter(name="to", description="This day and earlier.")] = None,
    differences: Annotated[bool, QueryParameter(description="Without those that are equal.")] = False,
    after: Annotated[
        str | None, QueryParameter(max_length=1024, description="`next` of the page before.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> ComparisonPage:
    """Compare the studies of two archives, as they were pulled: what is where, and what differs.

    No archive is asked. First come the studies of the source, by their UIDs, then those that are in the
    destination alone. A page may have fewer items than `limit`, or none, and not be the last.
    """
    if study is not None:
        one = await services.store.read(compare_study, source, destination, study)
        page = ComparedPage((one,), None)
    else:
        page = await services.store.read(
            compare_page,
            source,
            destination,
            place=Place.parse(after) if after else Place(),
            dates=_dates(first, last),
            limit=limit,
        )
    items = [one for one in page.items if one.status != "equal" or not differences]
    shows(request.scope, [one.study for one in items])
    return ComparisonPage(
        counts=dict(Counter(one.status for one in page.items)),
        items=items,
        next=None if page.next is None else str(page.next),
    )


def _dates(first: date | None, last: date | None) -> tuple[str, str]:
    if first and last and first > last:
        raise UsageError("from is after to.")
    return days_of(first, last)
